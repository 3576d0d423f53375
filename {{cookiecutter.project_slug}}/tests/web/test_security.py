import json
from typing import Any

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from {{ cookiecutter.__package }} import create_app
from {{ cookiecutter.__package }}.settings import Settings

from ..support.api import MISSING_URL, URL, new_body
from ..support.applications import MakeApp
from ..support.problems import problem

ORIGIN = "https://app.example.com"


def make(settings: Settings, **changes: Any) -> FlaskClient:
    """A client of an application with these settings."""
    service = create_app(settings.model_copy(update=changes))
    service.add_url_rule("/me", view_func=lambda: [request.remote_addr, request.scheme])
    return service.test_client()


@pytest.mark.parametrize("path", ["/livez", "/nowhere", "/openapi.json"])
def test_every_answer_has_security_headers(app: Flask, path: str) -> None:
    headers = app.test_client().get(path).headers

    assert headers.getlist("X-Content-Type-Options") == ["nosniff"]
    assert headers.getlist("X-Frame-Options") == ["DENY"]
    assert headers.getlist("Referrer-Policy") == ["no-referrer"]
    assert headers.getlist("Content-Security-Policy") == [
        "default-src 'none'; frame-ancestors 'none'"
    ]


def test_hsts_is_sent_over_https_and_if_set(settings: Settings) -> None:
    name = "Strict-Transport-Security"
    secure = make(settings, hsts_seconds=60)

    response = secure.get("/livez", base_url="https://localhost")
    assert response.headers[name] == "max-age=60; includeSubDomains"
    assert name not in secure.get("/livez", base_url="http://localhost").headers
    assert name not in make(settings).get("/livez", base_url="https://localhost").headers


@pytest.mark.parametrize("path", ["/livez", "/nowhere", "/openapi.json", URL, MISSING_URL])
def test_nothing_is_stored_by_caches(client: FlaskClient, path: str) -> None:
    assert client.get(path).headers.getlist("Cache-Control") == ["no-store"]


def test_a_view_can_say_how_long_it_holds(settings: Settings) -> None:
    service = create_app(settings)
    service.add_url_rule("/kept", view_func=lambda: ("", {"Cache-Control": "max-age=60"}))

    response = service.test_client().get("/kept")

    assert response.headers.getlist("Cache-Control") == ["max-age=60"]
{% if cookiecutter.auth != "none" %}


def test_the_api_depends_on_the_credential(client: FlaskClient) -> None:
    assert client.get(URL).headers.getlist("Vary") == ["Authorization"]
    assert "Vary" not in client.get("/livez").headers
{% endif %}


@pytest.fixture
def behind_a_prefix(make_app: MakeApp) -> FlaskClient:
    """A client of an application behind one proxy."""
    return make_app(trusted_proxies=1).test_client()


@pytest.mark.parametrize("prefix", ["/shop", "/shop/", "/a/b.c_~d-e"])
def test_every_link_has_the_prefix(behind_a_prefix: FlaskClient, prefix: str) -> None:
    client, headers = behind_a_prefix, {"X-Forwarded-Prefix": prefix}
    root = prefix.rstrip("/")

    created = client.post(URL, json=new_body(), headers=headers)
    assert created.headers["Location"].startswith(f"{root}{URL}/")
    client.post(URL, json=new_body(code="A-1002"), headers=headers)
    page = client.get(f"{URL}?limit=1", headers=headers)
    assert page.headers["Link"].startswith(f"<{root}{URL}?")
    missing = client.get("/nowhere", headers=headers).get_json(force=True)
    assert missing["instance"] == f"{root}/nowhere"
    assert client.get("/", headers=headers).headers["Location"] == f"{root}/docs"
    document = client.get("/openapi.json", headers=headers).json
    assert document is not None
    assert document["servers"] == [{"url": root}]


@pytest.mark.parametrize(
    "prefix", ["//evil.net", "/\\evil.net", "evil", "https://evil.net", "/a//b", "/a b", "/?"]
)
def test_a_prefix_that_is_not_a_path_is_ignored(behind_a_prefix: FlaskClient, prefix: str) -> None:
    response = behind_a_prefix.get("/", headers={"X-Forwarded-Prefix": prefix})

    assert response.headers["Location"] == "/docs"


def test_without_a_proxy_no_prefix_is_believed(app: Flask) -> None:
    response = app.test_client().get("/", headers={"X-Forwarded-Prefix": "/shop"})

    assert response.headers["Location"] == "/docs"


