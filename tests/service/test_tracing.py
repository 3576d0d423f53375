"""Traces of a running service, exported by the processes of gunicorn and Celery."""

import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.harness.baked import Bake
from tests.harness.environments import Environment
from tests.harness.servers import HOST, Service, database, free_port
from tests.service.test_authentication import SETTINGS, flask
from tests.service.test_background_jobs import PASSWORD, PATH, broker, wait_until, worker

pytestmark = pytest.mark.slow

ROW = {"name": "hunter2"}
SECONDS_TO_STOP = 20
"""The workers wait for 3 seconds; the SDK would for 30, and the exporter for 60."""


class Collector:
    """Receives spans by HTTP, as they are: names and trace ids are plain bytes in them."""

    def __init__(self) -> None:
        self.batches: list[bytes] = []
        self.hangs = Event()
        self.released = Event()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                collector.batches.append(self.rfile.read(int(self.headers["Content-Length"])))
                if collector.hangs.is_set():
                    collector.released.wait()
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                """Print nothing."""

        self.server = ThreadingHTTPServer((HOST, 0), Handler)
        self.url = f"http://{HOST}:{self.server.server_port}"

    def has(self, trace: bytes, *names: bytes) -> bool:
        """Return whether there are batches with this trace and each of these names."""
        found = [batch for batch in self.batches if trace in batch]
        return all(any(name in batch for batch in found) for name in names)


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector that runs."""
    made = Collector()
    Thread(target=made.server.serve_forever, daemon=True).start()
    yield made
    made.released.set()
    made.server.shutdown()
    made.server.server_close()


def test_requests_and_their_jobs_are_exported_in_one_trace(
    bake: Bake, environment: Environment, tmp_path: Path, collector: Collector
) -> None:
    """Forked processes export, too: those of gunicorn and those of Celery."""
    project = bake(background_jobs="celery", database="sqlite")
    port, log = free_port(), tmp_path / "log"
    with broker(project, environment, port), database(project, environment, tmp_path) as url:
        settings = {
            **SETTINGS,
            "ENVIRONMENT": "production",
            "DATABASE_URL": url,
            "BROKER_URL": f"redis://:{PASSWORD}@{HOST}:{port}/0",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_TIMEOUT": "60",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        flask(project, environment, settings, "db", "upgrade")
        trace = bytes(range(16))
        caller = {"traceparent": f"00-{trace.hex()}-00f067aa0ba902b7-01"}
        with Service(project, environment, settings, log) as service:
            assert service.call("POST", PATH, ROW, caller).status == 201
            request = (b"POST /api/v1/items", b"INSERT", b"wait for a connection")
            wait_until(lambda: collector.has(trace, *request), log)
            with worker(service, log):
                wait_until(lambda: collector.has(trace, b"run my_service."), log)

            collector.hangs.set()
            assert service.call("GET", PATH).status == 200
            began = time.monotonic()
            service.stop()
            assert time.monotonic() - began < SECONDS_TO_STOP
    assert not any(b"hunter2" in batch for batch in collector.batches)
    assert trace.hex() in log.read_text(encoding="utf-8")
