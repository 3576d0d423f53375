"""Programs that tests start, as `python -m` would: forks of one process that has the libraries.

To import those takes longer than most of what the programs do. Each fork imports the service anew.
"""

import gc
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path

from .concurrency import SECONDS

PROJECT = Path(__file__).parents[2]

# None that looks around when it is imported: gunicorn reads in which folder it is, the library of
# the metrics the environment.
LIBRARIES = [
    "alembic.command",
    "flask_openapi",
    "pydantic_settings",
    "sqlalchemy.orm",
    "structlog",
]

FORKS = get_context("forkserver")
FORKS.set_forkserver_preload(LIBRARIES)


class Program:
    """A program that runs beside the tests, with processes of its own in its group."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        output: Path,
        folder: Path = PROJECT,
    ) -> None:
        output.touch()
        arguments = (list(command), dict(environment), output, folder)
        self._process = FORKS.Process(target=become, args=arguments)
        self._process.start()

    @property
    def pid(self) -> int:
        """The process, and its group."""
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """The exit status; None while it runs."""
        return self._process.exitcode

    def wait(self, seconds: float = SECONDS) -> int:
        """The exit status, once it has ended. Raises `subprocess.TimeoutExpired`."""
        self._process.join(seconds)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("the program", seconds)
        return self._process.exitcode

    def terminate(self) -> None:
        """Ask it to stop."""
        self._process.terminate()

    def kill(self) -> None:
        """End it and the processes of its group, if it still runs."""
        if self.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
            self.wait()


def become(command: list[str], environment: dict[str, str], output: Path, folder: Path) -> None:
    """Be what `python -m` makes of the command in this folder; say everything to the file."""
    os.setsid()
    gc.freeze()  # or it would look through all of the libraries, which are not garbage
    os.chdir(folder)
    with output.open("wb") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = [str(folder), *environment.get("PYTHONPATH", "").split(os.pathsep)]
    sys.argv = command
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)


def run_program(
    *command: str, environment: Mapping[str, str], folder: Path = PROJECT
) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end; what it says is all in `stdout`."""
    with tempfile.NamedTemporaryFile(encoding="utf-8", mode="r", errors="replace") as said:
        program = Program(command, environment, Path(said.name), folder)
        try:
            return subprocess.CompletedProcess(command, program.wait(), said.read())
        finally:
            program.kill()
