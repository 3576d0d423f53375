"""Programs that tests start like `python -m`, as forks of a process that imported the libraries.

Importing those takes longer than most of the programs. Each fork imports the service anew.
"""

import gc
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path

from .concurrency import SECONDS

PROJECT = Path(__file__).parents[2]

# Only libraries whose import does not depend on the process: gunicorn reads the current folder, the
# metrics library the environment.
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
    """A program that runs beside the tests, in a process group of its own."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        output: Path,
        folder: Path = PROJECT,
    ) -> None:
        output.touch()
        arguments = (list(command), dict(environment), output, folder)
        self._process = FORKS.Process(target=run_module, args=arguments)
        self._process.start()

    @property
    def pid(self) -> int:
        """The id of the process and of its group."""
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """Return the exit status; None while it runs."""
        return self._process.exitcode

    def wait(self, seconds: float = SECONDS) -> int:
        """Wait for the end and return the exit status. Raises `subprocess.TimeoutExpired`."""
        self._process.join(seconds)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("the program", seconds)
        return self._process.exitcode

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._process.terminate()

    def kill(self) -> None:
        """Kill its process group, if it still runs."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has only begun, and has no group yet
                os.killpg(self.pid, signal.SIGKILL)
            self._process.kill()
            self.wait()


def run_module(command: list[str], environment: dict[str, str], output: Path, folder: Path) -> None:
    """Run the command in this folder like `python -m`, with all output in the file."""
    os.setsid()
    gc.freeze()  # keeps the collector away from the objects of the libraries
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
    """Run a program to its end; `stdout` holds all of its output."""
    with tempfile.NamedTemporaryFile(encoding="utf-8", mode="r", errors="replace") as output:
        program = Program(command, environment, Path(output.name), folder)
        try:
            return subprocess.CompletedProcess(command, program.wait(), output.read())
        finally:
            program.kill()
