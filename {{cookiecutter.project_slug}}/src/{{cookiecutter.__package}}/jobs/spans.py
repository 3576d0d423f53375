"""The span of a task's run: it continues the trace of who asked for the task, and links to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery.exceptions import Ignore
from flask import current_app
from opentelemetry import trace
from opentelemetry.trace import Link, SpanKind, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ..observability.tracing import mark_failed

TRACE_CONTEXT = TraceContextTextMapPropagator()
HEADER = "traceparent"


def trace_header() -> dict[str, str]:
    """Return the header of a message that names the current span; nothing if there is none.

    Only that one: what else a caller sends with a trace could be of any length.
    """
    headers: dict[str, str] = {}
    TRACE_CONTEXT.inject(headers)
    return {HEADER: headers[HEADER]} if HEADER in headers else {}


@contextmanager
def task_span(name: str, request: Any) -> Iterator[None]:
    """Trace a run of a task, whose request is Celery's."""
    tracer: Tracer = current_app.extensions["tracer"]
    origin = TRACE_CONTEXT.extract(request.headers or {})
    asked = trace.get_current_span(origin).get_span_context()
    with tracer.start_as_current_span(
        f"run {name}",
        origin,
        SpanKind.CONSUMER,
        {
            "messaging.system": "celery",
            "messaging.operation.name": "run",
            "messaging.operation.type": "process",
            "messaging.destination.name": (request.delivery_info or {}).get("routing_key") or "",
            "messaging.message.id": request.id,
        },
        [Link(asked)] if asked.is_valid else [],
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield
        except Ignore:
            raise
        except BaseException as error:
            mark_failed(span, getattr(error, "exc", None) or error)  # what a Retry is for
            raise
