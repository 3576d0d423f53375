"""A request takes one connection if it uses the database, and none if it does not."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from {{ cookiecutter.__package }}.database import db

from ...support.api import URL
from ...support.applications import MakeApp
from ...support.leaks import assert_nothing_leaked, engine_of, pool_of, traffic
from ...support.probe import ProbeFactory
from ...support.problems import problem
from .conftest import Serve


def test_the_pool_of_the_tests_has_one_connection(app: Flask) -> None:
    """So a request that takes two at once fails in any test that sends it."""
    pool = pool_of(app)
    assert pool.size() == 1
    assert pool._max_overflow == 0
    assert pool.timeout() < 1


def test_pool_has_a_connection_for_each_thread_and_no_more(make_app: MakeApp) -> None:
    pool = pool_of(make_app(threads=3))
    assert pool.size() == 3
    assert pool._max_overflow == 0


WITHOUT_DATABASE = [
    ("GET", "/livez", 200),
    ("GET", "/openapi.json", 200),
    ("GET", "/docs", 200),
    ("GET", "/nowhere", 404),
    ("PUT", "/livez", 405),
    ("OPTIONS", URL, 200),
    ("GET", f"{URL}?limit=0", 422),
    ("POST", URL, 415),
]


@pytest.mark.parametrize(("method", "path", "status"), WITHOUT_DATABASE)
def test_request_that_needs_no_database_takes_no_connection(
    make_app: MakeApp, method: str, path: str, status: int
) -> None:
    app = make_app()
    with traffic(app) as seen:
        response = app.test_client().open(path, method=method, follow_redirects=True)
    assert response.status_code == status
    assert seen.steps == []


def test_making_an_application_takes_no_connection(make_app: MakeApp) -> None:
    assert pool_of(make_app()).checkedin() == 0


def test_session_without_a_statement_takes_no_connection(make_app: MakeApp) -> None:
    app = make_app()
    with app.app_context():
        db.session.add(ProbeFactory.build())
        assert pool_of(app).checkedout() == 0


@pytest.mark.usefixtures("session")
def test_error_for_a_second_connection_names_the_fixture_to_use(app: Flask) -> None:
    with pytest.raises(AssertionError, match="ask for the fixture `committed_db`"):
        engine_of(app).connect()


def test_request_that_takes_two_connections_gets_503(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says what to change; the caller only learns that the service is busy."""

    def view() -> str:
        db.session.connection()
        with db.sessionmaker.begin() as second:
            second.connection()
        return "done"

    client: FlaskClient = serve(view)
    problem(client.get("/view"), 503)
    assert "one connection at most (docs/sessions.md)" in caplog.text
    assert_nothing_leaked(client.application)
