"""Code in one application context shares a session; every other context has its own."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from typing import Any

import greenlet
import pytest
from flask import Flask, copy_current_request_context, current_app, stream_with_context
from flask.testing import FlaskClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from {{ cookiecutter.__package }}.database import db

from ...support.applications import MakeApp
from ...support.leaks import (
    assert_nothing_leaked,
    count_rows,
    engine_of,
    open_sessions,
    pool_of,
    read_stream,
)
from ...support.probe import Probe, ProbeFactory
from .conftest import Serve

MANY = 50


def add_row(session: Session) -> Probe:
    row = ProbeFactory.build()
    session.add(row)
    session.flush()
    return row


# Contexts


def test_context_has_one_session(app: Flask) -> None:
    with app.app_context():
        assert db.session() is db.session()


def test_next_context_has_another_session(app: Flask) -> None:
    with app.app_context():
        first = db.session()
    with app.app_context():
        assert db.session() is not first


def test_ended_context_keeps_no_session(app: Flask) -> None:
    with app.app_context():
        db.session()
    assert open_sessions() == 0


def test_each_request_has_a_session_of_its_own(serve: Serve) -> None:
    seen = []

    def view() -> str:
        seen.append(db.session())
        return "done"

    client = serve(view)
    client.get("/view")
    client.get("/view")
    assert seen[0] is not seen[1]


def test_nested_context_has_a_session_of_its_own(app: Flask) -> None:
    with app.app_context():
        outer = db.session()
        with app.app_context():
            assert db.session() is not outer
        assert db.session() is outer


def test_nested_context_leaves_the_outer_transaction_open(
    make_app: MakeApp, committed_db: Engine
) -> None:
    app = make_app()
    with app.app_context():
        add_row(db.session())
        with app.app_context():
            db.session()
        assert db.session().in_transaction()
        db.session.commit()
    assert count_rows(committed_db) == 1


def test_rollback_in_a_nested_context_does_not_affect_the_outer_one(
    make_app: MakeApp, committed_db: Engine
) -> None:
    app = make_app()
    with app.app_context():
        db.session.add(ProbeFactory.build())
        with app.app_context():
            db.session.add(ProbeFactory.build())
            db.session.rollback()
        db.session.commit()
    assert count_rows(committed_db) == 1


def test_context_without_teardown_passes_no_session_on(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next context often has the same address as the one before."""
    monkeypatch.setattr(app, "do_teardown_appcontext", lambda *_: None)
    seen = []
    for _ in range(MANY):
        with app.app_context():
            seen.append(db.session())
    assert len(set(seen)) == MANY


def test_context_without_teardown_keeps_no_session(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "do_teardown_appcontext", lambda *_: None)
    with app.app_context():
        db.session()
    assert open_sessions() == 0


# A request inside a context


@pytest.mark.parametrize("own_client", [True, False], ids=["the kit's client", "Flask's client"])
def test_request_inside_a_context_has_a_session_of_its_own(serve: Serve, own_client: bool) -> None:
    def view() -> str:
        seen.append(db.session())
        return "done"

    seen: list[Session] = []
    client = serve(view)
    if not own_client:
        client = FlaskClient(client.application)
    with client.application.app_context():
        outer = db.session()
        client.get("/view")
        client.get("/view")
        assert len({outer, *seen}) == 3


@pytest.mark.parametrize("own_client", [True, False], ids=["the kit's client", "Flask's client"])
def test_request_inside_a_context_is_torn_down(
    serve: Serve, committed_db: Engine, own_client: bool
) -> None:
    def view() -> str:
        add_row(db.session())
        return "done"

    client = serve(view)
    if not own_client:
        client = FlaskClient(client.application)
    with client.application.app_context():
        assert client.post("/view").status_code == 200
        assert_nothing_leaked(client.application)
    assert count_rows(committed_db) == 0


# Outside of a context

OUTSIDE: list[Callable[[], object]] = [
    lambda: db.session(),
    lambda: db.session.scalars(select(Probe)),
    lambda: db.session.add(ProbeFactory.build()),
    lambda: db.session.remove(),
    lambda: db.engine,
    lambda: db.sessionmaker,
]


@pytest.mark.parametrize(
    "use",
    OUTSIDE,
    ids=["session()", "session.scalars", "session.add", "session.remove", "engine", "sessionmaker"],
)
def test_use_outside_a_context_says_what_to_do(use: Callable[[], object]) -> None:
    what_to_do = r"write `with app\.app_context\(\): .*\(docs/sessions\.md\)"
    with pytest.raises(RuntimeError, match=what_to_do):
        use()


@pytest.mark.parametrize("name", ["session", "engine", "sessionmaker"])
def test_error_outside_a_context_names_the_attribute(name: str) -> None:
    with pytest.raises(RuntimeError, match=rf"\bdb\.{name}\b"):
        getattr(db, name)()


def test_use_outside_a_context_leaves_no_stray_session() -> None:
    with pytest.raises(RuntimeError):
        db.session()
    assert open_sessions() == 0


# Several applications


def test_each_application_has_an_engine_of_its_own(make_app: MakeApp) -> None:
    assert engine_of(make_app()) is not engine_of(make_app())


def test_sessions_of_several_applications_use_their_own_engines(make_app: MakeApp) -> None:
    one, other = make_app(), make_app()
    with one.app_context():
        outer = db.session()
        with other.app_context():
            assert db.session() is not outer
            assert db.session().get_bind() is engine_of(other)
        assert db.session() is outer
        assert outer.get_bind() is engine_of(one)


