"""The promises of gunicorn.conf.py, tried with real workers."""

import json
import os
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from {{ cookiecutter.__package }}.settings import Settings

from .support.api import URL
from .support.concurrency import wait_until
{% if cookiecutter.auth != "none" %}
from .support.credentials import CREDENTIAL
{% endif %}
from .support.programs import Program

PROJECT = Path(__file__).parents[1]
CONFIG = PROJECT / "gunicorn.conf.py"
PATIENCE_SECONDS = 60

VIEWS = """
import os
import time

from flask import request

from {{ cookiecutter.__package }}.database import db
from {{ cookiecutter.__package }}.wsgi import app
from tests.support.probe import PROBES
{% if cookiecutter.auth != "none" %}
from tests.support.credentials import accept_test_token

accept_test_token(app)
{% endif %}

def slow(seconds):
    with open("slow", "w"):
        time.sleep(float(seconds))
    return "done"

def hold(file):
    with open(file, "w") as pid:
        pid.write(str(os.getpid()))
    db.session().connection()
    time.sleep(60)

for probes in PROBES:
    app.register_api(probes)
app.add_url_rule("/slow/<seconds>", "slow", slow)
app.add_url_rule("/hold/<file>", "hold", hold)
app.add_url_rule("/pid", "pid", lambda: str(os.getpid()))
app.add_url_rule("/scheme", "scheme", lambda: request.scheme)
"""

# What the service cannot do without, and nothing else.
ALONE = """
import os
bind = os.environ["BIND"]
del os.environ["PROMETHEUS_MULTIPROC_DIR"]
"""

# Added to a configuration: each worker gets TERM before gunicorn has prepared it for that.
TERM_AT_BIRTH = """
import os
import signal

prepare = globals().get("post_fork", lambda server, worker: None)

def post_fork(server, worker):
    os.kill(worker.pid, signal.SIGTERM)
    prepare(server, worker)

def post_worker_init(worker):
    worker.log.info("TERM was lost")
"""

# Added to a configuration: who serves the management port.
NOTE_MANAGEMENT = """
from pathlib import Path

def when_ready(server):
    Path("management").write_text(str(server.management))
"""

pytestmark = pytest.mark.slow


def two_free_ports() -> tuple[int, int]:
    """Two ports that nothing listens on."""
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]


