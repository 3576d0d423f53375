"""The ids that tie together a request's answer, log lines, problem documents and traces."""

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


def identify(environ: "WSGIEnvironment") -> Identity:
    """The identity of the request with this environment, made when it is first asked for.

    It is kept in the environment, which belongs to this request and no other.
    """
    known: Identity | None = environ.get(KEY)
    if known is None:
        given = environ.get("HTTP_X_REQUEST_ID", "")
        known = environ[KEY] = Identity(
            given if WELL_FORMED.fullmatch(given) else str(uuid_utils.uuid7()),
            _trace_id(environ.get("HTTP_TRACEPARENT", "")),
            perf_counter(),
        )
    return known


def identity() -> Identity:
    """The current request's identity."""
    return identify(request.environ)


def request_id() -> str:
    """The current request's id: the caller's when it is well formed, else a new one."""
    return identity().request_id


def _trace_id(traceparent: str) -> str:
    found = TRACEPARENT.fullmatch(traceparent)
    return found["trace"] if found else os.urandom(16).hex()
