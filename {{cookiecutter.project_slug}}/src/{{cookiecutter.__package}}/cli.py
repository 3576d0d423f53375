"""The commands of the service: `flask --app {{ cookiecutter.__package }} --help` lists them."""

import click
from flask import Flask
from flask.cli import with_appcontext

{% if cookiecutter.auth == "api_key" %}
from .auth.cli import keys
{% endif %}
from .database import db
from .database.cli import database_commands
{% if cookiecutter.background_jobs == "celery" %}
from .jobs.cli import make_commands
{% endif %}
from .settings import Settings
from .web.idempotency import purge_expired_keys


def init_app(app: Flask, settings: Settings) -> None:
    """Add the commands to the application."""
{% if cookiecutter.auth == "api_key" %}
    app.cli.add_command(keys)
{% endif %}
    app.cli.add_command(database_commands(settings))
{% if cookiecutter.background_jobs == "celery" %}
    app.cli.add_command(make_commands(settings))
{% endif %}
    app.cli.add_command(purge_idempotency_keys)


@click.command("purge-idempotency-keys")
@with_appcontext
def purge_idempotency_keys() -> None:
    """Delete the idempotency keys that are older than a day; run this daily."""
    session = db.session()
    purged = purge_expired_keys(session)
    session.commit()
    click.echo(f"{purged} keys purged.")
