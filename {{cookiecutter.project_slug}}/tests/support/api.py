"""Where the probes are, and what their create accepts."""

from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

URL = "/api/v1/probes"
MISSING_URL = f"{URL}/00000000-0000-7000-8000-000000000000"
ANY = {"If-Match": "*"}


def new_body(**changes: Any) -> dict[str, Any]:
    """Return a body that a create accepts, with these changes."""
    return {"code": "A-1001", "name": "a name", "price": "12.50", **changes}


def create(client: FlaskClient, **changes: Any) -> TestResponse:
    """Create one by its route; fails unless it is made."""
    response = client.post(URL, json=new_body(**changes))
    assert response.status_code == 201, response.text
    return response


def errors_of(document: dict[str, Any]) -> dict[str, str]:
    """Return the detail of a problem document for each pointer or parameter."""
    found = {
        error.get("pointer") or error["parameter"]: error["detail"] for error in document["errors"]
    }
    assert len(found) == len(document["errors"])
    return found
