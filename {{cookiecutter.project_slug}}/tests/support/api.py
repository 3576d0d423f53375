"""The URLs of the probes, and bodies and errors of requests to them."""

from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

URL = "/api/v1/probes"
MISSING_URL = f"{URL}/00000000-0000-7000-8000-000000000000"
ANY = {"If-Match": "*"}


def new_body(**changes: Any) -> dict[str, Any]:
    """Return a valid body for a create, with these changes."""
    return {"code": "A-1001", "name": "a name", "price": "12.50", **changes}


def create(client: FlaskClient, **changes: Any) -> TestResponse:
    """Create a probe by a request, and fail unless the status is 201."""
    response = client.post(URL, json=new_body(**changes))
    assert response.status_code == 201, response.text
    return response


def errors_of(document: dict[str, Any]) -> dict[str, str]:
    """Return the detail of each error in a problem document, by its pointer or parameter."""
    details = {
        error.get("pointer") or error["parameter"]: error["detail"] for error in document["errors"]
    }
    assert len(details) == len(document["errors"])
    return details
