"""Background jobs of a running service: gunicorn, worker and broker, each of them killed."""

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Self

import pytest

from tests.harness.baked import Bake, BakedProject, clean_environment
from tests.harness.environments import Environment
from tests.harness.report import Proved
from tests.harness.servers import SECRET_KEY, Service, database, free_port

pytestmark = pytest.mark.slow

PATH = "/api/v1/items"
PATIENCE_SECONDS = 90
JOB_SECONDS = 1
PASSWORD = "not-a-secret"

# After how long the broker delivers the message of a killed worker again: not after ten minutes.
SOON = '{"broker_transport_options": {"visibility_timeout": 3}}'

# Starts a broker as the project does, until the pipe closes; KILL simulates a crash.
KEEP_A_BROKER = """
import sys
from dev.private_server import temporary_folder
from dev.server_redis import start
folder = temporary_folder(None)
port, password = sys.argv[1:]
server = start(int(port), folder, password=password, stop_signal="KILL", temporary=True)
print("ready", flush=True)
sys.stdin.read()
server.stop()
"""


@contextmanager
def broker(project: BakedProject, environment: Environment, port: int) -> Iterator[None]:
    """Run a broker that is killed at the end of the block, and loses what it holds."""
    with subprocess.Popen(
        [environment.python, "-c", KEEP_A_BROKER, str(port), PASSWORD],
        cwd=project.path,
        env=clean_environment(environment.variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as keeper:
        assert keeper.stdin is not None
        assert keeper.stdout is not None
        try:
            assert keeper.stdout.readline() == "ready\n", "No broker could be started."
            yield
        finally:
            keeper.stdin.close()


@contextmanager
def worker(service: Service, log: Path) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Run a relay and a worker as docs/jobs.md describes."""
    project, environment = service.project, service.environment
    relay = ("flask", "--app", project.package, "jobs", "relay")
    worker = ("celery", "--quiet", "--app", f"{project.package}.worker", "worker")
    processes = []
    for program, *arguments in (relay, (*worker, "--concurrency", "2")):
        with log.open("ab") as file:
            processes.append(
                subprocess.Popen(
                    (environment.program(program), *arguments),
                    cwd=project.path,
                    env=clean_environment({**environment.variables, **service.settings}),
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=file,
                )
            )
    try:
        yield processes
    finally:
        for process in processes:
            process.terminate()
            process.wait(PATIENCE_SECONDS)


class Receiver:
    """Receives webhooks: the names of the rows that were announced, and how often."""

    def __init__(self) -> None:
        self.names: Counter[str] = Counter()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.names[json.loads(body)["data"]["name"]] += 1
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                """Print nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def create(service: Service, name: str, number: int) -> None:
    """Create rows, each of which enqueues a task."""
    for each in range(number):
        row = {"name": f"{name}-{each}"}
        created = service.call("POST", PATH, row, {"X-Request-ID": row["name"]})
        assert created.status == 201, created.body


def wait_until(true: Callable[[], bool], log: Path) -> None:
    """Wait until the condition is true; on a timeout show the log."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < end, log.read_text(errors="replace")[-4000:]
        time.sleep(0.1)


@pytest.mark.parametrize("engine", ["sqlite", "postgresql", "mariadb", "mysql"])
def test_no_job_is_lost_when_any_process_is_killed(
    bake: Bake, environment: Environment, tmp_path: Path, proved: Proved, engine: str
) -> None:
    project = bake(background_jobs="celery", database=engine)
    log, port = tmp_path / "worker.log", free_port()
    with database(project, environment, tmp_path) as url, Receiver() as receiver:
        settings = {
            "ENVIRONMENT": "production",
            "DATABASE_URL": url,
            "BROKER_URL": f"redis://:{PASSWORD}@127.0.0.1:{port}/0",
            "JOB_SECONDS": str(JOB_SECONDS),
            "CELERY": SOON,
            "WEBHOOK_URL": receiver.url,
            "SECRET_KEY": SECRET_KEY,
            "METRICS_PORT": "0",
            "DRAIN_SECONDS": "0",
        }
        variables = {**environment.variables, **settings}
        flask = (environment.program("flask"), "--app", project.package)
        project.run(*flask, "db", "upgrade", variables=variables)
        with Service(project, environment, settings, tmp_path / "log") as service:
            create(service, "before-all", 10)
            with broker(project, environment, port), worker(service, log) as processes:
                wait_until(lambda: len(receiver.names) == 10, log)
                create(service, "worker-killed", 10)
                for process in processes:
                    kill_with_children(process.pid)
            with worker(service, log):
                create(service, "broker-down", 10)
                with broker(project, environment, port):
                    create(service, "broker-killed", 10)
                with broker(project, environment, port):
                    create(service, "after", 10)
                    wait_until(lambda: len(receiver.names) == 50, log)
                    stats = (*flask, "jobs", "stats")
                    wait_until(lambda: project.run(*stats, variables=variables).stdout == "", log)
    said = log.read_text(encoding="utf-8")
    assert all(f'"request_id":"after-{each}"' in said for each in range(10))
    proved("background jobs", variant=f"background_jobs=celery,database={engine}")


def kill_with_children(pid: int) -> None:
    """Kill a process and all its children, without letting them clean up."""
    listed = subprocess.run(
        ["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout
    parents = {int(child): int(parent) for child, parent in map(str.split, listed.splitlines())}
    doomed = {pid}
    while more := {child for child, parent in parents.items() if parent in doomed} - doomed:
        doomed |= more
    for each in sorted(doomed):
        os.kill(each, signal.SIGKILL)
