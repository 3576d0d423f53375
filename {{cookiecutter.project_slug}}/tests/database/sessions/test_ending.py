"""However a request ends, it leaves no connection checked out, no row and no open session."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, abort, stream_with_context
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from {{ cookiecutter.__package }}.database import db

from ...support.api import URL, new_body
from ...support.engine import cut_off
from ...support.leaks import assert_nothing_leaked, count_rows, read_stream
from ...support.probe import Probe, ProbeFactory
from ...support.problems import problem
from .conftest import Serve, View


class KnownError(Exception):
    """An error that the application has a handler for."""


def fail(error: type[BaseException]) -> Any:
    raise error


def violate_a_constraint() -> None:
    db.session.add_all(ProbeFactory.build(code="the same") for _ in range(2))
    db.session.flush()


def after_a_row(end: Callable[[], Any]) -> View:
    """Return a view that writes a row and then ends as given."""

    def view() -> Any:
        db.session.add(ProbeFactory.build())
        db.session.flush()
        return end()

    return view


def prepare(app: Flask) -> None:
    """Handle errors as in production, and register a handler for one of them."""
    app.testing = False
    app.register_error_handler(KnownError, lambda _: ("handled", 400))


ENDINGS: dict[str, Callable[[], Any]] = {
    "forgotten commit": lambda: "done",
    "abort": lambda: abort(404),
    "handled error": lambda: fail(KnownError),
    "unhandled error": lambda: fail(ArithmeticError),
    "constraint": violate_a_constraint,
    "wrong statement": lambda: db.session.execute(text("SELECT no_such_column")),
    "SystemExit": lambda: fail(SystemExit),
    "KeyboardInterrupt": lambda: fail(KeyboardInterrupt),
    "savepoint left open": lambda: str(db.session.begin_nested()),
    "connection used directly": lambda: str(db.session.connection()),
}


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS.keys())
def test_nothing_is_left_after(serve: Serve, committed_db: Engine, end: Callable[[], Any]) -> None:
    client = serve(after_a_row(end), prepare)
    with contextlib.suppress(SystemExit, KeyboardInterrupt):
        client.post("/view")
    assert_nothing_leaked(client.application)
    assert count_rows(committed_db) == 0


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS.keys())
def test_next_request_works_after(serve: Serve, end: Callable[[], Any]) -> None:
    """The pool has one connection, so the next request gets the same one."""
    client = serve(after_a_row(end), prepare)
    with contextlib.suppress(SystemExit, KeyboardInterrupt):
        client.post("/view")
    assert client.post(URL, json=new_body()).status_code == 201


def test_committed_row_stays_and_nothing_else(serve: Serve, committed_db: Engine) -> None:
    def commit() -> str:
        db.session.commit()
        return "done"

    client = serve(after_a_row(commit))
    assert client.post("/view").status_code == 200
    assert_nothing_leaked(client.application)
    assert count_rows(committed_db) == 1


def test_changes_after_the_commit_are_rolled_back(serve: Serve, committed_db: Engine) -> None:
    def view() -> str:
        db.session.add(ProbeFactory.build())
        db.session.commit()
        db.session.add(ProbeFactory.build())
        db.session.flush()
        return "done"

    client = serve(view)
    assert client.post("/view").status_code == 200
    assert_nothing_leaked(client.application)
    assert count_rows(committed_db) == 1


# The teardown functions of extensions


# Flask 3.2 raises the errors of all teardown functions as a group.
FAILED_TEARDOWN = pytest.RaisesGroup(ArithmeticError, allow_unwrapped=True, flatten_subgroups=True)


def fail_at_teardown(app: Flask) -> None:
    """Add a function that fails; Flask 3.1 skips the teardown functions after it."""
    app.teardown_appcontext(lambda _: fail(ArithmeticError))


def test_failing_teardown_of_an_extension_leaves_nothing(
    serve: Serve, committed_db: Engine
) -> None:
    client = serve(after_a_row(lambda: "done"), fail_at_teardown)
    with FAILED_TEARDOWN:
        client.post("/view")
    assert_nothing_leaked(client.application)
    assert count_rows(committed_db) == 0


def test_next_request_works_after_a_failing_teardown(serve: Serve, committed_db: Engine) -> None:
    client = serve(after_a_row(lambda: "done"), fail_at_teardown)
    for _ in range(2):
        with FAILED_TEARDOWN:
            client.post("/view")
    with FAILED_TEARDOWN:
        client.post(URL, json=new_body())
    assert count_rows(committed_db) == 1


def test_teardown_of_an_extension_can_use_the_session(serve: Serve) -> None:
    seen: list[Session] = []

    def view() -> str:
        seen.append(db.session())
        return "done"

    client = serve(view, lambda app: app.teardown_appcontext(lambda _: seen.append(db.session())))
    client.get("/view")
    assert seen[0] is seen[1]
    assert_nothing_leaked(client.application)


# A connection that is lost in the middle of a request


def test_connection_lost_in_a_request_gets_503(serve: Serve, committed_db: Engine) -> None:
    def lose_the_connection() -> Any:
        cut_off(db.session.connection(), committed_db)
        return db.session.scalar(select(Probe.name))

    response = serve(after_a_row(lose_the_connection), prepare).post("/view")
    problem(response, 503)
    assert response.headers["Retry-After"] == "1"


def test_lost_connection_leaves_nothing(serve: Serve, committed_db: Engine) -> None:
    def lose_the_connection() -> Any:
        cut_off(db.session.connection(), committed_db)
        return db.session.scalar(select(Probe.name))

    client = serve(after_a_row(lose_the_connection), prepare)
    client.post("/view")
    assert_nothing_leaked(client.application)
    assert count_rows(committed_db) == 0
    assert client.post(URL, json=new_body()).status_code == 201


def test_unnoticed_loss_of_the_connection_does_not_change_the_response(
    serve: Serve, committed_db: Engine
) -> None:
    """The rollback at the end of the request is the first to use the lost connection."""

    def lose_the_connection() -> str:
        cut_off(db.session.connection(), committed_db)
        return "done"

    client = serve(after_a_row(lose_the_connection), prepare)
    assert client.post("/view").text == "done"
    assert_nothing_leaked(client.application)
    assert count_rows(committed_db) == 0
    assert client.post(URL, json=new_body()).status_code == 201


def test_connection_lost_in_a_stream_is_returned(serve: Serve, committed_db: Engine) -> None:
    def view() -> Any:
        def lines() -> Iterator[str]:
            cut_off(db.session.connection(), committed_db)
            yield str(db.session.scalar(select(Probe.name)))

        return stream_with_context(lines())

    client = serve(view, prepare)
    with pytest.raises(SQLAlchemyError):
        read_stream(client.application, "/view")
    assert_nothing_leaked(client.application)
    assert client.post(URL, json=new_body()).status_code == 201


def test_failing_rollback_at_the_end_returns_the_connection(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """This holds for any error: SQLAlchemy itself only handles those of the driver."""
    client = serve(after_a_row(lambda: "done"), prepare)
    with monkeypatch.context() as patch:
        patch.setattr(Session, "rollback", lambda _: fail(ArithmeticError))
        assert client.post("/view").text == "done"
    assert_nothing_leaked(client.application)
    [record] = [each for each in caplog.records if each.levelname == "WARNING"]
    assert record.getMessage() == "The rollback at the end of a context failed"
    assert record.exc_info
