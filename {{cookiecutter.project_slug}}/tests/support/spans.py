"""The spans that an application makes, kept in memory."""

from collections.abc import Sequence

from flask import Flask
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler
from opentelemetry.trace import SpanContext, format_trace_id

from {{ cookiecutter.__package }}.observability import tracing


class Spans:
    """The spans that have ended, of one application."""

    def __init__(self, app: Flask, sampler: Sampler = ALWAYS_ON) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(sampler, shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        tracing.init_app(app, provider)

    def all(self) -> Sequence[ReadableSpan]:
        """All spans, in the order in which they ended."""
        return self._exporter.get_finished_spans()

    def one(self, beginning: str) -> ReadableSpan:
        """The only span whose name begins so."""
        [found] = [span for span in self.all() if span.name.startswith(beginning)]
        return found


def context_of(span: ReadableSpan) -> SpanContext:
    """The ids of a span."""
    context = span.get_span_context()
    assert context is not None
    return context


def trace_id_of(span: ReadableSpan) -> str:
    """The trace id of a span as logs write it."""
    return format_trace_id(context_of(span).trace_id)


def attributes_of(span: ReadableSpan) -> dict[str, object]:
    """The attributes of a span."""
    return dict(span.attributes or {})
