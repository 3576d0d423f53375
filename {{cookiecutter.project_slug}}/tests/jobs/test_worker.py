"""A real worker and relay with a real broker: what docs/jobs.md promises, in processes."""

import os
import signal
from pathlib import Path

import pytest
from flask import Flask
from pydantic import SecretStr
from redis import Redis
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from {{ cookiecutter.__package }}.jobs.models import JobState
from {{ cookiecutter.__package }}.settings import Settings

from ..support.api import URL, create, new_body
from ..support.applications import MakeApp
from ..support.concurrency import wait_until
from ..support.leaks import count_rows
from ..support.probe import Probe, ProbeStatus
from .support.background import ask, celery_of, jobs_in
from .support.broker import start_temporary
from .support.worker_process import running_worker
from .support.worker_tasks import add_at_last, add_slowly, be_killed, kill_process, tutorial

pytestmark = pytest.mark.slow

PAST = "2020-01-01T00:00:00Z"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def count_active(engine: Engine) -> int:
    """How many rows are active."""
    active = select(func.count()).select_from(Probe).where(Probe.status == ProbeStatus.ACTIVE)
    with Session(engine) as session:
        return session.scalar(active) or 0


def all_done(engine: Engine) -> bool:
    """Return whether no receipt is left."""
    return jobs_in(engine) == []


def test_tasks_are_done_in_the_end_and_logged_with_the_ids_of_their_requests(
    make_app: MakeApp, committed_db: Engine, settings: Settings, broker_url: str, tmp_path: Path
) -> None:
    """Tasks run once whether they fail or lose their process; TERM lets them finish."""
    app = make_app(broker_url=SecretStr(broker_url))
    folder = str(tmp_path)
    headers = {"X-Request-ID": "of-the-test", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    body = new_body(available_at=PAST)
    with running_worker(settings, broker_url, job_seconds=60) as processes:
        assert app.test_client().post(URL, json=body, headers=headers).status_code == 201
        ask(app, add_at_last.s(folder, code="fails"))
        ask(app, be_killed.s(folder, code="is-killed"))
        tutorial.delay(4, 4, folder=folder)
        celery_of(app).send_task("tests.unknown", [folder])
        wait_until((tmp_path / "is-killed").exists)
        os.kill(int((tmp_path / "is-killed").read_text()), signal.SIGKILL)
        wait_until(lambda: all_done(committed_db))
        wait_until((tmp_path / "8").exists)
        wait_until(lambda: "Received unregistered task" in processes.log.read_text())

        ask(app, add_slowly.s(folder))
        wait_until((tmp_path / "began").exists)
        processes.worker.terminate()
        wait_until(lambda: "Warm shutdown" in processes.log.read_text())
        (tmp_path / "go").touch()
        assert processes.terminate() == (0, 0)
        lines = processes.lines()
        assert folder not in processes.log.read_text(), "arguments are not logged"

    assert all_done(committed_db)
    assert (count_active(committed_db), count_rows(committed_db)) == (1, 4)
    [line] = [line for line in lines if line.get("request_id") == "of-the-test"]
    assert (line["task"], line["trace_id"]) == ("_probes.activate", TRACE)
    assert "succeeded in" in line["event"]


def test_what_a_broker_has_forgotten_is_done(
    make_app: MakeApp, committed_db: Engine, settings: Settings
) -> None:
    """The broker loses all messages under load, is killed, and starts while more are to come."""
    broker, url = start_temporary(stop_signal="KILL")
    app = make_app()
    try:
        with running_worker(settings, url, job_seconds=1):
            make_rows(app, "first", 30)
            wait_until(lambda: count_active(committed_db) > 0)
            with Redis.from_url(url) as client:
                client.flushall()
            broker.pause()
            make_rows(app, "down", 10)
            broker.start()
            make_rows(app, "after", 10)
            wait_until(lambda: all_done(committed_db))
    finally:
        broker.stop()

    assert count_active(committed_db) == count_rows(committed_db) == 50


def test_a_broker_that_is_lost_in_the_middle_of_a_task_does_not_end_the_worker(
    make_app: MakeApp, committed_db: Engine, settings: Settings, tmp_path: Path
) -> None:
    broker, url = start_temporary(stop_signal="KILL")
    app = make_app()
    try:
        with running_worker(settings, url, job_seconds=60) as processes:
            ask(app, add_slowly.s(str(tmp_path)))
            wait_until((tmp_path / "began").exists)
            broker.pause()
            wait_until(lambda: "Connection to broker lost" in processes.log.read_text())
            broker.start()
            (tmp_path / "go").touch()
            make_rows(app, "after", 1)
            wait_until(lambda: all_done(committed_db))
            assert processes.worker.poll() is None, processes.log.read_text()
    finally:
        broker.stop()

    assert (count_active(committed_db), count_rows(committed_db)) == (1, 2)


def test_a_task_that_kills_its_process_each_time_is_kept_and_others_go_on(
    make_app: MakeApp, committed_db: Engine, settings: Settings, broker_url: str
) -> None:
    app = make_app()
    with running_worker(settings, broker_url):
        ask(app, kill_process.s())
        make_rows(app, "good", 20)
        wait_until(lambda: [job.state for job in jobs_in(committed_db)] == [JobState.FAILED])

    assert count_active(committed_db) == 20
    [job] = jobs_in(committed_db)
    assert job.retries == 1
    assert "WorkerLostError" in str(job.error)


def make_rows(app: Flask, name: str, number: int) -> None:
    """Create rows whose tasks are due at once."""
    client = app.test_client()
    for each in range(number):
        create(client, code=f"{name}-{each}", available_at=PAST)
