import logging
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from {{ cookiecutter.__package }}.database.revisions import BEHIND, SchemaStatus
from {{ cookiecutter.__package }}.web import health

from ..support.applications import MakeApp
from ..support.leaks import put_out_of_reach
from ..support.problems import problem
from ..support.queries import Queries


@pytest.fixture
def draining() -> Iterator[None]:
    """The state between TERM and the end."""
    health.start_draining()
    yield
    health.stop_draining()


def test_a_service_that_can_serve_is_ready(client: FlaskClient) -> None:
    response = client.get("/readyz")

    assert (response.status_code, response.json) == (200, {"status": "ready"})


def test_the_process_lives_without_asking_the_database(app: Flask, queries: Queries) -> None:
    with queries(at_most=0):
        response = app.test_client().get("/livez")

    assert (response.status_code, response.json) == (200, {"status": "alive"})


def test_without_its_database_the_service_lives_and_is_not_ready(make_app: MakeApp) -> None:
    service = make_app()
    put_out_of_reach(service)

    response = service.test_client().get("/readyz")

    assert problem(response, 503)["detail"] == "The database cannot be reached."
    assert response.headers["Retry-After"]
    assert service.test_client().get("/livez").status_code == 200


def test_a_schema_of_another_revision_is_not_ready(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "schema_status", lambda _connection: SchemaStatus(False, BEHIND))

    assert "migrate it" in problem(client.get("/readyz"), 503)["detail"]


@pytest.mark.usefixtures("draining")
def test_a_service_that_stops_is_not_ready_and_still_serves(
    client: FlaskClient, queries: Queries
) -> None:
    with queries(at_most=0):
        response = client.get("/readyz")

    assert problem(response, 503)["detail"] == "The service is stopping."
    assert client.get("/livez").status_code == 200
    assert client.get("/openapi.json").status_code == 200


def test_a_service_that_does_not_stop_any_more_is_ready(client: FlaskClient) -> None:
    health.start_draining()
    health.stop_draining()

    assert client.get("/readyz").status_code == 200


def test_a_schema_ahead_of_the_code_is_ready_and_logged_once(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    status = SchemaStatus(True, ahead=("0009_ahead",))
    monkeypatch.setattr(health, "schema_status", lambda _connection: status)
    caplog.set_level(logging.INFO, health.__name__)
    health._log_ahead.cache_clear()

    assert [client.get("/readyz").status_code for _ in range(2)] == [200, 200]

    logged = [text for text in caplog.messages if "0009_ahead" in text]
    assert logged == ["The database schema is ahead of this code: ('0009_ahead',)"]
