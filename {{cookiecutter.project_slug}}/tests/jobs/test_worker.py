"""A real worker with a real broker: what docs/jobs.md promises, tried in processes of their own."""

import os
import signal
from pathlib import Path
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from {{ cookiecutter.__package }}.clock import utc_now
from {{ cookiecutter.__package }}.jobs.celery_app import publisher
from {{ cookiecutter.__package }}.jobs.jobs import Job
from {{ cookiecutter.__package }}.jobs.outbox import publish_due
from {{ cookiecutter.__package }}.settings import Settings

from ..support.api import URL, create, new_body
from ..support.applications import MakeApp
from ..support.concurrency import wait_until
from ..support.leaks import count_rows
from ..support.probe import Probe, ProbeStatus
from .support.background import ask, jobs_in
from .support.broker import start_temporary
from .support.worker_process import running_worker, with_broker
from .support.worker_tasks import add_at_last, add_slowly, be_killed

pytestmark = pytest.mark.slow

PAST = "2020-01-01T00:00:00Z"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def count_active(engine: Engine) -> int:
    """How many rows are active."""
    active = select(func.count()).select_from(Probe).where(Probe.status == ProbeStatus.ACTIVE)
    with Session(engine) as session:
        return session.scalar(active) or 0


def all_done(engine: Engine) -> bool:
    """Whether no job is left."""
    return jobs_in(engine) == []


def test_jobs_are_done_in_the_end_and_logged_with_the_ids_of_their_requests(
    make_app: MakeApp, committed_db: Engine, settings: Settings, broker_url: str, tmp_path: Path
) -> None:
    """Whether they fail or lose their process; and TERM lets them finish."""
    app = make_app()
    folder = str(tmp_path)
    headers = {"X-Request-ID": "of-the-test", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    body = new_body(available_at=PAST)
    with running_worker(settings, broker_url, 60) as worker:
        assert app.test_client().post(URL, json=body, headers=headers).status_code == 201
        ask(app, add_at_last, folder=folder, code="fails")
        lost = ask(app, be_killed, folder=folder, code="is-killed")
        wait_until((tmp_path / "is-killed").exists)
        os.kill(int((tmp_path / "is-killed").read_text()), signal.SIGKILL)
        end_leases(committed_db, lost)
        wait_until(lambda: all_done(committed_db))

        ask(app, add_slowly, folder=folder)
        wait_until((tmp_path / "began").exists)
        worker.process.terminate()
        wait_until(lambda: "Warm shutdown" in worker.log.read_text())
        (tmp_path / "go").touch()
        assert worker.terminate() == 0
        lines = worker.lines()

    assert all_done(committed_db)
    assert (count_active(committed_db), count_rows(committed_db)) == (1, 4)
    [line] = [line for line in lines if line.get("request_id") == "of-the-test"]
    assert (line["outcome"], line["trace_id"], line["attempt"]) == ("done", TRACE, 1)
    outcomes = {
        task.name: [line["outcome"] for line in lines if line.get("task") == task.name]
        for task in (add_at_last, be_killed, add_slowly)
    }
    assert outcomes == {
        add_at_last.name: ["again later", "done"],
        be_killed.name: ["done"],
        add_slowly.name: ["done"],
    }


def end_leases(engine: Engine, *job_ids: UUID) -> None:
    """Let the jobs be due now, as they will be when their leases end."""
    with engine.begin() as connection:
        connection.execute(update(Job).where(Job.id.in_(job_ids)).values(due_at=utc_now()))


def test_what_a_broker_has_forgotten_is_done(
    make_app: MakeApp, committed_db: Engine, settings: Settings
) -> None:
    """The broker is killed under load, with messages in it and while more are to come."""
    broker, url = start_temporary(stop_signal="KILL")
    app = make_app()
    try:
        make_rows(app, "before", 10)
        assert publish_due(app, publisher(with_broker(settings, url, 20)), 20) == 10
        broker.pause()
        broker.start()  # it keeps nothing: what was handed over is gone
        end_leases(committed_db, *(job.id for job in jobs_in(committed_db)))
        with running_worker(settings, url, 20):
            make_rows(app, "first", 20)
            wait_until(lambda: count_active(committed_db) > 0)
            broker.pause()
            make_rows(app, "away", 10)
            broker.start()
            end_leases(committed_db, *(job.id for job in jobs_in(committed_db)))
            make_rows(app, "after", 10)
            wait_until(lambda: all_done(committed_db))
    finally:
        broker.stop()

    assert count_active(committed_db) == count_rows(committed_db) == 50


def test_a_broker_that_is_lost_in_the_middle_of_a_job_does_not_end_the_worker(
    make_app: MakeApp, committed_db: Engine, settings: Settings, tmp_path: Path
) -> None:
    broker, url = start_temporary(stop_signal="KILL")
    app = make_app()
    try:
        with running_worker(settings, url, 60) as worker:
            ask(app, add_slowly, folder=str(tmp_path))
            wait_until((tmp_path / "began").exists)
            broker.pause()
            wait_until(lambda: "Connection to broker lost" in worker.log.read_text())
            broker.start()
            (tmp_path / "go").touch()
            make_rows(app, "after", 1)
            wait_until(lambda: all_done(committed_db))
            assert worker.process.poll() is None, worker.log.read_text()
    finally:
        broker.stop()

    assert (count_active(committed_db), count_rows(committed_db)) == (1, 2)


def make_rows(app: Flask, name: str, number: int) -> None:
    """Create rows whose jobs are due at once."""
    client = app.test_client()
    for each in range(number):
        create(client, code=f"{name}-{each}", available_at=PAST)
