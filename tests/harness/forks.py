"""Runs pytest for projects in forks of a process that has already imported the libraries.

Importing them takes longer than the few tests of a mutant, and a tenth of a whole suite with
coverage. Run as a program, this module is that process: it reads one request per line and writes
the exit status of the fork on a line.
"""

import gc
import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

# No library of an option or an engine, so that a missing import in a project is still found.
OF_ALL = (
    *("alembic.command", "alembic.autogenerate", "factory", "flask.testing", "flask_openapi"),
    *("pydantic_settings", "sqlalchemy.orm", "structlog", "time_machine", "uuid_utils"),
)
OF_FEW_TESTS = (
    *OF_ALL,
    *("concurrent.futures.thread", "gunicorn", "prometheus_client", "unittest.mock"),
)
# No library that depends on the folder (gunicorn) or the environment (prometheus_client) in which
# it is imported.
OF_A_SUITE = (*OF_ALL, "pytest_cov.plugin", "schemathesis.pytest.plugin", "xdist.plugin")
SECONDS = 1800
"""A run that takes longer is considered to hang."""


class ForkServer:
    """The process that forks, and the pipe to it."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        self._process = process
        self._output, self._errors = folder / "stdout", folder / "stderr"

    def run_pytest(
        self, folder: Path, arguments: Sequence[str], variables: Mapping[str, str]
    ) -> "subprocess.CompletedProcess[str]":
        """Run pytest in a folder with exactly this environment."""
        streams = str(self._output), str(self._errors)
        request = [str(folder), list(arguments), dict(variables), streams]
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        status = self._process.stdout.readline()
        assert status, "The process that forks has exited; see its output above."
        said = [Path(each).read_text(encoding="utf-8", errors="replace") for each in streams]
        return subprocess.CompletedProcess(arguments, int(status), *said)


@contextmanager
def fork_server(
    python: Path,
    folder: Path,
    variables: Mapping[str, str],
    libraries: Sequence[str] = OF_FEW_TESTS,
    *,
    collects_garbage: bool = False,
) -> Iterator[ForkServer]:
    """Start a process of this interpreter that forks; the folder holds the forks' output."""
    with subprocess.Popen(
        [python, __file__, json.dumps({"collects_garbage": collects_garbage}), *libraries],
        env=dict(variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield ForkServer(process, folder)
        assert process.stdin is not None
        process.stdin.close()


def serve(libraries: list[str], *, collects_garbage: bool) -> None:
    """Handle requests until the input ends; each fork runs its own request.

    The tests of a mutant run without garbage collection, which could by chance close what the
    mutant leaves open. A suite collects garbage, except for the objects of the libraries.
    """
    for name in libraries:
        importlib.import_module(name)
    gc.disable()
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            if collects_garbage:
                gc.enable()
            os._exit(run_here(*json.loads(line)))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def run_here(
    folder: str, arguments: list[str], variables: dict[str, str], streams: list[str]
) -> int:
    """Run pytest in this process as `python -m pytest` does in a new one."""
    signal.alarm(SECONDS)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    sys.path[0] = folder
    sys.path[1:1] = [str(Path(folder, each)) for each in variables["PYTHONPATH"].split(os.pathsep)]
    sys.argv = ["pytest", *arguments]
    for number, path in enumerate([os.devnull, *streams]):
        with Path(path).open("rb" if number == 0 else "wb") as file:
            os.dup2(file.fileno(), number)
    status = int(pytest.main(arguments))
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return status


if __name__ == "__main__":
    serve(sys.argv[2:], **json.loads(sys.argv[1]))
