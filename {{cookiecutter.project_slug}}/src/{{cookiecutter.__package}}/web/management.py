"""The management port: metrics and both probes, served by a process of its own.

The threads of all workers may wait for a database that hangs: this process still responds. It is
forked by the master, which has no connection, and closes the sockets that listen for the service.
It learns from heartbeats whether the workers live, and has one database connection, with short
limits.
"""

import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterable
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NoReturn

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from ..base_settings import ServiceSettings
from ..database.engine import make_probe_engine
from ..observability.metrics import WorkerMetricsCollector
from . import health

CLIENT_TIMEOUT_SECONDS = 5.0
QUEUE_TIMEOUT_SECONDS = 1.0
IGNORED_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGWINCH)

Content = tuple[HTTPStatus, str, bytes]


class ManagementServer(ThreadingHTTPServer):
    """Serves `/livez`, `/readyz` and `/metrics`; ends with the process that started it."""

    daemon_threads = True

    def __init__(self, host: str, port: int, folder: Path) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), Handler)
        self.parent = os.getpid()
        self.engine: Engine | None = None
        self.registry = CollectorRegistry()
        self.registry.register(WorkerMetricsCollector(folder))
        self.database = threading.Lock()

    def serve(self, settings: ServiceSettings, listeners: Iterable[socket.socket]) -> NoReturn:
        """Serve in a process that was forked for it, and end it when its parent is gone."""
        try:
            for number in IGNORED_SIGNALS:  # a shell sends these to all processes of a terminal
                signal.signal(number, signal.SIG_IGN)
            for listener in listeners:
                listener.close()
            self.engine = make_probe_engine(settings.database_url.get_secret_value())
            self.serve_forever()
        finally:
            os._exit(0)

    def service_actions(self) -> None:
        """End with the parent; called every half a second."""
        if os.getppid() != self.parent:
            os._exit(0)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that closed its connection early."""


class Handler(BaseHTTPRequestHandler):
    """Serves one request, and closes the connection."""

    server: ManagementServer
    server_version = "management"
    sys_version = ""
    timeout = CLIENT_TIMEOUT_SECONDS

    def do_GET(self) -> None:
        """Respond to a GET."""
        self.wfile.write(self._send_head())

    def do_HEAD(self) -> None:
        """Respond to a HEAD: as to a GET, without the body."""
        self._send_head()

    def _send_head(self) -> bytes:
        """Send all that comes before the body, and return the body."""
        routes: dict[str, Callable[[], Content]] = {
            "/livez": _live,
            "/readyz": partial(_ready, self.server),
            "/metrics": partial(_metrics, self.server),
        }
        serve = routes.get(self.path.partition("?")[0])
        status, media_type, body = serve() if serve else _state(HTTPStatus.NOT_FOUND, "not found")
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        return body

    def log_message(self, *_: Any) -> None:
        """Log nothing: probes are noise."""


def start(settings: ServiceSettings, folder: Path, listeners: Iterable[socket.socket] = ()) -> int:
    """Fork the process that serves the management port, and return its id.

    `folder` holds the metrics of the workers; the process closes the `listeners` of the service.
    Raises OSError when the port cannot be opened.
    """
    server = ManagementServer(settings.metrics_host, settings.metrics_port, folder)
    pid = os.fork()
    if pid == 0:
        server.serve(settings, listeners)
    server.server_close()
    return pid


def is_running(pid: int) -> bool:
    """Return whether the process that `start` returned has not ended."""
    try:
        return os.waitpid(pid, os.WNOHANG) == (0, 0)
    except ChildProcessError:  # gunicorn has seen its end
        return False


def stop(pid: int) -> None:
    """End the process that `start` returned."""
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        return  # it has ended, and gunicorn may have seen it


def _live() -> Content:
    if health.is_a_worker_alive():
        return _state(HTTPStatus.OK, "alive")
    return _state(HTTPStatus.SERVICE_UNAVAILABLE, "No worker is alive.")


def _ready(server: ManagementServer) -> Content:
    if health.is_draining():
        return _state(HTTPStatus.SERVICE_UNAVAILABLE, health.STOPPING)
    if not health.is_a_worker_alive():
        return _state(HTTPStatus.SERVICE_UNAVAILABLE, "No worker is alive.")
    reason = _ask_database(server)
    if reason:
        return _state(HTTPStatus.SERVICE_UNAVAILABLE, reason)
    return _state(HTTPStatus.OK, "ready")


def _ask_database(server: ManagementServer) -> str | None:
    assert server.engine is not None  # noqa: S101  `serve` made it
    if not server.database.acquire(timeout=QUEUE_TIMEOUT_SECONDS):
        return health.UNREACHABLE  # another probe waits for it
    try:
        with server.engine.connect() as connection:
            return health.why_not_ready(connection)
    except SQLAlchemyError as error:
        return health.why_unreachable(error)
    finally:
        server.database.release()


def _metrics(server: ManagementServer) -> Content:
    return HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(server.registry)


def _state(status: HTTPStatus, state: str) -> Content:
    return status, "application/json", json.dumps({"status": state}).encode()
