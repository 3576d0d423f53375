"""The id that ties a request's answer, log lines and problem documents together."""

import re

from flask import Flask, Response, request

from .column_types import new_id

HEADER = "X-Request-ID"
WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,128}")


def request_id() -> str:
    """The current request's id: the caller's when it is well formed, else a new one.

    It is kept in the WSGI environment, which belongs to this request and no other.
    """
    known = request.environ.get("service.request_id")
    if known is None:
        given = request.headers.get(HEADER, "")
        known = given if WELL_FORMED.fullmatch(given) else str(new_id())
        request.environ["service.request_id"] = known
    return str(known)


def init_app(app: Flask) -> None:
    """Return the id with every answer."""

    @app.after_request
    def add_header(response: Response) -> Response:
        response.headers[HEADER] = request_id()
        return response
