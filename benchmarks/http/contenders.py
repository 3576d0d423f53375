"""The compared servers, each with two workers, one after the other under the same load."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from tempfile import TemporaryDirectory, TemporaryFile

import psutil

from benchmarks.http.collector import collector
from benchmarks.http.load import Connection, get
from benchmarks.projects import PACKAGE, TEMPLATE, Project

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
WORKERS = 2
THREADS = 4
START_SECONDS = 30.0
STOP_SECONDS = 10.0
SECRET_KEY = "0123456789abcdef" * 4

SERVICE = "service"
TRACED = "service, traced"
CORE = "Flask + Core"
ORM = "Flask + ORM"
FASTAPI = "FastAPI + ORM"
CONTRACT = "FastAPI + ORM, same contract"

SERVICES = (SERVICE, TRACED)
MODULES = {
    CONTRACT: "benchmarks.http.contract_fastapi:app",
    CORE: "benchmarks.http.floor_core:app",
    ORM: "benchmarks.http.floor_orm:app",
    FASTAPI: "benchmarks.http.floor_fastapi:app",
}


@dataclass(frozen=True)
class Server:
    """A running server."""

    name: str
    port: int
    process: psutil.Process

    def cpu_seconds(self) -> float:
        """Return the CPU time that its processes have used so far."""
        return sum(cpu_seconds(one) for one in self._processes())

    def wait_until_up(self) -> None:
        """Wait until each worker has started and the server responds."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if not self.process.is_running():
                break
            if len(self._processes()) > WORKERS and self._responds():
                return
            time.sleep(0.1)
        raise RuntimeError(f"{self.name} did not start.")

    def _responds(self) -> bool:
        try:
            connection = Connection(self.port)
            try:
                return connection.send(get("/api/v1/items?limit=1"))[0] == 200
            finally:
                connection.close()
        except OSError:
            return False

    def _processes(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


def cpu_seconds(process: psutil.Process) -> float:
    """Return user and system time, in nanoseconds if the system has a clock per process."""
    if sys.platform == "linux":
        return time.clock_gettime(~process.pid << 3 | 2)  # what clock_getcpuclockid(3) gives
    times = process.cpu_times()
    return times.user + times.system


@contextmanager
def running(name: str, project: Project, database_url: str) -> Iterator[Server]:
    """Run the server of this name; stop it at the end."""
    port = _free_port()
    variables = {"DATABASE_URL": database_url, "THREADS": str(THREADS)}
    with (
        TemporaryFile() as output,
        TemporaryDirectory(prefix="benchmark-", dir=MEMORY) as metrics,
        collector() if name == TRACED else nullcontext() as endpoint,
    ):
        if endpoint:
            variables["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
        if name == CONTRACT:  # the service makes a folder of its own
            variables["PROMETHEUS_MULTIPROC_DIR"] = metrics
        process = subprocess.Popen(
            _command(name, port),
            cwd=project.path if name in SERVICES else TEMPLATE,
            env=_environment(name, project, variables),
            stdout=output,
            stderr=output,
        )
        server = Server(name, port, psutil.Process(process.pid))
        try:
            try:
                server.wait_until_up()
            except RuntimeError as error:
                output.seek(0)
                raise RuntimeError(f"{error}\n{output.read().decode()[-4000:]}") from None
            yield server
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                for child in server.process.children(recursive=True):
                    child.kill()
                process.kill()
                process.wait()


def _environment(name: str, project: Project, variables: dict[str, str]) -> dict[str, str]:
    if name in SERVICES:
        return project.environment(
            ENVIRONMENT="production",
            SECRET_KEY=SECRET_KEY,
            METRICS_PORT=str(_free_port()),
            **variables,
        )
    return {**project.environment(**variables), "PYTHONPATH": str(TEMPLATE)}


def _command(name: str, port: int) -> list[str]:
    address = ["--bind", f"127.0.0.1:{port}"]
    workers = ["--workers", str(WORKERS)]
    gunicorn = [sys.executable, "-m", "gunicorn", *address, *workers]
    if name in SERVICES:  # their gunicorn.conf.py says the rest
        return [*gunicorn, f"{PACKAGE}.wsgi:app"]
    if name in (FASTAPI, CONTRACT):
        uvicorn = [sys.executable, "-m", "uvicorn", "--port", str(port), *workers]
        fast = ["--loop", "uvloop", "--http", "httptools", "--no-access-log"]
        return [*uvicorn, *fast, MODULES[name]]
    threads = ["--worker-class", "gthread", "--threads", str(THREADS), "--keep-alive", "75"]
    return [*gunicorn, *threads, "--no-control-socket", MODULES[name]]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
