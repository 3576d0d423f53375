import json
import socket
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any
from urllib.request import urlopen

import pytest
from flask import Flask
from kombu.exceptions import OperationalError
from pydantic import SecretStr
from sqlalchemy import Engine, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from {{ cookiecutter.__package }}.database import db
from {{ cookiecutter.__package }}.jobs import enqueue, relay
from {{ cookiecutter.__package }}.jobs.celery_app import ServiceCelery
from {{ cookiecutter.__package }}.jobs.models import Job, JobState, database_time
from {{ cookiecutter.__package }}.jobs.relay import (
    CLAIM_SECONDS,
    JobsCollector,
    QueueError,
    publish_batch,
    publish_due,
)

from ..support.applications import MakeApp
from ..support.concurrency import in_threads
from ..support.leaks import assert_nothing_leaked, pool_of, put_out_of_reach
from .support.background import (
    BROKER_IS_DOWN,
    PAST,
    ask,
    celery_of,
    change_jobs,
    idle,
    jobs_in,
    take_due,
)
from .support.broker import free_port


class BrokerDownError(Exception):
    """The broker is unreachable."""


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """An application with real commits."""
    return make_app()


def enqueue_many(app: Flask, number: int, queue: str = "a-queue") -> None:
    """Enqueue so many tasks, and commit."""
    with app.app_context():
        for _ in range(number):
            enqueue(db.session(), idle.s().set(queue=queue))
        db.session.commit()


def now(engine: Engine) -> float:
    """The time by the clock of the database."""
    with Session(engine) as session:
        return database_time(session).timestamp()


def test_what_is_due_is_published_in_its_order(app: Flask, committed_db: Engine) -> None:
    third, second, first = (
        ask(app, idle.s().set(eta=PAST + timedelta(days=days))) for days in (2, 1, 0)
    )

    assert [job.id for job in take_due(app)] == [first, second, third]
    assert {job.state for job in jobs_in(committed_db)} == {JobState.SENT}
    assert_nothing_leaked(app)


def test_what_is_due_later_waits_in_the_table(app: Flask, committed_db: Engine) -> None:
    ask(app, idle.s().set(countdown=3600))

    assert take_due(app) == []

    change_jobs(committed_db, due_at=PAST)
    assert len(take_due(app)) == 1


def test_what_is_in_flight_is_bounded_for_each_queue(make_app: MakeApp) -> None:
    app = make_app(jobs_in_flight=3)
    enqueue_many(app, 5)
    enqueue_many(app, 2, "another")

    taken: list[Job] = []
    publish_due(celery_of(app), taken.extend)
    assert sorted(job.queue for job in taken) == ["a-queue"] * 3 + ["another"] * 2

    publish_due(celery_of(app), taken.extend)
    assert len(taken) == 5, "no more than the bound"


def test_room_is_filled_again_when_tasks_are_done(make_app: MakeApp, committed_db: Engine) -> None:
    app = make_app(jobs_in_flight=3)
    enqueue_many(app, 4)
    first = take_due(app)
    with Session(committed_db) as session:
        session.delete(session.get_one(Job, first[0].id))
        session.commit()

    taken: list[Job] = []
    publish_due(celery_of(app), taken.extend)
    assert len(taken) == 1


def test_what_was_published_is_published_again_only_after_a_long_silence(
    app: Flask, committed_db: Engine
) -> None:
    celery = celery_of(app)
    longest = 2 * celery.conf.task_time_limit
    assert celery.silence_seconds >= (
        celery.conf.broker_transport_options["visibility_timeout"] + longest
    )
    job_id = ask(app, idle.s())
    assert [job.id for job in take_due(app)] == [job_id]
    heard_at = jobs_in(committed_db)[0].heard_at
    assert heard_at is not None
    assert abs(now(committed_db) - heard_at.timestamp()) <= 3

    silence = timedelta(seconds=celery.silence_seconds)
    change_jobs(committed_db, heard_at=heard_at - silence + timedelta(seconds=60))
    assert take_due(app) == []

    change_jobs(committed_db, heard_at=heard_at - silence - timedelta(seconds=1))
    assert [job.id for job in take_due(app)] == [job_id]
    assert take_due(app) == []