def test_the_server_can_set_the_prefix(app: Flask) -> None:
    response = app.test_client().get("/", environ_overrides={"SCRIPT_NAME": "/shop"})

    assert response.headers["Location"] == "/shop/docs"


def test_a_redirect_of_the_router_names_no_host(settings: Settings) -> None:
    service = create_app(settings)
    service.add_url_rule("/folder/", view_func=lambda: "", endpoint="folder")
    service.add_url_rule("/a/b", view_func=lambda: "", endpoint="a_b")
    client = service.test_client()

    response = client.get("/folder?a=b", headers={"Host": "evil.net"})

    assert (response.status_code, response.headers["Location"]) == (308, "/folder/?a=b")
    assert "evil" not in response.text
    assert client.get("/a//b").status_code == 404


@pytest.mark.parametrize("host", ["api.example.com", "API.example.com:8000", "a.b.example.org"])
def test_trusted_hosts_are_served(settings: Settings, host: str) -> None:
    client = make(settings, trusted_hosts=("api.example.com", ".example.org"))

    assert client.get("/me", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["example.com", "evilexample.org", "api.example.com.evil.net", "127.0.0.1"]
)
def test_other_hosts_are_rejected_but_for_probes(settings: Settings, host: str) -> None:
    client = make(settings, trusted_hosts=("api.example.com", ".example.org"))

    document = problem(client.get("/me", headers={"Host": host}), 400)
    assert document["detail"] == "This host is not served here."
    assert client.get("/livez", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("proxies", "seen"),
    [
        (0, ["127.0.0.1", "http"]),
        (1, ["3.3.3.3", "https"]),
        (2, ["2.2.2.2", "http"]),
    ],
)
def test_as_many_proxies_are_believed_as_there_are(
    settings: Settings, proxies: int, seen: list[str]
) -> None:
    headers = {
        "X-Forwarded-For": "1.1.1.1, 2.2.2.2, 3.3.3.3",
        "X-Forwarded-Proto": "http, http, https",
    }

    assert make(settings, trusted_proxies=proxies).get("/me", headers=headers).json == seen


def test_no_proxy_can_change_the_host(settings: Settings) -> None:
    client = make(settings, trusted_proxies=1, trusted_hosts=("api.example.com",))

    headers = {"Host": "evil.net", "X-Forwarded-Host": "api.example.com"}
    assert client.get("/me", headers=headers).status_code == 400


def test_the_address_of_the_caller_is_logged(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    make(settings, trusted_proxies=1).get("/livez", headers={"X-Forwarded-For": "3.3.3.3"})

    assert json.loads(capsys.readouterr().err)["client"] == "3.3.3.3"


def cors_headers(response: TestResponse) -> dict[str, str]:
    """The headers of the response about other origins."""
    return {
        name: value
        for name, value in response.headers
        if name.startswith("Access-Control-") or name == "Vary"
    }


def preflight(client: FlaskClient, origin: str) -> TestResponse:
    """The request of a browser before a PATCH for a page of another origin."""
    headers = {"Origin": origin, "Access-Control-Request-Method": "PATCH"}
    return client.options("/livez", headers=headers)


def test_no_origin_is_let_in_by_default(app: Flask) -> None:
    client = app.test_client()

    assert not cors_headers(client.get("/livez", headers={"Origin": ORIGIN}))
    assert not cors_headers(preflight(client, ORIGIN))


def test_an_origin_that_is_set_is_let_in(settings: Settings) -> None:
    client = make(settings, cors_origins=(ORIGIN,))

    headers = cors_headers(client.get("/nowhere", headers={"Origin": ORIGIN}))
    assert headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "ETag" in headers["Access-Control-Expose-Headers"]
    assert headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in headers

    response = preflight(client, ORIGIN)
    headers = cors_headers(response)
    assert response.status_code == 204
    assert headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "PATCH" in headers["Access-Control-Allow-Methods"]
    for name in ("Content-Type", "If-Match", "Idempotency-Key", "X-Request-ID"):
        assert name in headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize("origin", [f"{ORIGIN}.evil.net", "http://app.example.com", "null"])
def test_other_origins_are_not_let_in(settings: Settings, origin: str) -> None:
    client = make(settings, cors_origins=(ORIGIN,))

    for response in (client.get("/livez", headers={"Origin": origin}), preflight(client, origin)):
        assert "Access-Control-Allow-Origin" not in response.headers
        assert response.headers["Vary"] == "Origin"


def test_an_ordinary_options_request_is_not_a_preflight(settings: Settings) -> None:
    response = make(settings, cors_origins=(ORIGIN,)).options("/livez")

    assert "GET" in response.headers["Allow"]
