"""The receipts of tasks, as a worker sees them: a run begins, commits, is retried, or fails."""

import logging
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from celery.exceptions import Ignore
from sqlalchemy import Table, TextClause, bindparam, delete, event, select, update
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction

from ..database import db
from ..database.batches import delete_in_batches
from ..database.transactions import run_in_transaction
from ..observability.logs import redact
from .models import Job, JobState, change_rows, current_time, database_time

log = logging.getLogger(__name__)

MAX_RUNS = 10
"""A task whose message came back so often, without a word of its end, is failed."""

# The beginning of a statement in plain SQL that changes nothing.
READS = ("SELECT", "VALUES", "SHOW", "EXPLAIN", "PRAGMA")

ENDED = "Rolled back: another run was faster, or this one has committed changes. Commit only once."

# Of the table, and made once: each task executes both.
JOBS = cast("Table", Job.__table__)
ITS_ID = JOBS.c.id == bindparam("job_id")
CURRENT = select(JOBS.c.runs, JOBS.c.heard_at, current_time().label("now")).where(
    ITS_ID, JOBS.c.state == JobState.SENT, JOBS.c.retries == bindparam("of_retries")
)
BEGUN = update(JOBS).where(ITS_ID)
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
        event.listen(session, "after_transaction_end", self._note_end)

    def end(self) -> None:
        """Commit what the task has not committed itself, and the end of its receipt."""
        self._is_changed = self._is_changed or not self._has_ended
        self._session.commit()

    def _note_change(self, source: Session | ORMExecuteState, *_: object) -> None:
        self._is_changed = self._is_changed or not _only_reads(source)

    def _delete_row(self, session: Session) -> None:
        if session.in_nested_transaction():  # only a savepoint
            return
        session.flush()
        if self._is_changed and change_rows(session, END, job_id=self._job_id) == 0:
            log.warning(ENDED)
            raise ReceiptEndedError(ENDED)
        self._has_ended = self._has_ended or self._is_changed

    def _note_end(self, _session: Session, transaction: SessionTransaction) -> None:
        if transaction.parent is None:
            self._is_changed = False


def _only_reads(source: Session | ORMExecuteState) -> bool:
    """Return whether a statement only reads; a session that flushes changes rows."""
    if isinstance(source, Session):
        return False
    if isinstance(source.statement, TextClause):
        return source.statement.text.lstrip()[:10].upper().startswith(READS)
    return source.is_select


def begin(request: Any, limit: float) -> int:
    """Return how often a message came back. Raises ReceiptEndedError for an old message.

    Most runs begin with a read. Written down is a run whose message was delivered again, or so late
    that the receipt could be published again before its end, after `limit` seconds.
    """
    values = {"job_id": UUID(request.id), "of_retries": request.retries}
    again = (request.delivery_info or {}).get("redelivered", False)
    session = db.session()
    connection = session.connection()
    found = connection.execute(CURRENT, values).first()
    if found is None:
        raise ReceiptEndedError
    runs: int = found.runs + again
    if again or found.now - found.heard_at > timedelta(seconds=limit):
        connection.execute(BEGUN.values(runs=runs, heard_at=found.now), values)
    session.commit()
    return runs


def note(
    celery: Any, task_id: str, error: object, due_in: float | None = None, **values: Any
) -> bool:
    """Write down that a published task has failed, or is due again in so many seconds.

    In a transaction of its own. Returns False if the task has no receipt, or none any more.
    """
    try:
        job_id = UUID(task_id)
    except ValueError:  # the caller of a task without a receipt may choose any id
        return False
    values["state"] = JobState.FAILED if due_in is None else JobState.WAITING
    values["error"] = describe_error(error)

    def work(session: Session) -> bool:
        now = database_time(session)
        due_at = now + timedelta(seconds=due_in or 0)
        published = update(Job).where(Job.id == job_id, Job.state == JobState.SENT)
        return change_rows(session, published.values(heard_at=now, due_at=due_at, **values)) == 1

    with celery.flask_app.app_context():
        return run_in_transaction(work)


def purge_failed(session: Session, days: int = 30) -> int:
    """Delete tasks that failed more than so many days ago, commit, and return how many."""
    since = database_time(session) - timedelta(days=days)
    return delete_in_batches(session, Job.id, Job.state == JobState.FAILED, Job.heard_at < since)


def describe_error(error: object) -> str:
    """Return what is kept of an error: no secret, and nothing that a database cannot store."""
    text = f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else str(error)
    text = str(redact(None, "", {"event": text})["event"])
    return text.encode(errors="replace").decode().replace("\0", "")[:1000]
