"""Every error answer is a problem document (RFC 9457), the database's errors included.

docs/problems.md explains each `type`. No document holds an exception's text or SQL.
"""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, current_app, json, request
from pydantic import BaseModel, Field
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.exceptions import HTTPException

from .database import db
from .request_ids import request_id

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 1


class Fault(BaseModel):
    """One thing that is wrong with a request, and where."""

    pointer: str | None = Field(default=None, description="JSON pointer into the body (RFC 6901)")
    parameter: str | None = Field(default=None, description="name of a query parameter or header")
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
    errors: list[Fault] | None = Field(
        default=None, description="every fault found by a validation"
    )


def problem(
    status: HTTPStatus,
    detail: str,
    *,
    errors: Iterable[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer for one problem; `detail` must hold nothing that the caller may not see."""
    document: dict[str, Any] = {
        "type": f"/problems/{status.phrase.lower().replace(' ', '-')}",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "instance": request.path,
        "request_id": request_id(),
    }
    if faults := list(errors):
        document["errors"] = faults
    return Response(json.dumps(document), status, headers, content_type=MEDIA_TYPE)


def unavailable(detail: str) -> Response:
    """The answer when the service cannot work just now; the caller may try again."""
    retry = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=retry)


def init_app(app: Flask) -> None:
    """Answer every error of the whole application with a problem document."""
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(IntegrityError, _integrity_error)
    app.register_error_handler(StaleDataError, _stale_data)
    app.register_error_handler(DBAPIError, _database_error)
    app.register_error_handler(PoolTimeout, _pool_exhausted)


def _http_error(error: HTTPException) -> Response | HTTPException:
    if error.response is not None or error.code is None or error.code < 400:
        return error  # made by `abort(response)`, or a redirect: it is an answer already
    kept = {name: value for name, value in error.get_headers() if name.lower() != "content-type"}
    return problem(HTTPStatus(error.code), error.description or "", headers=kept)


def _integrity_error(_error: IntegrityError) -> Response:
    db.session.rollback()
    return problem(
        HTTPStatus.CONFLICT, "The change conflicts with data that exists, or that it refers to."
    )


def _stale_data(_error: StaleDataError) -> Response:
    db.session.rollback()
    return problem(HTTPStatus.PRECONDITION_FAILED, "Somebody else changed this in the meantime.")


def _database_error(error: DBAPIError) -> Response:
    """503 when the database is away; anything else is a defect of ours and answered as one.

    An error without a statement came up while connecting.
    """
    db.session.rollback()
    if error.connection_invalidated or error.statement is None:
        current_app.logger.error("The database is away: %s", type(error.orig).__name__)
        return unavailable("The database cannot be reached.")
    raise error


def _pool_exhausted(_error: PoolTimeout) -> Response:
    db.session.rollback()
    current_app.logger.error("No database connection became free in time")
    return unavailable("The service is busy.")
