"""Runs suites of projects in forks of one process."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.api_document import write_api_document
from tests.harness.baked import BakedProject, clean_environment
from tests.harness.environments import Environment
from tests.harness.forks import OF_A_SUITE, ForkServer, fork_server

from .suites import OPTIONS, RunMeasured, counted


@pytest.fixture(scope="session")
def forks(
    environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ForkServer]:
    """The process that has imported the libraries of suites and runs them in forks.

    Suites on other interpreters and of installations run in processes of their own.
    """
    folder = tmp_path_factory.mktemp("forks")
    with fork_server(
        environment.python, folder, clean_environment({}), OF_A_SUITE, collects_garbage=True
    ) as forks:
        yield forks


@pytest.fixture(scope="session")
def run_measured(environment: Environment, forks: ForkServer) -> RunMeasured:
    """Return a function that runs a suite in a fork and writes its coverage to a file."""

    def run(project: BakedProject, report: Path, *arguments: str) -> dict[str, float]:
        write_api_document(project, environment)
        began = time.monotonic()
        options = ("--cov", "--cov-branch", f"--cov-report=json:{report}", "--cov-fail-under=0")
        coverage = {"COVERAGE_FILE": str(report.with_suffix(".sqlite"))}
        variables = clean_environment({**environment.variables, **coverage})
        done = forks.run_pytest(project.path, [*OPTIONS, *options, *arguments], variables)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
        return counted(done.stdout, began)

    return run
