"""The service: `create_app` wires its parts together and reads as their table of contents."""

from flask import Flask

from . import (
{% if cookiecutter.auth == "api_key" %}
    api_keys,
{% endif %}
{% if cookiecutter.auth != "none" %}
    auth,
{% endif %}
    cli,
    docs_page,
    edges,
    health,
    logs,
    metrics,
{% if cookiecutter.auth == "oidc" %}
    oidc,
{% endif %}
    problems,
    resources,
)
from .database import db
{% if cookiecutter.database == "sqlite" %}
from .engine_sqlite import let_reads_share
{% endif %}
from .openapi import Service
from .settings import Settings, load_settings

__all__ = ["create_app"]


def create_app(settings: Settings | None = None) -> Flask:
    """Make an application; without `settings` they come from the environment and `.env`.

    May be called many times in one process and does not touch the database.
    """
    settings = settings or load_settings()
    app = Service(__name__, settings)
    db.init_app(app, settings)
{% if cookiecutter.database == "sqlite" %}
    let_reads_share(app)
{% endif %}
    edges.init_app(app, settings)
    metrics.init_app(app)
    logs.init_app(app, settings)
    problems.init_app(app)
{% if cookiecutter.auth == "api_key" %}
    auth.init_app(app, api_keys.authenticate)
{% elif cookiecutter.auth == "oidc" %}
    auth.init_app(app, oidc.authenticator(settings))
{% endif %}
    health.init_app(app)
    resources.init_app(app)
    cli.init_app(app, settings)
    app.serve_document()
    docs_page.init_app(app, app.api_doc["info"]["title"])
    return app
