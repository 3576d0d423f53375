"""Probes: `/livez` asks whether the process responds, `/readyz` whether it can serve.

Under gunicorn the management process serves both too (management.py), whatever the threads of the
workers wait for.
"""

import logging
import mmap
import struct
import time
from functools import cache

from flask import Blueprint, Flask, Response, jsonify
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from ..database import db
from ..database.engine import cause_of
from ..database.revisions import schema_status
from .problems import unavailable

log = logging.getLogger(__name__)

PROBES = frozenset({"/livez", "/readyz"})
MAX_HEARTBEAT_AGE_SECONDS = 5.0
"""A worker's main loop beats each second, whatever its threads do."""

STOPPING = "The service is stopping."
UNREACHABLE = "The database cannot be reached."

probes = Blueprint("_health", __name__)

# Memory that a server shares with the processes it forks: the first byte is not zero while the
# service drains, then comes when a worker was last known to be alive.
_shared = mmap.mmap(-1, 16)
_HEARTBEAT = struct.Struct("d")
_HEARTBEAT_OFFSET = 8


def start_draining() -> None:
    """Make `/readyz` of this process, and of those it forked, respond with 503."""
    _shared[0] = 1


def stop_draining() -> None:
    """Make `/readyz` respond as before."""
    _shared[0] = 0


def is_draining() -> bool:
    """Return whether the service is about to stop."""
    return _shared[0] != 0


def record_heartbeat() -> None:
    """Record that a worker is alive now."""
    _HEARTBEAT.pack_into(_shared, _HEARTBEAT_OFFSET, time.monotonic())


def is_a_worker_alive() -> bool:
    """Return whether a worker has recorded a heartbeat just now."""
    last: float
    (last,) = _HEARTBEAT.unpack_from(_shared, _HEARTBEAT_OFFSET)
    return last > 0 and time.monotonic() - last < MAX_HEARTBEAT_AGE_SECONDS


def init_app(app: Flask) -> None:
    """Add the probes; they need no credentials."""
    app.register_blueprint(probes)


@probes.get("/livez")
def live() -> Response:
    """The process responds; the database is not asked, or its outage would restart every worker."""
    return jsonify(status="alive")


@probes.get("/readyz")
def ready() -> Response:
    """The database responds, and its schema is at the revision of this code or ahead of it.

    Not while the service drains: it still serves, and a load balancer takes it out of its list.
    """
    if is_draining():
        return unavailable(STOPPING)
    try:
        reason = why_not_ready(db.session.connection())
    except SQLAlchemyError as error:
        reason = why_unreachable(error)
    return unavailable(reason) if reason else jsonify(status="ready")


def why_not_ready(connection: Connection) -> str | None:
    """Return why this code cannot serve from the database, None if it can."""
    schema = schema_status(connection)
    if not schema.ready:
        return schema.detail
    if schema.ahead:
        _log_ahead(schema.ahead)
    return None


def why_unreachable(error: SQLAlchemyError) -> str:
    """Log why the database cannot be asked, and return what the caller may know of it."""
    log.warning("Not ready, the database cannot be asked: %s", cause_of(error))
    return UNREACHABLE


@cache  # once is enough: probes come every second
def _log_ahead(revisions: object) -> None:
    log.info("The database schema is ahead of this code: %s", revisions)
