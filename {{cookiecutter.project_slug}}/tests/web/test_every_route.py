"""Rules that hold for every route: of the probes, and of the service's own resources."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from werkzeug.test import TestResponse

{% if cookiecutter.auth != "none" %}
from {{ cookiecutter.__package }}.auth.guard import Principal, is_public, known_scopes
{% endif %}
from {{ cookiecutter.__package }}.database import db
from {{ cookiecutter.__package }}.resources import RESOURCES
from {{ cookiecutter.__package }}.settings import Settings

from ..support.api import ANY
from ..support.applications import new_app
from ..support.oddities import ODDITIES
from ..support.probe import PROBES
from ..support.problems import problem
from ..support.routes import Route, accepts, api_routes, document_of, reachable_routes, rules

NOT_OBJECTS = {
    (b"{}", "text/plain"): 415,
    (b"", "application/json"): 400,
    (b"{", "application/json"): 400,
    (b"[" * 100_000, "application/json"): 400,
    (b"[]", "application/json"): 422,
    (b'"{}"', "application/json"): 422,
    (b"null", "application/json"): 422,
    (b'"' + b"a" * (1024 * 1024 - 1) + b'"', "application/json"): 413,
}


@pytest.fixture(params=["probes", "oddities", "service"])
def each_app(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Flask]:
    """An application of the test's own with the probes, with odd routes, or with the service's."""
    resources = {"probes": PROBES, "oddities": ODDITIES, "service": RESOURCES}
    app = new_app(settings, resources=resources[request.param])
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def client(each_app: Flask) -> FlaskClient:
    return each_app.test_client()


def is_probe(app: Flask, route: Route) -> bool:
    """Return whether the route is one of the kit's, about which everything is known."""
    return app.blueprints[route.endpoint.partition(".")[0]] in PROBES


def send(client: FlaskClient, route: Route, **query: str) -> TestResponse:
    """Send the request that the document describes, with these query parameters as well."""
    return client.open(
        route.path,
        method=route.method,
        json=route.body,
        headers={**route.headers, **ANY},
        query_string={**route.query, **query},
    )


def references(part: Any) -> Iterator[str]:
    """Yield every `$ref` in a part of the document."""
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"]
        for each in part.values():
            yield from references(each)
    if isinstance(part, list):
        for each in part:
            yield from references(each)


def test_the_probes_have_a_route_of_each_kind(app: Flask) -> None:
    routes = api_routes(app)

    assert {route.method for route in routes} == {"GET", "POST", "PATCH", "DELETE"}
    assert any(route.takes_body for route in routes)
    assert all(accepts(app, route) for route in routes)


def test_every_route_is_documented(each_app: Flask) -> None:
    for route in api_routes(each_app):
        assert route.operation, f"{route.method} {route.rule} is not in the document"


def test_operation_ids_are_unique(each_app: Flask) -> None:
    ids = Counter(route.operation["operationId"] for route in api_routes(each_app))

    assert set(ids.values()) <= {1}


def test_every_operation_lists_its_problems(each_app: Flask) -> None:
{% if cookiecutter.auth == "none" %}
    common = {"400", "422", "500", "503"}
{% else %}
    common = {"400", "422", "500", "503"}
    guarded = {"401", "403"}
{% endif %}
    for route in api_routes(each_app):
        responses = route.operation["responses"]
        assert responses.keys() >= common, route
        if route.takes_body:
            assert responses.keys() >= {"413", "415"}, route
{% if cookiecutter.auth != "none" %}
        if route.operation.get("security") != []:
            assert responses.keys() >= guarded, route
{% endif %}
        for status, response in responses.items():
            assert response["description"], route
            assert "X-Request-ID" in response["headers"], route
            if int(status) >= 400:
                assert list(response["content"]) == ["application/problem+json"], route


def test_every_reference_and_schema_is_valid(each_app: Flask) -> None:
    document = document_of(each_app)
    for reference in references(document):
        part = document
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]
    components = document["components"]
    for schema in components["schemas"].values():
        jsonschema_rs.meta.validate({**schema, "components": components})


