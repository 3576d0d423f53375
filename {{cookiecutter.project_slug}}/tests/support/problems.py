"""A check that holds for every problem document."""

from typing import Any
from urllib.parse import quote

from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.test import TestResponse

from {{ cookiecutter.__package }}.web.problems import TITLES

NAMES_REFERENCES = {{ cookiecutter.database != "sqlite" }}
"""True if the engine says which reference is wrong."""

MEMBERS = {"type", "title", "status", "detail", "instance", "request_id"}


def problem(response: TestResponse, status: int) -> dict[str, Any]:
    """Assert that the response is a complete problem document with this status, and return it."""
    body = response.get_data(as_text=True)
    assert response.status_code == status, f"{response.status}: {body}"
    assert response.content_type == "application/problem+json", body
    document: dict[str, Any] = response.get_json(force=True)
    assert document.keys() - {"errors"} == MEMBERS
    title = TITLES.get(status)
    kind = f"/problems/{title.lower().replace(' ', '-')}" if title else "about:blank"
    assert document["title"] == (title or HTTP_STATUS_CODES.get(status, "Unknown"))
    assert document["type"] == kind
    assert document["status"] == status
    assert document["instance"] == quote(response.request.path)
    assert document["request_id"] == response.headers["X-Request-ID"]
    for error in document.get("errors", []):
        assert error["detail"]
        assert error.keys() - {"detail"} in ({"pointer"}, {"parameter"})
    return document


def assert_conflict(response: TestResponse, member: str, *, is_reference: bool = False) -> None:
    """Assert that it is a 409 that names the member; not every engine says which reference."""
    document = problem(response, 409)
    named = [error["pointer"] for error in document.get("errors", [])]
    assert named == ([] if is_reference and not NAMES_REFERENCES else [f"#/{member}"])
