"""Workers that run beside the tests, in processes of their own."""

import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from pydantic import SecretStr

from {{ cookiecutter.__package }} import create_app
from {{ cookiecutter.__package }}.database import db
from {{ cookiecutter.__package }}.settings import Settings

from ...support.concurrency import SECONDS
from ...support.programs import Program


def with_broker(settings: Settings, url: str, job_seconds: int) -> Settings:
    """Settings with this broker and this limit for jobs."""
    changes = {"broker_url": SecretStr(url), "job_seconds": job_seconds}
    return settings.model_copy(update=changes)


def ask_whether_ready(settings: Settings) -> Result:
    """Run `jobs ready` with these settings, in an application of its own."""
    app = create_app(settings)
    try:
        return app.test_cli_runner().invoke(args=["jobs", "ready"])
    finally:
        with app.app_context():
            db.engine.dispose()


class WorkerProcess:
    """`jobs work` with the tests' own tasks as well, in a process of its own."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.log = folder / "log"
        environment = {
            **os.environ,
            "ENVIRONMENT": "test",
            "DATABASE_URL": settings.database_url.get_secret_value(),
            "BROKER_URL": settings.broker_url.get_secret_value(),
            "JOB_SECONDS": str(settings.job_seconds),
            "METRICS_PORT": "0",
            "WORKERS": "2",
        }
        self.process = Program(["tests.jobs.support.worker"], environment, self.log)

    def wait_until_ready(self) -> None:
        """Return when the worker says that it is ready, and its own command agrees."""
        end = time.monotonic() + SECONDS
        while " ready." not in self.log.read_text():
            if time.monotonic() > end or self.process.poll() is not None:
                pytest.fail(f"the worker is not ready:\n{self.log.read_text()}")
            time.sleep(0.05)
        assert ask_whether_ready(self.settings).output == "ready\n"

    def lines(self) -> list[dict[str, Any]]:
        """What was logged, as JSON."""
        lines = self.log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def terminate(self) -> int:
        """Stop in the ordinary way, and return the exit status."""
        self.process.terminate()
        return self.process.wait(SECONDS)


@contextmanager
def running_worker(settings: Settings, url: str, job_seconds: int) -> Iterator[WorkerProcess]:
    """A worker on the tests' database while the block runs, ready.

    One at a time: two would do each other's jobs.
    """
    with tempfile.TemporaryDirectory() as folder:
        made = WorkerProcess(with_broker(settings, url, job_seconds), Path(folder))
        try:
            made.wait_until_ready()
            yield made
        finally:
            try:
                made.terminate()
            finally:
                made.process.kill()