def test_what_the_broker_does_not_take_is_due_again(app: Flask, committed_db: Engine) -> None:
    enqueue_many(app, 4)

    def fail(_jobs: Sequence[Job]) -> None:
        raise BrokerDownError

    with pytest.raises(BrokerDownError):
        publish_due(celery_of(app), fail)

    assert_nothing_leaked(app)
    assert {job.state for job in jobs_in(committed_db)} == {JobState.WAITING}
    assert len(take_due(app)) == 4


@pytest.mark.parametrize("is_recoverable", [False, True])
def test_a_queue_that_the_broker_rejects_does_not_hold_up_the_others(
    make_app: MakeApp,
    committed_db: Engine,
    monkeypatch: pytest.MonkeyPatch,
    broker_url: str,
    is_recoverable: bool,
) -> None:
    app = make_app(broker_url=SecretStr(broker_url))
    for queue in ("a-queue", "rejected", "z-queue"):
        enqueue_many(app, 2, queue)
    celery = celery_of(app)
    [channel_error, *_] = celery.connection_for_write().channel_errors
    error: BaseException = channel_error("inequivalent arg 'x-max-priority'")
    if is_recoverable:
        error, cause = OperationalError("locked"), error
        error.__cause__ = cause
    published: list[str] = []

    def send_task(*_: object, queue: str, **__: object) -> None:
        if queue == "rejected":
            raise error
        published.append(queue)

    monkeypatch.setattr(celery, "send_task", send_task)

    with pytest.raises(QueueError, match=r"messages for rejected$"):
        publish_due(celery, partial(publish_batch, celery))

    assert published == ["a-queue"] * 2 + ["z-queue"] * 2
    publish_due(celery, partial(publish_batch, celery), {"rejected"})
    waiting = [job.queue for job in jobs_in(committed_db) if job.state == JobState.WAITING]
    assert waiting == ["rejected"] * 2


def test_what_a_killed_relay_had_taken_is_soon_published_again(
    app: Flask, committed_db: Engine
) -> None:
    ask(app, idle.s())

    def be_killed(_jobs: Sequence[Job]) -> None:
        [job] = jobs_in(committed_db)
        assert job.heard_at is not None
        since = now(committed_db) - job.heard_at.timestamp()
        left = celery_of(app).silence_seconds - since
        assert CLAIM_SECONDS - 3 <= left <= CLAIM_SECONDS + 1

    publish_due(celery_of(app), be_killed)


def test_a_task_that_begins_before_its_publishing_is_noted_is_not_put_back(
    app: Flask, committed_db: Engine
) -> None:
    job_id = ask(app, idle.s())

    def publish(_jobs: Sequence[Job]) -> None:
        change_jobs(committed_db, state=JobState.WAITING, heard_at=PAST, retries=1)

    publish_due(celery_of(app), publish)

    [job] = jobs_in(committed_db)
    assert (job.id, job.state, job.heard_at) == (job_id, JobState.WAITING, PAST)


def test_no_transaction_is_open_while_the_broker_is_waited_for(app: Flask) -> None:
    ask(app, idle.s())

    publish_due(celery_of(app), lambda _jobs: assert_no_connection(app))


def assert_no_connection(app: Flask) -> None:
    """Assert that the application has no connection checked out."""
    assert pool_of(app).checkedout() == 0


def test_relays_at_the_same_time_publish_different_tasks(
    make_app: MakeApp, committed_db: Engine
) -> None:
    app = make_app(threads=4, pool_timeout_seconds=30, jobs_in_flight=20)
    for number in range(6):
        enqueue_many(app, 10, f"queue-{number}")
    taken: list[Job] = []

    in_threads(lambda _number: publish_due(celery_of(app), taken.extend), 4)
    publish_due(celery_of(app), taken.extend)

    ids = [job.id for job in taken]
    assert len(ids) == len(set(ids)) == len(jobs_in(committed_db)) == 60
    assert_nothing_leaked(app)


