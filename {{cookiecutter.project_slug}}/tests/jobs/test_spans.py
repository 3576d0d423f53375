import json
import logging

import pytest
from celery import signals
from celery.exceptions import Ignore
from flask import Flask
from opentelemetry.trace import SpanKind, StatusCode
from sqlalchemy import Engine

from {{ cookiecutter.__package }}.jobs.spans import trace_header
from {{ cookiecutter.__package }}.observability import tracing

from ..support.api import URL, new_body
from ..support.applications import MakeApp
from ..support.spans import Spans, attributes_of, context_of, trace_id_of
from .support.background import (
    ask,
    celery_json,
    deliver,
    jobs_in,
    run_all,
    take_due,
    task_of,
)

LATER = "2099-01-01T00:00:00Z"
MARKER = "in the middle of a task"


@pytest.fixture
def traced(make_app: MakeApp) -> Flask:
    return make_app()


@pytest.fixture
def spans(traced: Flask) -> Spans:
    return Spans(traced)


def test_a_run_continues_the_trace_of_its_request_and_links_to_it(
    traced: Flask, spans: Spans, committed_db: Engine
) -> None:
    body = new_body(available_at=LATER)
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    headers = {"traceparent": traceparent, "tracestate": "a=b", "baggage": "from=a-caller"}
    assert traced.test_client().post(URL, json=body, headers=headers).status_code == 201
    [job] = jobs_in(committed_db)
    assert list(celery_json(job)[2]["headers"]) == ["traceparent"]

    assert run_all(traced) == ["SUCCESS"]

    request, run = spans.one("POST"), spans.one("run")
    assert (run.name, run.kind) == (f"run {job.task}", SpanKind.CONSUMER)
    assert run.parent is not None
    assert run.parent.span_id == context_of(request).span_id
    assert [link.context.span_id for link in run.links] == [context_of(request).span_id]
    assert trace_id_of(run) == trace_id_of(request) == job.trace_id
    assert attributes_of(run) == {
        "messaging.system": "celery",
        "messaging.operation.name": "run",
        "messaging.operation.type": "process",
        "messaging.destination.name": job.queue,
        "messaging.message.id": str(job.id),
    }
    [delete] = [span for span in spans.all() if span.name.startswith("DELETE")]
    assert delete.parent == context_of(run)


def test_a_retry_links_to_the_same_request_and_is_an_error(traced: Flask, spans: Spans) -> None:
    def fail() -> None:
        raise ArithmeticError("hunter2")

    failing = task_of(traced, fail)
    with traced.extensions["tracer"].start_as_current_span("asks"):
        ask(traced, failing.s())
    asks = spans.one("asks")

    assert [run_all(traced) for _ in range(2)] == [["RETRY"], ["RETRY"]]

    runs = [span for span in spans.all() if span.name == "run tests.fail"]
    assert len(runs) == 2
    for run in runs:
        assert [link.context.span_id for link in run.links] == [context_of(asks).span_id]
        assert run.status.status_code is StatusCode.ERROR
        assert attributes_of(run)["error.type"] == "ArithmeticError"
        assert "hunter2" not in run.to_json()


def test_the_lines_of_a_run_have_the_trace_id_of_its_span(
    traced: Flask, spans: Spans, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also of a task that nobody's request has asked for."""

    def work() -> None:
        logging.getLogger("library").warning(MARKER)

    ask(traced, task_of(traced, work).s())
    assert run_all(traced) == ["SUCCESS"]

    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    run = spans.one("run")
    assert run.links == ()
    assert [line["trace_id"] for line in lines if line["event"] == MARKER] == [trace_id_of(run)]


def test_a_run_that_has_nothing_to_do_is_not_an_error(traced: Flask, spans: Spans) -> None:
    def ignore() -> None:
        raise Ignore

    ask(traced, task_of(traced, ignore).s())
    [message] = take_due(traced)
    assert deliver(traced, message) == "IGNORED"

    assert spans.one("run").status.status_code is StatusCode.UNSET


def test_without_a_span_a_message_names_none() -> None:
    assert trace_header() == {}


def test_the_end_of_a_worker_process_exports_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[bool] = []
    monkeypatch.setattr(tracing, "shutdown", lambda: done.append(True))

    signals.worker_process_shutdown.send(None)

    assert done == [True]
