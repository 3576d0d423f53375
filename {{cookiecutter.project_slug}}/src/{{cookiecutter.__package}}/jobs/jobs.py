"""Jobs: work that is done after the answer, by a worker, and is not lost once it was asked for.

A job is a row of the table `jobs`, written in the transaction that asks for it: with that it is
there, and without it never was. docs/jobs.md tells what follows from that.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Concatenate, Generic, ParamSpec, cast
from uuid import UUID

import structlog
from flask import has_request_context
from sqlalchemy import CursorResult, Executable
from sqlalchemy.orm import Mapped, Session, mapped_column

from ..clock import utc_now
from ..database import Base
from ..database.column_types import ExactString, UtcDateTime, uuid7
from ..observability.request_ids import current_request_ids

LONGEST_ARGUMENTS = 2000
LONGEST_ERROR = 1000

Arguments = ParamSpec("Arguments")


class Job(Base):
    """A job that is not done; one that is done has no row."""

    __tablename__ = "jobs"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    task: Mapped[str] = mapped_column(ExactString(200))
    arguments: Mapped[str] = mapped_column(ExactString(LONGEST_ARGUMENTS))
    request_id: Mapped[str | None] = mapped_column(ExactString(128))
    trace_id: Mapped[str | None] = mapped_column(ExactString(32))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    """When it is handed to the broker, again if need be; None once it is given up."""
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None] = mapped_column(ExactString(LONGEST_ERROR))
    """Why the last attempt failed."""


@dataclass(frozen=True)
class Task(Generic[Arguments]):
    """What a worker can do: its name in the table, and the function that does it."""

    name: str
    run: Callable[Concatenate[Session, Arguments], None]


TASKS: dict[str, Task[...]] = {}
"""All tasks by their names."""


def task(
    name: str,
) -> Callable[[Callable[Concatenate[Session, Arguments], None]], Task[Arguments]]:
    """Let the worker do the function that follows, under this name, which stays the same for ever.

    The function gets a session and what was given to `enqueue`. What it changes in the session's
    transaction is done once, for the worker commits it together with the end of the job. Anything
    else that it does may be done again. An error lets it be tried again later.
    """

    def register(run: Callable[Concatenate[Session, Arguments], None]) -> Task[Arguments]:
        if name in TASKS:
            raise ValueError(f"There are two tasks named {name!r}; rename one.")
        made = Task(name, run)
        TASKS[name] = made
        return made

    return register


def enqueue(
    session: Session,
    task: Task[Arguments],
    due_at: datetime | None = None,
    /,
    *args: Arguments.args,
    **arguments: Arguments.kwargs,
) -> UUID:
    """Ask for a job, at once or at an instant to come, and return its id; the caller commits.

    Arguments are given by name and have to be JSON: ids, rather than what they stand for, which may
    have changed by then. Raises TypeError for others, and ValueError if they are too long.
    """
    if args:
        raise TypeError("Give a job its arguments by name.")
    given = json.dumps(arguments, separators=(",", ":"))
    if len(given) > LONGEST_ARGUMENTS:
        raise ValueError(
            f"The arguments of a job take at most {LONGEST_ARGUMENTS} characters; give it ids."
        )
    request_id, trace_id = _origin()
    job_id, asked_at = uuid7(), utc_now()
    session.add(
        Job(
            id=job_id,
            task=task.name,
            arguments=given,
            request_id=request_id,
            trace_id=trace_id,
            due_at=max(due_at or asked_at, asked_at),
        )
    )
    return job_id


def change_rows(session: Session, change: Executable) -> int:
    """Change rows by one statement, and return how many there were; the caller commits."""
    return cast("CursorResult[Any]", session.execute(change)).rowcount


def _origin() -> tuple[str | None, str | None]:
    """The ids of the request that asks, or of the one whose job asks for a further job."""
    if has_request_context():
        who = current_request_ids()
        return who.request_id, who.trace_id
    bound = structlog.contextvars.get_contextvars()
    return bound.get("request_id"), bound.get("trace_id")
