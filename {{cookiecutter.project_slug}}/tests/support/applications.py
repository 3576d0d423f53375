"""The application under test and its client."""

import contextvars
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_openapi import APIBlueprint
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from {{ cookiecutter.__package }} import create_app
from {{ cookiecutter.__package }}.database import db
from {{ cookiecutter.__package }}.resources import RESOURCES
from {{ cookiecutter.__package }}.settings import Settings

{% if cookiecutter.auth != "none" %}
from .credentials import CREDENTIAL, accept_test_token
{% endif %}
from .probe import PROBES
from .sessions import Guard

MakeApp = Callable[..., Flask]


class Client(FlaskClient):
    """A client whose requests are isolated from the test, like those of another process.

    Each has a context of its own, which ends, with its session closed, before the response is
    returned; `buffered=False` returns a streamed response before its body is made. Changes in the
    test's session are committed first, so that the request sees them.
    """

    session: Session | None = None

{% if cookiecutter.auth != "none" %}
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.environ_base["HTTP_AUTHORIZATION"] = CREDENTIAL["Authorization"]

{% endif %}
    def open(self, *args: Any, buffered: bool = True, **options: Any) -> TestResponse:
        if self.session is not None:
            self.session.commit()
        request = super().open
        return contextvars.Context().run(lambda: request(*args, buffered=buffered, **options))

    def __enter__(self) -> NoReturn:
        pytest.fail(
            "`with client:` would keep the request's context in the test. Use the response,"
            " `response.request` or `app.test_request_context()` instead."
        )


def new_app(settings: Settings, **options: Any) -> Flask:
    """Make an application that handles errors as in production and whose client is the kit's.

    It serves the probes, unless `options`, which are those of `create_app`, name other resources.
    """
    made = create_app(settings, **{"resources": PROBES, **options})
    made.test_client_class = Client
{% if cookiecutter.auth != "none" %}
    accept_test_token(made)
{% endif %}
    return made


@pytest.fixture(scope="session")
def app(settings: Settings, guard: Guard) -> Iterator[Flask]:
    """The application with the probes on the worker's database; its pool has one connection.

    In tests/resources/ it is the same as `service`.
    """
    with _watched(new_app(settings), guard) as made:
        yield made


@pytest.fixture(scope="session")
def service(settings: Settings, guard: Guard) -> Iterator[Flask]:
    """The application with the service's own resources, on the same database."""
    with _watched(new_app(settings, resources=RESOURCES), guard) as made:
        yield made


@pytest.fixture
def make_app(settings: Settings, committed_db: Engine) -> Iterator[MakeApp]:  # noqa: ARG001
    """Make further applications on the same database, with real commits: `make_app(threads=16)`.

    The arguments are settings. In tests/resources/ the service's own resources are served.
    """
    with app_maker(settings, PROBES) as make:
        yield make


@contextmanager
def app_maker(settings: Settings, resources: Iterable[APIBlueprint]) -> Iterator[MakeApp]:
    """Yield a function that makes applications with these resources; dispose of their engines."""
    engines = []

    def make(**changes: Any) -> Flask:
        made = new_app(settings.model_copy(update=changes), resources=resources)
        made.testing = True
        with made.app_context():
            engines.append(db.engine)
        return made

    yield make
    for engine in engines:
        engine.dispose()


@pytest.fixture
def client(app: Flask, session: Session) -> FlaskClient:
    """A client of the application; it commits the test's session before each request."""
    return _with_session(app, session)


@pytest.fixture
def service_client(service: Flask, session: Session) -> FlaskClient:
    """A client of `service`, for tests that are not in tests/resources/."""
    return _with_session(service, session)


@contextmanager
def _watched(made: Flask, guard: Guard) -> Iterator[Flask]:
    made.testing = True
    with made.app_context():
        engine = db.engine
    guard.watch(engine)
    yield made
    engine.dispose()


def _with_session(app: Flask, session: Session) -> Client:
    made = app.test_client()
    assert isinstance(made, Client)
    made.session = session
    return made
