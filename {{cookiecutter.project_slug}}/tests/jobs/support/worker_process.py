"""Workers and relays that run beside the tests, in processes of their own."""

import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from {{ cookiecutter.__package }}.settings import Settings

from ...support.concurrency import SECONDS
from ...support.programs import Program

VISIBILITY_SECONDS = 3
"""After how long a message of a killed worker is delivered again; 600 and more are the default."""


def with_broker(settings: Settings, url: str, **changes: Any) -> Settings:
    """Settings with this broker, and short waits for what is lost."""
    celery = {"broker_transport_options": {"visibility_timeout": VISIBILITY_SECONDS}}
    changes = {"celery": json.dumps(celery), "job_seconds": 5, **changes}
    changes["broker_url"] = SecretStr(url)
    return settings.model_copy(update=changes)


class WorkerProcess:
    """A relay, and a worker of two processes that knows the tests' own tasks."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.log = folder / "log"
        environment = environment_of(settings)
        self.relay = relay_process(environment, folder / "relay.log")
        options = ["--concurrency", "2", "--without-gossip", "--without-mingle"]
        self.worker = Program(
            ["celery", "--quiet", "--app", "tests.jobs.support.worker", "worker", *options],
            environment,
            self.log,
        )

    def wait_until_ready(self) -> None:
        """Return when the worker says that it is ready."""
        end = time.monotonic() + SECONDS
        while " ready." not in self.log.read_text():
            if time.monotonic() > end or self.worker.poll() is not None:
                pytest.fail(f"the worker is not ready:\n{self.log.read_text()}")
            time.sleep(0.05)

    def lines(self) -> list[dict[str, Any]]:
        """The lines that the worker logged, as JSON."""
        lines = self.log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def terminate(self) -> tuple[int, int]:
        """Stop both in the ordinary way, and return the exit statuses of worker and relay."""
        self.worker.terminate()
        status = self.worker.wait(SECONDS)
        self.relay.terminate()
        return status, self.relay.wait(SECONDS)


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment of a process with these settings."""
    return {
        **os.environ,
        "ENVIRONMENT": "test",
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "BROKER_URL": settings.broker_url.get_secret_value(),
        "CELERY": settings.celery,
        "JOB_SECONDS": str(settings.job_seconds),
        "JOBS_IN_FLIGHT": str(settings.jobs_in_flight),
        "METRICS_PORT": "0",
    }


def relay_process(environment: Mapping[str, str], log: Path) -> Program:
    """A relay, as `flask jobs relay` starts it."""
    command = ["flask", "--app", "{{ cookiecutter.__package }}", "jobs", "relay"]
    return Program(command, environment, log)


@contextmanager
def running_worker(settings: Settings, url: str, **changes: Any) -> Iterator[WorkerProcess]:
    """A relay and a worker on the tests' database while the block runs, ready.

    One at a time: two would do each other's jobs.
    """
    with tempfile.TemporaryDirectory() as folder:
        made = WorkerProcess(with_broker(settings, url, **changes), Path(folder))
        try:
            made.wait_until_ready()
            yield made
        finally:
            try:
                made.terminate()
            finally:
                made.worker.kill()
                made.relay.kill()
