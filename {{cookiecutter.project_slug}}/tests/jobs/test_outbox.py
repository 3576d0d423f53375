from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import Engine, update
from time_machine import TimeMachineFixture

from {{ cookiecutter.__package }}.database import db
from {{ cookiecutter.__package }}.jobs import outbox
from {{ cookiecutter.__package }}.jobs.job_runner import LEASE_IN_RUNS, MOST_ATTEMPTS
from {{ cookiecutter.__package }}.jobs.jobs import Job, enqueue
from {{ cookiecutter.__package }}.jobs.outbox import (
    Backlog,
    Message,
    publish_due,
    read_backlog,
)

from ..support.applications import MakeApp
from ..support.concurrency import in_threads
from ..support.leaks import assert_nothing_leaked
from .support.background import JOB_SECONDS, ask, due, idle, jobs_in

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
LEASE = timedelta(seconds=LEASE_IN_RUNS * JOB_SECONDS)


class AwayError(Exception):
    """The broker is away."""


@pytest.fixture
def app(make_app: MakeApp, time_machine: TimeMachineFixture) -> Flask:
    """An application with real commits, at noon."""
    time_machine.move_to(NOON, tick=False)
    return make_app()


def test_what_is_due_is_handed_over_in_its_order(
    app: Flask, time_machine: TimeMachineFixture
) -> None:
    with app.app_context():
        session = db.session()
        third = enqueue(session, idle, NOON + timedelta(seconds=2))
        second = enqueue(session, idle, NOON + timedelta(seconds=1))
        first = enqueue(session, idle)
        session.commit()
    time_machine.shift(timedelta(seconds=2))

    assert due(app) == [Message("tests.idle", job_id, 1) for job_id in (first, second, third)]
    assert_nothing_leaked(app)


def test_what_is_due_later_waits(app: Flask, time_machine: TimeMachineFixture) -> None:
    with app.app_context():
        enqueue(db.session(), idle, NOON + timedelta(days=1))
        db.session.commit()

    assert due(app) == []
    time_machine.shift(timedelta(days=1))
    assert len(due(app)) == 1


def test_what_was_due_long_ago_is_due_since_it_was_asked_for(
    app: Flask, committed_db: Engine
) -> None:
    with app.app_context():
        enqueue(db.session(), idle, NOON - timedelta(days=1000))
        db.session.commit()

    assert [job.due_at for job in jobs_in(committed_db)] == [NOON]


def test_what_was_handed_over_stays_until_it_is_done(
    app: Flask, committed_db: Engine, time_machine: TimeMachineFixture
) -> None:
    """The broker may forget it: then it is handed over again."""
    job_id = ask(app, idle)
    assert len(due(app)) == 1
    assert [job.id for job in jobs_in(committed_db)] == [job_id]
    time_machine.shift(LEASE - timedelta(seconds=1))
    assert due(app) == []

    time_machine.shift(timedelta(seconds=1))

    assert due(app) == [Message("tests.idle", job_id, 1)]


def test_what_the_broker_does_not_take_is_due_again(app: Flask) -> None:
    jobs = [ask(app, idle) for _ in range(4)]
    taken: list[Message] = []

    def publish(message: Message) -> None:
        if len(taken) == 2:
            raise AwayError
        taken.append(message)

    with pytest.raises(AwayError):
        publish_due(app, publish, JOB_SECONDS)

    assert_nothing_leaked(app)
    left = due(app)
    assert {message.job_id for message in [*taken, *left]} == set(jobs)
    assert len(left) == 2


def test_nothing_is_open_while_the_broker_is_waited_for(app: Flask) -> None:
    ask(app, idle)

    assert publish_due(app, lambda _: assert_nothing_leaked(app), JOB_SECONDS) == 1


def test_relays_at_the_same_time_take_different_jobs(
    make_app: MakeApp, committed_db: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "BATCH", 7)
    app = make_app(threads=4, pool_timeout_seconds=30)
    with app.app_context():
        for _ in range(60):
            enqueue(db.session(), idle)
        db.session.commit()
    taken: list[Message] = []

    def relay(_number: int) -> None:
        while publish_due(app, taken.append, JOB_SECONDS):
            pass

    in_threads(relay, 4)
    relay(0)

    assert len(taken) == len(set(taken)) == len(jobs_in(committed_db)) == 60
    assert_nothing_leaked(app)


def test_a_job_that_takes_each_worker_down_is_given_up(
    app: Flask, committed_db: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(app, idle)
    with committed_db.begin() as connection:
        connection.execute(update(Job).values(attempts=MOST_ATTEMPTS, due_at=NOON))
    capsys.readouterr()

    assert due(app) == []

    [job] = jobs_in(committed_db)
    assert (job.due_at, job.error) == (None, "Its worker did not live to tell why.")
    assert '"outcome":"given up"' in capsys.readouterr().err


def test_the_backlog_is_counted(app: Flask, time_machine: TimeMachineFixture) -> None:
    with app.app_context():
        assert read_backlog(db.session()) == Backlog(0, 0, 0.0)
        db.session.rollback()
        enqueue(db.session(), idle, NOON + timedelta(seconds=60))
        db.session.commit()
        assert read_backlog(db.session()) == Backlog(1, 0, 0.0)
        db.session.rollback()
        given_up = enqueue(db.session(), idle)
        enqueue(db.session(), idle)
        db.session.flush()
        db.session.execute(update(Job).where(Job.id == given_up).values(due_at=None))
        db.session.commit()
        time_machine.shift(timedelta(seconds=30))
        assert read_backlog(db.session()) == Backlog(2, 1, 30.0)