def test_messages_reach_the_broker(make_app: MakeApp, broker_url: str) -> None:
    app = make_app(broker_url=SecretStr(broker_url))
    signature: Any = idle.s("a text").set(queue="reached", priority=0)
    job_id = ask(app, signature.set(argsrepr="(a text)"))
    with app.app_context():
        publish_batch(celery_of(app), take_due(app))

    with celery_of(app).connection_for_read() as connection:
        queue = connection.SimpleQueue("reached")
        message = queue.get(timeout=5)
        message.ack()
        queue.close()
    assert message.headers["id"] == str(job_id)
    assert message.headers["task"] == "tests.idle"
    assert message.headers["receipt"]
    assert message.headers["argsrepr"] == "(a text)"
    assert message.headers["kwargsrepr"] == "{...}"
    assert message.payload[0] == ["a text"]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ("[[], {}]", "not enough values"),
        ('[[], {}, {"serializer": "of-nobody"}]', "of-nobody"),
        ('[[], {}, {"compression": "of-nobody"}]', "KeyError: 'of-nobody'"),
    ],
    ids=["payload", "serializer", "compression"],
)
def test_a_task_that_cannot_be_a_message_is_failed_and_others_go_on(
    make_app: MakeApp, committed_db: Engine, broker_url: str, payload: str, reason: str
) -> None:
    app = make_app(broker_url=SecretStr(broker_url))
    ask(app, idle.s())
    change_jobs(committed_db, payload=payload)
    good = ask(app, idle.s())
    with app.app_context():
        publish_batch(celery_of(app), take_due(app))

    first, other = jobs_in(committed_db)
    assert (first.state, other.state, other.id) == (JobState.FAILED, JobState.SENT, good)
    assert reason in (first.error or "")


@pytest.mark.parametrize(
    ("path", "expected"),
    [("0", OperationalError), ("a-name", ValueError), ("99999", OperationalError)],
    ids=["down", "no number", "no such database"],
)
def test_a_task_is_not_failed_by_a_broker_that_cannot_be_used(
    make_app: MakeApp,
    committed_db: Engine,
    broker_url: str,
    path: str,
    expected: type[Exception],
) -> None:
    there = BROKER_IS_DOWN.get_secret_value() if path == "0" else broker_url
    app = make_app(broker_url=SecretStr(f"{there.rpartition('/')[0]}/{path}"))
    enqueue_many(app, 2)

    with app.app_context(), pytest.raises(expected):
        publish_due(celery_of(app), partial(publish_batch, celery_of(app)))

    assert {job.state for job in jobs_in(committed_db)} == {JobState.WAITING}


def caused(error: Exception, cause: Exception) -> Exception:
    """An error with a cause."""
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [OperationalError("lost"), caused(OperationalError("lost"), OSError("lost")), OSError("lost")],
    ids=["celery", "caused", "kombu"],
)
def test_a_task_is_not_failed_by_a_broker_that_is_lost_meanwhile(
    make_app: MakeApp,
    committed_db: Engine,
    broker_url: str,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    app = make_app(broker_url=SecretStr(broker_url))
    enqueue_many(app, 2)
    celery = celery_of(app)

    def send_task(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(celery, "send_task", send_task)

    with pytest.raises(type(error), match="lost"):
        publish_due(celery, partial(publish_batch, celery))

    assert {job.state for job in jobs_in(committed_db)} == {JobState.WAITING}


@pytest.mark.parametrize("headers", [{"receipt": False, "mine": 1}, None], ids=["other", "none"])
def test_a_caller_cannot_unmark_the_receipt(
    make_app: MakeApp,
    monkeypatch: pytest.MonkeyPatch,
    broker_url: str,
    headers: Any,
) -> None:
    app = make_app(broker_url=SecretStr(broker_url))
    ask(app, idle.s().set(headers=headers))
    sent: list[dict[str, object]] = []
    celery = celery_of(app)
    monkeypatch.setattr(celery, "send_task", lambda *_, headers, **__: sent.append(headers))

    publish_batch(celery, take_due(app))

    [found] = sent
    assert found["receipt"] is True
    assert (found.get("mine") == 1) is bool(headers)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            ConnectionError("to redis://:hunter2@host"),
            "Tasks wait, they cannot be published: ConnectionError",
        ),
        (
            caused(OperationalError(""), ConnectionError("hunter2: Connection REFUSED.")),
            "Tasks wait, they cannot be published: ConnectionError, connection refused",
        ),
        (
            DBAPIError("SELECT 'hunter2'", {}, TimeoutError("hunter2")),
            "Tasks wait, they cannot be published: TimeoutError",
        ),
        (
            caused(QueueError("mail", "reports"), ValueError("hunter2: inequivalent arg 'x'")),
            "Tasks wait, the broker rejects messages for mail, reports: ValueError,"
            " inequivalent arg",
        ),
    ],
    ids=["any", "broker", "database", "queue"],
)
def test_a_look_that_fails_is_logged_without_secrets_and_made_again(
    app: Flask,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    line: str,
) -> None:
    stop, looks = Event(), []

    def look(*_: object) -> None:
        looks.append(1)
        if len(looks) == 1:
            raise error
        stop.set()

    monkeypatch.setattr(relay, "publish_due", look)
    monkeypatch.setattr(relay, "SECONDS_AFTER_AN_ERROR", 0.01)
    capsys.readouterr()

    relay.run(celery_of(app), stop)

    assert json.loads(capsys.readouterr().err)["event"] == line
    assert len(looks) == 2
    assert relay.PULSE.exists()


