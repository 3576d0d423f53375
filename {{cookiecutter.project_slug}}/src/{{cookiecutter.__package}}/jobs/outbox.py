"""Asks for tasks in the caller's transaction; docs/jobs.md says what follows from that."""

import inspect
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog
from flask import current_app, has_request_context
from kombu.utils import json
from sqlalchemy import func
from sqlalchemy.orm import Session

from ..database.column_types import uuid7
from ..observability.request_ids import current_request_ids
from .models import Job, database_time
from .spans import trace_header

if TYPE_CHECKING:
    from celery.canvas import Signature

MAX_PAYLOAD_LENGTH = 16_384
# Those of a message that a task can have itself; its other ones a worker knows.
OPTIONS = (
    *("queue", "exchange", "routing_key", "priority", "expires", "delivery_mode"),
    *("serializer", "compression"),
)
COLUMNS = {"countdown", "eta", "queue", "retries", "task_id"}


def enqueue(session: Session, signature: "Signature[Any]") -> UUID:
    """Ask for a task with a receipt and return its id; the caller commits.

        enqueue(session, send.s(order.id).set(countdown=60, queue="mail"))

    Its options count as for `send.apply_async()`, with `expires` in seconds from now. After the
    commit the task is published when it is due; after a rollback it never was. Raises TypeError for
    a chain or group, for arguments that the task does not take and for those that are not JSON;
    ValueError if they are too long, or if `eta` is not a time with a time zone.
    """
    if signature.subtask_type:
        raise TypeError(
            f"enqueue takes the signature of one task, as `send.s(1)`; start this"
            f" {signature.subtask_type} in a task, with `.delay()`."
        )
    task, args, kwargs = signature.type, signature.args, signature.kwargs
    inspect.signature(task.run).bind(*args, **kwargs)
    celery = current_app.extensions["celery"]
    own = [(name, getattr(task, name, None), celery.conf.get(f"task_{name}")) for name in OPTIONS]
    options = {name: value for name, value, usual in own if value not in (None, usual)}
    options |= signature.options
    if header := trace_header():
        options["headers"] = header | (options.get("headers") or {})
    countdown, eta, expires = (options.get(name) for name in ("countdown", "eta", "expires"))
    if not (eta is None or (isinstance(eta, datetime) and eta.utcoffset() is not None)):
        raise ValueError(
            f"The eta of {task.name} is not a time with a time zone; write it like"
            " datetime(2030, 1, 1, tzinfo=UTC)."
        )
    if countdown:
        eta = database_time(session) + timedelta(seconds=countdown)
    if isinstance(expires, int | float):
        options["expires"] = database_time(session) + timedelta(seconds=expires)
    router = celery.amqp.router
    queue = router.route(dict(options), task.name, args, kwargs, task)["queue"].name
    payload = dump_payload(args, kwargs, options)
    if len(payload) > MAX_PAYLOAD_LENGTH:
        raise ValueError(
            f"The arguments of {task.name} are {len(payload)} characters of JSON, more than"
            f" {MAX_PAYLOAD_LENGTH}; pass ids, and read in the task what they stand for."
        )
    job = Job(id=uuid7(), task=task.name, queue=queue, payload=payload, **origin_ids())
    job.due_at = eta or func.current_timestamp()
    session.add(job)
    return job.id


def dump_payload(args: Any, kwargs: Any, options: Mapping[str, Any]) -> str:
    """Return what is published later, in JSON: arguments, and options that have no column."""
    kept = {name: options[name] for name in options if name not in COLUMNS}
    return json.dumps([args, kwargs, kept])


def origin_ids() -> dict[str, str]:
    """Return the ids of the request that asks, or of the one whose task asks for another."""
    if has_request_context():
        ids = current_request_ids()
        return {"request_id": ids.request_id, "trace_id": ids.trace_id}
    bound = structlog.contextvars.get_contextvars()
    return {name: bound[name] for name in ("request_id", "trace_id") if name in bound}
