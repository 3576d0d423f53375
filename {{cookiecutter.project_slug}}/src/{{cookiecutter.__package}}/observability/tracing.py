"""Traces by OpenTelemetry: spans of requests, of statements, and of the wait for a connection.

Off, at no cost, unless OpenTelemetry's variables name an exporter: docs/operations.md. A statement
is traced within another span only. No span holds a value of a statement or the text of an error.
"""

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from threading import Thread
from time import time_ns
from typing import TYPE_CHECKING, Any

from flask import Flask
from opentelemetry import propagate, trace
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import NoOpTracer, ProxyTracerProvider, Span, SpanKind, StatusCode, Tracer
from sqlalchemy import Engine, ExceptionContext, PoolProxiedConnection, event
from werkzeug.wsgi import ClosingIterator

from .metrics import METHODS
from .request_ids import KEY, request_ids_of
from .response_hooks import Headers, add_response_hook

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
MAX_STATEMENT_LENGTH = 4096
SHUTDOWN_SECONDS = 3.0
SPAN = "service.span"
BEGAN = "statement_began"


def init_app(app: Flask, provider: trace.TracerProvider | None = None) -> None:
    """Trace the application, if tracing is on; `app.extensions["tracer"]` makes spans.

    By default the provider is that of the process, which the first application makes.
    """
    provider = provider or _process_provider()
    if provider is None:
        app.extensions["tracer"] = NoOpTracer()
        return
    tracer = app.extensions["tracer"] = provider.get_tracer(__name__)
    engine: Engine = app.extensions["database"].engine
    attributes = {"db.system.name": engine.dialect.name, "db.namespace": str(engine.url.database)}
    _trace_statements(engine, tracer, attributes)
    connect = TracedConnect(engine.raw_connection, tracer, attributes)
    engine.raw_connection = connect  # type: ignore[method-assign]
    add_response_hook(app, _describe_response)
    app.wsgi_app = TracingMiddleware(app.wsgi_app, tracer)  # type: ignore[method-assign]


def exporter_name() -> str | None:
    """Return the exporter that the environment names, None if tracing is off."""
    default = "otlp" if any(map(os.environ.get, ENDPOINTS)) else "none"
    name = os.environ.get("OTEL_TRACES_EXPORTER") or default
    is_disabled = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return None if name == "none" or is_disabled else name


def shutdown() -> None:
    """Export what waits, before the process ends; an exporter that hangs is given up soon."""
    end = getattr(trace.get_tracer_provider(), "shutdown", None)
    if end is not None:
        thread = Thread(target=end, daemon=True)
        thread.start()
        thread.join(SHUTDOWN_SECONDS)


def mark_failed(span: Span, error: BaseException) -> None:
    """Tell by which error the work of a span ended: its class, as its text may hold values."""
    span.set_status(StatusCode.ERROR)
    span.set_attribute("error.type", type(error).__name__)


def _process_provider() -> trace.TracerProvider | None:
    provider = trace.get_tracer_provider()
    if not isinstance(provider, ProxyTracerProvider):
        return provider
    name = exporter_name()
    if name is None:
        return None
    try:
        from .span_export import make_provider
    except ImportError:
        log.error("Nothing is traced, the SDK is missing: install the extra `tracing`.")
        return None
    try:
        provider = make_provider(name)
    except Exception as error:  # of any exporter, for any value of a variable
        log.error("Nothing is traced, the exporter %r cannot be used: %s", name, error)
        return None
    trace.set_tracer_provider(provider)
    return provider


class EnvironGetter(Getter["WSGIEnvironment"]):
    """Reads the headers of a WSGI environment."""

    def get(self, carrier: "WSGIEnvironment", key: str) -> list[str] | None:
        """Return the values of a header."""
        value = carrier.get(f"HTTP_{key.upper().replace('-', '_')}")
        return None if value is None else [value]

    def keys(self, carrier: "WSGIEnvironment") -> list[str]:
        """Return the names of all headers."""
        return [name[5:].replace("_", "-") for name in carrier if name.startswith("HTTP_")]


GETTER = EnvironGetter()


