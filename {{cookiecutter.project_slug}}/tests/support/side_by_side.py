"""Work at the same time, in threads and in processes, without a sleep that hopes for the best."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import TypeVar

from {{ cookiecutter.__package }}.settings import Settings

PROJECT = Path(__file__).parents[2]
SECONDS = 120
"""How long anything here may take; what takes longer hangs, and fails."""

Result = TypeVar("Result")


def in_threads(work: Callable[[int], Result], threads: int) -> list[Result]:
    """Call `work` in so many threads, begun together, with the thread's number.

    Returns what they returned, in their order; raises the first error of one.
    """
    together = Barrier(threads, timeout=SECONDS)

    def begin(number: int) -> Result:
        together.wait()
        return work(number)

    with ThreadPoolExecutor(threads) as pool:
        calls = [pool.submit(begin, number) for number in range(threads)]
        return [call.result(SECONDS) for call in calls]


def in_processes(module: str, settings: Settings, processes: int, *arguments: str) -> None:
    """Run `main` of a module of the tests in so many processes on the database of `settings`.

    It gets `arguments`, and before them a function with which each process waits for the others:
    so they begin together. Fails, with what they said, if one does.
    """
    url = settings.database_url.get_secret_value()
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.forks", module, str(processes), *arguments],
        cwd=PROJECT,
        env={**os.environ, "DATABASE_URL": url, "ENVIRONMENT": "test"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def wait_until(true: Callable[[], object], seconds: float = SECONDS) -> None:
    """Wait until this is true; fails if it takes too long."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)
