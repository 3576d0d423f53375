"""Bodies that cannot be read, and errors that are too many or too long to be listed."""

import io
from typing import Any

import pytest
from flask import Flask, Response, jsonify
from flask.testing import FlaskClient
from pydantic import BaseModel

from {{ cookiecutter.__package }}.base_settings import ServiceSettings, current_settings
from {{ cookiecutter.__package }}.settings import Settings
from {{ cookiecutter.__package }}.web.blueprints import resource_blueprint
from {{ cookiecutter.__package }}.web.validation import MAX_ERRORS, read_body

from ..support.api import URL
from ..support.applications import new_app
from ..support.problems import problem

MAX_RESPONSE_BYTES = 64 * 1024


class BrokenStream(io.RawIOBase):
    """A body that the server cannot read; each server has errors of its own."""

    def readinto(self, buffer: Any) -> int:
        raise RuntimeError("badly chunked")


def test_a_compressed_body_is_rejected(client: FlaskClient) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}

    problem(client.post(URL, data=b"\x1f\x8b", headers=headers), 415)


@pytest.mark.parametrize(
    ("stream", "terminated"),
    [(io.BytesIO(b"{}"), False), (io.BytesIO(b"{}"), True), (BrokenStream(), True)],
)
def test_a_body_that_is_cut_off_is_rejected(
    client: FlaskClient, stream: io.IOBase, terminated: bool
) -> None:
    response = client.post(
        URL,
        content_type="application/json",
        environ_overrides={
            "CONTENT_LENGTH": "10",
            "wsgi.input": stream,
            "wsgi.input_terminated": terminated,
        },
    )

    problem(response, 400)


@pytest.mark.parametrize("rest", ["x", "ü" * 300])
def test_of_many_unknown_members_the_first_are_listed(client: FlaskClient, rest: str) -> None:
    body: dict[str, Any] = {f"{number:04d}{rest}": 1 for number in range(300)}

    response = client.post(URL, json=body)

    errors = problem(response, 422)["errors"]
    assert 0 < len(errors) <= MAX_ERRORS
    assert (len(errors) == MAX_ERRORS) == (rest == "x")
    assert {error["detail"] for error in errors} == {"is unknown"}
    assert len(response.data) <= MAX_RESPONSE_BYTES


@pytest.mark.parametrize(
    ("prefix", "expected"), [("/shop", "/shop"), ("/shop/", "/shop"), ("//evil.example", "")]
)
def test_paths_have_the_prefix_of_a_trusted_proxy(
    settings: Settings, prefix: str, expected: str
) -> None:
    app = new_app(settings.model_copy(update={"trusted_proxies": 1}))

    response = app.test_client().get("/nothing", headers={"X-Forwarded-Prefix": prefix})

    assert response.get_json()["instance"] == f"{expected}/nothing"


def test_settings_of_another_class_are_an_error(app: Flask) -> None:
    class Other(ServiceSettings):
        pass

    with app.app_context():
        assert current_settings().environment == "test"
        with pytest.raises(TypeError, match="not Other"):
            current_settings(Other)


class Lenient(BaseModel):
    """A body that may have members which nobody knows."""

    number: int


def test_a_model_that_allows_unknown_members_allows_many(settings: Settings) -> None:
    api = resource_blueprint("lenient")

    @api.post("")
    def create(body: Lenient) -> Response:
        return jsonify(number=body.number)

    client = new_app(settings, resources=[api]).test_client()
    unknown = {f"member{number}": 1 for number in range(MAX_ERRORS + 2)}

    accepted = client.post("/api/v1/lenient", json={"number": 7, **unknown})
    rejected = client.post("/api/v1/lenient", json={"number": "x", **unknown})

    assert (accepted.status_code, accepted.json) == (200, {"number": 7})
    [error] = problem(rejected, 422)["errors"]
    assert error["pointer"] == "#/number"


def test_a_body_of_any_media_type_is_read_within_the_limit(settings: Settings) -> None:
    api = resource_blueprint("files")

    @api.put("")
    def put() -> Response:
        return jsonify(length=len(read_body()))

    client = new_app(settings, resources=[api]).test_client()
    limit = settings.max_body_bytes
    accepted, rejected = (
        client.put("/api/v1/files", data=bytes(length), content_type="application/pdf")
        for length in (limit, limit + 1)
    )

    assert (accepted.status_code, accepted.json) == (200, {"length": limit})
    problem(rejected, 413)