def test_request_to_another_application_does_not_change_the_session(serve: Serve) -> None:
    def view() -> str:
        db.session()
        return "done"

    one, other = serve(view), serve(view)
    with one.application.app_context():
        session = db.session()
        other.get("/view")
        assert db.session() is session


# Threads, greenlets, tasks


def run_in_thread(work: Callable[[], None]) -> None:
    thread = Thread(target=work)
    thread.start()
    thread.join()


def run_in_greenlet(work: Callable[[], None]) -> None:
    greenlet.greenlet(work).switch()


@pytest.mark.parametrize("run", [run_in_thread, run_in_greenlet], ids=["thread", "greenlet"])
def test_copied_context_has_a_session_of_its_own(
    serve: Serve, run: Callable[[Callable[[], None]], None]
) -> None:
    seen: list[Session] = []

    def view() -> str:
        seen.append(db.session())
        run(copy_current_request_context(lambda: seen.append(db.session())))
        return "done"

    serve(view).get("/view")
    assert len(set(seen)) == 2


@pytest.mark.parametrize("run", [run_in_thread, run_in_greenlet], ids=["thread", "greenlet"])
def test_copied_context_is_torn_down(
    serve: Serve, committed_db: Engine, run: Callable[[Callable[[], None]], None]
) -> None:
    def work() -> None:
        add_row(db.session())

    def view() -> str:
        run(copy_current_request_context(work))
        assert_nothing_leaked(current_app)
        return "done"

    client = serve(view)
    assert client.post("/view").status_code == 200
    assert count_rows(committed_db) == 0


def test_bare_thread_has_no_session(serve: Serve) -> None:
    def view() -> str:
        with ThreadPoolExecutor(1) as pool:
            return str(pool.submit(db.session).exception())

    assert "give a thread of your own its context" in serve(view).get("/view").text


def test_async_view_shares_the_session_of_its_request(serve: Serve) -> None:
    seen: list[Session] = []

    async def step() -> None:
        await asyncio.sleep(0)
        seen.append(db.session())

    async def view() -> str:
        seen.append(db.session())
        await step()
        return "done"

    def prepare(app: Flask) -> None:
        app.before_request(lambda: seen.append(db.session()))

    assert serve(view, prepare).get("/view").status_code == 200
    assert len(seen) == 3
    assert len(set(seen)) == 1


def test_async_view_is_torn_down(serve: Serve, committed_db: Engine) -> None:
    async def view() -> str:
        add_row(db.session())
        await asyncio.sleep(0)
        return "done"

    client = serve(view)
    assert client.post("/view").status_code == 200
    assert_nothing_leaked(client.application)
    assert count_rows(committed_db) == 0


def test_concurrent_asyncio_tasks_have_sessions_of_their_own(
    serve: Serve, committed_db: Engine
) -> None:
    async def task() -> None:
        with db.sessionmaker.begin() as session:
            session.add(ProbeFactory.build())
            await asyncio.sleep(0)
            assert session is not db.session()

    async def view() -> str:
        await asyncio.gather(task(), asyncio.to_thread(asyncio.run, task()))
        return "done"

    client = serve(view, threads=2, pool_timeout_seconds=30)
    assert client.post("/view").status_code == 200
    assert_nothing_leaked(client.application)
    assert count_rows(committed_db) == 2


# Streams


def make_stream(*, fail: bool = False) -> Callable[[], Any]:
    """Return a view that uses the session while its body is sent."""

    def view() -> Any:
        db.session.execute(select(1))

        def lines() -> Iterator[str]:
            for number in range(3):
                db.session.execute(select(1))
                yield f"{number}\n"
                if fail:
                    raise ArithmeticError("in the middle of a stream")

        return stream_with_context(lines())

    return view


def test_stream_can_use_the_session(serve: Serve) -> None:
    app = serve(make_stream()).application
    assert read_stream(app, "/view") == [b"0\n", b"1\n", b"2\n"]
    assert_nothing_leaked(app)


def test_abandoned_stream_returns_the_connection(serve: Serve) -> None:
    app = serve(make_stream()).application
    assert read_stream(app, "/view", parts=1) == [b"0\n"]
    assert_nothing_leaked(app)


def test_unread_stream_returns_the_connection(serve: Serve) -> None:
    app = serve(make_stream()).application
    assert read_stream(app, "/view", parts=0) == []
    assert_nothing_leaked(app)


def test_failing_stream_returns_the_connection(serve: Serve) -> None:
    app = serve(make_stream(fail=True)).application
    with pytest.raises(ArithmeticError):
        read_stream(app, "/view")
    assert_nothing_leaked(app)


def test_stream_holds_no_connection_once_the_context_of_the_view_has_ended(serve: Serve) -> None:
    """Flask 3.1 ends it before the first part of the stream, Flask 3.2 after the last one."""
    ended: list[object] = []
    seen: list[tuple[bool, int]] = []
    app = serve(
        make_stream(), lambda app: app.teardown_appcontext(lambda _: ended.append("context"))
    ).application

    read_stream(
        app, "/view", 0, before=lambda: seen.append((bool(ended), pool_of(app).checkedout()))
    )

    assert seen in ([(True, 0)], [(False, 1)])
    assert_nothing_leaked(app)
