"""The table `jobs`: the receipts of tasks that are not done yet, or have failed."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Executable,
    Index,
    Row,
    Text,
    func,
    select,
    type_coerce,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from ..clock import utc_now
from ..database import Base
from ..database.column_types import ExactString, UtcDateTime, uuid7


class JobState(StrEnum):
    """Where the task of a receipt is."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"


class Job(Base):
    """The receipt of a task, whose id it has; a task that is done has none.

    Times but `created_at` are by the clock of the database: those of processes may differ.
    """

    __tablename__ = "jobs"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    task: Mapped[str] = mapped_column(ExactString(200))
    queue: Mapped[str] = mapped_column(ExactString(100))
    payload: Mapped[str] = mapped_column(Text)  # arguments, keyword arguments, options, in JSON
    request_id: Mapped[str | None] = mapped_column(ExactString(128))
    trace_id: Mapped[str | None] = mapped_column(ExactString(32))
    state: Mapped[str] = mapped_column(ExactString(10), default=JobState.WAITING)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    heard_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when it was last heard of
    retries: Mapped[int] = mapped_column(default=0)  # as Celery counts
    runs: Mapped[int] = mapped_column(default=0)  # messages that came back since the last retry
    error: Mapped[str | None] = mapped_column(ExactString(1000))

    __table_args__ = (Index(None, "state", "queue", "due_at"),)


def current_time() -> ColumnElement[datetime]:
    """Return the SQL for the time by the clock of the database."""
    return type_coerce(func.current_timestamp(), UtcDateTime)


def database_time(session: Session) -> datetime:
    """Return the time by the clock of the database."""
    return session.scalars(select(current_time())).one()


def change_rows(session: Session, change: Executable, **values: Any) -> int:
    """Change rows by one statement and return how many there were; the caller commits."""
    return cast("CursorResult[Any]", session.execute(change, values)).rowcount


def count_jobs(session: Session) -> Sequence[Row[str, str, int, datetime]]:
    """Return queue, state, number of jobs and the earliest `due_at` of each queue and state."""
    groups = (Job.queue, Job.state)
    counts = select(*groups, func.count(), func.min(Job.due_at)).group_by(*groups)
    return session.execute(counts.order_by(*groups)).all()