class Server:
    """gunicorn with two workers, on the tests' database."""

    def __init__(
        self, settings: Settings, folder: Path, config: Path = CONFIG, **variables: object
    ) -> None:
        (folder / "views.py").write_text(VIEWS, encoding="utf-8")
        self.folder = folder
        self.port, self.metrics_port = two_free_ports()
        self.log = folder / "log"
        self.metrics = folder / "metrics"
        self.metrics.mkdir()
        (self.metrics / "counter_1.db").write_text("of others")
        self.seconds_to_end = 0.0
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(PROJECT / "src"), str(PROJECT), str(folder)]),
            "ENVIRONMENT": "test",
            "DATABASE_URL": settings.database_url.get_secret_value(),
            "BIND": f"127.0.0.1:{self.port}",
            "METRICS_PORT": str(self.metrics_port),
            "PROMETHEUS_MULTIPROC_DIR": str(self.metrics),
            "HOME": os.devnull,
            "XDG_RUNTIME_DIR": "",
            **{name: str(value) for name, value in variables.items()},
        }
        command = ["gunicorn", "-c", str(config), "views:app"]
        self.process = Program(command, environment, self.log, folder)

    def get(
        self, path: str, port: int | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """Status and body of a response, asked for on a connection of its own."""
        connection = HTTPConnection("127.0.0.1", port or self.port, timeout=PATIENCE_SECONDS)
        try:
            connection.request("GET", path, headers=headers or {})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def send(self, request: bytes) -> tuple[str, str]:
        """Send bytes and end the sending; return head and body of what comes back."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE_SECONDS) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            with connection.makefile("rb") as response:
                head, _, body = response.read().decode().partition("\r\n\r\n")
        return head, body

    def post(self, path: str, body: bytes | list[bytes]) -> int:
        """Status of the response to a JSON body; one in parts is sent chunked, without a length."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        headers = {"Content-Type": "application/json"}
{% if cookiecutter.auth != "none" %}
        headers |= CREDENTIAL
{% endif %}
        try:
            connection.request("POST", path, body, headers, encode_chunked=isinstance(body, list))
            return connection.getresponse().status
        finally:
            connection.close()

    def wait_until_ready(self) -> None:
        """Return when a worker responds."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if self.get("/readyz")[0] == 200:
                    return
            except OSError:
                time.sleep(0.05)
        pytest.fail(f"gunicorn does not serve:\n{self.log.read_text()}")

    def find_workers(self, number: int = 2) -> set[str]:
        """The processes that respond, once there are so many."""
        end = time.monotonic() + PATIENCE_SECONDS
        found: set[str] = set()
        while len(found) < number:
            assert time.monotonic() < end, f"only {found} respond:\n{self.log.read_text()}"
            with ThreadPoolExecutor(8) as threads:
                found |= {body for _, body in threads.map(self.get, ["/pid"] * 8)}
        return found

    def find_logged(self, *texts: str) -> str:
        """The first of these texts that is logged."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            logged = self.log.read_text()
            for text in texts:
                if text in logged:
                    return text
            time.sleep(0.05)
        pytest.fail(f"gunicorn logs none of {texts}:\n{self.log.read_text()}")

    def lines(self) -> list[dict[str, Any]]:
        """The lines of the log; each has to be a JSON object."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def probe(self, path: str) -> int:
        """Status of a probe of the management port, 0 if nothing responds there."""
        try:
            return self.get(path, self.metrics_port)[0]
        except (OSError, HTTPException):  # it may end in the middle of a response
            return 0

    def is_managed(self) -> bool:
        """Return whether the management port says that the service can serve."""
        return self.probe("/readyz") == 200

    def metric(self, name: str) -> float:
        """The value of a metric, summed over the workers."""
        status, text = self.get("/metrics", self.metrics_port)
        assert status == 200
        values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
        return float(values[name])

    def terminate(self) -> int:
        """Stop in the ordinary way, and return the exit status."""
        began = time.monotonic()
        self.process.terminate()
        status = self.process.wait(PATIENCE_SECONDS)
        self.seconds_to_end = time.monotonic() - began
        return status


@pytest.fixture(scope="module")
def lasting_server(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server for tests that leave it running, and that do not mind what others asked for."""
    with running(settings, tmp_path_factory.mktemp("server")) as made:
        yield made


@pytest.fixture(scope="module")
def ended_server(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A server that served a request, and was stopped in the ordinary way."""
    folder = tmp_path_factory.mktemp("server")
    with running(settings, folder, WORKERS=1, DRAIN_SECONDS=1) as made:
        assert made.get("/livez")[0] == 200
        assert len(os.listdir(made.metrics)) == 2
        assert made.terminate() == 0
        return made


@contextmanager
def running(
    settings: Settings, folder: Path, config: Path = CONFIG, **variables: object
) -> Iterator[Server]:
    """Run a server that serves."""
    made = Server(settings, folder, config, **variables)
    try:
        made.wait_until_ready()
        yield made
    finally:
        made.process.kill()


def test_on_term_readiness_goes_first_and_requests_finish(
    settings: Settings, tmp_path: Path
) -> None:
    with running(settings, tmp_path, DRAIN_SECONDS=300) as server, ThreadPoolExecutor(1) as threads:
        slow = threads.submit(server.get, "/slow/2")
        wait_until((tmp_path / "slow").exists, PATIENCE_SECONDS)
        server.process.terminate()
        wait_until(lambda: server.get("/readyz")[0] == 503, PATIENCE_SECONDS)

        assert {server.get("/readyz")[0] for _ in range(8)} == {503}
        assert {server.get("/livez")[0] for _ in range(8)} == {200}
        # A second one ends the draining.
        assert server.terminate() == 0
        assert slow.result() == (200, "done")

    lines = server.lines()
    assert not [line for line in lines if "exception" in line]
    assert {"path": "/slow/2", "status": 200}.items() <= lines_of("/slow/2", lines)[0].items()


def is_running(process: str) -> bool:
    """Return whether there is a process with this id."""
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    return True


def lines_of(path: str, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines of the requests for this path."""
    return [line for line in lines if line.get("path") == path]


def test_draining_ends_by_itself(ended_server: Server) -> None:
    assert ended_server.seconds_to_end >= 1


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param(CONFIG.read_text(encoding="utf-8"), "was sent SIGTERM", id="ours"),
        # When this fails, `let_new_workers_hear_term` can go.
        pytest.param(ALONE, "TERM was lost", id="gunicorn alone"),
    ],
)
def test_a_worker_that_begins_hears_term(
    settings: Settings, tmp_path: Path, config: str, expected: str
) -> None:
    (tmp_path / "gunicorn.conf.py").write_text(config + TERM_AT_BIRTH, encoding="utf-8")
    server = Server(settings, tmp_path, tmp_path / "gunicorn.conf.py", WORKERS=1)
    try:
        assert server.find_logged("TERM was lost", "was sent SIGTERM") == expected
    finally:
        server.process.kill()


