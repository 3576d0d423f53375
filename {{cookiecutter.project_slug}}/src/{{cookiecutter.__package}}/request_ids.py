"""The ids that tie together a request's answer, log lines, problem documents and traces."""

import os
import re
from time import perf_counter
from typing import NamedTuple

import uuid_utils
from flask import Flask, Response, request

HEADER = "X-Request-ID"
WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,128}")

# https://www.w3.org/TR/trace-context/: version, trace, parent, flags. Zeros are no ids, there is no
# version ff, and only versions after 00 may say more.
TRACEPARENT = re.compile(
    r"(?:(00)|(?!00|ff)[0-9a-f]{2})-(?!0{32})(?P<trace>[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}"
    r"-[0-9a-f]{2}(?(1)|(?:-.*)?)"
)
KEY = "service.identity"


class Identity(NamedTuple):
    """What a request is known by, and when it began, in seconds of `time.perf_counter`."""

    request_id: str
    trace_id: str
    began: float


def identity() -> Identity:
    """The current request's identity, made when it is first asked for.

    It is kept in the WSGI environment, which belongs to this request and no other.
    """
    environ = request.environ
    known: Identity | None = environ.get(KEY)
    if known is None:
        given = environ.get("HTTP_X_REQUEST_ID", "")
        known = environ[KEY] = Identity(
            given if WELL_FORMED.fullmatch(given) else str(uuid_utils.uuid7()),
            _trace_id(environ.get("HTTP_TRACEPARENT", "")),
            perf_counter(),
        )
    return known


def request_id() -> str:
    """The current request's id: the caller's when it is well formed, else a new one."""
    return identity().request_id


def _trace_id(traceparent: str) -> str:
    found = TRACEPARENT.fullmatch(traceparent)
    return found["trace"] if found else os.urandom(16).hex()


def init_app(app: Flask) -> None:
    """Give each request its identity as soon as it begins, and return the id with the answer."""

    @app.before_request
    def begin() -> None:
        identity()

    @app.after_request
    def add_header(response: Response) -> Response:
        response.headers[HEADER] = request_id()
        return response
