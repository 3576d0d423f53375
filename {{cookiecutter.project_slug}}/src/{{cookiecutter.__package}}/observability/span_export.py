"""Exports spans by the SDK of OpenTelemetry, which the extra `tracing` installs.

Imported only where tracing is on. Spans wait in a bounded queue, and a thread of each process
exports them: an exporter that hangs or fails costs spans. The SDK starts the thread again in a
process that was forked. Its own variables set the rest, such as OTEL_BSP_MAX_QUEUE_SIZE.
"""

import os
from importlib.metadata import entry_points

from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

SERVICE = "{{ cookiecutter.project_slug }}"
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


def make_provider(exporter: str) -> TracerProvider:
    """Return a provider that exports by the exporter of this name.

    Raises LookupError if it is not installed.
    """
    if exporter == "otlp":
        protocol = next(filter(None, map(os.environ.get, PROTOCOLS)), "http/protobuf")
        exporter = f"otlp_proto_{protocol.partition('/')[0]}"
    found = entry_points(group="opentelemetry_traces_exporter", name=exporter)
    if not found:
        raise LookupError(f"no installed package provides {exporter}")
    named = Resource.create({"service.name": SERVICE}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=named)
    provider.add_span_processor(BatchSpanProcessor(next(iter(found)).load()()))
    return provider