def test_each_request_is_logged_once_and_everything_in_one_format(ended_server: Server) -> None:
    lines = ended_server.lines()
    assert len(lines_of("/livez", lines)) == 1
    assert {line["level"] for line in lines} == {"info"}
    assert {"Starting", "Listening", "Booting"} <= {line["event"].split()[0] for line in lines}


def test_the_metrics_of_all_workers_are_added(lasting_server: Server) -> None:
    workers = lasting_server.find_workers()
    before = len(lines_of("/pid", lasting_server.lines()))

    os.kill(int(workers.pop()), signal.SIGKILL)
    lasting_server.find_workers()

    expected = len(lines_of("/pid", lasting_server.lines()))
    assert expected > before
    labels = '{method="GET",route="/pid",status="200"}'
    assert lasting_server.metric(f"http_request_duration_seconds_count{labels}") == expected
    assert lasting_server.get("/metrics")[0] == 404


def test_the_files_of_metrics_have_their_space(lasting_server: Server) -> None:
    """A worker that writes to a file without it is killed once the file system is full."""
    lasting_server.find_workers()

    files = list(lasting_server.metrics.glob("*/*.db"))
    assert len(files) >= 6
    for state in map(Path.stat, files):
        assert state.st_blocks * 512 >= state.st_size > 0


def test_what_a_killed_worker_had_in_use_is_not_counted(lasting_server: Server) -> None:
    name = "database_connections_in_use"
    note = lasting_server.folder / "pid"
    with ThreadPoolExecutor(1) as threads:
        held = threads.submit(lasting_server.get, "/hold/pid")
        while lasting_server.metric(name) != 1:
            assert not held.done(), lasting_server.log.read_text()
            time.sleep(0.05)
        os.kill(int(note.read_text()), signal.SIGKILL)
        with pytest.raises(OSError, match=r"reset|closed"):
            held.result()

    lasting_server.find_workers()
    assert lasting_server.metric(name) == 0


def test_a_body_is_bounded_with_and_without_a_length(lasting_server: Server) -> None:
    for size, status in ((1024 * 1024, 422), (1024 * 1024 + 1, 413)):
        body = b'{"unknown": "' + b"a" * (size - 15) + b'"}'
        assert lasting_server.post(URL, body) == status
        assert lasting_server.post(URL, [body[:65536], body[65536:]]) == status


def test_nobody_can_pretend_to_be_a_proxy(lasting_server: Server) -> None:
    assert lasting_server.get("/scheme", headers={"X-Forwarded-Proto": "https"}) == (200, "http")


def test_nothing_is_left_behind(ended_server: Server) -> None:
    left = {path.name for path in ended_server.folder.iterdir()}
    assert left <= {"views.py", "log", "metrics", "__pycache__"}


