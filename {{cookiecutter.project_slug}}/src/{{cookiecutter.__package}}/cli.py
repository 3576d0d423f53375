"""The commands of the service.

`flask --app {{ cookiecutter.__package }} --help` lists them.
"""

from typing import Any

import click
from flask import Flask
from flask.cli import with_appcontext
from sqlalchemy import select

{% if cookiecutter.auth == "api_key" %}
from .auth.cli import keys
{% endif %}
from .database import Base, db
from .database.cli import database_commands, one_sentence
from .housekeeping import clean_up
{% if cookiecutter.background_jobs == "celery" %}
from .jobs.cli import jobs
{% endif %}
from .settings import Settings


def init_app(app: Flask, settings: Settings) -> None:
    """Add the commands to the application, and the names that its shell knows."""
    app.shell_context_processor(shell_names)
{% if cookiecutter.auth == "api_key" %}
    app.cli.add_command(keys)
{% endif %}
    app.cli.add_command(database_commands(settings))
{% if cookiecutter.background_jobs == "celery" %}
    app.cli.add_command(jobs)
{% endif %}
    app.cli.add_command(housekeeping)


@click.command()
@with_appcontext
def housekeeping() -> None:
    """Delete what is no longer needed, such as expired idempotency keys; run it daily."""
    with one_sentence():
        click.echo(clean_up(db.session()))


def shell_names() -> dict[str, Any]:
    """Return what `flask shell` knows beside `app`: `db`, `select`, and each model by its name."""
    models = {mapper.class_.__name__: mapper.class_ for mapper in Base.registry.mappers}
    return {**models, "db": db, "select": select}
