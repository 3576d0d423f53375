import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from threading import Event
from time import perf_counter
from typing import Any

import pytest
from flask import Flask, request, stream_with_context
from flask.testing import FlaskClient
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import NoOpTracer, ProxyTracerProvider, SpanKind, StatusCode
from sqlalchemy import event, text
from sqlalchemy.exc import SQLAlchemyError

from {{ cookiecutter.__package }}.base_settings import EXAMPLE_URL
from {{ cookiecutter.__package }}.database import db
from {{ cookiecutter.__package }}.observability import logs, span_export, tracing
from {{ cookiecutter.__package }}.observability.tracing import (
    SPAN,
    EnvironGetter,
    TracingMiddleware,
)
from {{ cookiecutter.__package }}.settings import Settings

from ..support.api import MISSING_URL, URL, create, new_body
from ..support.applications import MakeApp
from ..support.leaks import pool_of
from ..support.programs import PROJECT
from ..support.spans import Spans, attributes_of, context_of, trace_id_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
TRACEPARENT = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
VARIABLES = (
    "OTEL_SDK_DISABLED",
    "OTEL_TRACES_EXPORTER",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_SERVICE_NAME",
)

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def traced(make_app: MakeApp) -> Flask:
    return make_app()


@pytest.fixture
def spans(traced: Flask) -> Spans:
    return Spans(traced)