def test_files_of_others_beside_the_metrics_are_kept(ended_server: Server) -> None:
    assert os.listdir(ended_server.metrics) == ["counter_1.db"]


def test_the_management_port_tells_stopped_workers(settings: Settings, tmp_path: Path) -> None:
    """And the service goes on with them, without a restart."""

    def probe(path: str) -> int:
        return server.get(path, server.metrics_port)[0]

    with running(settings, tmp_path) as server:
        workers = [int(pid) for pid in server.find_workers()]
        assert (probe("/livez"), probe("/readyz")) == (200, 200)
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        try:
            wait_until(lambda: probe("/livez") == 503, PATIENCE_SECONDS)
            assert probe("/readyz") == 503
        finally:
            for pid in workers:
                os.kill(pid, signal.SIGCONT)
        wait_until(lambda: probe("/livez") == 200, PATIENCE_SECONDS)
        assert {int(pid) for pid in server.find_workers()} == set(workers)
        assert probe("/readyz") == 200


def test_a_management_process_that_is_killed_comes_back(settings: Settings, tmp_path: Path) -> None:
    config = tmp_path / "gunicorn.conf.py"
    config.write_text(CONFIG.read_text(encoding="utf-8") + NOTE_MANAGEMENT, encoding="utf-8")
    with running(settings, tmp_path, config) as server:
        os.kill(int((tmp_path / "management").read_text()), signal.SIGKILL)
        server.find_logged("The management process had ended")
        wait_until(server.is_managed, PATIENCE_SECONDS)

        assert server.terminate() == 0

    assert server.log.read_text().count("The management process had ended") == 1


def test_a_management_port_that_is_taken_meanwhile_costs_metrics_only(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("METRICS_PORT=0")
    with running(settings, tmp_path, METRICS_PORT="") as server:
        assert not server.is_managed()
        with socket.create_server(("127.0.0.1", server.metrics_port)):
            (tmp_path / ".env").write_text(f"METRICS_PORT={server.metrics_port}")
            os.kill(server.process.pid, signal.SIGHUP)
            server.find_logged("Metrics cannot be served on")
            server.find_workers()
        wait_until(server.is_managed, PATIENCE_SECONDS)


def test_a_reload_reaches_the_management_process(settings: Settings, tmp_path: Path) -> None:
    url = make_url(settings.database_url.get_secret_value())
    missing = url.set(database=f"{url.database}_missing").render_as_string(hide_password=False)
    file = tmp_path / ".env"
    file.write_text(f"DATABASE_URL={url.render_as_string(hide_password=False)}")
    with running(settings, tmp_path, DATABASE_URL="") as server:
        wait_until(server.is_managed, PATIENCE_SECONDS)
        file.write_text(f"DATABASE_URL={missing}")
        os.kill(server.process.pid, signal.SIGHUP)
        wait_until(lambda: server.probe("/readyz") == 503, PATIENCE_SECONDS)
        assert server.probe("/livez") == 200


@pytest.mark.parametrize("line", ["THREADS=none", "SECRET_KEY='\xff'"], ids=["value", "bytes"])
def test_a_reload_with_a_wrong_setting_changes_nothing(
    settings: Settings, tmp_path: Path, line: str
) -> None:
    with running(settings, tmp_path) as server:
        workers = server.find_workers()
        (tmp_path / ".env").write_text(line, encoding="latin-1")
        os.kill(server.process.pid, signal.SIGHUP)
        server.find_logged("Not reloaded: The service cannot start")
        assert server.find_workers() == workers

        (tmp_path / ".env").write_text("THREADS=1")
        os.kill(server.process.pid, signal.SIGHUP)
        wait_until(lambda: not workers & server.find_workers(), PATIENCE_SECONDS)


def test_metrics_outlive_reloads(settings: Settings, tmp_path: Path) -> None:
    labels = '{method="GET",route="/pid",status="200"}'
    with running(settings, tmp_path, WORKERS=1) as server:
        before = server.find_workers(1)
        os.kill(server.process.pid, signal.SIGHUP)
        wait_until(lambda: not before & server.find_workers(1), PATIENCE_SECONDS)
        wait_until(lambda: not any(map(is_running, before)), PATIENCE_SECONDS)
        name = f"http_request_duration_seconds_count{labels}"
        # A request is counted a moment after its line is written.
        wait_until(lambda: server.metric(name) == len(lines_of("/pid", server.lines())))
        [folder] = [path for path in server.metrics.iterdir() if path.is_dir()]
        assert (folder / "histogram_gone.db").exists()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/9.9.9\r\n\r\n", 400),
        (b"GET /%b HTTP/1.1\r\n\r\n" % (b"x" * 9000), 414),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-A: %b\r\n\r\n" % (b"x" * 9000), 431),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: unknown\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nHost: x\r\nExpect: cake\r\n\r\n", 417),
        (b"GET / HTTP/1.1\r\nbad header\r\n\r\n", 400),
    ],
    ids=["version", "line", "header", "coding", "expectation", "name"],
)
def test_a_request_that_cannot_be_parsed_is_a_problem(
    lasting_server: Server, request_: bytes, status: int
) -> None:
    head, body = lasting_server.send(request_)

    document = json.loads(body)
    assert head.startswith(f"HTTP/1.1 {status} ")
    assert "Content-Type: application/problem+json" in head
    assert document["status"] == status
    assert document["title"] in head


