"""Databases and services that a test starts for a project and stops at its end."""

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from .baked import BakedProject, clean_environment
from .environments import Environment

HOST = "127.0.0.1"
SECRET_KEY = "a-secret-of-the-proof-that-is-long-enough"
SECONDS_TO_STOP = 60
"""Longer than GRACEFUL_TIMEOUT_SECONDS (30), after which a service kills its workers."""

# Runs in the project's folder and starts a server as the project does, until the pipe closes.
KEEP_A_SERVER = """
import sys
from dev import server_{database} as programs
{prepare}
server, url = programs.start_temporary()
url = url.set(database="proof_test")
programs.create_database(url)
print(url.render_as_string(hide_password=False), flush=True)
sys.stdin.read()
server.stop()
"""
FROM_THE_PYTHON_PACKAGE = """
programs.PROGRAM_FOLDERS = ()
programs.which = lambda program: None
found = list(programs._program_folders())
assert found and all(programs.PACKAGE in str(folder) for folder in found), found
"""


def production(url: str, **more: str) -> dict[str, str]:
    """Return the settings of a service in production, on the database of this URL.

    Two services may run at the same time, and there is no load balancer to wait for.
    """
    return {
        "ENVIRONMENT": "production",
        "DATABASE_URL": url,
        "SECRET_KEY": SECRET_KEY,
        "METRICS_PORT": "0",
        "DRAIN_SECONDS": "0",
        **more,
    }


@contextmanager
def database(
    project: BakedProject, environment: Environment, folder: Path, *, prepare: str = ""
) -> Iterator[str]:
    """Yield the URL of an empty database of the project's engine: a file or a private server."""
    engine = project.answers["database"]
    if engine == "sqlite":
        yield f"sqlite:///{folder / 'proof_test.db'}"
        return
    script = KEEP_A_SERVER.format(database=engine, prepare=prepare)
    with subprocess.Popen(
        [environment.python, "-c", script],
        cwd=project.path,
        env=clean_environment(environment.variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as keeper:
        assert keeper.stdin is not None
        assert keeper.stdout is not None
        try:
            url = keeper.stdout.readline().strip()
            assert url, f"The server of {engine} did not start; see its output above."
            yield url
        finally:
            keeper.stdin.close()
            keeper.wait(SECONDS_TO_STOP)


def free_port() -> int:
    """Return an unused port of the loopback interface."""
    with socket.create_server((HOST, 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


@dataclass(frozen=True)
class Response:
    """The response of a service."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)

    def is_problem(self, status: int) -> bool:
        """Return whether this is the problem document for that status."""
        type_ = self.headers["Content-Type"]
        return self.status == status == self.json["status"] and type_ == "application/problem+json"


@dataclass
class Service:
    """The project under gunicorn, as its README says to run it."""

    project: BakedProject
    environment: Environment
    settings: Mapping[str, str]
    log: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it responds. Raises AssertionError with its log if it fails."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.project.path,
                env=clean_environment({**self.environment.variables, **self.settings}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(self.is_alive, self.process, self.log)

    @property
    def command(self) -> list[str | Path]:
        """The command that starts it."""
        return [
            self.environment.program("gunicorn"),
            *("--config", "gunicorn.conf.py", "--bind", f"{HOST}:{self.port}"),
            f"{self.project.package}.wsgi:app",
        ]

    def is_alive(self) -> bool:
        """Return whether it responds to the liveness probe."""
        try:
            return self.call("GET", "/livez").status == 200
        except OSError:
            return False

    def send(self, sign: signal.Signals) -> None:
        """Send a signal to it."""
        assert self.process is not None
        os.kill(self.process.pid, sign)

    def stop(self) -> int:
        """Stop it by TERM and return its status, also if it has already exited.

        Raises AssertionError with its log if it takes too long.
        """
        assert self.process is not None
        if self.process.poll() is None:
            self.send(signal.SIGTERM)
        try:
            return self.process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            said = self.log.read_text(errors="replace")[-4000:]
            raise AssertionError(
                f"It did not exit within {SECONDS_TO_STOP} s after TERM:\n{said}"
            ) from None

    def call(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        """Send a request on a new connection; a body that is not a string is sent as JSON."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=30)
        sent = dict(headers or {})
        data = None
        if body is not None:
            data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, data, sent)
            response = connection.getresponse()
            return Response(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()


def wait_until(
    ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path, seconds: float = 30
) -> None:
    """Wait until it is ready. Raises AssertionError with its log if it exits or takes too long."""
    end = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None or time.monotonic() > end:
            raise AssertionError(f"It does not respond:\n{log.read_text(errors='replace')[-4000:]}")
        time.sleep(0.05)
