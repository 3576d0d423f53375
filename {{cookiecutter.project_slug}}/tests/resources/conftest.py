"""In these tests `app`, `client` and `make_app` serve the resources of the service."""

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import Engine

from {{ cookiecutter.__package }}.resources import RESOURCES
from {{ cookiecutter.__package }}.settings import Settings

from ..support.applications import MakeApp, app_maker


@pytest.fixture(scope="session")
def app(service: Flask) -> Flask:
    """The application with the service's own resources."""
    return service


@pytest.fixture
def make_app(settings: Settings, committed_db: Engine) -> Iterator[MakeApp]:  # noqa: ARG001
    """Make further applications on the same database, with real commits: `make_app(threads=16)`."""
    with app_maker(settings, RESOURCES) as make:
        yield make