@pytest.fixture
def lines(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Lines:
    """The lines that were logged since the last look."""
    logs.configure(settings)
    return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment without the variables of tracing, in which no provider is set."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(trace, "get_tracer_provider", ProxyTracerProvider)
    monkeypatch.setattr(trace, "set_tracer_provider", lambda _: None)
    return monkeypatch


# Requests


def test_a_request_is_a_span_by_its_route(traced: Flask, spans: Spans) -> None:
    response = traced.test_client().get(MISSING_URL, headers={"X-Request-ID": "mine"})

    span = spans.one("GET")
    route = f"{URL}/<uuid:id>"
    assert response.status_code == 404
    assert (span.name, span.kind) == (f"GET {route}", SpanKind.SERVER)
    assert span.status.status_code is StatusCode.UNSET
    assert attributes_of(span) == {
        "http.request.method": "GET",
        "url.scheme": "http",
        "url.path": MISSING_URL,
        "http.route": route,
        "http.response.status_code": 404,
        "http.response.header.x-request-id": ("mine",),
        "client.address": "127.0.0.1",
    }


def test_what_no_route_fits_is_named_by_its_method(traced: Flask, spans: Spans) -> None:
    traced.test_client().get("/no/where")
    traced.test_client().open("/livez", method="BREW")

    first, second = spans.all()
    assert (first.name, second.name) == ("GET", "HTTP")
    assert attributes_of(second)["http.request.method"] == "_OTHER"


def test_a_known_route_with_an_unknown_method_is_no_new_name(traced: Flask, spans: Spans) -> None:
    traced.add_url_rule("/pot", view_func=lambda: "", methods=["BREW"])

    traced.test_client().open("/pot", method="BREW")

    assert spans.one("").name == "HTTP /pot"


def test_the_trace_of_the_caller_goes_on(traced: Flask, spans: Spans, lines: Lines) -> None:
    traced.test_client().get("/livez", headers=TRACEPARENT)

    span = spans.one("GET /livez")
    assert span.parent is not None
    assert trace.format_span_id(span.parent.span_id) == PARENT
    assert [line["trace_id"] for line in lines()] == [trace_id_of(span)] == [TRACE]


@pytest.mark.parametrize("headers", [{}, {"traceparent": "nonsense"}])
def test_without_one_the_log_has_the_trace_id_of_the_span(
    traced: Flask, spans: Spans, lines: Lines, headers: dict[str, str]
) -> None:
    def work() -> str:
        logging.getLogger("library").warning("in the middle")
        return ""

    traced.add_url_rule("/work", view_func=work)

    traced.test_client().get("/work", headers=headers)

    span = spans.one("GET /work")
    assert span.parent is None
    assert [line["trace_id"] for line in lines()] == [trace_id_of(span)] * 2


def test_a_request_that_is_not_sampled_makes_no_spans(make_app: MakeApp, lines: Lines) -> None:
    app = make_app()
    spans = Spans(app, ALWAYS_OFF)

    app.test_client().get(URL, headers=TRACEPARENT)

    assert spans.all() == ()
    assert [line["trace_id"] for line in lines()] == [TRACE]


def test_an_error_of_the_service_marks_the_span_without_its_text(
    traced: Flask, spans: Spans
) -> None:
    def fail() -> str:
        raise ValueError("hunter2")

    traced.testing = False
    traced.add_url_rule("/fail", view_func=fail)

    assert traced.test_client().get("/fail").status_code == 500

    span = spans.one("GET /fail")
    assert span.status.status_code is StatusCode.ERROR
    assert attributes_of(span)["error.type"] == "500"
    assert "hunter2" not in span.to_json()


def test_an_error_outside_the_application_ends_the_span(traced: Flask, spans: Spans) -> None:
    def fail(*_: object) -> list[bytes]:
        raise LookupError("hunter2")

    middleware = TracingMiddleware(fail, traced.extensions["tracer"])
    with traced.test_request_context("/x") as context, pytest.raises(LookupError):
        middleware(context.request.environ, lambda *_: lambda _: None)

    span = spans.one("GET")
    assert attributes_of(span)["error.type"] == "LookupError"
    assert "hunter2" not in span.to_json()


def test_the_span_of_a_stream_ends_with_its_body(traced: Flask, spans: Spans) -> None:
    def generate() -> Iterator[str]:
        yield "1"
        yield str(db.session.scalar(text("SELECT 2")))

    traced.add_url_rule("/stream", view_func=lambda: stream_with_context(generate()))

    response = FlaskClient(traced, traced.response_class).get("/stream")

    assert spans.all() == ()
    assert response.text == "12"
    response.close()
    request, statement = spans.one("GET /stream"), spans.one("SELECT")
    assert statement.parent == context_of(request)
    assert request.end_time is not None
    assert statement.end_time is not None
    assert statement.end_time <= request.end_time


def test_the_headers_of_a_request_are_read_for_any_propagator() -> None:
    environ = {"HTTP_X_B3_TRACEID": "1", "REQUEST_METHOD": "GET"}

    assert EnvironGetter().get(environ, "x-b3-traceid") == ["1"]
    assert EnvironGetter().get(environ, "baggage") is None
    assert EnvironGetter().keys(environ) == ["X-B3-TRACEID"]


# The database


def test_statements_are_spans_without_values(traced: Flask, spans: Spans) -> None:
    create(traced.test_client(), name="hunter2")

    request = spans.one("POST")
    insert = spans.one("INSERT")
    engine = traced.extensions["database"].engine
    assert insert.kind is SpanKind.CLIENT
    assert insert.parent == context_of(request)
    assert insert.start_time is not None
    assert request.start_time is not None
    assert insert.start_time >= request.start_time
    found = attributes_of(insert)
    assert "_probes" in str(found.pop("db.query.text"))
    assert found == {
        "db.system.name": engine.dialect.name,
        "db.namespace": engine.url.database,
        "db.operation.name": "INSERT",
    }
    assert not any("hunter2" in span.to_json() for span in spans.all())


def test_the_wait_for_a_connection_is_a_span(traced: Flask, spans: Spans) -> None:
    traced.test_client().get(URL)

    wait, select = spans.one("wait"), spans.one("SELECT")
    assert wait.parent == select.parent == context_of(spans.one("GET"))
    assert wait.end_time is not None
    assert select.start_time is not None
    assert wait.end_time <= select.start_time


def test_a_wait_that_is_given_up_is_an_error(make_app: MakeApp) -> None:
    app = make_app(threads=1, pool_timeout_seconds=0.01)
    spans = Spans(app)
    taken = pool_of(app).connect()
    try:
        assert app.test_client().get(URL).status_code == 503
    finally:
        taken.close()

    wait = spans.one("wait")
    assert wait.status.status_code is StatusCode.ERROR
    assert attributes_of(wait)["error.type"] == "TimeoutError"


def test_a_statement_that_fails_is_an_error_without_its_text(traced: Flask, spans: Spans) -> None:
    client = traced.test_client()
    create(client, code="hunter2")
    assert client.post(URL, json=new_body(code="hunter2")).status_code == 409

    failed = [span for span in spans.all() if span.status.status_code is StatusCode.ERROR]
    [statement] = failed
    assert statement.name.startswith("INSERT")
    assert attributes_of(statement)["error.type"] in ("IntegrityError", "UniqueViolation")
    assert not any("hunter2" in span.to_json() for span in spans.all())


def test_outside_of_spans_no_statement_is_traced(traced: Flask, spans: Spans) -> None:
    with traced.app_context():
        db.session.execute(text("SELECT 1"))
        with pytest.raises(SQLAlchemyError):
            db.session.execute(text("SELECT nothing FROM nowhere"))
        db.session.rollback()

    assert spans.all() == ()


def test_your_own_spans_have_statements_and_log_lines(
    traced: Flask, spans: Spans, lines: Lines
) -> None:
    with traced.app_context():
        with traced.extensions["tracer"].start_as_current_span("import"):
            db.session.execute(text("SELECT 1"))
            logging.getLogger("library").warning("half of it")
        db.session.rollback()

    own = spans.one("import")
    assert spans.one("SELECT").parent == context_of(own)
    assert [line["trace_id"] for line in lines()] == [trace_id_of(own)]


def test_a_database_that_cannot_be_reached_is_an_error_of_the_wait(
    traced: Flask, spans: Spans
) -> None:
    engine = traced.extensions["database"].engine

    @event.listens_for(engine, "do_connect", insert=True)
    def fail(*_: object) -> None:
        raise engine.dialect.loaded_dbapi.OperationalError("hunter2")

    own_span = traced.extensions["tracer"].start_as_current_span("import")
    with own_span, pytest.raises(SQLAlchemyError):
        engine.connect()

    wait, own = spans.all()
    assert (own.name, attributes_of(wait)["error.type"]) == ("import", "OperationalError")
    assert "hunter2" not in wait.to_json()


# The switch


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, "otlp"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": "console"}, "console"),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, None),
        ({"OTEL_SDK_DISABLED": "TRUE", "OTEL_TRACES_EXPORTER": "console"}, None),
    ],
)
def test_variables_switch_it_on(
    environment: pytest.MonkeyPatch, variables: dict[str, str], name: str | None
) -> None:
    for variable, value in variables.items():
        environment.setenv(variable, value)

    assert tracing.exporter_name() == name


