"""The databases of the tests: one for each worker, and never the one that `.env` names.

`TEST_DATABASE_URL` names the server to use; without it the run starts one of its own.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from sqlalchemy import URL, make_url

from {{ cookiecutter.__package }}.database.migrations import locked_connection, upgrade
from {{ cookiecutter.__package }}.settings import Settings

from .engine import (
    database_name,
    drop_database,
    make_empty_database,
    named,
    start_temporary,
)
from .probe import ProbeBase

VARIABLE = "TEST_DATABASE_URL"
SUFFIX = "_test"
BASE_NAME = "{{ cookiecutter.__package }}"

SERVER = pytest.StashKey[URL]()
DEVELOPMENT = pytest.StashKey[URL | None]()


def pytest_configure(config: pytest.Config) -> None:
    """Keep the developer's settings out of the tests."""
    config.stash[DEVELOPMENT] = _development_url()
    fields = {name.upper() for name in Settings.model_fields}
    for name in [name for name in os.environ if name.upper() in fields]:
        del os.environ[name]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Pass the URL of the run's server to a worker of pytest-xdist."""
    url = _server(node.config)
    node.workerinput["server"] = url.render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def worker_url(request: pytest.FixtureRequest) -> URL:
    """The URL of this worker's own database."""
    config = request.config
    workerinput = getattr(config, "workerinput", None)
    if workerinput is None:
        return _server(config)
    server = make_url(workerinput["server"])
    base = database_name(server).removesuffix(SUFFIX)
    return named(server, f"{base}_{workerinput['workerid']}{SUFFIX}")


@pytest.fixture(scope="session")
def settings(worker_url: URL) -> Iterator[Settings]:
    """The settings of the tests' application; migrations have created the tables in its database.

    Its pool has one connection, so that a request that takes two at once fails.
    """
    made = Settings(
        environment="test",
        database_url=_secret(worker_url),
        threads=1,
        pool_timeout_seconds=0.3,
    )
    make_empty_database(worker_url)
    create_tables(made)
    yield made
    drop_database(worker_url)


def create_tables(settings: Settings) -> None:
    """Create the service's tables by its migrations, and the table of the probes."""
    upgrade(settings)
    with locked_connection(settings) as connection:
        ProbeBase.metadata.create_all(connection)


@pytest.fixture(scope="session")
def empty_url(worker_url: URL) -> Iterator[URL]:
    """The URL of the database that is made empty for each test that uses it."""
    base = database_name(worker_url).removesuffix(SUFFIX)
    url = named(worker_url, f"{base}_empty{SUFFIX}")
    yield url
    drop_database(url)


@pytest.fixture
def empty_database(empty_url: URL) -> Settings:
    """Settings with a database for this test that has no tables; DDL is allowed there."""
    make_empty_database(empty_url)
    return Settings(environment="test", database_url=_secret(empty_url))


@pytest.fixture
def migrated(empty_database: Settings) -> Settings:
    """Settings with a database for this test in which migrations have created the tables."""
    upgrade(empty_database)
    return empty_database


def _server(config: pytest.Config) -> URL:
    """Return the URL of the run's database without workers, on the given or started server."""
    if SERVER not in config.stash:
        given = os.environ.get(VARIABLE)
        if given:
            config.stash[SERVER] = checked_url(given, config.stash[DEVELOPMENT])
        else:
            try:
                server, url = start_temporary()
            except RuntimeError as error:
                pytest.exit(f"{error} Or name a server in {VARIABLE}.", returncode=1)
            config.add_cleanup(server.stop)
            config.stash[SERVER] = named(url, f"{BASE_NAME}{SUFFIX}")
    return config.stash[SERVER]


def checked_url(given: str, development: URL | None) -> URL:
    """Return the URL in `TEST_DATABASE_URL`; exit if the tests must not use that database."""
    url = make_url(given)
    name = database_name(url)
    if not name.endswith(SUFFIX):
        pytest.exit(
            f"{VARIABLE} names the database {name!r}. The tests delete everything in their"
            f" database, so its name has to end in {SUFFIX}.",
            returncode=1,
        )
    if development and (url.host, url.database) == (development.host, development.database):
        pytest.exit(
            f"{VARIABLE} names the database {name!r} of DATABASE_URL. The tests delete"
            " everything in their database: give them another one.",
            returncode=1,
        )
    return url


def _development_url() -> URL | None:
    """Return the URL in the environment or `.env`; None without a valid one."""
    try:
        return make_url(Settings(_env_file=".env").database_url.get_secret_value())
    except ValidationError:
        return None


def _secret(url: URL) -> SecretStr:
    return SecretStr(url.render_as_string(hide_password=False))
