"""Metrics for Prometheus: of requests by route rule, of the database's pool and of the log.

Under gunicorn each worker counts in files of its own, and the management process, which serves them
on a port of its own, adds them up; docs/operations.md lists them.
"""

import errno
import logging
import os
import re
import struct
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from flask import Flask
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values
from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector
from sqlalchemy import Engine, event

from .request_ids import request_ids_of
from .response_hooks import Headers, add_response_hook

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

log = logging.getLogger(__name__)

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
FIRST_SIZE = 65_536
MOST_BESIDE_THE_KEY = 32
METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})

WORKER_FILE = re.compile(
    r"(?P<kind>counter|histogram|summary|gauge_(?:max|min|sum))_(?P<pid>[0-9]+)\.db"
)
COMBINE: dict[str, Callable[[float, float], float]] = {"gauge_max": max, "gauge_min": min}
"""How the values of two workers become one; those of all other kinds are added."""


class AllocatedFile(MmapedDict):
    """The file that a worker counts in; raises OSError where the file system has no space for it.

    The library makes a file longer without taking the space. Where that is missing, the write to
    the mapped file does not fail: it ends the process by SIGBUS, and so each that takes its place.
    https://github.com/prometheus/client_python/blob/v0.26.0/prometheus_client/mmap_dict.py#L68
    """

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        if not read_mode:
            with open(filename, "ab") as file:
                _take_space(file.fileno(), FIRST_SIZE)
        super().__init__(filename, read_mode)  # type: ignore[no-untyped-call]

    def _init_value(self, key: str) -> None:
        size = self._capacity
        while self._used + len(key.encode()) + MOST_BESIDE_THE_KEY > size:
            size *= 2
        _take_space(self._f.fileno(), size)
        super()._init_value(key)  # type: ignore[no-untyped-call]


values.MmapedDict = AllocatedFile  # type: ignore[attr-defined]


def _take_space(descriptor: int, size: int) -> None:
    """Fill a file with zeros up to this size. Raises OSError, and leaves the file as it was."""
    old = os.fstat(descriptor).st_size
    missing = max(size - old, 0)
    if os.pwrite(descriptor, bytes(missing), old) < missing:
        os.ftruncate(descriptor, old)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def init_app(app: Flask) -> None:
    """Measure the application, in a registry of its own: `app.extensions["metrics"]`.

    A folder of metrics that cannot be used is logged; the service then serves without them.
    """
    registry = CollectorRegistry()
    app.extensions["metrics"] = registry
    try:
        _measure_pool(app.extensions["database"].engine, registry)
        _measure_requests(app, registry)
    except OSError as error:
        log.error("Nothing is measured, the folder of metrics is unusable: %s", error.strerror)


def lost_lines_counter(registry: CollectorRegistry) -> Callable[[], object]:
    """Return what counts a log line that could not be written."""
    try:
        return Counter(
            "log_lines_lost", "Log lines that could not be written.", registry=registry
        ).inc
    except OSError:  # see init_app
        return lambda: None


class WorkerMetricsCollector(Collector):
    """Adds up what the workers counted in the files of a folder, but for those that are empty.

    A worker makes a file before it gives it a size. The library fails at one that it finds in
    between, with the metrics of all workers; if the worker is killed in between, at every look.
    https://github.com/prometheus/client_python/issues/1199

    The files of workers that are gone become one of each kind: the library keeps them all, and the
    time to add them up would grow with each restart.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def collect(self) -> Iterable[Metric]:
        """Return the metrics of all workers."""
        with self._lock:
            try:
                self._compact()
            except (OSError, RuntimeError, struct.error):
                log.warning("Files of metrics cannot be compacted", exc_info=True)
            files = [str(file) for file in self._folder.glob("*.db") if _is_begun(file)]
            metrics: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
            return metrics

    def _compact(self) -> None:
        """Move what workers that are gone counted into one file of each kind."""
        gone: dict[str, list[Path]] = {}
        for file in self._folder.glob("*.db"):
            match = WORKER_FILE.fullmatch(file.name)
            if match and _is_begun(file) and not _is_running(int(match["pid"])):
                gone.setdefault(match["kind"], []).append(file)
        for kind, files in gone.items():
            total = self._folder / f"{kind}_gone.db"
            combine = COMBINE.get(kind, _add)
            sums: dict[str, float] = {}
            for file in [total, *files] if total.exists() else files:
                for key, value, *_ in _read_values(file):
                    sums[key] = combine(sums[key], value) if key in sums else value
            new = total.with_suffix(".new")
            new.unlink(missing_ok=True)
            _write_values(new, sums)
            new.replace(total)
            for file in files:
                file.unlink()


def _read_values(file: Path) -> Iterable[tuple[str, float, float, int]]:
    return MmapedDict.read_all_values_from_file(file)  # type: ignore[no-any-return,no-untyped-call]


def _write_values(file: Path, counted: dict[str, float]) -> None:
    written = AllocatedFile(str(file))
    for key, value in counted.items():
        written.write_value(key, value, 0.0)  # type: ignore[no-untyped-call]
    written.close()  # type: ignore[no-untyped-call]


def _add(first: float, second: float) -> float:
    return first + second


def _is_begun(file: Path) -> bool:
    try:
        return file.stat().st_size > 0
    except FileNotFoundError:  # of a worker that is gone
        return False


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another account's process has this id now
        return True
    return True


def mark_worker_dead(pid: int) -> None:
    """Remove what a worker that is gone had in use from the sum; its counts stay."""
    mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _measure_requests(app: Flask, registry: CollectorRegistry) -> None:
    """Count and time requests; labelled by rule and known methods, or callers could add labels."""
    seconds = Histogram(
        "http_request_duration_seconds",
        "Time from the start of a request to its response; the count is that of requests.",
        ["method", "route", "status"],
        buckets=BUCKETS,
        registry=registry,
    )
    observers: dict[tuple[str, str | None, int], Callable[[float], None]] = {}

    def measure(environ: "WSGIEnvironment", status: int, _headers: Headers) -> None:
        request = environ["werkzeug.request"]
        method = request.method if request.method in METHODS else "other"
        key = (method, request.url_rule and request.url_rule.rule, status)
        observe = observers.get(key)
        if observe is None:
            try:
                observe = seconds.labels(method, key[1] or "", status).observe
            except OSError as error:  # the folder of metrics is gone
                log.error("Requests are not measured: %s", error.strerror)
                observe = _ignore
            observers[key] = observe
        observe(perf_counter() - request_ids_of(environ).began)

    add_response_hook(app, measure)


def _ignore(_seconds: float) -> None:
    """Measure nothing."""


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