@pytest.mark.usefixtures("environment")
def test_without_variables_nothing_is_added_to_a_request(make_app: MakeApp) -> None:
    app = make_app()
    seen: list[bool] = []

    def look(environ: dict[str, object]) -> str:
        seen.append(SPAN in environ)
        return ""

    app.add_url_rule("/look", view_func=lambda: look(request.environ))
    app.test_client().get("/look")

    assert seen == [False]
    assert isinstance(app.extensions["tracer"], NoOpTracer)
    engine = app.extensions["database"].engine
    assert "raw_connection" not in vars(engine)


def test_the_process_has_one_provider(environment: pytest.MonkeyPatch, make_app: MakeApp) -> None:
    environment.setenv("OTEL_TRACES_EXPORTER", "console")
    made: list[TracerProvider] = []
    environment.setattr(trace, "set_tracer_provider", made.append)

    first = make_app()
    [provider] = made
    environment.setattr(trace, "get_tracer_provider", lambda: provider)
    second = make_app()
    tracing.shutdown()

    assert len(made) == 1
    assert not isinstance(first.extensions["tracer"], NoOpTracer)
    assert first.extensions["tracer"] is second.extensions["tracer"]


def test_an_exporter_that_cannot_be_used_is_logged(
    environment: pytest.MonkeyPatch, make_app: MakeApp, lines: Lines
) -> None:
    environment.setenv("OTEL_TRACES_EXPORTER", "pigeon")

    app = make_app()

    assert isinstance(app.extensions["tracer"], NoOpTracer)
    [line] = lines()
    assert "'pigeon' cannot be used: no installed package provides pigeon" in line["event"]


def test_without_the_sdk_the_service_goes_on(
    environment: pytest.MonkeyPatch, make_app: MakeApp, lines: Lines
) -> None:
    environment.setenv("OTEL_TRACES_EXPORTER", "console")
    environment.setitem(sys.modules, span_export.__name__, None)

    app = make_app()

    assert app.test_client().get("/livez").status_code == 200
    assert "install the extra `tracing`" in lines()[0]["event"]


