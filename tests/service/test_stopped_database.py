"""A database that is stopped, and more callers than threads: each waits for a bounded time."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen
from uuid import uuid4

import pytest

from tests.harness.baked import Bake
from tests.harness.environments import Environment
from tests.harness.report import Proved
from tests.harness.servers import HOST, Service, database, free_port, production
from tests.harness.variants import CHOICES

pytestmark = [pytest.mark.slow, pytest.mark.about("database")]

PATH = "/api/v1/items"
WORKERS, THREADS = 2, 4
CALLERS = 2 * WORKERS * THREADS
LIMIT_SECONDS = 2
SECONDS_MORE = 5
"""For what a request waits beside the statement, and after the database goes on."""

PROGRAMS = {
    "postgresql": {"postgres"},
    "mariadb": {"mariadbd", "mysqld"},
    "mysql": {"mysqld"},
}

# Another program that began to write, and stopped.
HOLD_THE_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("begun", flush=True)
sys.stdin.read()
"""


class Call(NamedTuple):
    """A request that ended."""

    status: int
    seconds: float


def below(process: int) -> Iterator[int]:
    """Yield the processes that a process started, and those that they started."""
    with contextlib.suppress(FileNotFoundError):
        for task in Path(f"/proc/{process}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield int(child)
                yield from below(int(child))


@contextlib.contextmanager
def stopped(engine: str, file: Path) -> Iterator[None]:
    """Stop the processes of the database of this test; on SQLite, have its lock held instead."""
    if engine == "sqlite":
        command = [sys.executable, "-c", HOLD_THE_LOCK, str(file)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
            assert holder.stdout
            assert holder.stdout.readline() == b"begun\n"
            yield
            holder.communicate()
        return
    servers = [
        process
        for process in below(os.getpid())
        if Path(f"/proc/{process}/comm").read_text().strip() in PROGRAMS[engine]
    ]
    assert servers
    for process in servers:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in servers:
            os.kill(process, signal.SIGCONT)


def create(service: Service, _number: int = 0) -> Call:
    """Create a row."""
    began = time.monotonic()
    status = service.call("POST", PATH, {"name": str(uuid4())}).status
    return Call(status, time.monotonic() - began)


def livez(port: int) -> Call:
    """Ask the management port whether the service lives."""
    began = time.monotonic()
    with urlopen(f"http://{HOST}:{port}/livez", timeout=10) as response:
        return Call(response.status, time.monotonic() - began)


@pytest.mark.parametrize("engine", CHOICES["database"])
def test_callers_of_a_stopped_database_wait_in_bounds(
    engine: str, bake: Bake, environment: Environment, tmp_path: Path, proved: Proved
) -> None:
    project = bake(project_slug="my-service", database=engine)
    port = free_port()
    with database(project, environment, tmp_path) as url:
        settings = production(
            url,
            METRICS_PORT=str(port),
            WORKERS=str(WORKERS),
            THREADS=str(THREADS),
            STATEMENT_TIMEOUT_SECONDS=str(LIMIT_SECONDS),
        )
        migrate = (environment.program("flask"), "--app", "my_service", "db", "upgrade")
        project.run(*migrate, variables={**environment.variables, **settings})
        with (
            Service(project, environment, settings, tmp_path / "log") as service,
            ThreadPoolExecutor(CALLERS) as callers,
        ):

            def begin() -> list[Future[Call]]:
                return [callers.submit(create, service) for _ in range(CALLERS)]

            assert {call.result().status for call in begin()} == {201}
            workers = workers_of(service)
            probes: list[Call] = []
            with stopped(engine, tmp_path / "proof_test.db"):
                calls = begin()
                while not all(call.done() for call in calls):
                    probes.append(livez(port))
                    time.sleep(0.2)
            time.sleep(SECONDS_MORE)
            after = [call.result().status for _ in range(3) for call in begin()]
            assert workers <= workers_of(service), "one was restarted"

    assert {call.result().status for call in calls} == {503}
    longest = max(call.result().seconds for call in calls)
    assert longest < LIMIT_SECONDS + SECONDS_MORE
    assert {probe.status for probe in probes} == {200}
    assert max(probe.seconds for probe in probes) < 1
    assert Counter(after) == {201: 3 * CALLERS}
    proved("stopped database", engine=engine, callers=CALLERS, longest=round(longest, 1))


def workers_of(service: Service) -> set[int]:
    """Return the processes of the service below its first one."""
    assert service.process
    return set(below(service.process.pid))
