"""The ids that tie together a request's response, log lines, problem documents and traces."""

import os
import re
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

import uuid_utils
from flask import request

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

HEADER = "X-Request-ID"
WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,128}")

# https://www.w3.org/TR/trace-context/: version, trace, parent, flags. An id of zeros is invalid, so
# is version ff, and only versions after 00 may have more parts.
TRACEPARENT = re.compile(
    r"(?:(00)|(?!00|ff)[0-9a-f]{2})-(?!0{32})(?P<trace>[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}"
    r"-[0-9a-f]{2}(?(1)|(?:-.*)?)"
)
KEY = "service.request_ids"


class RequestIds(NamedTuple):
    """The ids of a request, and when it began, in seconds of `time.perf_counter`."""

    request_id: str
    trace_id: str
    began: float


def request_ids_of(environ: "WSGIEnvironment") -> RequestIds:
    """Return the ids of the request with this environment, made when they are first asked for.

    They are kept in the environment, which belongs to this request alone.
    """
    ids: RequestIds | None = environ.get(KEY)
    if ids is None:
        given = environ.get("HTTP_X_REQUEST_ID", "")
        ids = environ[KEY] = RequestIds(
            given if WELL_FORMED.fullmatch(given) else str(uuid_utils.uuid7()),
            _trace_id(environ.get("HTTP_TRACEPARENT", "")),
            perf_counter(),
        )
    return ids


def current_request_ids() -> RequestIds:
    """Return the ids of the current request."""
    return request_ids_of(request.environ)


def request_id() -> str:
    """Return the current request's id: the caller's when it is well formed, else a new one."""
    return current_request_ids().request_id


def _trace_id(traceparent: str) -> str:
    match = TRACEPARENT.fullmatch(traceparent)
    return match["trace"] if match else os.urandom(16).hex()
