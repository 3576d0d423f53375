"""Does a job: once to the end, or again later, or not at all when it has failed too often."""

import json
import logging
import random
from dataclasses import dataclass
from datetime import timedelta
from time import perf_counter
from typing import Any
from uuid import UUID

from flask import Flask
from sqlalchemy import delete, update
from sqlalchemy.orm import Session
from structlog.contextvars import bound_contextvars

from ..clock import utc_now
from ..database import db
from ..database.transactions import run_in_transaction
from ..observability.logs import redact
from .jobs import LONGEST_ERROR, TASKS, Job, change_rows

log = logging.getLogger(__name__)

MOST_ATTEMPTS = 12
FIRST_PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 600.0
LEASE_IN_RUNS = 3
"""How long a job is left to the workers, in longest runs: it may wait for one before its own."""


@dataclass(frozen=True)
class Attempt:
    """What one attempt knows of its job. No two attempts at a job have the same number."""

    job_id: UUID
    number: int
    task: str
    arguments: dict[str, Any]
    ids: dict[str, str]


class OvertakenError(Exception):
    """The attempt took so long that another one was begun: what it did is rolled back."""


def lease(job_seconds: int) -> timedelta:
    """For how long a job that was handed over is left to the broker and the workers."""
    return timedelta(seconds=LEASE_IN_RUNS * job_seconds)


def pause(attempts: int) -> timedelta:
    """How long to wait after so many attempts: each time about twice as long, and by chance."""
    longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (attempts - 1))
    return timedelta(seconds=random.uniform(longest / 2, longest))  # noqa: S311  no secret


def describe(error: Exception) -> str:
    """What is kept of an error: no secret, and nothing that a database cannot store."""
    text = str(redact(None, "", {"event": f"{type(error).__name__}: {error}"})["event"])
    return text.encode(errors="replace").decode().replace("\0", "")[:LONGEST_ERROR]


def run_job(app: Flask, job_id: UUID, number: int, job_seconds: int) -> None:
    """Make the attempt of this number at a job, unless it was begun before.

    Raises nothing that the task raises. The attempt is counted first, in a transaction of its own:
    a job that takes its worker down with it does so only so often.
    """
    with app.app_context():
        attempt = run_in_transaction(lambda session: _begin(session, job_id, number, job_seconds))
    if attempt is None:
        return
    began = perf_counter()
    with bound_contextvars(job_id=str(job_id), task=attempt.task, **attempt.ids):
        try:
            with app.app_context():
                _do(db.session(), attempt)
        except Exception as error:
            why = describe(error)
            with app.app_context():
                is_given_up = run_in_transaction(lambda session: _put_off(session, attempt, why))
            level = logging.ERROR if is_given_up else logging.WARNING
            outcome = "given up" if is_given_up else "again later"
            log.log(level, "job", exc_info=True, extra=_facts(outcome, attempt, began))
        else:
            log.info("job", extra=_facts("done", attempt, began))


def _begin(session: Session, job_id: UUID, number: int, job_seconds: int) -> Attempt | None:
    """Count the attempt; None if it is not the next one at a job that is still to be done."""
    next_one = update(Job).where(Job.id == job_id, Job.attempts == number - 1)
    begun = next_one.values(attempts=number, due_at=utc_now() + lease(job_seconds))
    if change_rows(session, begun) == 0:
        return None
    job = session.get_one(Job, job_id)
    ids = {"request_id": job.request_id, "trace_id": job.trace_id}
    known = {name: value for name, value in ids.items() if value is not None}
    return Attempt(job_id, number, job.task, json.loads(job.arguments), known)


def _do(session: Session, attempt: Attempt) -> None:
    """Run the task and end the job, both or none.

    No transaction is open when the task begins, so that it may first do what takes long.
    """
    TASKS[attempt.task].run(session, **attempt.arguments)
    if change_rows(session, delete(Job).where(*_is_of(attempt))) == 0:
        raise OvertakenError
    session.commit()


def _put_off(session: Session, attempt: Attempt, why: str) -> bool:
    """Note why the attempt failed and when the next one is due; True if there will be none."""
    is_last = attempt.number >= MOST_ATTEMPTS
    failed = update(Job).where(*_is_of(attempt))
    due_at = None if is_last else utc_now() + pause(attempt.number)
    session.execute(failed.values(due_at=due_at, error=why))
    return is_last


def _is_of(attempt: Attempt) -> tuple[Any, Any]:
    return Job.id == attempt.job_id, Job.attempts == attempt.number


def _facts(outcome: str, attempt: Attempt, began: float) -> dict[str, object]:
    duration = round((perf_counter() - began) * 1000, 3)
    return {"outcome": outcome, "attempt": attempt.number, "duration_ms": duration}
