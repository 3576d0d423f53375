"""The base class of all tasks, and what Celery tells of their runs."""

import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from celery import Task, current_app, signals
from celery.exceptions import Ignore, Reject, Retry
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from ..clock import utc_now
from ..database import db
from ..database.transactions import run_in_transaction
from . import receipts
from .outbox import origin_ids

RECEIPT = "receipt"
"""The header of a message whose task has a receipt."""

MAX_BACKOFF_SECONDS = 600
SECONDS_UNTIL_ANOTHER_RELEASE = 60


class ServiceTask(Task[..., Any]):
    """A task whose run has an application context, a session and a transaction of its own.

    What it changes is committed when it returns and rolled back when it fails. After any error it
    is retried, unless it says otherwise by Celery's own options.
    """

    abstract = True
    autoretry_for = (Exception,)
    max_retries = 11
    retry_backoff = 2
    retry_backoff_max = MAX_BACKOFF_SECONDS
    default_retry_delay = 10

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the task for a worker; called by other code, it is a function of that code."""
        if self.request.called_directly:
            return super().__call__(*args, **kwargs)
        celery: Any = self.app
        with celery.flask_app.app_context():
            has_receipt = (self.request.headers or {}).get(RECEIPT)
            commit = self._begin().end if has_receipt else db.session.commit
            try:
                result = self.run(*args, **kwargs)
            except receipts.ReceiptEndedError:
                raise
            except Ignore:  # the task itself says that there is nothing to do
                db.session.rollback()
                commit()
                raise
            try:
                commit()
            except SQLAlchemyError as error:
                raise self.retry(exc=error) from error
            return result

    def _begin(self) -> receipts.Receipt:
        job_id, retries = UUID(self.request.id), self.request.retries
        try:
            has_begun = run_in_transaction(lambda session: receipts.begin(session, job_id, retries))
        except SQLAlchemyError as error:
            time.sleep(1)  # or the message would come back at once, again and again
            raise Reject(error, requeue=True) from error
        if not has_begun:
            raise receipts.ReceiptEndedError
        return receipts.Receipt(db.session(), job_id)

    def retry(self, *args: Any, **options: Any) -> Retry:
        """Retry the task as Celery documents it; without a broker or a database, later."""
        if not self.request.called_directly:
            db.session.remove()  # what failed must not hold a lock while the retry is written
        try:
            return super().retry(*args, **options)
        except Reject as error:  # Celery would fail the task
            reason = error.args[0]
            raise reason if isinstance(reason, Ignore) else Reject(reason, requeue=True) from error

    def apply_async(self, *args: Any, **options: Any) -> Any:
        """Publish the task at once; but the retry of a receipt's task waits in the table."""
        headers = options.get("headers") or {}
        if headers.get(RECEIPT) and options.get("retries"):
            return self._postpone(options)
        options["headers"] = origin_ids() | headers
        return super().apply_async(*args, **options)

    def _postpone(self, options: Mapping[str, Any]) -> None:
        eta = options.get("eta")
        seconds = (eta - utc_now()).total_seconds() if eta else options.get("countdown") or 0
        error = receipts.describe_error(sys.exception() or "It was retried, or lost its worker.")
        change = partial(receipts.postpone, error=error, seconds=seconds)
        change = partial(change, retries=options["retries"])
        if not change_receipt(self.app, options["task_id"], change):
            raise receipts.ReceiptEndedError


def change_receipt(celery: Any, task_id: str, change: Callable[[Session, UUID], bool]) -> bool:
    """Change a receipt in a transaction of its own; False if the task has none any more."""
    try:
        job_id = UUID(task_id)
    except ValueError:  # the caller of a task without a receipt may choose any id
        return False
    with celery.flask_app.app_context():
        return run_in_transaction(lambda session: change(session, job_id))


def keep_failed(celery: Any, task_id: str, error: BaseException | str) -> None:
    """Keep the receipt of a task that has failed for the last time."""
    kept = receipts.describe_error(error)
    change_receipt(celery, task_id, partial(receipts.fail, error=kept))


@signals.task_failure.connect
def on_failure(sender: ServiceTask, task_id: str, exception: BaseException, **_: Any) -> None:
    """Keep a task that failed, or was lost with its process for the last time."""
    keep_failed(sender.app, task_id, exception)


@signals.task_revoked.connect
def on_revoked(sender: ServiceTask, request: Any, **_: Any) -> None:
    """Keep a task that was revoked, or whose message has expired."""
    keep_failed(sender.app, request.id, "It was revoked, or had expired.")


@signals.task_unknown.connect
def on_unknown(sender: Any, name: str, id: str, **_: Any) -> None:  # noqa: A002  Celery's name
    """Publish a task that this release does not know again: another worker may know it."""
    error = f"A worker does not know the task {name}."
    change = partial(receipts.postpone, error=error, seconds=SECONDS_UNTIL_ANOTHER_RELEASE)
    change_receipt(sender.app, id, change)


@signals.task_prerun.connect
def bind_ids(task: Any, **_: Any) -> None:
    """Put the ids of the request that asked for the task on all lines of its run."""
    headers = task.request.headers or {}
    ids = {name: headers[name] for name in ("request_id", "trace_id") if headers.get(name)}
    ids |= {"task": task.name, "task_id": task.request.id}
    task.request.bound = structlog.contextvars.bind_contextvars(**ids)


@signals.task_postrun.connect
def unbind_ids(task: Any, **_: Any) -> None:
    """Take them away again."""
    structlog.contextvars.reset_contextvars(**task.request.bound)


@signals.worker_process_init.connect
def leave_connections(**_: Any) -> None:
    """Leave the connections of the worker's main process to it: a fork has copies of them."""
    celery: Any = current_app
    with celery.flask_app.app_context():
        db.engine.dispose(close=False)