class TracingMiddleware:
    """Makes the span of a request; its trace id is that of the request's log lines."""

    def __init__(self, wsgi_app: "WSGIApplication", tracer: Tracer) -> None:
        self._wsgi_app = wsgi_app
        self._tracer = tracer

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Respond to a request; the span ends with the response's body."""
        method = environ["REQUEST_METHOD"]
        known = {"http.request.method": method if method in METHODS else "_OTHER"}
        span = environ[SPAN] = self._tracer.start_span(
            method if method in METHODS else "HTTP",
            propagate.extract(environ, getter=GETTER),
            SpanKind.SERVER,
            {**known, "url.scheme": environ["wsgi.url_scheme"]},
        )
        trace_id = trace.format_trace_id(span.get_span_context().trace_id)
        environ[KEY] = request_ids_of(environ)._replace(trace_id=trace_id)
        try:
            with trace.use_span(span, record_exception=False, set_status_on_exception=False):
                body = self._wsgi_app(environ, start_response)
        except BaseException as error:
            mark_failed(span, error)
            span.end()
            raise
        close = getattr(body, "close", None)
        return ClosingIterator(_within(span, body), [close, span.end] if close else [span.end])


def _within(span: Span, body: Iterable[bytes]) -> Iterator[bytes]:
    with trace.use_span(span, record_exception=False, set_status_on_exception=False):
        yield from body


def _describe_response(environ: "WSGIEnvironment", status: int, _headers: Headers) -> None:
    span: Span = environ[SPAN]
    if not span.is_recording():
        return
    request = environ["werkzeug.request"]
    span.set_attributes(
        {
            "url.path": request.path,
            "client.address": request.remote_addr or "",
            "http.response.status_code": status,
            "http.response.header.x-request-id": [request_ids_of(environ).request_id],
        }
    )
    if request.url_rule is not None:
        method = request.method if request.method in METHODS else "HTTP"
        span.update_name(f"{method} {request.url_rule.rule}")
        span.set_attribute("http.route", request.url_rule.rule)
    if status >= 500:
        span.set_status(StatusCode.ERROR)
        span.set_attribute("error.type", str(status))


def _trace_statements(engine: Engine, tracer: Tracer, attributes: dict[str, str]) -> None:
    def end_span(connection: Any, statement: str, error: BaseException | None = None) -> None:
        began = connection.info.pop(BEGAN, None)
        if not trace.get_current_span().is_recording():
            return
        operation = statement.split(maxsplit=1)[0].upper()
        text = {"db.operation.name": operation, "db.query.text": statement[:MAX_STATEMENT_LENGTH]}
        span = tracer.start_span(
            f"{operation} {attributes['db.namespace']}",
            kind=SpanKind.CLIENT,
            attributes={**attributes, **text},
            start_time=began,
        )
        if error is not None:
            mark_failed(span, error)
        span.end()

    @event.listens_for(engine, "before_cursor_execute")
    def begin(connection: Any, *_: object) -> None:
        connection.info[BEGAN] = time_ns()

    @event.listens_for(engine, "after_cursor_execute")
    def end(connection: Any, _cursor: object, statement: str, *_: object) -> None:
        end_span(connection, statement)

    @event.listens_for(engine, "handle_error")
    def fail(context: ExceptionContext) -> None:
        if context.connection is not None and context.statement:
            end_span(context.connection, context.statement, context.original_exception)


class TracedConnect:
    """Replaces `Engine.raw_connection`, by which SQLAlchemy 2.1 takes each connection of its pool.

    The pool has events when a connection is taken, but none before the wait for it.
    """

    def __init__(
        self,
        connect: Callable[[], PoolProxiedConnection],
        tracer: Tracer,
        attributes: dict[str, str],
    ) -> None:
        self._connect = connect
        self._tracer = tracer
        self._attributes = attributes

    def __call__(self) -> PoolProxiedConnection:
        """Return a connection of the pool."""
        if not trace.get_current_span().is_recording():
            return self._connect()
        span = self._tracer.start_span("wait for a connection", attributes=self._attributes)
        try:
            return self._connect()
        except BaseException as error:
            mark_failed(span, error)
            raise
        finally:
            span.end()
