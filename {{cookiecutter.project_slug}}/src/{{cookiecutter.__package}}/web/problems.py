"""Problem documents (RFC 9457), the body of every error response.

docs/problems.md explains each `type`. No document holds an exception's text or SQL.
"""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from flask import Response, json, request
from pydantic import MISSING, BaseModel, Field
from werkzeug.datastructures import Headers
from werkzeug.http import HTTP_STATUS_CODES

from ..observability.request_ids import request_id

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 1

TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    412: "Precondition Failed",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    428: "Precondition Required",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
"""The kinds of problems, which docs/problems.md explains; Python renames a phrase at times."""


class ErrorItem(BaseModel):
    """One error of a request, and where it is."""

    pointer: str | MISSING = Field(
        default=MISSING, description="JSON pointer into the body, as a URI fragment (RFC 6901)"
    )
    parameter: str | MISSING = Field(
        default=MISSING, description="name of a parameter in the query, path or headers"
    )
    detail: str


class Problem(BaseModel):
    """An error, for a program and for a person (RFC 9457)."""

    type: str = Field(
        description="URI reference of the kind of problem", examples=["/problems/conflict"]
    )
    title: str
    status: int
    detail: str
    instance: str = Field(description="path of the request")
    request_id: str = Field(description="also in the X-Request-ID header and in the log")
    errors: list[ErrorItem] | MISSING = Field(
        default=MISSING, description="the errors found by a validation, at most the first 100"
    )


def problem(
    status: int,
    detail: str,
    *,
    errors: Iterable[Mapping[str, str]] = (),
    headers: Headers | Mapping[str, str] | None = None,
) -> Response:
    """Return the response for one problem; `detail` holds nothing that the caller may not see."""
    document: dict[str, Any] = {
        "type": problem_type(status),
        "title": title_of(status),
        "status": int(status),
        "detail": detail,
        "instance": quote(request.script_root + request.path),
        "request_id": request_id(),
    }
    if items := list(errors):
        document["errors"] = items
    return Response(json.dumps(document), status, headers, content_type=MEDIA_TYPE)


def title_of(status: int) -> str:
    """Return the title of a status, whether or not it is a kind of problem."""
    return TITLES.get(status) or HTTP_STATUS_CODES.get(status, "Unknown")


def problem_type(status: int) -> str:
    """Return the URI reference of a kind of problem; `about:blank` says as much as the status."""
    title = TITLES.get(status)
    return f"/problems/{title.lower().replace(' ', '-')}" if title else "about:blank"


def problem_responses(*statuses: int) -> dict[str | int | HTTPStatus, Any]:
    """Return the entries of these problems among the documented responses of an operation."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        str(status): {"description": title_of(status), "content": content} for status in statuses
    }


def unavailable(detail: str) -> Response:
    """Return the response when the service cannot work just now; the caller may retry."""
    retry = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=retry)
