"""Background jobs: tasks with a receipt in the database against Celery's plain `.delay()`.

A worker of two processes with Redis, as a project runs them. `table` runs `python -m
benchmarks.jobs` in a generated project, which starts tasks in both ways and prints the samples.
"""

import json
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from benchmarks.databases import database_url
from benchmarks.projects import Project, baked
from benchmarks.report import Row, Samples, Table

RUN_SECONDS = 120
MAX_RATIO = 2.0
"""Half the tasks a second of plain `.delay()`, for tasks that change something."""

SECONDS_TO_REST = 0.5
"""After which the relay has noted what it has published."""

WARM_UP_TASKS = 10
IDLE = "a task that does nothing"
WRITES = "a task that writes a row"
DELAY = "delay"
ENQUEUE = "enqueue"
PROCESSES = {
    "worker": [
        *("celery", "--quiet", "--app", "benchmarks.jobs_worker", "worker"),
        *("--concurrency", "2", "--loglevel", "WARNING"),
    ],
    "relay": ["benchmarks.jobs_worker"],
}

# Runs in the project and starts its broker; exits when the input ends.
SERVE = """
import sys
from dev.server_redis import start_temporary
server, url = start_temporary()
print(url, flush=True)
sys.stdin.read()
server.stop()
"""


@contextmanager
def running(project: Project, url: str) -> Iterator[dict[str, str]]:
    """Run a broker, a relay and a worker; yield the environment of whoever starts tasks."""
    with (
        TemporaryDirectory() as folder,
        subprocess.Popen(
            [sys.executable, "-c", SERVE],
            cwd=project.path,
            env=project.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as broker,
    ):
        assert broker.stdin is not None  # noqa: S101
        assert broker.stdout is not None  # noqa: S101
        environment = {
            **project.environment_with_benchmarks(),
            "DATABASE_URL": url,
            "BROKER_URL": broker.stdout.readline().strip(),
            "LOG_LEVEL": "warning",
            "METRICS_PORT": "0",
            "BENCHMARK_FOLDER": folder,
        }
        processes = [
            subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=project.path,
                env=environment,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
            for command in PROCESSES.values()
        ]
        try:
            yield environment
        finally:
            for process in processes:
                process.terminate()
                process.wait(RUN_SECONDS)
            broker.stdin.close()
            broker.wait(RUN_SECONDS)


def sample(rounds: int, tasks: int) -> Samples:
    """Return seconds, CPU seconds and statements per task of both ways, in interleaved rounds."""
    from benchmarks import jobs_worker as worker  # noqa: PLC0415

    worker.make_table()
    samples = Samples()
    for number in range(rounds + 1):
        for what, task in ((IDLE, worker.idle), (WRITES, worker.write)):
            for way in (DELAY, ENQUEUE):
                size = tasks if number else WARM_UP_TASKS
                figures = measure(worker, task, way, size)
                if number:
                    for name, value in figures.items():
                        samples.add(f"{what}/{way}/{name}", value / size)
    return samples


def measure(worker: Any, task: Any, way: str, tasks: int) -> dict[str, float]:
    """Start so many tasks and wait for their end; return what that took."""
    before, cpu = worker.counted(), cpu_seconds()
    began = time.perf_counter()
    for _ in range(tasks):
        with worker.flask_app.app_context():
            if way == DELAY:
                task.delay()
            else:
                worker.enqueue(worker.db.session(), task.s())
                worker.db.session.commit()
    end = began + RUN_SECONDS
    while worker.counted().done < before.done + tasks:
        if time.perf_counter() > end:
            raise RuntimeError(f"Not all of {tasks} tasks were done in {RUN_SECONDS} seconds.")
        time.sleep(0.01)
    seconds = time.perf_counter() - began
    time.sleep(SECONDS_TO_REST)
    statements = worker.counted().statements - before.statements
    return {"seconds": seconds, "CPU": cpu_seconds() - cpu, "statements": statements}


def cpu_seconds() -> float:
    """Return the CPU time so far of all processes: caller, relay, worker, broker and database."""
    benchmark = psutil.Process().parent()
    assert benchmark is not None  # noqa: S101
    times = [process.cpu_times() for process in benchmark.children(recursive=True)]
    return math.fsum(each.user + each.system for each in times)


def table(database: str = "sqlite", *, rounds: int = 3, tasks: int = 500) -> Table:
    """Return the cost of receipts on this engine as a table."""
    with (
        baked(database, background_jobs="celery") as project,
        database_url(project) as url,
    ):
        project.flask("db", "upgrade", DATABASE_URL=url)
        with running(project, url) as environment:
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.jobs", str(rounds), str(tasks)],
                env=environment,
                cwd=project.path,
                stdout=subprocess.PIPE,
                check=True,
                timeout=RUN_SECONDS,
            )
    samples = Samples(json.loads(done.stdout))
    rows = []
    for what in (IDLE, WRITES):
        ours, theirs = f"{what}/{ENQUEUE}", f"{what}/{DELAY}"
        rates = [f"{1 / samples.median(f'{way}/seconds'):.0f}" for way in (ours, theirs)]
        statements = [f"{samples.median(f'{way}/statements'):.1f}" for way in (ours, theirs)]
        cpu = f"{samples.ratio(f'{ours}/CPU', f'{theirs}/CPU'):.2f} x"
        ratio = samples.ratio(f"{ours}/seconds", f"{theirs}/seconds")
        bound = MAX_RATIO if what == WRITES else None
        rows.append(Row(what, ratio, bound, (*rates, *statements, cpu)))
    names = ("tasks/s", "delay", "statements a task", "delay's", "CPU / delay")
    return Table(f"Background jobs, {database}", names, rows, "time / delay")


if __name__ == "__main__":
    print(json.dumps(sample(int(sys.argv[1]), int(sys.argv[2])).of))
