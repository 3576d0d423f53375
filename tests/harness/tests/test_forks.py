from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.baked import clean_environment
from tests.harness.environments import Environment
from tests.harness.forks import ForkServer, fork_server

TESTS = """
import os
import sys

import own

def test_it():
    own.times += 1
    assert own.times == 1
    print(os.environ["OWN"], os.getcwd(), *sys.argv)
    print("an error", file=sys.stderr)

def test_other():
    assert False
"""
QUIET = ("-q", "-s", "-p", "no:cacheprovider", "-p", "no:randomly")


@pytest.fixture(scope="module")
def forks(
    environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ForkServer]:
    """A process that forks."""
    folder = tmp_path_factory.mktemp("forks")
    with fork_server(environment.python, folder, clean_environment({})) as made:
        yield made


GARBAGE = """
import gc

def test_it():
    assert gc.isenabled()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with tests and a module that they import."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "own.py").write_text("times = 0\n", encoding="utf-8")
    (tmp_path / "test_it.py").write_text(TESTS, encoding="utf-8")
    return tmp_path


def test_a_fork_runs_tests_in_their_folder_and_environment(
    forks: ForkServer, project: Path
) -> None:
    variables = clean_environment({"PYTHONPATH": "src", "OWN": "a-value"})
    done = forks.run_pytest(project, [*QUIET, "test_it.py::test_it"], variables)

    assert done.returncode == 0, done.stdout
    assert f"a-value {project} pytest {' '.join(QUIET)}" in done.stdout
    assert "1 passed" in done.stdout
    assert done.stderr == "an error\n"


def test_a_fork_reports_a_failure(forks: ForkServer, project: Path) -> None:
    variables = clean_environment({"PYTHONPATH": "src", "OWN": ""})
    done = forks.run_pytest(project, [*QUIET, "test_it.py"], variables)

    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout


def test_a_fork_sees_no_state_of_earlier_forks(forks: ForkServer, project: Path) -> None:
    arguments = [*QUIET, "test_it.py::test_it"]
    for value in ("first", "second"):
        variables = clean_environment({"PYTHONPATH": "src", "OWN": value})
        done = forks.run_pytest(project, arguments, variables)
        assert done.returncode == 0, done.stdout
        assert f"{value} {project}" in done.stdout


@pytest.mark.parametrize("collects_garbage", [True, False])
def test_a_fork_collects_garbage_if_it_is_asked_to(
    environment: Environment, tmp_path: Path, project: Path, *, collects_garbage: bool
) -> None:
    (project / "test_it.py").write_text(GARBAGE, encoding="utf-8")
    variables = clean_environment({"PYTHONPATH": "src"})
    with fork_server(
        environment.python, tmp_path, variables, (), collects_garbage=collects_garbage
    ) as forks:
        done = forks.run_pytest(project, [*QUIET, "test_it.py"], variables)

    assert (done.returncode == 0) == collects_garbage, done.stdout