def test_every_conditional_route_documents_its_etag(each_app: Flask) -> None:
    for route in api_routes(each_app):
        parameters = {each["name"]: each for each in route.operation.get("parameters", ())}
        if "If-Match" in parameters:
            assert parameters["If-Match"]["required"], route
            assert route.operation["responses"].keys() >= {"412", "428"}, route
        if "If-None-Match" in parameters:
            assert "ETag" in route.operation["responses"]["304"]["headers"], route


def test_every_route_rejects_other_methods(each_app: Flask, client: FlaskClient) -> None:
    for route in reachable_routes(each_app):
        response = client.open(route.path, method="TRACE")

        problem(response, 405)
        assert route.method in response.headers["Allow"].split(", "), route


def test_every_route_rejects_unknown_parameters(each_app: Flask, client: FlaskClient) -> None:
    for route in reachable_routes(each_app):
        errors = problem(send(client, route, **{"no-such-parameter": "1"}), 422)["errors"]
        names = [each["parameter"] for each in errors if "parameter" in each]
        assert names.count("no-such-parameter") == 1, route
        if accepts(each_app, route):
            assert len(errors) == 1, route


@pytest.mark.parametrize(("body", "media_type"), NOT_OBJECTS)
def test_every_route_with_a_body_rejects_one_that_is_not_an_object(
    each_app: Flask, client: FlaskClient, body: bytes, media_type: str
) -> None:
    for route in reachable_routes(each_app):
        if route.takes_body:
            response = client.open(
                route.path, method=route.method, data=body, content_type=media_type, headers=ANY
            )
            problem(response, NOT_OBJECTS[body, media_type])


def test_every_route_answers_503_while_the_database_is_unreachable(
    each_app: Flask, client: FlaskClient
) -> None:
    """A route that does not reach for the database may succeed, or answer with any problem.

    It may need none, or the document may not say enough to make a request that comes so far.
    """
    with each_app.app_context():
        engine = db.engine
    attempts: list[object] = []

    def fail(*arguments: object) -> Any:
        attempts.append(arguments)
        raise engine.dialect.loaded_dbapi.OperationalError("cannot connect")

    event.listen(engine, "do_connect", fail)
    for route in reachable_routes(each_app):
        if route.takes_other_body:
            continue  # only its own tests know a body that it accepts
        attempts.clear()
        response = send(client, route)
        if attempts or is_probe(each_app, route):
            assert response.headers.get("Retry-After") == "1", (route, response.text)
            problem(response, 503)
        elif response.status_code >= 400:
            problem(response, response.status_code)


def test_every_response_has_security_headers(each_app: Flask, client: FlaskClient) -> None:
    for route in reachable_routes(each_app):
        headers = client.open(route.path, method="OPTIONS").headers
        assert headers["X-Content-Type-Options"] == "nosniff", route
        assert headers["Content-Security-Policy"], route
        assert headers["X-Request-ID"], route


def test_the_routes_of_the_kit_outside_the_api_are_there(each_app: Flask) -> None:
    expected = {
        *("/", "/docs", "/docs/start.js", "/docs/<name>", "/openapi.json"),
        *("/livez", "/readyz"),
    }
    outside = {rule.rule for _, rule in rules(each_app) if not rule.rule.startswith("/api/")}

    assert outside >= expected
{% if cookiecutter.auth != "none" %}


def test_every_guarded_route_needs_a_credential(each_app: Flask) -> None:
    anonymous = FlaskClient(each_app)
    for route in reachable_routes(each_app):
        with each_app.app_context():
            public = is_public(route.endpoint)
        response = anonymous.open(route.path, method=route.method)
        assert (response.status_code == 401) is not public, route


def test_every_guarded_route_needs_its_scope(each_app: Flask, client: FlaskClient) -> None:
    each_app.extensions["authenticate"] = lambda _: Principal("caller", frozenset({"other:read"}))
    with each_app.app_context():
        scopes = known_scopes()
    for route in reachable_routes(each_app):
        with each_app.app_context():
            public = is_public(route.endpoint)
        if not public:
            response = client.open(route.path, method=route.method)
            problem(response, 403)
            challenge = response.headers["WWW-Authenticate"]
            assert any(f'scope="{scope}"' in challenge for scope in scopes), route
{% endif %}
