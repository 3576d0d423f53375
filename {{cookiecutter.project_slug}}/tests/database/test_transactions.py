import random
import time
from collections.abc import Callable
from threading import Barrier
from uuid import UUID

import pytest
{% if cookiecutter.database == "sqlite" %}
from flask import Flask, Response, g
{% else %}
from flask import Flask, Response
{% endif %}
{% if cookiecutter.database == "sqlite" %}
from sqlalchemy import Engine, event, text
{% else %}
from sqlalchemy import Engine, text
{% endif %}
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from {{ cookiecutter.__package }}.database import db, transactions
from {{ cookiecutter.__package }}.database.transactions import run_in_transaction

from ..support.applications import MakeApp
from ..support.concurrency import SECONDS, in_threads
from ..support.probe import Probe, ProbeFactory
from ..support.problems import problem

{% if cookiecutter.database == "sqlite" %}
SLOW = """
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers)
    SELECT count(*) FROM numbers
"""
{% elif cookiecutter.database == "postgresql" %}
SLOW = "SELECT pg_sleep(20)"
{% elif cookiecutter.database == "mysql" %}
SLOW = """
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 900)
    SELECT COUNT(*) FROM numbers a, numbers b, numbers c, numbers d WHERE a.n + b.n + c.n = d.n
"""
{% else %}
SLOW = "SELECT SLEEP(20)"
{% endif %}


class Meeting:
    """Called in two threads, lets both go on when both are there; only for the first time."""

    def __init__(self, together: Barrier) -> None:
        self.together = together
        self.over = False

    def __call__(self) -> None:
        if not self.over:
            self.over = True
            self.together.wait(SECONDS)


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    # Deadlocks are tested here, not time limits: a machine that stands still reaches none.
    return make_app(threads=2, pool_timeout_seconds=5.0, statement_timeout_seconds=SECONDS)


@pytest.fixture
def pair(session: Session) -> list[UUID]:
    """Two committed rows."""
    ids = [ProbeFactory.create(name="0").id for _ in range(2)]
    session.commit()
    return ids


def counting(session: Session, ids: list[UUID], meet: Callable[[], None]) -> None:
    """Count one up in the name of each row; `meet` is called where the two units collide."""
{% if cookiecutter.database == "sqlite" %}
    g.sqlite_begin = "DEFERRED"  # as a request with GET begins, for writers would only wait
    rows = [session.get_one(Probe, row_id) for row_id in ids]
    meet()
    for row in rows:
        row.name = str(int(row.name) + 1)
    session.flush()
{% else %}
    for row_id in ids:
        row = session.get_one(Probe, row_id, with_for_update=True)
        row.name = str(int(row.name) + 1)
        session.flush()
        meet()
{% endif %}


def test_two_units_that_collide_both_succeed(
    app: Flask, session: Session, pair: list[UUID]
) -> None:
    together = Barrier(2)
    orders = [pair, pair[::-1]]
    attempts: list[int] = []

    def run(number: int) -> None:
        def count(session: Session) -> None:
            attempts.append(number)
            first = attempts.count(number) == 1
            counting(session, orders[number], Meeting(together) if first else lambda: None)

        with app.app_context():
            run_in_transaction(count)

    in_threads(run, 2)

    assert [row.name for row in session.query(Probe)] == ["2", "2"]
    assert len(attempts) >= 3  # both may have lost


def test_what_the_work_returns_is_returned_and_committed(app: Flask, session: Session) -> None:
    def work(session: Session) -> UUID:
        row = ProbeFactory.build()
        session.add(row)
        session.flush()
        return row.id

    with app.app_context():
        row_id = run_in_transaction(work)

    assert session.get_one(Probe, row_id)


def test_another_error_is_raised_at_once(app: Flask, session: Session, pair: list[UUID]) -> None:
    attempts = []

    def work(session: Session) -> None:
        attempts.append(1)
        session.add(ProbeFactory.build(name="lost"))
        session.add(ProbeFactory.build(code=session.get_one(Probe, pair[0]).code))
        session.flush()

    with app.app_context(), pytest.raises(IntegrityError):
        run_in_transaction(work)

    assert len(attempts) == 1
    assert session.query(Probe).count() == 2


@pytest.mark.parametrize("error", [StaleDataError("x"), DBAPIError("x", {}, Exception("x"))])
def test_attempts_are_bounded_and_further_and_further_apart(
    app: Flask,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    monkeypatch.setattr(transactions, "is_retryable", lambda _error: True)
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    monkeypatch.setattr(random, "uniform", lambda least, most: least + most)
    caplog.set_level("INFO", transactions.log.name)
    attempts = []

    def work(_session: Session) -> None:
        attempts.append(1)
        raise error

    with app.app_context(), pytest.raises(type(error)):
        run_in_transaction(work, attempts=4)

    assert len(attempts) == 4
    assert pauses == [0.04, 0.08, 0.16]
    assert caplog.messages == [
        f"Attempt {number} of a transaction lost a race: retrying" for number in (1, 2, 3)
    ]


def test_the_work_needs_a_context() -> None:
    with pytest.raises(RuntimeError, match="application context"):
        run_in_transaction(lambda _session: None)


def test_a_request_that_loses_a_race_may_be_sent_again(
    app: Flask, committed_db: Engine, pair: list[UUID]
) -> None:
    def lock() -> Response:
{% if cookiecutter.database != "sqlite" %}
        db.session.get(Probe, pair[0], with_for_update={"nowait": True})
{% else %}
        db.session.connection()
{% endif %}
        return Response()

    app.add_url_rule("/lock", view_func=lock, methods=["POST"])
{% if cookiecutter.database == "sqlite" %}
    with app.app_context():
        event.listen(db.engine, "connect", lambda c, _record: c.execute("PRAGMA busy_timeout=0"))
{% endif %}

    with Session(committed_db) as other:
        other.get(Probe, pair[0], with_for_update=True)
        response = app.test_client().post("/lock")

    assert problem(response, 503)["detail"] == "The service is busy."
    assert response.headers["Retry-After"] == "1"
    assert app.test_client().post("/lock").status_code == 200


def test_a_statement_that_takes_too_long_may_be_sent_again(make_app: MakeApp) -> None:
    app = make_app(statement_timeout_seconds=0.1)

    def dawdle() -> Response:
        db.session.execute(text(SLOW))
        return Response()

    app.add_url_rule("/slow", view_func=dawdle)

    response = app.test_client().get("/slow")

    problem(response, 503)
    assert response.headers["Retry-After"] == "1"