@pytest.mark.parametrize(
    ("variables", "service"),
    [
        ({}, "{{ cookiecutter.project_slug }}"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=other"}, "other"),
        ({"OTEL_SERVICE_NAME": "mine"}, "mine"),
    ],
)
def test_spans_name_the_service(
    environment: pytest.MonkeyPatch, variables: dict[str, str], service: str
) -> None:
    for name, value in variables.items():
        environment.setenv(name, value)

    provider = span_export.make_provider("console")
    provider.shutdown()

    assert provider.resource.attributes["service.name"] == service


def test_the_protocol_names_the_exporter(environment: pytest.MonkeyPatch) -> None:
    made: list[OTLPSpanExporter] = []
    begin = BatchSpanProcessor.__init__

    def record(processor: BatchSpanProcessor, exporter: OTLPSpanExporter) -> None:
        made.append(exporter)
        begin(processor, exporter)

    environment.setattr(BatchSpanProcessor, "__init__", record)

    span_export.make_provider("otlp").shutdown()
    environment.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "pigeon")
    with pytest.raises(LookupError, match="no installed package provides otlp_proto_pigeon"):
        span_export.make_provider("otlp")

    assert [type(exporter) for exporter in made] == [OTLPSpanExporter]


# Exporters that hang, and processes that were forked


class HangingExporter(SpanExporter):
    """Never returns, until the test ends."""

    def __init__(self) -> None:
        self.hangs, self.released = Event(), Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.hangs.set()
        self.released.wait(60)
        return SpanExportResult.FAILURE


@pytest.fixture
def hanging() -> Iterator[tuple[HangingExporter, TracerProvider]]:
    exporter = HangingExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    processor = BatchSpanProcessor(exporter, max_queue_size=8, max_export_batch_size=1)
    provider.add_span_processor(processor)
    yield exporter, provider
    exporter.released.set()
    provider.shutdown()


def seconds_of_request(app: Flask) -> float:
    began = perf_counter()
    assert app.test_client().get("/livez").status_code == 200
    return perf_counter() - began


def test_an_exporter_that_hangs_costs_a_request_less_than_a_millisecond(
    make_app: MakeApp, hanging: tuple[HangingExporter, TracerProvider]
) -> None:
    """By the fastest of many requests, in turns: what others do on the machine does not count."""
    exporter, provider = hanging
    held_up, other = make_app(), make_app()
    tracing.init_app(held_up, provider)
    Spans(other)
    seconds_of_request(held_up)
    assert exporter.hangs.wait(10)

    times = [(seconds_of_request(held_up), seconds_of_request(other)) for _ in range(50)]

    assert min(slow for slow, _ in times) - min(fast for _, fast in times) < 0.001


def test_an_exporter_that_hangs_does_not_hold_up_the_end_of_a_process(
    monkeypatch: pytest.MonkeyPatch, hanging: tuple[HangingExporter, TracerProvider]
) -> None:
    exporter, provider = hanging
    provider.get_tracer("test").start_span("waits").end()
    assert exporter.hangs.wait(10)
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    monkeypatch.setattr(tracing, "SHUTDOWN_SECONDS", 0.01)

    began = perf_counter()
    tracing.shutdown()

    assert perf_counter() - began < 5


@pytest.mark.usefixtures("environment")
def test_without_tracing_there_is_nothing_to_shut_down() -> None:
    tracing.shutdown()


FORK = """
import os
from {{ cookiecutter.__package }} import create_app
from {{ cookiecutter.__package }}.observability import tracing
app = create_app()
if child := os.fork():
    os.waitpid(child, 0)
else:
    app.test_client().get("/livez", buffered=True)
    tracing.shutdown()
    os._exit(0)
"""


def test_a_forked_process_exports_its_spans() -> None:
    """As the processes of workers do, whose first process has made the application."""
    variables = {"DATABASE_URL": EXAMPLE_URL, "OTEL_TRACES_EXPORTER": "console"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK],
        cwd=PROJECT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert done.stdout.count('"name": "GET /livez"') == 1
