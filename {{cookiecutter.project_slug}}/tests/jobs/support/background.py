"""Background jobs in tests: what the table holds, and runs as a worker makes them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from celery import shared_task
from celery.app.trace import build_tracer
from celery.canvas import Signature
from flask import Flask
from kombu.utils import json
from pydantic import SecretStr
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from {{ cookiecutter.__package }}.database import db
from {{ cookiecutter.__package }}.jobs import enqueue
from {{ cookiecutter.__package }}.jobs.celery_app import ServiceCelery
from {{ cookiecutter.__package }}.jobs.models import Job, JobState
from {{ cookiecutter.__package }}.jobs.relay import publish_due
from {{ cookiecutter.__package }}.jobs.tasks import RECEIPT

PAST = datetime(2020, 1, 1, tzinfo=UTC)
DELIVERED_AGAIN = {"exchange": "", "routing_key": "celery", "redelivered": True}
BROKER_IS_DOWN = SecretStr("redis://127.0.0.1:1/0")


@shared_task(name="tests.idle")
def idle(text: str = "") -> None:
    """Do nothing."""


def celery_of(app: Flask) -> ServiceCelery:
    """The Celery application of an application."""
    celery: ServiceCelery = app.extensions["celery"]
    return celery


def task_of(app: Flask, function: Callable[..., Any], **options: Any) -> Any:
    """Make a function a task that only this application knows."""
    celery: Any = celery_of(app)
    return celery.task(name=f"tests.{function.__name__}", shared=False, **options)(function)


def jobs_in(database: Engine | Session) -> list[Job]:
    """The receipts that are committed, in the order in which they were asked for."""
    if isinstance(database, Session):
        database.expire_all()
        return list(database.scalars(select(Job).order_by(Job.id)))
    with Session(database, expire_on_commit=False) as session:
        return list(session.scalars(select(Job).order_by(Job.id)))


def ask(app: Flask, signature: "Signature[Any]") -> UUID:
    """Ask for a task, and commit."""
    with app.app_context():
        job_id = enqueue(db.session(), signature)
        db.session.commit()
    return job_id


def change_jobs(engine: Engine, **values: Any) -> None:
    """Change all receipts, as time or another process does."""
    with engine.begin() as connection:
        connection.execute(update(Job).values(values))


def take_due(app: Flask) -> list[Job]:
    """Publish what is due, to the test."""
    taken: list[Job] = []
    publish_due(celery_of(app), taken.extend)
    return taken


def deliver(app: Flask, job: Job, **changes: Any) -> str:
    """Run the task of a message as a worker does; return Celery's state of the run."""
    celery = celery_of(app)
    args, kwargs, options = celery_json(job)
    request = {
        "id": str(job.id),
        "retries": job.retries,
        "delivery_info": {"exchange": "", "routing_key": job.queue},
        RECEIPT: True,
        "request_id": job.request_id,
        "trace_id": job.trace_id,
        **options.get("headers", {}),
        **changes,
    }
    trace = build_tracer(job.task, celery.tasks[job.task], app=celery)
    outcome = trace(str(job.id), args, kwargs, request).info
    return outcome.state if outcome else "SUCCESS"


def celery_json(job: Job) -> list[Any]:
    """Arguments, keyword arguments and options of a receipt."""
    payload: list[Any] = json.loads(job.payload)
    return payload


def run_all(app: Flask, **changes: Any) -> list[str]:
    """Run what waits, as if it was all due; return the states of the runs."""
    with app.app_context():
        waiting = update(Job).where(Job.state == JobState.WAITING)
        db.session.execute(waiting.values(due_at=PAST))
        db.session.commit()
    return [deliver(app, job, **changes) for job in take_due(app)]


def seconds_between(first: datetime, second: datetime) -> float:
    """How far apart two times are."""
    return abs(second - first) / timedelta(seconds=1)


def arguments_of(job: Job) -> list[Any]:
    """The positional arguments of a task."""
    arguments: list[Any] = celery_json(job)[0]
    return arguments
