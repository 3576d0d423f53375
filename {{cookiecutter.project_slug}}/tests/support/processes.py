"""Work at the same time in processes, which are forks of one that has imported it before."""

import os
import sys
import time
from importlib import import_module
from multiprocessing import get_context

from {{ cookiecutter.__package }}.settings import Settings

from .concurrency import SECONDS
from .programs import run_program


def in_processes(module: str, settings: Settings, processes: int, *arguments: str) -> None:
    """Run `main` of a module of the tests in so many processes on the database of `settings`.

    It gets `arguments`, and before them a function with which each process waits for the others:
    so they begin together. Fails, with what they said, if one does.
    """
    url = settings.database_url.get_secret_value()
    done = run_program(
        *(__name__, module, str(processes), *arguments),
        environment={**os.environ, "DATABASE_URL": url, "ENVIRONMENT": "test"},
    )
    assert done.returncode == 0, done.stdout


def main(module: str, processes: str, *arguments: str) -> int:
    """Run `main` of the module in each process; 0 if all ended well and in time."""
    work = import_module(module).main
    fork = get_context("fork")
    together = fork.Barrier(int(processes), timeout=SECONDS)
    running = [
        fork.Process(target=work, args=(together.wait, *arguments)) for _ in range(int(processes))
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
