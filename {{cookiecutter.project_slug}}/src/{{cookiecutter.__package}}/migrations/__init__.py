"""The schema's history: Alembic, with an environment of our own that locks before it looks."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from alembic.config import Config
from alembic.operations.ops import MigrationScript
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, make_url

from ..engine_{{ cookiecutter.database }} import make_migration_engine
from ..settings import Settings

FOLDER = Path(__file__).parent


def alembic_config(settings: Settings, connection: Connection | None = None) -> Config:
    """Alembic's configuration; without a connection it can only write SQL scripts."""
    config = Config(stdout=sys.stdout)  # the default is what it was when Alembic was imported
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.attributes["connection"] = connection
    config.attributes["dialect"] = (
        make_url(settings.database_url.get_secret_value()).get_dialect().name
    )
    return config


@contextmanager
def connected_config(settings: Settings) -> Iterator[Config]:
    """Alembic's configuration on a connection of its own, in one transaction."""
    engine = make_migration_engine(settings)
    with engine.begin() as connection:
        yield alembic_config(settings, connection)


@cache
def expected_revision() -> str | None:
    """The newest revision that this code knows. Raises CommandError if there is more than one."""
    return ScriptDirectory(FOLDER).get_current_head()


def present_revision(connection: Connection) -> str | None:
    """The revision that the database is at, or None when it was never migrated."""
    return MigrationContext.configure(connection).get_current_revision()


def next_revision() -> str:
    """The number after the greatest: `0002` after `0001`; names that are no number do not count."""
    names = (script.revision for script in ScriptDirectory(FOLDER).walk_revisions())
    return f"{max((int(name) for name in names if name.isdigit()), default=0) + 1:04d}"


def leave_out_if_empty(
    _context: MigrationContext, _revision: object, scripts: list[MigrationScript]
) -> None:
    """Write no migration that does nothing; for `alembic.command.revision`."""
    operations = scripts[0].upgrade_ops
    if operations is None or operations.is_empty():
        scripts.clear()
