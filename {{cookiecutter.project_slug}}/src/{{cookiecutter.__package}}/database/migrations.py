"""Alembic, with an environment of our own that locks before it looks; only commands import it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from alembic.config import Config
from alembic.operations.ops import MigrationScript
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, make_url

from ..base_settings import ServiceSettings
from . import revisions
from .engine import make_migration_engine


def alembic_config(settings: ServiceSettings, connection: Connection | None = None) -> Config:
    """Alembic's configuration; without a connection it can only write SQL scripts."""
    config = Config(stdout=sys.stdout)  # the default is the one of when Alembic was imported
    config.set_main_option("script_location", str(revisions.FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.attributes["connection"] = connection
    config.attributes["dialect"] = (
        make_url(settings.database_url.get_secret_value()).get_dialect().name
    )
    return config


@contextmanager
def connected_config(settings: ServiceSettings) -> Iterator[Config]:
    """Alembic's configuration on a connection of its own, in one transaction."""
    engine = make_migration_engine(settings.database_url.get_secret_value())
    with engine.begin() as connection:
        yield alembic_config(settings, connection)


def next_revision() -> str:
    """The number after the greatest: `0002` after `0001`; names that are no number do not count."""
    names = (script.revision for script in ScriptDirectory(revisions.FOLDER).walk_revisions())
    return f"{max((int(name) for name in names if name.isdigit()), default=0) + 1:04d}"


def skip_if_empty(
    _context: MigrationContext, _revision: object, scripts: list[MigrationScript]
) -> None:
    """Write no migration that does nothing; for `alembic.command.revision`."""
    operations = scripts[0].upgrade_ops
    if operations is None or operations.is_empty():
        scripts.clear()
