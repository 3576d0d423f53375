"""The commands: `flask --app {{ cookiecutter.__package }} --help` lists them."""

import click
from alembic import command
from flask import Flask
from flask.cli import AppGroup, with_appcontext

{% if cookiecutter.auth == "api_key" %}
from .api_keys_cli import keys
{% endif %}
from .database import db
from .idempotency import forget_old_keys
{% if cookiecutter.background_jobs == "celery" %}
from .jobs_cli import make_commands
{% endif %}
from .migrations import alembic_config, connected_config, leave_out_if_empty, next_revision
from .settings import Settings


def init_app(app: Flask, settings: Settings) -> None:
    """Add the commands to the application."""
{% if cookiecutter.auth == "api_key" %}
    app.cli.add_command(keys)
{% endif %}
    app.cli.add_command(_database_commands(settings))
{% if cookiecutter.background_jobs == "celery" %}
    app.cli.add_command(make_commands(settings))
{% endif %}
    app.cli.add_command(forget_idempotency_keys)


@click.command("forget-idempotency-keys")
@with_appcontext
def forget_idempotency_keys() -> None:
    """Delete the idempotency keys that are older than a day; run it daily."""
    session = db.session()
    forgotten = forget_old_keys(session)
    session.commit()
    click.echo(f"{forgotten} keys forgotten.")


def _database_commands(settings: Settings) -> AppGroup:
    group = AppGroup("db", help="The database's schema.")

    @group.command("upgrade")
    @click.argument("revision", default="head")
    def upgrade(revision: str) -> None:
        """Migrate forward, to the newest revision or the one given."""
        with connected_config(settings) as config:
            command.upgrade(config, revision)

    @group.command("downgrade")
    @click.argument("revision")
    def downgrade(revision: str) -> None:
        """Migrate back to the revision given; `base` empties the database."""
        with connected_config(settings) as config:
            command.downgrade(config, revision)

    @group.command("revision")
    @click.option("-m", "--message", required=True, help="What the migration does, in a few words.")
    def revision(message: str) -> None:
        """Write a migration from the difference between models and database."""
        with connected_config(settings) as config:
            written = command.revision(
                config,
                message,
                autogenerate=True,
                rev_id=next_revision(),
                process_revision_directives=leave_out_if_empty,
            )
        if not written:
            click.echo("Models and database agree: there is nothing to migrate.")

    @group.command("check")
    def check() -> None:
        """Fail if the models and the migrations have drifted apart."""
        with connected_config(settings) as config:
            command.check(config)

    @group.command("current")
    def current() -> None:
        """Show the revision that the database is at."""
        with connected_config(settings) as config:
            command.current(config)

    @group.command("sql")
    @click.argument("revisions", default="head")
    def sql(revisions: str) -> None:
        """Print the SQL of the migrations; `0001:0002` for a part of them."""
        command.upgrade(alembic_config(settings), revisions, sql=True)

    return group
