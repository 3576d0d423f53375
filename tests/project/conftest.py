"""Runs suites of projects in forks of one process."""

from collections.abc import Iterator

import pytest

from tests.harness.baked import clean_environment
from tests.harness.environments import measuring_version, shared_environment
from tests.harness.fixtures import BUILD
from tests.harness.forks import OF_A_SUITE, fork_server

from .suites import Suites


@pytest.fixture(scope="session")
def suites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suites]:
    """Runs suites in forks of a process that has imported their libraries."""
    environment = shared_environment(BUILD, measuring_version())
    folder = tmp_path_factory.mktemp("forks")
    with fork_server(
        environment.python, folder, clean_environment({}), OF_A_SUITE, collects_garbage=True
    ) as forks:
        yield Suites(environment, forks)
