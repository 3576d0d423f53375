"""Fixtures: the migrated service of a variant, running in production mode."""

from collections.abc import Iterator

import pytest

from .baked import BakedProject
from .environments import Environment
from .servers import Service, database, production


@pytest.fixture(scope="module")
def database_url(
    project: BakedProject, environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """An empty database for the service."""
    with database(project, environment, tmp_path_factory.mktemp("database")) as url:
        yield url


@pytest.fixture(scope="module")
def service(
    project: BakedProject,
    environment: Environment,
    database_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    """The migrated service in production mode; a test that stops it has to start it again."""
    settings = production(database_url)
    flask = environment.program("flask")
    migrate = (flask, "--app", project.package, "db", "upgrade")
    project.run(*migrate, variables={**environment.variables, **settings})
    log = tmp_path_factory.mktemp("service") / "log"
    with Service(project, environment, settings, log) as running:
        yield running
