"""Probes: `/livez` asks whether the process answers, `/readyz` whether it can serve."""

from flask import Blueprint, Flask, Response, current_app, jsonify
from sqlalchemy.exc import SQLAlchemyError

from .database import db
from .migrations import expected_revision, present_revision
from .problems import unavailable

probes = Blueprint("health", __name__)


def init_app(app: Flask) -> None:
    """Add the probes; they need no credentials."""
    app.register_blueprint(probes)


@probes.get("/livez")
def live() -> Response:
    """The process answers; the database is not asked, or its outage would restart every worker."""
    return jsonify(status="alive")


@probes.get("/readyz")
def ready() -> Response:
    """The database answers and its schema is the one that this code was written for."""
    try:
        present = present_revision(db.session.connection())
    except SQLAlchemyError as error:
        current_app.logger.warning(
            "Not ready, the database cannot be asked: %s", type(error).__name__
        )
        return unavailable("The database cannot be reached.")
    if present != expected_revision():
        return unavailable(
            "The database schema is not at the revision of this service; migrate it."
        )
    return jsonify(status="ready")