def test_the_cause_of_a_wrong_password_is_logged(
    make_app: MakeApp,
    broker_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = make_app(broker_url=SecretStr(f"redis://:hunter2@{broker_url.rpartition('@')[2]}"))
    ask(app, idle.s())
    stop = Event()
    monkeypatch.setattr(relay, "PULSE", Pulse(stop))
    capsys.readouterr()

    relay.run(celery_of(app), stop)

    logged = capsys.readouterr().err
    assert "AuthenticationError, invalid username-password pair" in logged
    assert "hunter2" not in logged


class Pulse:
    """A pulse that stops the relay."""

    def __init__(self, stop: Event) -> None:
        self.touch = stop.set


def test_a_pulse_that_cannot_be_written_does_not_end_the_relay(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, looks = Event(), []

    def look(*_: object) -> None:
        looks.append(1)
        if len(looks) == 2:
            stop.set()

    monkeypatch.setattr(relay, "publish_due", look)
    monkeypatch.setattr(relay, "PULSE", tmp_path / "missing" / "pulse")

    relay.run(celery_of(app), stop)

    assert len(looks) == 2


def test_metrics_tell_states_and_lag_by_queue(app: Flask, committed_db: Engine) -> None:
    enqueue_many(app, 2, "late")
    change_jobs(committed_db, due_at=PAST)
    ask(app, idle.s().set(countdown=600))
    ask(app, idle.s().set(queue="gone"))
    with Session(committed_db) as session:
        session.scalars(select(Job).where(Job.queue == "gone")).one().state = JobState.FAILED
        session.commit()

    jobs, lag = JobsCollector(celery_of(app)).collect()

    counts = {(s.labels["queue"], s.labels["state"]): s.value for s in jobs.samples}
    name = "{{ cookiecutter.__package }}"
    assert counts == {("late", "waiting"): 2, (name, "waiting"): 1, ("gone", "failed"): 1}
    lags = {sample.labels["queue"]: sample.value for sample in lag.samples}
    assert lags.keys() == {"late", name}
    assert lags[name] == 0
    assert lags["late"] > 1e7


def test_metrics_are_served(app: Flask) -> None:
    enqueue_many(app, 2)
    port = free_port()
    relay.serve_metrics(celery_with_port(app, port))

    with urlopen(f"http://127.0.0.1:{port}/metrics") as response:
        assert 'jobs{queue="a-queue",state="waiting"} 2.0' in response.read().decode()


def test_metrics_are_served_without_the_database(
    make_app: MakeApp, capsys: pytest.CaptureFixture[str]
) -> None:
    app = make_app()
    put_out_of_reach(app)
    port = free_port()
    relay.serve_metrics(celery_with_port(app, port))
    capsys.readouterr()

    with urlopen(f"http://127.0.0.1:{port}/metrics") as response:
        assert "jobs{" not in response.read().decode()

    [line] = capsys.readouterr().err.splitlines()
    logged = json.loads(line)
    assert logged["level"] == "warning"
    assert logged["event"] == "Jobs are not measured: ConnectionError"


def test_a_port_that_is_taken_costs_only_the_metrics(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as that of the service, on the same machine."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        relay.serve_metrics(celery_with_port(app, port))

    assert f"The relay serves no metrics at 127.0.0.1:{port}: " in caplog.text


def test_no_port_serves_no_metrics(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(relay, "start_http_server")

    relay.serve_metrics(celery_with_port(app, 0))


def celery_with_port(app: Flask, port: int) -> ServiceCelery:
    """The application's Celery, with this port for metrics."""
    celery = celery_of(app)
    celery.settings = celery.settings.model_copy(update={"metrics_port": port})
    return celery
