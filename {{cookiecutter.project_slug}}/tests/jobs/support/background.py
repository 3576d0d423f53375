"""Jobs in tests: what the table holds, and a worker within the test."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from {{ cookiecutter.__package }}.database import db
from {{ cookiecutter.__package }}.jobs.job_runner import run_job
from {{ cookiecutter.__package }}.jobs.jobs import TASKS, Job, Task, enqueue, task
from {{ cookiecutter.__package }}.jobs.outbox import Message, publish_due

JOB_SECONDS = 60


@task("tests.idle")
def idle(_session: Session, *, text: str = "") -> None:
    """Do nothing."""


@pytest.fixture
def _own_tasks() -> Iterator[None]:
    """Let the test add tasks, which are gone after it: `pytestmark` asks for it."""
    before = dict(TASKS)
    yield
    TASKS.clear()
    TASKS.update(before)


def jobs_in(database: Engine | Session) -> list[Job]:
    """The jobs that are committed, in the order in which they were asked for."""
    if isinstance(database, Session):
        database.expire_all()
        return list(database.scalars(select(Job).order_by(Job.id)))
    with Session(database, expire_on_commit=False) as session:
        return list(session.scalars(select(Job).order_by(Job.id)))


def arguments_of(job: Job) -> dict[str, Any]:
    """What the job's task is given."""
    arguments: dict[str, Any] = json.loads(job.arguments)
    return arguments


def ask(app: Flask, task: Task[...], **arguments: Any) -> UUID:
    """Ask for a job, and commit."""
    with app.app_context():
        job_id = enqueue(db.session(), task, None, **arguments)
        db.session.commit()
    return job_id


def due(app: Flask) -> list[Message]:
    """Hand over what is due, to the test."""
    messages: list[Message] = []
    publish_due(app, messages.append, JOB_SECONDS)
    return messages


def attempt(app: Flask, job_id: UUID, number: int = 1) -> None:
    """Make an attempt at a job, as a worker does."""
    run_job(app, job_id, number, JOB_SECONDS)


def do_all(app: Flask) -> int:
    """Hand over what is due and do it at once; return how many jobs there were."""
    messages = due(app)
    for message in messages:
        attempt(app, message.job_id, message.number)
    return len(messages)
