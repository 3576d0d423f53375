"""Turns exceptions into problem documents, for the whole application.

The log says why: a code and the name of a constraint, never a value. The caller learns less.
"""

import logging
from http import HTTPStatus

from flask import Flask, Response, request
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException

from ..database import Base, db
from ..database.constraints import Violation, violated_columns
from ..database.engine import (
    cause_of,
    is_conflict,
    is_outage,
    is_retryable,
    is_statement_timeout,
    violation_of,
)
from .problems import RETRY_AFTER_SECONDS, problem, unavailable

log = logging.getLogger(__name__)


def init_app(app: Flask) -> None:
    """Respond to every error of the application with a problem document."""
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(StaleDataError, _stale_data)
    app.register_error_handler(DBAPIError, _database_error)
    app.register_error_handler(PoolTimeout, _pool_exhausted)


def _http_error(error: HTTPException) -> Response | HTTPException:
    if error.response is not None or error.code is None:
        return error  # the response is made already
    headers = Headers(error.get_headers())
    headers.remove("Content-Type")
    if error.code == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.setdefault("Retry-After", str(RETRY_AFTER_SECONDS))
    return problem(error.code, error.description or "", headers=headers)


def _stale_data(_error: StaleDataError) -> Response:
    _roll_back()
    return problem(HTTPStatus.PRECONDITION_FAILED, "Somebody else changed this in the meantime.")


def _database_error(error: DBAPIError) -> Response:
    """409 or 422 for a constraint, 503 for what may pass; anything else is a defect: 500."""
    _roll_back()
    if is_conflict(error):
        return _constraint_violated(violation_of(error), cause_of(error))
    if is_retryable(error) or is_statement_timeout(error):
        log.warning("A statement was cancelled: %s", cause_of(error))
        return unavailable("The service is busy.")
    if is_outage(error):
        log.error("The database cannot be used: %s", cause_of(error))
        return unavailable("The database cannot be reached.")
    raise error


def _constraint_violated(violation: Violation, cause: str) -> Response:
    """409 that names the member of the body, where the engine names it; 422 for a value.

    The database rejects a value that the validation of the request should have rejected: a warning.
    """
    name = violation.constraint or ", ".join(violation.columns) or "a constraint without a name"
    if violation.kind == "check":
        log.warning("%s rejected a value that validation accepted: %s", name, cause)
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "A rule of the database rejects a value.")
    log.info("%s rejected a change: %s", name, cause)
    if violation.kind == "reference" and request.method == "DELETE":
        return problem(HTTPStatus.CONFLICT, "Others refer to this, so it cannot be deleted.")
    body = request.get_json(silent=True)
    columns = violated_columns(violation, Base.metadata)
    members = [name for name in columns if isinstance(body, dict) and name in body]
    what = "refers to what does not exist" if violation.kind == "reference" else "is taken"
    return problem(
        HTTPStatus.CONFLICT,
        "The change conflicts with data that exists, or that it refers to.",
        errors=[{"pointer": f"#/{name}", "detail": what} for name in members],
    )


def _pool_exhausted(_error: PoolTimeout) -> Response:
    _roll_back()
    log.error(
        "No database connection became free in time: either there are more threads than"
        " connections, or a request took two; it may take one connection at most (docs/sessions.md)"
    )
    return unavailable("The service is busy.")


def _roll_back() -> None:
    """Make the session usable again; an unreachable server must not change the response."""
    try:
        db.session.rollback()
    except DBAPIError:
        log.warning("The rollback after an error failed", exc_info=True)
