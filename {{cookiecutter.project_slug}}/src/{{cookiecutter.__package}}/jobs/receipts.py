"""The receipts of tasks, as a worker sees them: a run begins, commits, is retried, or fails."""

import logging
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from celery.exceptions import Ignore
from sqlalchemy import Table, and_, bindparam, delete, event, func, select, update
from sqlalchemy.orm import ORMExecuteState, Session

from ..observability.logs import redact
from .models import Job, JobState, change_rows, database_time

log = logging.getLogger(__name__)

ENDED = "Rolled back: another run was faster, or this one has committed changes. Commit only once."

MAX_RUNS = 30
"""More than all retries take: a task that takes its whole worker down with it is failed then."""

# Of the table, and made once: each task executes both.
JOBS = cast("Table", Job.__table__)
ITS_ID = JOBS.c.id == bindparam("job_id")
CURRENT = and_(ITS_ID, JOBS.c.state == JobState.SENT, JOBS.c.retries == bindparam("of_retries"))
BEGIN = update(JOBS).where(CURRENT, JOBS.c.runs < MAX_RUNS)
BEGIN = BEGIN.values(runs=JOBS.c.runs + 1, heard_at=func.current_timestamp())
END = delete(JOBS).where(ITS_ID)


class ReceiptEndedError(Ignore):
    """The receipt of a run has ended: Celery drops the message, and what was changed is undone."""


class Receipt:
    """Ends a receipt in the transaction that commits the changes of its task.

    The first commit of changes deletes the row, and fails if another run of the task was faster. A
    commit that only ends a read leaves it: so a task can read, call another service, and write.
    """

    def __init__(self, session: Session, job_id: UUID) -> None:
        self._session, self._job_id = session, job_id
        self._is_changed = self._has_ended = False
        event.listen(session, "after_flush", self._note_change)
        event.listen(session, "do_orm_execute", self._note_change)
        event.listen(session, "before_commit", self._delete_row)
        event.listen(session, "after_commit", self._note_commit)
        event.listen(session, "after_rollback", self._note_rollback)

    def end(self) -> None:
        """Commit what the task has not committed itself, and the end of its receipt."""
        self._is_changed = self._is_changed or not self._has_ended
        self._session.commit()

    def _note_change(self, source: Session | ORMExecuteState, *_: object) -> None:
        self._is_changed = self._is_changed or not getattr(source, "is_select", False)

    def _delete_row(self, session: Session) -> None:
        if session.in_nested_transaction():  # only a savepoint
            return
        session.flush()
        if self._is_changed and change_rows(session, END, job_id=self._job_id) == 0:
            log.warning(ENDED)
            raise ReceiptEndedError(ENDED)

    def _note_commit(self, session: Session) -> None:
        if not session.in_nested_transaction():
            self._has_ended = self._has_ended or self._is_changed
            self._is_changed = False

    def _note_rollback(self, _session: Session) -> None:
        self._is_changed = False


def begin(session: Session, job_id: UUID, retries: int) -> bool:
    """Note that a run begins; False if its receipt has ended or waits for another retry."""
    if change_rows(session, BEGIN, job_id=job_id, of_retries=retries):
        return True
    values = {"job_id": job_id, "of_retries": retries}
    if session.scalar(select(JOBS.c.id).where(CURRENT), values):
        fail(session, job_id, f"Its worker was lost {MAX_RUNS} times.")
    return False


def postpone(session: Session, job_id: UUID, seconds: float, error: str, **values: Any) -> bool:
    """Make a task due again after so many seconds; return False if its receipt has ended."""
    due_at = database_time(session) + timedelta(seconds=seconds)
    return _change(session, job_id, state=JobState.WAITING, due_at=due_at, error=error, **values)


def fail(session: Session, job_id: UUID, error: str) -> bool:
    """Keep the receipt of a task that failed for the last time; False if it has ended."""
    at = func.current_timestamp()
    return _change(session, job_id, state=JobState.FAILED, heard_at=at, error=error)


def purge_failed(session: Session, days: int = 30) -> int:
    """Delete tasks that failed more than so many days ago; return how many. The caller commits."""
    since = database_time(session) - timedelta(days=days)
    return change_rows(
        session, delete(Job).where(Job.state == JobState.FAILED, Job.heard_at < since)
    )


def describe_error(error: BaseException | str) -> str:
    """Return what is kept of an error: no secret, and nothing that a database cannot store."""
    text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    text = str(redact(None, "", {"event": text})["event"])
    return text.encode(errors="replace").decode().replace("\0", "")[:1000]


def _change(session: Session, job_id: UUID, **values: Any) -> bool:
    sent = update(Job).where(Job.id == job_id, Job.state == JobState.SENT)
    return change_rows(session, sent.values(values)) == 1
