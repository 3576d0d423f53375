"""Runs tests of changed projects, in forks of one process and on one server for each engine."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.harness.baked import NOT_OF_THE_PROJECT, BakedProject, clean_environment
from tests.harness.environments import Environment
from tests.harness.forks import fork_server
from tests.harness.servers import database

# In a fixed order, with the only plugin that has a fixture of these tests. Searching for plugins
# and rewriting each `assert` would take longer than most of them.
ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
OPTIONS = ("-q", "--tb=line", "--assert=plain", "-p", "no:cacheprovider", "-p", "time_machine")

NOT_COPIED = NOT_OF_THE_PROJECT - {"__pycache__"}

Counts = dict[str, int]
RunTests = Callable[[BakedProject, tuple[str, ...]], Counts]


@pytest.fixture(scope="session")
def run_tests(
    environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunTests]:
    """Return a function that runs tests of a project and counts results; one server per engine."""
    urls: dict[str, str] = {}
    folder = tmp_path_factory.mktemp("forks")
    with ExitStack() as stack:
        forks = stack.enter_context(fork_server(environment.python, folder, clean_environment({})))

        def run(project: BakedProject, tests: tuple[str, ...]) -> Counts:
            engine = project.answers["database"]
            if engine not in urls:
                place = tmp_path_factory.mktemp("server")
                urls[engine] = stack.enter_context(database(project, environment, place))
            variables = {**environment.variables, **ALONE, "TEST_DATABASE_URL": urls[engine]}
            arguments = [*OPTIONS, *tests]
            done = forks.run_pytest(project.path, arguments, clean_environment(variables))
            assert done.returncode in (0, 1), (done.stdout + done.stderr)[-4000:]
            last = done.stdout.strip().splitlines()[-1]
            return {word: int(number) for number, word in re.findall(r"(\d+) ([a-z]+)", last)}

        yield run


def copy_of(project: BakedProject, folder: Path) -> BakedProject:
    """Copy a project, to change it."""
    shutil.copytree(project.path, folder, ignore=shutil.ignore_patterns(*NOT_COPIED))
    return BakedProject(folder, project.answers)
