import json
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.test import TestResponse

from {{ cookiecutter.__package }}.auth.guard import (
    REALM,
    Principal,
    is_guarded,
    known_scopes,
    public,
)
from {{ cookiecutter.__package }}.settings import Settings
from {{ cookiecutter.__package }}.web.blueprints import resource_blueprint

from ..support.api import MISSING_URL, URL, new_body
from ..support.applications import new_app
from ..support.problems import problem
from ..support.programs import PROJECT
from ..support.routes import documented_path, reachable_routes

RESOURCE = URL.rsplit("/", 1)[1]


@pytest.fixture
def anonymous(app: Flask) -> FlaskClient:
    """A client that sends no credential."""
    return FlaskClient(app)


@pytest.fixture
def another_app(settings: Settings) -> Flask:
    """A further application, to which the test can add routes."""
    return new_app(settings)


def routes(app: Flask) -> Iterator[tuple[str, str]]:
    """Yield the method and rule of each route."""
    for rule in app.url_map.iter_rules():
        for method in sorted(rule.methods or ()):
            yield method, rule.rule


def path_of(rule: str) -> str:
    return rule.replace("<uuid:id>", MISSING_URL.rsplit("/", 1)[1]).replace("<name>", "start.js")


def challenge(response: TestResponse, status: int) -> dict[str, str | None]:
    """Check that the response is a problem with a challenge and return its parameters."""
    problem(response, status)
    header = WWWAuthenticate.from_header(response.headers["WWW-Authenticate"])
    assert header is not None
    assert (header.type, header.parameters.pop("realm")) == ("bearer", REALM)
    return dict(header.parameters)


def caller(scopes: set[str]) -> Principal:
    return Principal("caller", frozenset(scopes))


def test_every_api_route_requires_a_credential(app: Flask, anonymous: FlaskClient) -> None:
    guarded = {(method, rule) for method, rule in routes(app) if is_guarded(rule)}

    assert len(guarded) >= 5
    for method, rule in guarded:
        response = anonymous.open(path_of(rule), method=method)
        assert response.status_code == 401, f"{method} {rule} is public"


def test_a_route_of_the_service_is_public_only_if_openapi_json_says_so(service: Flask) -> None:
    """It is committed, so each public route is a change that a review sees."""
    paths = json.loads((PROJECT / "openapi.json").read_text(encoding="utf-8"))["paths"]
    anonymous = FlaskClient(service)

    for route in reachable_routes(service):
        operation = paths.get(documented_path(route.rule), {}).get(route.method.lower(), {})
        if operation.get("security") != []:
            response = anonymous.open(route.path, method=route.method)
            assert response.status_code == 401, f"{route.method} {route.rule} is public"


def test_all_other_routes_are_public(app: Flask, anonymous: FlaskClient) -> None:
    others = {(method, rule) for method, rule in routes(app) if not is_guarded(rule)}

    assert {("GET", "/livez"), ("GET", "/readyz"), ("GET", "/openapi.json")} <= others
    for method, rule in others:
        response = anonymous.open(path_of(rule), method=method)
        assert response.status_code in (200, 303), f"{method} {rule}"


def test_challenge_parameters_are_quoted(anonymous: FlaskClient) -> None:
    """RFC 9110, section 11.6.1: some clients accept nothing else."""
    response = anonymous.get(URL, headers={"Authorization": "Bearer wrong"})

    header = response.headers["WWW-Authenticate"]
    assert header == f'Bearer realm="{REALM}", error="invalid_token"'


def test_a_request_without_a_credential_gets_a_challenge_without_an_error(
    anonymous: FlaskClient,
) -> None:
    assert challenge(anonymous.get(URL), 401) == {}


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "token-of-the-tests", "Bearer\t"]
)
def test_a_header_without_a_bearer_token_is_not_a_credential(
    anonymous: FlaskClient, header: str
) -> None:
    assert challenge(anonymous.get(URL, headers={"Authorization": header}), 401) == {}


@pytest.mark.parametrize("token", ["wrong", "token-of-the-test", "é", "a b", "token-of-the-tests,"])
def test_an_unknown_token_is_rejected(anonymous: FlaskClient, token: str) -> None:
    response = anonymous.get(URL, headers={"Authorization": f"Bearer {token}"})

    assert challenge(response, 401) == {"error": "invalid_token"}


def test_the_scheme_is_case_insensitive(anonymous: FlaskClient) -> None:
    headers = {"Authorization": "bEARER token-of-the-tests"}

    assert anonymous.get(URL, headers=headers).status_code == 200


