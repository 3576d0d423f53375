"""Every error answer is a problem document (RFC 9457), the database's errors included.

docs/problems.md explains each `type`. No document holds an exception's text or SQL.
"""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, current_app, json, request
from pydantic import MISSING, BaseModel, Field
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from .database import db
from .engine_{{ cookiecutter.database }} import is_conflict, is_transient, ran_out_of_time
from .request_ids import request_id

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


class Fault(BaseModel):
    """One thing that is wrong with a request, and where."""

    pointer: str | MISSING = Field(
        default=MISSING, description="JSON pointer into the body, as a URI fragment (RFC 6901)"
    )
    parameter: str | MISSING = Field(
        default=MISSING, description="name of a parameter in the query, path or headers"
    )
    detail: str


class Problem(BaseModel):
    """What went wrong, for a program and for a person (RFC 9457)."""

    type: str = Field(
        description="URI reference of the kind of problem", examples=["/problems/conflict"]
    )
    title: str
    status: int
    detail: str
    instance: str = Field(description="path of the request")
    request_id: str = Field(description="also in the X-Request-ID header and in the log")
    errors: list[Fault] | MISSING = Field(
        default=MISSING, description="every fault found by a validation"
    )


def problem(
    status: int,
    detail: str,
    *,
    errors: Iterable[Mapping[str, str]] = (),
    headers: Headers | Mapping[str, str] | None = None,
) -> Response:
    """The answer for one problem; `detail` must hold nothing that the caller may not see."""
    document: dict[str, Any] = {
        "type": problem_type(status),
        "title": TITLES.get(status) or HTTP_STATUS_CODES.get(status, "Unknown"),
        "status": int(status),
        "detail": detail,
        "instance": quote(request.path),
        "request_id": request_id(),
    }
    if faults := list(errors):
        document["errors"] = faults
    return Response(json.dumps(document), status, headers, content_type=MEDIA_TYPE)


def problem_type(status: int) -> str:
    """The URI reference of a kind of problem; `about:blank` says no more than the status does."""
    title = TITLES.get(status)
    return f"/problems/{title.lower().replace(' ', '-')}" if title else "about:blank"


def unavailable(detail: str) -> Response:
    """The answer when the service cannot work just now; the caller may try again."""
    retry = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=retry)


def init_app(app: Flask) -> None:
    """Answer every error of the whole application with a problem document."""
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(StaleDataError, _stale_data)
    app.register_error_handler(DBAPIError, _database_error)
    app.register_error_handler(PoolTimeout, _pool_exhausted)


def _http_error(error: HTTPException) -> Response | HTTPException:
    if error.response is not None or error.code is None:
        return error  # whoever raised it has made the answer already
    kept = Headers(error.get_headers())
    kept.remove("Content-Type")
    if error.code == HTTPStatus.SERVICE_UNAVAILABLE:
        kept.setdefault("Retry-After", str(RETRY_AFTER_SECONDS))
    return problem(error.code, error.description or "", headers=kept)


def _stale_data(_error: StaleDataError) -> Response:
    _roll_back()
    return problem(HTTPStatus.PRECONDITION_FAILED, "Somebody else changed this in the meantime.")


def _database_error(error: DBAPIError) -> Response:
    """409 for a constraint, 503 for what may pass; the rest is a defect, and answered as one.

    An error without a statement came up while connecting.
    """
    _roll_back()
    if is_conflict(error):
        return problem(
            HTTPStatus.CONFLICT, "The change conflicts with data that exists, or that it refers to."
        )
    if is_transient(error) or ran_out_of_time(error):
        current_app.logger.warning("A statement was given up: %s", type(error.orig).__name__)
        return unavailable("The service is busy.")
    if error.connection_invalidated or error.statement is None:
        current_app.logger.error("The database is away: %s", type(error.orig).__name__)
        return unavailable("The database cannot be reached.")
    raise error


def _pool_exhausted(_error: PoolTimeout) -> Response:
    _roll_back()
    current_app.logger.error(
        "No database connection became free in time: either there are more threads than"
        " connections, or a request took two; it may take one connection at most (docs/sessions.md)"
    )
    return unavailable("The service is busy.")


def _roll_back() -> None:
    """Make the session usable again; a server that is gone must not change the answer."""
    try:
        db.session.rollback()
    except DBAPIError:
        current_app.logger.warning("The rollback after an error failed", exc_info=True)
