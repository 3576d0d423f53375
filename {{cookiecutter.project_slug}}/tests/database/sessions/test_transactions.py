"""Nothing is stored without a commit, a failing commit is an error, no statement follows it."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from {{ cookiecutter.__package }}.database import db

from ...support.api import ANY, URL, new_body
from ...support.applications import MakeApp
from ...support.engine import cut_off
from ...support.leaks import Traffic, assert_nothing_leaked, count_rows, engine_of, traffic
from ...support.probe import Probe, ProbeFactory
from ...support.problems import problem
from .conftest import Serve


def rows_seen_by(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(Probe)) or 0


# Without a commit


def test_view_without_a_commit_stores_nothing(serve: Serve, committed_db: Engine) -> None:
    def view() -> str:
        db.session.add(ProbeFactory.build())
        db.session.flush()
        return "done"

    assert serve(view).post("/view").status_code == 200
    assert count_rows(committed_db) == 0


def test_rolled_back_test_detects_a_missing_commit(
    app: Flask, client: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does so where commits only release savepoints of one transaction, as in most tests."""

    def view() -> str:
        db.session.add(ProbeFactory.build())
        db.session.flush()
        return "done"

    monkeypatch.setitem(app.view_functions, "_health.live", view)
    assert client.get("/livez").text == "done"
    assert rows_seen_by(session) == 0


def test_rolled_back_test_sees_a_commit(
    app: Flask, client: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def view() -> str:
        db.session.add(ProbeFactory.build())
        db.session.commit()
        return "done"

    monkeypatch.setitem(app.view_functions, "_health.live", view)
    assert client.get("/livez").text == "done"
    assert rows_seen_by(session) == 1


def test_create_commits(client: FlaskClient, session: Session) -> None:
    assert client.post(URL, json=new_body()).status_code == 201
    assert rows_seen_by(session) == 1


def test_patch_commits(client: FlaskClient, session: Session) -> None:
    row = ProbeFactory.create(name="before")
    response = client.patch(f"{URL}/{row.id}", json={"name": "after"}, headers=ANY)
    assert response.status_code == 200
    assert session.scalars(select(Probe.name)).all() == ["after"]


def test_delete_commits(client: FlaskClient, session: Session) -> None:
    row = ProbeFactory.create()
    assert client.delete(f"{URL}/{row.id}", headers=ANY).status_code == 204
    assert rows_seen_by(session) == 0


# A commit that fails


def fail_at_commit(app: Flask, by: Engine) -> None:
    """Cut the connection of the application's next commit."""
    event.listen(engine_of(app), "commit", lambda connection: cut_off(connection, by), once=True)


def test_create_with_a_failing_commit_gets_503(make_app: MakeApp, committed_db: Engine) -> None:
    app = make_app()
    fail_at_commit(app, committed_db)
    response = app.test_client().post(URL, json=new_body())
    problem(response, 503)
    assert response.headers["Retry-After"] == "1"


def test_create_with_a_failing_commit_stores_nothing(
    make_app: MakeApp, committed_db: Engine
) -> None:
    app = make_app()
    fail_at_commit(app, committed_db)
    app.test_client().post(URL, json=new_body())
    assert_nothing_leaked(app)
    assert count_rows(committed_db) == 0


def test_create_works_after_a_failed_commit(make_app: MakeApp, committed_db: Engine) -> None:
    app = make_app()
    fail_at_commit(app, committed_db)
    client = app.test_client()
    assert client.post(URL, json=new_body()).status_code == 503
    assert client.post(URL, json=new_body()).status_code == 201
    assert count_rows(committed_db) == 1


@pytest.mark.parametrize("method", ["patch", "delete"])
def test_change_with_a_failing_commit_gets_503(
    make_app: MakeApp, committed_db: Engine, session: Session, method: str
) -> None:
    row_id = ProbeFactory.create(name="before").id
    session.commit()
    app = make_app()
    fail_at_commit(app, committed_db)
    send = getattr(app.test_client(), method)
    problem(send(f"{URL}/{row_id}", json={"name": "after"}, headers=ANY), 503)
    assert session.scalars(select(Probe.name)).all() == ["before"]


# The session after an error of the database


def violate_by_flush(_by: Engine) -> None:
    db.session.add_all(ProbeFactory.build(code="the same") for _ in range(2))
    db.session.flush()


def violate_by_commit(_by: Engine) -> None:
    db.session.add_all(ProbeFactory.build(code="the same") for _ in range(2))
    db.session.commit()


def lose_the_connection(by: Engine) -> None:
    cut_off(db.session.connection(), by)
    db.session.scalar(select(Probe.name))


@pytest.mark.parametrize("violate", [violate_by_flush, violate_by_commit, lose_the_connection])
def test_after_request_function_can_use_the_session_after_an_error(
    serve: Serve, committed_db: Engine, violate: Callable[[Engine], None]
) -> None:
    seen = []

    def prepare(app: Flask) -> None:
        @app.after_request
        def use(response: Response) -> Response:
            seen.append(db.session.scalar(select(func.count()).select_from(Probe)))
            return response

    response = serve(lambda: violate(committed_db), prepare).post("/view")
    assert response.status_code in (409, 503)
    assert seen == [0]


def test_custom_error_handler_can_use_the_session_after_a_rollback(serve: Serve) -> None:
    """It is for a subclass of the errors that the service handles, and rolls back first."""

    def prepare(app: Flask) -> None:
        @app.errorhandler(IntegrityError)
        def count(_error: IntegrityError) -> str:
            db.session.rollback()
            return str(db.session.scalar(select(func.count()).select_from(Probe)))

    def view() -> None:
        db.session.add_all(ProbeFactory.build(code="the same") for _ in range(2))
        db.session.commit()

    assert serve(view, prepare).post("/view").text == "0"


# The cost of a request


def steps_of(request: Callable[[], Any], app: Flask) -> Traffic:
    with traffic(app) as seen:
        assert request().status_code < 300
    return seen


def test_create_takes_one_checkout_one_insert_and_one_commit(make_app: MakeApp) -> None:
    app = make_app()
    client = app.test_client()
    client.get("/readyz")  # the first connection of an engine sends statements of its own
    seen = steps_of(lambda: client.post(URL, json=new_body()), app)
    assert seen.steps == ["checkout", "INSERT", "COMMIT"]


def test_patch_takes_one_checkout_and_sends_nothing_after_its_commit(
    make_app: MakeApp, session: Session
) -> None:
    row_id = ProbeFactory.create().id
    session.commit()
    app = make_app()
    client = app.test_client()
    client.get("/readyz")
    seen = steps_of(
        lambda: client.patch(
            f"{URL}/{row_id}", json={"name": "after"}, headers={"If-Match": '"1"'}
        ),
        app,
    )
    assert seen.steps == ["checkout", "SELECT", "UPDATE", "COMMIT"]


def test_read_takes_one_checkout_and_one_select(make_app: MakeApp, session: Session) -> None:
    row_id = ProbeFactory.create().id
    session.commit()
    app = make_app()
    client = app.test_client()
    client.get("/readyz")
    seen = steps_of(lambda: client.get(f"{URL}/{row_id}"), app)
    assert seen.steps == ["checkout", "SELECT", "ROLLBACK"]
