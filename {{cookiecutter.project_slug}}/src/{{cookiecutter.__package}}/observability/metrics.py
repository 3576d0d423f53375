"""Metrics for Prometheus: of requests by route rule, and of the database's pool.

Under gunicorn each worker counts in files of its own, and the master, which serves them on a port
apart from the public one, adds them up; docs/operations.md lists them.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIServer

from flask import Flask
from prometheus_client import CollectorRegistry, Gauge, Histogram, start_http_server
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector
from sqlalchemy import Engine, event

from .request_ids import request_ids_of
from .response_hooks import Headers, add_response_hook

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


def init_app(app: Flask) -> None:
    """Measure the application, in a registry of its own: `app.extensions["metrics"]`."""
    registry = CollectorRegistry()
    app.extensions["metrics"] = registry
    _measure_requests(app, registry)
    _measure_pool(app.extensions["database"].engine, registry)


def serve(host: str, port: int) -> WSGIServer:
    """Serve the sum of all workers' metrics, from a thread; the server is returned.

    Raises OSError when the port cannot be opened.
    """
    registry = CollectorRegistry()
    registry.register(WorkerMetricsCollector(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])))
    server, _thread = start_http_server(port, host, registry)
    return server


class WorkerMetricsCollector(Collector):
    """Adds up what the workers counted in the files of a folder, but for those that are empty.

    A worker makes a file before it gives it a size. The library fails at one that it finds in
    between, with the metrics of all workers; if the worker is killed in between, at every look.
    https://github.com/prometheus/client_python/issues/1199
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        """The metrics of all workers."""
        files = [str(file) for file in self._folder.glob("*.db") if _is_begun(file)]
        metrics: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
        return metrics


def _is_begun(file: Path) -> bool:
    try:
        return file.stat().st_size > 0
    except FileNotFoundError:  # of a worker that is gone
        return False


def mark_worker_dead(pid: int) -> None:
    """Take what a worker that is gone had in use out of the sum; its counts stay."""
    mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _measure_requests(app: Flask, registry: CollectorRegistry) -> None:
    """Count and time requests; labelled by rule and known methods, or anybody could add labels."""
    seconds = Histogram(
        "http_request_duration_seconds",
        "Time from a request's begin until its answer was made; the count is that of requests.",
        ["method", "route", "status"],
        buckets=BUCKETS,
        registry=registry,
    )
    observers: dict[tuple[str, str | None, int], Callable[[float], None]] = {}

    def measure(environ: "WSGIEnvironment", status: int, _headers: Headers) -> None:
        request = environ["werkzeug.request"]
        key = (request.method, request.url_rule and request.url_rule.rule, status)
        observe = observers.get(key)
        if observe is None:
            method, route, _ = key
            known = method in METHODS
            observe = seconds.labels(method if known else "other", route or "", status).observe
            if known:
                observers[key] = observe
        observe(perf_counter() - request_ids_of(environ).began)

    add_response_hook(app, measure)


def _measure_pool(engine: Engine, registry: CollectorRegistry) -> None:
    """Count the connections in use. A connect that fails is checked in, but was never out."""
    in_use = Gauge(
        "database_connections_in_use",
        "Connections that are checked out of the pools of all workers.",
        multiprocess_mode="livesum",
        registry=registry,
    )

    @event.listens_for(engine, "checkout")
    def count_out(_connection: Any, record: Any, _proxy: Any) -> None:
        record.record_info["counted"] = True
        in_use.inc()

    @event.listens_for(engine, "checkin")
    def count_in(_connection: Any, record: Any) -> None:
        if record.record_info.pop("counted", False):
            in_use.dec()
