"""The commands for the schema: `flask --app {{ cookiecutter.__package }} db --help`.

Each imports Alembic itself: the service runs without it, and starts sooner.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy.exc import DBAPIError

from ..base_settings import ServiceSettings
from .revisions import MigrationError

AGREE = "Models and database agree: there is nothing to migrate."
DIFFER = 'Models and database differ; `make migration m="..."` writes what is missing:'

# Alembic logs each plug-in and each difference; the commands say what they found themselves.
QUIET_LOGGERS = ("alembic.runtime.plugins", "alembic.autogenerate", "alembic.ddl")


class CommandGroup(AppGroup):
    """Commands that end with one sentence if the database cannot do what they ask."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command of the group."""
        with one_sentence():
            return super().invoke(ctx)


def database_commands(settings: ServiceSettings) -> CommandGroup:
    """Return the group `db`."""
    group = CommandGroup("db", help="The database's schema.")
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)

    @group.command("upgrade")
    @click.argument("revision", default="head")
    def upgrade(revision: str) -> None:
        """Migrate forward, to the newest revision or the one given."""
        from . import migrations

        for line in migrations.upgrade(settings, revision):
            click.echo(line)

    @group.command("downgrade", context_settings={"ignore_unknown_options": True})
    @click.argument("revision")
    def downgrade(revision: str) -> None:
        """Migrate back to the revision given; -1 goes one back, `base` empties the database."""
        from . import migrations

        migrations.downgrade(settings, revision)

    @group.command("revision")
    @click.option("-m", "--message", required=True, help="What the migration does, in a few words.")
    @click.option("--rename", default="", help="orders.old:new for a column, orders:purchases.")
    @click.option("--default", default="", help="orders.status:draft for rows that exist.")
    @click.option("--drop", default="", help="orders.old, which goes and is not renamed.")
    @click.option("--empty", is_flag=True, help="Compare nothing: you write it.")
    def revision(message: str, rename: str, default: str, drop: str, *, empty: bool) -> None:
        """Write a migration from the difference between models and database."""
        from . import authoring
        from .writer import Wishes

        wishes = Wishes.parse(rename, default, drop)
        written = authoring.write_migration(settings, message, wishes, empty=empty)
        for note in written.notes:
            click.echo(note)
        if written.path is None:
            click.echo(AGREE)

    @group.command("merge")
    @click.option("-m", "--message", default="Merge branches", help="What the branches did.")
    def merge(message: str) -> None:
        """Write the migration that joins the newest revisions of two branches."""
        from . import authoring

        authoring.merge(settings, message)

    @group.command("check")
    def check() -> None:
        """Fail if the models and the migrations have drifted apart."""
        from . import authoring

        differences = authoring.check(settings)
        for name in differences.not_compared:
            click.echo(f"Not compared: {name}.")
        if differences.found:
            raise click.ClickException("\n".join([DIFFER, *differences.found]))
        click.echo(AGREE)

    @group.command("current")
    def current() -> None:
        """Show the revision that the database is at."""
        from . import migrations

        click.echo(migrations.current(settings))

    @group.command("sql")
    @click.argument("revisions", default="head")
    def sql(revisions: str) -> None:
        """Print the SQL of the migrations; `0001:0002_3f9c1a2b` for a part of them."""
        from . import migrations

        with _without_progress():
            migrations.print_sql(settings, revisions)

    return group


@contextmanager
def _without_progress() -> Iterator[None]:
    """Log no migration as run: its SQL is only printed."""
    progress = logging.getLogger("alembic.runtime.migration")
    level = progress.level
    progress.setLevel(logging.WARNING)
    try:
        yield
    finally:
        progress.setLevel(level)


@contextmanager
def one_sentence() -> Iterator[None]:
    """End a command with the message of the database's error, without a traceback."""
    try:
        yield
    except MigrationError as error:
        raise click.ClickException(str(error)) from error
    except DBAPIError as error:
        from .statement_errors import reason_without_values

        reason = reason_without_values(error)
        raise click.ClickException(f"The database reports: {reason}.") from error
