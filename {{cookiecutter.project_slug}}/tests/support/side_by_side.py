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


def in_processes(module: str, settings: Settings, processes: int, *arguments: str) -> list[str]:
    """Run a module of the tests in so many processes on the database of `settings`.

    Each prints a line when it is ready, and goes on when it gets one: they begin together. Returns
    what each printed after that; fails if one does.
    """
    url = settings.database_url.get_secret_value()
    running = [
        subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=PROJECT,
            env={**os.environ, "DATABASE_URL": url, "ENVIRONMENT": "test"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(processes)
    ]
    try:
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        said = [process.communicate for process in running]
        for process in running:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [communicate(timeout=SECONDS)[0] for communicate in said]
    finally:
        for process in running:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                pipe.close()
    assert [process.returncode for process in running] == [0] * processes
    return answers


def wait_until(true: Callable[[], object], seconds: float = SECONDS) -> None:
    """Wait until this is true; fails if it takes too long."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.005)
