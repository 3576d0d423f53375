"""The management port, served in this process: its process is tried in tests/test_gunicorn.py."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from sqlalchemy.exc import OperationalError

from {{ cookiecutter.__package }}.database.engine import make_probe_engine
from {{ cookiecutter.__package }}.database.revisions import SchemaStatus
from {{ cookiecutter.__package }}.settings import Settings
from {{ cookiecutter.__package }}.web import health, management
from {{ cookiecutter.__package }}.web.management import ManagementServer


@pytest.fixture
def server(settings: Settings, tmp_path: Path) -> Iterator[ManagementServer]:
    """A server of the management port, in a thread."""
    server = ManagementServer("127.0.0.1", 0, tmp_path)
    server.parent = 0
    server.service_actions = lambda: None  # type: ignore[method-assign]
    server.engine = make_probe_engine(settings.database_url.get_secret_value())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
    server.engine.dispose()


@pytest.fixture(autouse=True)
def _no_heartbeat() -> Iterator[None]:
    health._HEARTBEAT.pack_into(health._shared, health._HEARTBEAT_OFFSET, 0.0)
    yield
    health._HEARTBEAT.pack_into(health._shared, health._HEARTBEAT_OFFSET, 0.0)


def get(server: ManagementServer, path: str) -> tuple[int, str]:
    """Return status and body of a response."""
    try:
        with urlopen(f"http://127.0.0.1:{server.server_port}{path}") as response:
            return response.status, response.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def status_of(server: ManagementServer, path: str) -> tuple[int, str]:
    """Return the status of a probe, as a number and as a text."""
    status, body = get(server, path)
    return status, json.loads(body)["status"]


def test_without_a_worker_the_service_is_not_alive(server: ManagementServer) -> None:
    assert status_of(server, "/livez") == (503, "No worker is alive.")
    assert status_of(server, "/readyz") == (503, "No worker is alive.")


def test_a_heartbeat_makes_it_alive_for_a_time(
    server: ManagementServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    health.record_heartbeat()

    assert status_of(server, "/livez") == (200, "alive")
    assert status_of(server, "/readyz") == (200, "ready")
    monkeypatch.setattr(health, "MAX_HEARTBEAT_AGE_SECONDS", 0.0)
    assert status_of(server, "/livez")[0] == 503


def test_a_service_that_stops_is_alive_and_not_ready(server: ManagementServer) -> None:
    health.record_heartbeat()
    health.start_draining()
    try:
        assert status_of(server, "/livez") == (200, "alive")
        assert status_of(server, "/readyz") == (503, "The service is stopping.")
    finally:
        health.stop_draining()


def test_without_its_database_the_service_is_alive_and_not_ready(
    server: ManagementServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_arguments: object) -> None:
        raise OperationalError(None, None, ConnectionError("hunter2"))

    monkeypatch.setattr(health, "schema_status", fail)
    health.record_heartbeat()

    assert status_of(server, "/readyz") == (503, "The database cannot be reached.")
    assert status_of(server, "/livez") == (200, "alive")
    assert "cannot be asked: ConnectionError" in caplog.text
    assert "hunter2" not in caplog.text


def test_a_schema_of_another_revision_is_not_ready(
    server: ManagementServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "schema_status", lambda _connection: SchemaStatus(False, "behind"))
    health.record_heartbeat()

    status, text = status_of(server, "/readyz")
    assert (status, text) == (503, "behind")


def test_a_probe_does_not_wait_for_another_for_long(
    server: ManagementServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(management, "QUEUE_TIMEOUT_SECONDS", 0.01)
    health.record_heartbeat()
    with server.database:
        assert status_of(server, "/readyz") == (503, "The database cannot be reached.")
        assert status_of(server, "/livez") == (200, "alive")


def test_metrics_are_served(server: ManagementServer) -> None:
    assert get(server, "/metrics") == (200, "")


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/nowhere"])
def test_head_is_get_without_a_body(server: ManagementServer, path: str) -> None:
    health.record_heartbeat()
    heads = []
    for method in ("GET", "HEAD"):
        connection = HTTPConnection("127.0.0.1", server.server_port)
        connection.request(method, path)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        assert (method == "GET" and path != "/metrics") == bool(body)
        kept = [(name, value) for name, value in response.getheaders() if name != "Date"]
        heads.append((response.status, kept))

    assert heads[0] == heads[1]


def test_the_host_may_be_an_address_of_ipv6(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ManagementServer, "server_bind", lambda _server: None)
    for host, family in {"::1": socket.AF_INET6, "127.0.0.1": socket.AF_INET}.items():
        with ManagementServer(host, 0, tmp_path) as server:
            assert server.socket.family == family


def test_nothing_else_is_served(server: ManagementServer) -> None:
    assert status_of(server, "/openapi.json") == (404, "not found")
    assert get(server, "/livez?verbose")[0] == 503


@pytest.fixture
def unserved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ManagementServer]:
    """A server that nothing runs yet; where its process would end, SystemExit is raised."""
    monkeypatch.setattr(os, "_exit", sys.exit)
    with ManagementServer("127.0.0.1", 0, tmp_path) as server:
        yield server


def test_the_process_ignores_the_signals_of_a_terminal_and_ends_with_its_loop(
    unserved: ManagementServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    handlers: dict[signal.Signals, object] = {}

    def fail() -> None:
        raise OSError("the loop is broken")

    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    monkeypatch.setattr(unserved, "serve_forever", fail)
    inherited = socket.socket()

    with pytest.raises(SystemExit) as ended:
        unserved.serve(settings, [inherited])

    assert inherited.fileno() == -1
    assert ended.value.code == 0
    assert {number.name for number in handlers} == {
        "SIGHUP",
        "SIGINT",
        "SIGQUIT",
        "SIGTERM",
        "SIGWINCH",
    }
    assert set(handlers.values()) == {signal.SIG_IGN}
    assert unserved.engine is not None
    with unserved.engine.connect() as connection:
        assert health.why_not_ready(connection) is None
    unserved.engine.dispose()


def test_the_process_ends_when_its_parent_is_gone(
    unserved: ManagementServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    unserved.parent = os.getppid()
    unserved.service_actions()

    monkeypatch.setattr(os, "getppid", lambda: unserved.parent + 1)
    with pytest.raises(SystemExit) as ended:
        unserved.service_actions()
    assert ended.value.code == 0


def test_the_parent_leaves_the_port_to_the_process(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    free = settings.model_copy(update={"metrics_host": "127.0.0.1", "metrics_port": port})
    monkeypatch.setattr(os, "fork", lambda: 4711)

    assert management.start(free, tmp_path) == 4711
    with socket.create_server(("127.0.0.1", port)) as listener:
        assert listener.getsockname()[1] == port


def test_the_process_serves_the_settings(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def serve(server: ManagementServer, given: Settings, listeners: Sequence[object]) -> None:
        server.server_close()
        assert given is free
        assert listeners == ["a listener"]
        sys.exit("served")

    free = settings.model_copy(update={"metrics_host": "127.0.0.1", "metrics_port": 0})
    monkeypatch.setattr(os, "fork", lambda: 0)
    monkeypatch.setattr(ManagementServer, "serve", serve)

    with pytest.raises(SystemExit, match="served"):
        management.start(free, tmp_path, ["a listener"])  # type: ignore[list-item]


def test_stop_ends_the_process_once() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        assert management.is_running(process.pid)
        management.stop(process.pid)
        assert not management.is_running(process.pid)
        with pytest.raises(ProcessLookupError):
            os.kill(process.pid, 0)

        management.stop(process.pid)
