from typing import Any

from flask.testing import FlaskClient

from ...support.problems import problem
from .factories import {{ cookiecutter.__class }}Factory

URL = "/api/v1/{{ cookiecutter.resource_plural }}"
ANY = {"If-Match": "*"}


def new_body(**changes: Any) -> dict[str, Any]:
    return {"code": "A-1001", "name": "a name", "price": "12.50", **changes}


def test_what_is_created_is_read_and_listed(client: FlaskClient) -> None:
    created = client.post(URL, json=new_body(available_at="2030-01-31T12:00:00Z"))

    assert created.status_code == 201
    read = client.get(created.headers["Location"])
    assert read.json == created.json
    assert client.get(URL).json == {"items": [created.json], "next": None}
    unchanged = {"If-None-Match": read.headers["ETag"]}
    assert client.get(created.headers["Location"], headers=unchanged).status_code == 304


def test_the_same_idempotency_key_creates_once(client: FlaskClient) -> None:
    key = {"Idempotency-Key": "key-1"}

    first = client.post(URL, json=new_body(), headers=key)
    second = client.post(URL, json=new_body(), headers=key)

    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json == first.json


def test_a_code_that_is_taken_is_a_conflict(client: FlaskClient) -> None:
    row = {{ cookiecutter.__class }}Factory.create()

    problem(client.post(URL, json=new_body(code=row.code)), 409)


def test_a_patch_changes_what_it_names(client: FlaskClient) -> None:
    row = {{ cookiecutter.__class }}Factory.create(name="before")
    url = f"{URL}/{row.id}"

    patched = client.patch(url, json={"status": "retired"}, headers=ANY)

    assert patched.json is not None
    assert (patched.json["name"], patched.json["status"]) == ("before", "retired")
    problem(client.patch(url, json={"name": "x"}, headers={"If-Match": '"1"'}), 412)


def test_what_is_deleted_is_gone(client: FlaskClient) -> None:
    row = {{ cookiecutter.__class }}Factory.create()
    url = f"{URL}/{row.id}"

    assert client.delete(url, headers=ANY).status_code == 204
    problem(client.get(url), 404)
    problem(client.patch(url, json={}, headers=ANY), 404)
