"""The base class of all tasks, and what Celery reports of their runs."""

import logging
import sys
import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import structlog
from celery import Task, current_app, signals
from celery.exceptions import Ignore, Reject, Retry, WorkerLostError
from sqlalchemy.exc import SQLAlchemyError

from ..clock import utc_now
from ..database import db
from ..observability import tracing
from . import receipts
from .outbox import dump_payload, origin_ids
from .spans import task_span, trace_header

log = logging.getLogger(__name__)

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
        with celery.flask_app.app_context(), task_span(self.name, self.request):
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
        try:
            runs = receipts.begin(self.request, self.app.conf.task_time_limit)
        except SQLAlchemyError as error:
            time.sleep(1)  # or the message would come back at once, again and again
            raise Reject(error, requeue=True) from error
        if runs >= receipts.MAX_RUNS:
            raise WorkerLostError(f"Its worker was lost {receipts.MAX_RUNS} times.")
        return receipts.Receipt(db.session(), UUID(self.request.id))

    def retry(self, *args: Any, **options: Any) -> Retry:
        """Retry the task as Celery documents it; without a broker or a database, later."""
        if not self.request.called_directly:
            db.session.remove()  # what failed must not hold a lock while the retry is written
        own = self.request.headers or {}
        if own.get(RECEIPT):
            options["headers"] = own | (options.get("headers") or {}) | {RECEIPT: True}
        try:
            return super().retry(*args, **options)
        except Reject as error:  # Celery would fail the task
            reason = error.args[0]
            raise reason if isinstance(reason, Ignore) else Reject(reason, requeue=True) from error

    def apply_async(self, args: Any = None, kwargs: Any = None, *more: Any, **options: Any) -> Any:
        """Publish the task at once; but the retry of a receipt's task waits in the table."""
        headers = options.get("headers") or {}
        if headers.get(RECEIPT) and options.get("retries"):
            return self._postpone(options, dump_payload(args, kwargs, options))
        options["headers"] = origin_ids() | trace_header() | headers
        return super().apply_async(args, kwargs, *more, **options)

    def _postpone(self, options: Mapping[str, Any], payload: str) -> None:
        eta, error = options.get("eta"), sys.exception() or "It was retried, or lost its worker."
        due_in = (eta - utc_now()).total_seconds() if eta else options.get("countdown") or 0
        values = {name: options[name] for name in ("retries", "queue") if name in options}
        values |= {"payload": payload, "runs": 0}
        if not receipts.note(self.app, options["task_id"], error, due_in, **values):
            reason = receipts.describe_error(error)
            log.error("The task has ended, so it is not run again: %s", reason)
            raise receipts.ReceiptEndedError


@signals.task_failure.connect
def on_failure(sender: Any, task_id: str, exception: BaseException, **_: Any) -> None:
    """Keep a task that failed, or was lost with its process, for the last time."""
    receipts.note(sender.app, task_id, exception)


@signals.task_revoked.connect
def on_revoked(sender: Any, request: Any, **_: Any) -> None:
    """Keep a task that was revoked, or whose message has expired."""
    receipts.note(sender.app, request.id, "It was revoked, or had expired.")


@signals.task_unknown.connect
def on_unknown(sender: Any, name: str, id: str, **_: Any) -> None:  # noqa: A002  Celery's name
    """Publish a task that this release does not know again: another worker may know it."""
    error, due_in = f"A worker does not know the task {name}.", SECONDS_UNTIL_ANOTHER_RELEASE
    receipts.note(sender.app, id, error, due_in)


@signals.task_prerun.connect
def bind_ids(task: Any, **_: Any) -> None:
    """Put the ids of the request that asked for the task on all lines of its run."""
    headers = task.request.headers or {}
    ids = {name: headers[name] for name in ("request_id", "trace_id") if headers.get(name)}
    ids |= {"task": task.name, "task_id": task.request.id}
    task.request.bound = structlog.contextvars.bind_contextvars(**ids)


@signals.task_postrun.connect
def unbind_ids(task: Any, **_: Any) -> None:
    """Remove them again."""
    structlog.contextvars.reset_contextvars(**task.request.bound)


@signals.worker_process_init.connect
def leave_connections(**_: Any) -> None:
    """Leave the connections of the worker's main process to it: a fork has copies of them."""
    celery: Any = current_app
    with celery.flask_app.app_context():
        db.engine.dispose(close=False)


@signals.worker_process_shutdown.connect
def export_spans(**_: Any) -> None:
    """Export the spans that wait, if tracing is on."""
    tracing.shutdown()
