"""Hands jobs that are due to the broker: what is asked for in the database reaches the workers.

A job stays in the table until it is done. So nothing is lost with the broker, which may forget all
it was given: what nobody has finished when its lease ends is handed over again.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import NamedTuple
from uuid import UUID

from flask import Flask
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from ..clock import utc_now
from ..database.transactions import run_in_transaction
from .job_runner import MOST_ATTEMPTS, lease
from .jobs import Job

log = logging.getLogger(__name__)

BATCH = 100


class Message(NamedTuple):
    """What the broker gets of a job: the attempt that is to be made."""

    task: str
    job_id: UUID
    number: int


Publish = Callable[[Message], object]
"""Hands a message to the broker; returns when the broker has it, and raises an error if not."""


@dataclass(frozen=True)
class Backlog:
    """What is to be done."""

    waiting: int
    given_up: int
    lag_seconds: float
    """For how long the job that is due longest has been due."""


def publish_due(app: Flask, publish: Publish, job_seconds: int) -> int:
    """Hand the jobs that are due to the broker, at most a batch of them; return how many.

    They are claimed first, for as long as their lease: no transaction is open while the broker is
    waited for, and relays at the same time take different jobs. Raises what `publish` raises; what
    was not handed over is then due again.
    """
    with app.app_context():
        messages = run_in_transaction(lambda session: _claim(session, job_seconds))
    for index, message in enumerate(messages):
        try:
            publish(message)
        except Exception:
            with app.app_context():
                run_in_transaction(partial(_release, messages=messages[index:]))
            raise
    return len(messages)


def read_backlog(session: Session) -> Backlog:
    """What is to be done at the moment."""
    at = utc_now()
    waiting, given_up, first = session.execute(
        select(
            func.count(Job.due_at),
            func.count() - func.count(Job.due_at),
            func.min(Job.due_at),
        )
    ).one()
    return Backlog(waiting, given_up, _seconds(first, at))


def _claim(session: Session, job_seconds: int) -> list[Message]:
    """Take due jobs, and give up those whose last attempt has told nothing."""
    at = utc_now()
    due = select(Job).where(Job.due_at <= at).order_by(Job.due_at).limit(BATCH)
    jobs = session.scalars(due.with_for_update(skip_locked=True)).all()
    for job in jobs:
        if job.attempts >= MOST_ATTEMPTS:
            job.due_at = None
            job.error = "Its worker did not live to tell why."
            facts = {"job_id": str(job.id), "task": job.task, "request_id": job.request_id}
            log.error("job", extra={"outcome": "given up", **facts})
        else:
            job.due_at = at + lease(job_seconds)
    return [Message(job.task, job.id, job.attempts + 1) for job in jobs if job.due_at is not None]


def _release(session: Session, messages: list[Message]) -> None:
    """Let jobs that the broker did not take be due again, unless a worker has them after all."""
    for message in messages:
        mine = update(Job).where(Job.id == message.job_id, Job.attempts == message.number - 1)
        session.execute(mine.values(due_at=utc_now()))


def _seconds(first: datetime | None, at: datetime) -> float:
    return max(0.0, (at - first).total_seconds()) if first else 0.0
