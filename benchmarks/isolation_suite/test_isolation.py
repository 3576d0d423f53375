"""Tests that write one row each: the floor's among those with the project's fixtures."""

import os

import pytest
from sqlalchemy.orm import Session
from tests.resources.items.factories import ItemFactory  # the project's, where this runs

TESTS = int(os.environ["BENCHMARK_TESTS"])
FLOOR_TESTS = int(os.environ["BENCHMARK_FLOOR_TESTS"])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Generate the given number of tests of each kind."""
    count = FLOOR_TESTS if "floor" in metafunc.function.__name__ else TESTS
    metafunc.fixturenames.append("number")
    metafunc.parametrize("number", range(count))


@pytest.mark.usefixtures("client")
def test_fixtures(session: Session) -> None:
    ItemFactory.create()
    session.flush()


def test_floor(floor_session: Session) -> None:
    floor_session.add(ItemFactory.build())
    floor_session.flush()
