import os
import signal
from collections.abc import Callable
from threading import Event
from uuid import UUID

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import update
from sqlalchemy.orm import Session

from {{ cookiecutter.__package }}.database import db
from {{ cookiecutter.__package }}.database.column_types import uuid7
from {{ cookiecutter.__package }}.jobs import cli, enqueue, relay
from {{ cookiecutter.__package }}.jobs.models import Job, JobState

from ..support.applications import MakeApp
from ..support.leaks import OUT_OF_REACH, put_out_of_reach
from .support.background import PAST, celery_of, idle, jobs_in

Run = Callable[..., Result]


@pytest.fixture
def run(app: Flask, session: Session) -> Run:
    """Run a command of the group `jobs`."""

    def run(*arguments: str) -> Result:
        session.commit()
        return app.test_cli_runner().invoke(args=["jobs", *arguments])

    return run


@pytest.fixture
def jobs(app: Flask, session: Session) -> list[UUID]:
    """Three receipts; the tasks of the first and the second have failed."""
    with app.app_context():
        made = [enqueue(db.session(), idle.s()) for _ in range(3)]
        db.session.commit()
    failed = {"state": JobState.FAILED, "retries": 11, "runs": 12, "error": "ValueError: why"}
    for number, job_id in enumerate(made[:2]):
        heard_at = PAST.replace(day=3 - number)
        change = update(Job).where(Job.id == job_id).values(failed)
        session.execute(change.values(heard_at=heard_at))
    return made


def ids_of(result: Result) -> list[UUID]:
    """The ids that a list begins its lines with."""
    assert result.exit_code == 0, result.output
    return [UUID(line.split()[0]) for line in result.output.splitlines()]


def test_tasks_that_are_not_done_are_listed(run: Run, jobs: list[UUID]) -> None:
    result = run("list")

    assert ids_of(result) == jobs[2:]
    assert "waiting" in result.output


def test_failed_tasks_are_listed_with_their_errors(run: Run, jobs: list[UUID]) -> None:
    result = run("failed")

    assert ids_of(result) == jobs[:2]
    assert result.output.count("tests.idle  ValueError: why") == 2


def test_a_long_list_is_cut(run: Run, jobs: list[UUID], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "MAX_LISTED", 1)

    listed = run("failed").output.splitlines()

    assert listed[0].split()[0] == str(jobs[0])
    assert listed[1:] == ["... and more"]


def test_a_failed_task_is_due_again(run: Run, jobs: list[UUID], session: Session) -> None:
    assert run("retry", str(jobs[0])).output == "1 tasks are due again.\n"

    again, failed, _ = jobs_in(session)
    assert (again.state, again.retries, again.runs) == (JobState.WAITING, 0, 0)
    assert failed.state == JobState.FAILED
    assert run("retry", str(jobs[2])).output == "0 tasks are due again.\n"


def test_all_failed_tasks_are_due_again(run: Run, jobs: list[UUID], session: Session) -> None:
    assert run("retry", "--all").output == "2 tasks are due again.\n"

    assert [job.id for job in jobs_in(session)] == jobs
    assert {job.state for job in jobs_in(session)} == {JobState.WAITING}


@pytest.mark.parametrize("command", ["retry", "discard"])
@pytest.mark.parametrize("arguments", [[], ["--all", str(uuid7())]])
def test_which_tasks_has_to_be_said(run: Run, command: str, arguments: list[str]) -> None:
    result = run(command, *arguments)

    assert result.exit_code == 2
    assert "Name jobs, or say --all." in result.output


def test_a_failed_task_is_discarded(run: Run, jobs: list[UUID], session: Session) -> None:
    assert run("discard", str(jobs[1]), str(jobs[2])).output == "1 tasks are discarded.\n"

    assert [job.id for job in jobs_in(session)] == [jobs[0], jobs[2]]


def test_all_failed_tasks_are_discarded(run: Run, jobs: list[UUID], session: Session) -> None:
    assert run("discard", "--all").output == "2 tasks are discarded.\n"

    assert [job.id for job in jobs_in(session)] == [jobs[2]]


@pytest.mark.usefixtures("jobs")
def test_tasks_are_counted_by_queue_and_state(run: Run) -> None:
    lines = [line.split()[:3] for line in run("stats").output.splitlines()]

    name = "{{ cookiecutter.__package }}"
    assert lines == [[name, "failed", "2"], [name, "waiting", "1"]]


@pytest.mark.parametrize(
    "arguments", [["list"], ["failed"], ["retry", "--all"], ["discard", "--all"], ["stats"]]
)
def test_without_the_database_a_command_is_one_sentence(
    make_app: MakeApp, arguments: list[str]
) -> None:
    app = make_app()
    put_out_of_reach(app)

    done = app.test_cli_runner().invoke(args=["jobs", *arguments])

    assert done.exit_code == 1
    assert done.output == OUT_OF_REACH


def test_a_relay_runs_until_it_is_stopped(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []

    def run_relay(celery: object, stop: Event) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(5)
        seen.append(celery)

    monkeypatch.setattr(relay, "run", run_relay)
    monkeypatch.setattr(relay, "serve_metrics", seen.append)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        assert app.test_cli_runner().invoke(args=["jobs", "relay"]).exit_code == 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

    assert seen == [celery_of(app)] * 2
