"""The commands for the schema: `flask --app {{ cookiecutter.__package }} db --help`.

Each imports Alembic itself: the service runs without it, and starts sooner.
"""

import click
from flask.cli import AppGroup

from ..base_settings import ServiceSettings


def database_commands(settings: ServiceSettings) -> AppGroup:
    """Return the group `db`."""
    group = AppGroup("db", help="The database's schema.")

    @group.command("upgrade")
    @click.argument("revision", default="head")
    def upgrade(revision: str) -> None:
        """Migrate forward, to the newest revision or the one given."""
        from alembic import command

        from .migrations import connected_config

        with connected_config(settings) as config:
            command.upgrade(config, revision)

    @group.command("downgrade")
    @click.argument("revision")
    def downgrade(revision: str) -> None:
        """Migrate back to the revision given; `base` empties the database."""
        from alembic import command

        from .migrations import connected_config

        with connected_config(settings) as config:
            command.downgrade(config, revision)

    @group.command("revision")
    @click.option("-m", "--message", required=True, help="What the migration does, in a few words.")
    def revision(message: str) -> None:
        """Write a migration from the difference between models and database."""
        from alembic import command

        from .migrations import connected_config, next_revision, skip_if_empty

        with connected_config(settings) as config:
            written = command.revision(
                config,
                message,
                autogenerate=True,
                rev_id=next_revision(),
                process_revision_directives=skip_if_empty,
            )
        if not written:
            click.echo("Models and database agree: there is nothing to migrate.")

    @group.command("check")
    def check() -> None:
        """Fail if the models and the migrations have drifted apart."""
        from alembic import command

        from .migrations import connected_config

        with connected_config(settings) as config:
            command.check(config)

    @group.command("current")
    def current() -> None:
        """Show the revision that the database is at."""
        from alembic import command

        from .migrations import connected_config

        with connected_config(settings) as config:
            command.current(config)

    @group.command("sql")
    @click.argument("revisions", default="head")
    def sql(revisions: str) -> None:
        """Print the SQL of the migrations; `0001:0002` for a part of them."""
        from alembic import command

        from .migrations import alembic_config

        command.upgrade(alembic_config(settings), revisions, sql=True)

    return group
