"""The service: `create_app` wires its parts together and reads as their table of contents."""

from collections.abc import Iterable

from flask import Flask
from flask_openapi import APIBlueprint

from . import cli
{% if cookiecutter.auth == "api_key" %}
from .auth import api_keys, guard
{% elif cookiecutter.auth == "oidc" %}
from .auth import guard, oidc
{% endif %}
from .database import db
{% if cookiecutter.database == "sqlite" %}
from .database.sqlite import begin_reads_deferred, begin_writes_immediately
{% endif %}
{% if cookiecutter.background_jobs == "celery" %}
from .jobs import celery_app
{% endif %}
from .observability import logs, metrics, tracing
from .resources import RESOURCES
from .settings import Settings
from .web import docs_page, error_handlers, health, openapi, security
from .web.about import INFO
from .web.app import ApiFlask

__all__ = ["create_app"]


def create_app(
    settings: Settings | None = None, *, resources: Iterable[APIBlueprint] = RESOURCES
) -> Flask:
    """Make an application; without `settings` they come from the environment and `.env`.

    `resources` are the routes that it serves; the kit's own tests give theirs. May be called many
    times in one process and does not touch the database.
    """
    settings = settings or Settings.load()
    app = ApiFlask(__name__, settings)
    db.init_app(app, settings)
{% if cookiecutter.database == "sqlite" %}
    begin_reads_deferred(app)
{% endif %}
    security.init_app(app, settings)
    metrics.init_app(app)
    logs.init_app(app, settings)
    tracing.init_app(app)
    error_handlers.init_app(app)
{% if cookiecutter.background_jobs == "celery" %}
    celery_app.init_app(app, settings)
{% endif %}
{% if cookiecutter.auth == "api_key" %}
    guard.init_app(app, api_keys.authenticate)
{% elif cookiecutter.auth == "oidc" %}
    guard.init_app(app, oidc.authenticator(settings))
{% endif %}
{% if cookiecutter.database == "sqlite" %}
    begin_writes_immediately(app)
{% endif %}
    health.init_app(app)
    for resource in resources:
        app.register_api(resource)
    cli.init_app(app, settings)
    openapi.serve_document(app)
    docs_page.init_app(app, INFO.title)
    return app