def test_a_read_scope_does_not_include_writing(
    client: FlaskClient, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        app.extensions, "authenticate", lambda _: caller({f"{RESOURCE}:read", "other:write"})
    )

    assert client.get(URL).status_code == 200
    for method in ("POST", "PATCH", "DELETE"):
        url = URL if method == "POST" else MISSING_URL
        response = client.open(url, method=method, json=new_body())
        missing = {"error": "insufficient_scope", "scope": f"{RESOURCE}:write"}
        assert challenge(response, 403) == missing


def test_a_write_scope_does_not_include_reading(
    client: FlaskClient, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.extensions, "authenticate", lambda _: caller({f"{RESOURCE}:write"}))

    assert client.post(URL, json=new_body()).status_code == 201
    for method in ("GET", "HEAD", "OPTIONS"):
        assert client.open(URL, method=method).status_code == 403


def test_known_scopes_are_those_of_all_routes(app: Flask) -> None:
    with app.app_context():
        assert known_scopes() == {f"{RESOURCE}:read", f"{RESOURCE}:write"}


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v1", "/api/v1/nothing", f"{URL}/nothing"])
def test_only_authenticated_callers_learn_whether_a_path_exists(
    client: FlaskClient, anonymous: FlaskClient, path: str
) -> None:
    problem(anonymous.get(path), 401)
    problem(client.get(path), 404)


def test_other_spellings_of_a_path_do_not_bypass_the_guard(anonymous: FlaskClient) -> None:
    for path in (f"/{URL}", URL.upper(), f"/x/..{URL}", URL.replace("/api", "/%61pi"), f"{URL}//"):
        assert anonymous.get(path, follow_redirects=True).status_code in (401, 404), path


def test_a_new_route_is_guarded_unless_it_is_public(another_app: Flask) -> None:
    anonymous = FlaskClient(another_app)
    api = resource_blueprint("news")

    @api.get("")
    def read_all() -> dict[str, str]:
        return {}

    @api.get("/latest")
    @public
    def read_latest() -> dict[str, str]:
        return {}

    another_app.register_api(api)  # type: ignore[attr-defined]
    another_app.add_url_rule("/api/direct", view_func=lambda: "direct")

    assert anonymous.get("/api/v1/news").status_code == 401
    assert anonymous.get("/api/v1/news/latest").status_code == 200
    assert anonymous.get("/api/direct").status_code == 401
    assert another_app.test_client().get("/api/direct").status_code == 200
    with another_app.app_context():
        assert known_scopes() == {
            *(f"{RESOURCE}:read", f"{RESOURCE}:write"),
            *("news:read", "api:read"),
        }

    another_app.generate_spec_json()  # type: ignore[attr-defined]
    paths = another_app.spec_json["paths"]  # type: ignore[attr-defined]
    guarded, latest = paths["/api/v1/news"]["get"], paths["/api/v1/news/latest"]["get"]
    assert "security" not in guarded
    assert latest["security"] == []
    assert {"401", "403"} <= guarded["responses"].keys()
    assert not {"401", "403"} & latest["responses"].keys()


def test_the_document_describes_the_authentication(anonymous: FlaskClient) -> None:
    document = anonymous.get("/openapi.json").get_json()

    assert document["components"]["securitySchemes"] == {
        "bearer": {"type": "http", "scheme": "bearer"}
    }
    assert document["security"] == [{"bearer": []}]
    for path in document["paths"].values():
        for operation in path.values():
            assert "security" not in operation
            for status in ("401", "403"):
                response = operation["responses"][status]
                assert "application/problem+json" in response["content"]
                assert "WWW-Authenticate" in response["headers"]


def test_a_cors_preflight_needs_no_credential(settings: Settings) -> None:
    service = new_app(settings.model_copy(update={"cors_origins": ("https://app.example.com",)}))
    headers = {
        "Origin": "https://app.example.com",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }

    response = FlaskClient(service).options(URL, headers=headers)

    assert response.status_code == 204
    assert "Authorization" in response.headers["Access-Control-Allow-Headers"]


def test_callers_do_not_share_idempotency_keys(
    client: FlaskClient, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        app.extensions,
        "authenticate",
        lambda token: Principal(token, frozenset({f"{RESOURCE}:write"})),
    )

    def create(token: str, code: str) -> int:
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "key-1"}
        return client.post(URL, json=new_body(code=code), headers=headers).status_code

    assert create("anna", "A-1") == 201
    assert create("bert", "B-1") == 201
    assert create("anna", "A-1") == 201
    assert create("anna", "B-1") == 422


def test_a_principal_is_shown_as_its_id() -> None:
    assert str(caller({"b:read", "a:read"})) == "caller"
