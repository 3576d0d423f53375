"""Probes: `/livez` asks whether the process answers, `/readyz` whether it can serve."""

import mmap
from functools import cache

from flask import Blueprint, Flask, Response, current_app, jsonify
from sqlalchemy.exc import SQLAlchemyError

from ..database import db
from ..database.revisions import SchemaStatus, schema_status
from .problems import unavailable

PROBES = frozenset({"/livez", "/readyz"})

probes = Blueprint("_health", __name__)

# One byte that a server shares with the workers it forks: not zero while the service drains.
_draining = mmap.mmap(-1, 1)


def start_draining() -> None:
    """Let `/readyz` of this process, and of those it forked, answer that it serves no longer."""
    _draining[0] = 1


def stop_draining() -> None:
    """Let `/readyz` answer as before."""
    _draining[0] = 0


def is_draining() -> bool:
    """Whether the service is about to stop."""
    return _draining[0] != 0


def init_app(app: Flask) -> None:
    """Add the probes; they need no credentials."""
    app.register_blueprint(probes)


@probes.get("/livez")
def live() -> Response:
    """The process answers; the database is not asked, or its outage would restart every worker."""
    return jsonify(status="alive")


@probes.get("/readyz")
def ready() -> Response:
    """The database answers, and its schema is at the revision of this code or ahead of it.

    Not while the service drains: it still serves, and a load balancer takes it out of its list.
    """
    if is_draining():
        return unavailable("The service is stopping.")
    try:
        schema = schema_status(db.session.connection())
    except SQLAlchemyError as error:
        current_app.logger.warning(
            "Not ready, the database cannot be asked: %s", type(error).__name__
        )
        return unavailable("The database cannot be reached.")
    if not schema.ready:
        return unavailable(schema.detail)
    if schema.ahead:
        _log_ahead(schema)
    return jsonify(status="ready")


@cache  # once is enough: probes come every second
def _log_ahead(schema: SchemaStatus) -> None:
    current_app.logger.info("The database schema is ahead of this code: %s", schema.ahead)
