"""Turns exceptions into problem documents, for the whole application."""

from http import HTTPStatus

from flask import Flask, Response, current_app, request
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException

from ..database import Base, db
from ..database.constraints import Violation, violated_columns
from ..database.engine import is_conflict, is_retryable, is_statement_timeout, violation_of
from .problems import RETRY_AFTER_SECONDS, problem, unavailable


def init_app(app: Flask) -> None:
    """Answer every error of the application with a problem document."""
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
    """409 for a constraint, 503 for what may pass; anything else is a defect: 500.

    An error without a statement comes from connecting.
    """
    _roll_back()
    if is_conflict(error):
        return _constraint_violated(violation_of(error))
    if is_retryable(error) or is_statement_timeout(error):
        current_app.logger.warning("A statement was given up: %s", type(error.orig).__name__)
        return unavailable("The service is busy.")
    if error.connection_invalidated or error.statement is None:
        current_app.logger.error("The database is unreachable: %s", type(error.orig).__name__)
        return unavailable("The database cannot be reached.")
    raise error


def _constraint_violated(violation: Violation) -> Response:
    """409 that names the member of the body, where the engine tells it; 422 for a CHECK.

    A CHECK rejects what the validation of the request should have rejected, so it is logged.
    """
    if violation.kind == "check":
        current_app.logger.warning(
            "The constraint %s rejected a value that validation accepted", violation.constraint
        )
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "A rule of the database rejects a value.")
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
    current_app.logger.error(
        "No database connection became free in time: either there are more threads than"
        " connections, or a request took two; it may take one connection at most (docs/sessions.md)"
    )
    return unavailable("The service is busy.")


def _roll_back() -> None:
    """Make the session usable again; an unreachable server must not change the response."""
    try:
        db.session.rollback()
    except DBAPIError:
        current_app.logger.warning("The rollback after an error failed", exc_info=True)
