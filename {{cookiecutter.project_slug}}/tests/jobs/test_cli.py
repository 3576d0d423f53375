import re
from collections.abc import Callable
from uuid import UUID

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from {{ cookiecutter.__package }}.database import db
from {{ cookiecutter.__package }}.database.column_types import uuid7
from {{ cookiecutter.__package }}.jobs import cli, process
from {{ cookiecutter.__package }}.jobs.jobs import Job, enqueue
from {{ cookiecutter.__package }}.settings import Settings

from .support.background import idle, jobs_in
from .support.worker_process import ask_whether_ready, with_broker

NO_BROKER = "redis://127.0.0.1:1/0"

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
    """Three jobs, of which the first and the second were given up."""
    with app.app_context():
        made = [enqueue(db.session(), idle) for _ in range(3)]
        db.session.commit()
    session.execute(
        update(Job)
        .where(Job.id.in_(made[:2]))
        .values(due_at=None, attempts=12, error="ValueError: why")
    )
    return made


def test_jobs_that_are_not_done_are_listed(run: Run, jobs: list[UUID]) -> None:
    listed = run("list").output.splitlines()

    assert [UUID(line.split()[0]) for line in listed] == jobs
    assert "given up" in listed[0]
    assert listed[0].endswith("attempts 12  tests.idle  ValueError: why")
    assert "  due 2" in listed[2]


def test_a_long_list_is_cut(run: Run, jobs: list[UUID], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "MOST_LISTED", 2)

    listed = run("list").output.splitlines()

    assert [line.split()[0] for line in listed[:2]] == [str(job_id) for job_id in jobs[:2]]
    assert listed[2:] == ["... and more"]


def test_a_job_that_was_given_up_is_due_again(run: Run, jobs: list[UUID], session: Session) -> None:
    assert run("retry", str(jobs[0])).output == "1 jobs are due again.\n"

    again, given_up, _ = jobs_in(session)
    assert again.due_at is not None
    assert (again.attempts, given_up.due_at) == (0, None)
    assert run("retry", str(jobs[2])).output == "0 jobs are due again.\n"


def test_all_that_were_given_up_are_due_again(run: Run, jobs: list[UUID], session: Session) -> None:
    assert run("retry", "--all").output == "2 jobs are due again.\n"

    assert [job.id for job in jobs_in(session)] == jobs
    assert [job.attempts for job in jobs_in(session)] == [0, 0, 0]
    assert all(job.due_at for job in jobs_in(session))


@pytest.mark.parametrize("arguments", [[], ["--all", str(uuid7())]])
def test_which_jobs_has_to_be_said(run: Run, arguments: list[str]) -> None:
    result = run("retry", *arguments)

    assert result.exit_code == 2
    assert "Name a job, or say --all." in result.output


def test_a_job_is_deleted(run: Run, jobs: list[UUID], session: Session) -> None:
    assert run("delete", str(jobs[1])).output == "1 jobs are deleted.\n"
    assert run("delete", str(jobs[1])).output == "0 jobs are deleted.\n"

    assert [job.id for job in jobs_in(session)] == [jobs[0], jobs[2]]


def test_a_worker_without_a_broker_is_not_ready(settings: Settings) -> None:
    result = ask_whether_ready(with_broker(settings, NO_BROKER, 1))

    assert (result.exit_code, result.output) == (1, "Error: No broker answers: OperationalError.\n")


@pytest.mark.slow
def test_a_worker_that_is_not_there_is_not_ready(
    settings: Settings, broker_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "SECONDS_TO_ANSWER", 0.1)

    result = ask_whether_ready(with_broker(settings, broker_url, 1))

    assert result.exit_code == 1
    assert re.fullmatch(r"Error: The worker \S+ does not answer\.\n", result.output)


def test_a_worker_whose_database_is_not_migrated_is_not_ready(empty_database: Settings) -> None:
    result = ask_whether_ready(empty_database)

    assert (result.exit_code, "not at the revision" in result.output) == (1, True)


def test_a_worker_without_a_database_is_not_ready(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "current_revision", fail)

    result = run("ready")

    assert (result.exit_code, result.output) == (1, "Error: The database cannot be reached.\n")


def fail(_connection: object) -> str:
    raise SQLAlchemyError


def test_work_ends_as_its_worker_does(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "work", lambda _app, _settings: 3)

    assert run("work").exit_code == 3


def test_work_says_why_it_cannot_begin(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(_app: Flask, _settings: Settings) -> int:
        raise RuntimeError("The port is taken.")

    monkeypatch.setattr(process, "work", cannot)

    result = run("work")

    assert (result.exit_code, result.output) == (1, "Error: The port is taken.\n")
