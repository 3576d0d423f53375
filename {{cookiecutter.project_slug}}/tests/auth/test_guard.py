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

RESOURCE = URL.rsplit("/", 1)[1]
OPEN: set[tuple[str, str]] = set()
"""Routes under `/api` that everybody may call, as (method, rule): a decision, so write it here."""


@pytest.fixture
def stranger(app: Flask) -> FlaskClient:
    """A client that sends no credential."""
    return FlaskClient(app)


@pytest.fixture
def another_app(settings: Settings) -> Flask:
    """An application of the test's own, to which it may add routes."""
    return new_app(settings)


def routes(app: Flask) -> Iterator[tuple[str, str]]:
    """All routes of the application: method and rule."""
    for rule in app.url_map.iter_rules():
        for method in sorted(rule.methods or ()):
            yield method, rule.rule


def path_of(rule: str) -> str:
    return rule.replace("<uuid:id>", MISSING_URL.rsplit("/", 1)[1]).replace("<name>", "start.js")


def challenge(response: TestResponse, status: int) -> dict[str, str | None]:
    """What the credential lacks, according to the answer; fails unless it is such a problem."""
    problem(response, status)
    told = WWWAuthenticate.from_header(response.headers["WWW-Authenticate"])
    assert told is not None
    assert (told.type, told.parameters.pop("realm")) == ("bearer", REALM)
    return dict(told.parameters)


def caller(scopes: set[str]) -> Principal:
    return Principal("caller", frozenset(scopes))


def test_every_route_of_the_api_needs_a_credential(app: Flask, stranger: FlaskClient) -> None:
    guarded = {(method, rule) for method, rule in routes(app) if is_guarded(rule)} - OPEN

    assert len(guarded) >= 5
    for method, rule in guarded:
        response = stranger.open(path_of(rule), method=method)
        assert response.status_code == 401, f"{method} {rule} is open, and not listed in OPEN"


def test_all_else_is_open(app: Flask, stranger: FlaskClient) -> None:
    others = {(method, rule) for method, rule in routes(app) if not is_guarded(rule)}

    assert {("GET", "/livez"), ("GET", "/readyz"), ("GET", "/openapi.json")} <= others
    for method, rule in others:
        response = stranger.open(path_of(rule), method=method)
        assert response.status_code in (200, 302), f"{method} {rule}"


def test_what_a_credential_lacks_is_quoted(stranger: FlaskClient) -> None:
    """RFC 9110, section 11.6.1: some clients take nothing else."""
    told = stranger.get(URL, headers={"Authorization": "Bearer wrong"}).headers["WWW-Authenticate"]

    assert told == f'Bearer realm="{REALM}", error="invalid_token"'


def test_without_a_credential_the_caller_is_told_which(stranger: FlaskClient) -> None:
    assert challenge(stranger.get(URL), 401) == {}


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "token-of-the-tests", "Bearer\t"]
)
def test_what_is_no_bearer_token_is_no_credential(stranger: FlaskClient, header: str) -> None:
    assert challenge(stranger.get(URL, headers={"Authorization": header}), 401) == {}


@pytest.mark.parametrize("token", ["wrong", "token-of-the-test", "é", "a b", "token-of-the-tests,"])
def test_another_token_is_refused(stranger: FlaskClient, token: str) -> None:
    response = stranger.get(URL, headers={"Authorization": f"Bearer {token}"})

    assert challenge(response, 401) == {"error": "invalid_token"}


def test_the_scheme_is_written_in_any_case(stranger: FlaskClient) -> None:
    headers = {"Authorization": "bEARER token-of-the-tests"}

    assert stranger.get(URL, headers=headers).status_code == 200


def test_reading_and_writing_are_scopes_of_each_resource(
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


def test_writing_does_not_include_reading(
    client: FlaskClient, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.extensions, "authenticate", lambda _: caller({f"{RESOURCE}:write"}))

    assert client.post(URL, json=new_body()).status_code == 201
    for method in ("GET", "HEAD", "OPTIONS"):
        assert client.open(URL, method=method).status_code == 403


def test_the_scopes_of_all_routes_are_known(app: Flask) -> None:
    with app.app_context():
        assert known_scopes() == {f"{RESOURCE}:read", f"{RESOURCE}:write"}


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v1", "/api/v1/nothing", f"{URL}/nothing"])
def test_whether_a_path_exists_is_told_only_to_callers(
    client: FlaskClient, stranger: FlaskClient, path: str
) -> None:
    problem(stranger.get(path), 401)
    problem(client.get(path), 404)


def test_a_path_does_not_get_around_the_guard(stranger: FlaskClient) -> None:
    for path in (f"/{URL}", URL.upper(), f"/x/..{URL}", URL.replace("/api", "/%61pi"), f"{URL}//"):
        assert stranger.get(path, follow_redirects=True).status_code in (401, 404), path


def test_a_new_route_is_guarded_unless_it_is_public(another_app: Flask) -> None:
    stranger = FlaskClient(another_app)
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

    assert stranger.get("/api/v1/news").status_code == 401
    assert stranger.get("/api/v1/news/latest").status_code == 200
    assert stranger.get("/api/direct").status_code == 401
    assert another_app.test_client().get("/api/direct").status_code == 200
    with another_app.app_context():
        assert known_scopes() == {
            *(f"{RESOURCE}:read", f"{RESOURCE}:write"),
            *("news:read", "api:read"),
        }

    another_app.generate_spec_json()  # type: ignore[attr-defined]
    paths = another_app.spec_json["paths"]  # type: ignore[attr-defined]
    guarded, open_to_all = paths["/api/v1/news"]["get"], paths["/api/v1/news/latest"]["get"]
    assert "security" not in guarded
    assert open_to_all["security"] == []
    assert {"401", "403"} <= guarded["responses"].keys()
    assert not {"401", "403"} & open_to_all["responses"].keys()


def test_the_document_says_so(stranger: FlaskClient) -> None:
    document = stranger.get("/openapi.json").get_json()

    assert document["components"]["securitySchemes"] == {
        "bearer": {"type": "http", "scheme": "bearer"}
    }
    assert document["security"] == [{"bearer": []}]
    for path in document["paths"].values():
        for operation in path.values():
            assert "security" not in operation
            for status in ("401", "403"):
                answer = operation["responses"][status]
                assert "application/problem+json" in answer["content"]
                assert "WWW-Authenticate" in answer["headers"]


def test_browsers_may_ask_first(settings: Settings) -> None:
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


def test_a_principal_is_written_by_its_name_alone() -> None:
    assert str(caller({"b:read", "a:read"})) == "caller"
