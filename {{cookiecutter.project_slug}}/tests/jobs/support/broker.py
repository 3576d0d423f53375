"""The broker of the tests: `TEST_BROKER_URL` names a Redis, or the run starts one of its own."""

import os
from collections.abc import Iterator

import pytest

from dev.private_server import NoServerError, free_port
from dev.server_redis import start_temporary

__all__ = ["VARIABLE", "broker_url", "free_port", "start_temporary"]

VARIABLE = "TEST_BROKER_URL"


@pytest.fixture(scope="session")
def broker_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a broker; each worker of pytest-xdist has one, or a number on the one given."""
    if given := os.environ.get(VARIABLE):
        workerinput = getattr(request.config, "workerinput", {"workerid": "gw0"})
        yield f"{given.rpartition('/')[0]}/{workerinput['workerid'].removeprefix('gw')}"
        return
    try:
        server, url = start_temporary()
    except NoServerError as error:
        pytest.fail(f"{error} Or name one in {VARIABLE}.")
    yield url
    server.stop()
