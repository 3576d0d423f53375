"""Run work at the same time in processes, forked from one that has imported it."""

import os
import sys
import time
from importlib import import_module
from multiprocessing import get_context

from {{ cookiecutter.__package }}.settings import Settings

from .concurrency import SECONDS
from .programs import run_program


def in_processes(module: str, settings: Settings, processes: int, *arguments: str) -> None:
    """Run `main` of a test module in this number of processes on the database of `settings`.

    Its first argument is a function that waits for the other processes, so that all can start at
    the same time; `arguments` follow. Fails with their output if one of them fails.
    """
    url = settings.database_url.get_secret_value()
    done = run_program(
        *(__name__, module, str(processes), *arguments),
        environment={**os.environ, "DATABASE_URL": url, "ENVIRONMENT": "test"},
    )
    assert done.returncode == 0, done.stdout


def main(module: str, processes: str, *arguments: str) -> int:
    """Run `main` of the module in each process; return 0 if all succeed in time."""
    work = import_module(module).main
    fork = get_context("fork")
    barrier = fork.Barrier(int(processes), timeout=SECONDS)
    running = [
        fork.Process(target=work, args=(barrier.wait, *arguments)) for _ in range(int(processes))
    ]
    for process in running:
        process.start()
    end = time.monotonic() + SECONDS
    for process in running:
        process.join(max(0, end - time.monotonic()))
        process.kill()
        process.join()
    return int(any(process.exitcode != 0 for process in running))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