@pytest.mark.parametrize(
    "body",
    [
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}",
        b"Content-Length: 100\r\n\r\n{}",
    ],
    ids=["chunk size", "chunks cut off", "length mismatch"],
)
def test_a_body_that_is_not_whole_is_rejected(lasting_server: Server, body: bytes) -> None:
    before = lasting_server.log.read_text().count("Traceback")
    head = f"POST {URL} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
{% if cookiecutter.auth != "none" %}
    head += "".join(f"{name}: {value}\r\n" for name, value in CREDENTIAL.items())
{% endif %}

    response, text = lasting_server.send(head.encode() + body)

    assert response.startswith("HTTP/1.1 400 ")
    assert json.loads(text)["detail"].startswith("The body is ")
    assert lasting_server.log.read_text().count("Traceback") == before


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--workers=0", "gunicorn cannot serve without workers; remove --workers, set WORKERS."),
        ("--preload", "Workers cannot share a pool of connections; remove --preload."),
        ("--worker-class=sync", "Workers have to record heartbeats; remove --worker-class."),
    ],
    ids=["workers", "preload", "class"],
)
def test_an_option_with_which_nothing_works_is_rejected(
    settings: Settings, tmp_path: Path, option: str, sentence: str
) -> None:
    server = Server(settings, tmp_path, GUNICORN_CMD_ARGS=option)

    assert server.process.wait(PATIENCE_SECONDS) == 1
    said = server.log.read_text()
    assert sentence in said
    assert "Traceback" not in said


def test_several_addresses_are_listened_on(settings: Settings, tmp_path: Path) -> None:
    first, second = two_free_ports()
    server = Server(settings, tmp_path, BIND=f"127.0.0.1:{first}, 127.0.0.1:{second}")
    server.port = first
    try:
        server.wait_until_ready()
        assert server.get("/livez", second)[0] == 200
    finally:
        server.process.kill()


def test_a_socket_that_nobody_has_opened_is_named(settings: Settings, tmp_path: Path) -> None:
    server = Server(settings, tmp_path, BIND="fd://99")

    assert server.process.wait(PATIENCE_SECONDS) == 1
    said = server.log.read_text()
    assert "BIND names fd://99, which is not an open socket." in said
    assert "Traceback" not in said


def test_a_port_of_metrics_that_is_taken_is_named(settings: Settings, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = Server(settings, tmp_path, METRICS_PORT=port)
        status = server.process.wait(PATIENCE_SECONDS)

    assert status == 1
    said = server.log.read_text()
    assert f"Metrics cannot be served on 127.0.0.1:{port} (Address already in use)" in said
    assert "Traceback" not in said
