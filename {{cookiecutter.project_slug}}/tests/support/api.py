"""Where the resource is, and what its create accepts."""

from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

URL = "/api/v1/{{ cookiecutter.resource_plural }}"
MISSING_URL = f"{URL}/00000000-0000-7000-8000-000000000000"
ANY = {"If-Match": "*"}


def new_body(**changes: Any) -> dict[str, Any]:
    """A body that a create accepts, with these changes."""
    return {"code": "A-1001", "name": "a name", "price": "12.50", **changes}


def create(client: FlaskClient, **changes: Any) -> TestResponse:
    """Create one by its route; fails unless it is made."""
    response = client.post(URL, json=new_body(**changes))
    assert response.status_code == 201, response.text
    return response


def errors_of(document: dict[str, Any]) -> dict[str, str]:
    """What a problem document says of each pointer or parameter."""
    found = {
        fault.get("pointer") or fault["parameter"]: fault["detail"] for fault in document["errors"]
    }
    assert len(found) == len(document["errors"])
    return found
