"""What tests of migrations need: a look at a schema, and migrations that are not in the project."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Engine, Inspector, inspect

from {{ cookiecutter.__package }}.database.migrations import alembic_config, connected_config
from {{ cookiecutter.__package }}.database.revisions import FOLDER, VERSION_TABLE, expected_revision
from {{ cookiecutter.__package }}.settings import Settings

from .engine import make_migration_engine

FAILS_HALFWAY = """
import sqlalchemy as sa
from alembic import op


def upgrade():
    op.create_table("half", sa.Column("id", sa.Integer(), primary_key=True))
    raise RuntimeError("the other half fails")
"""


def upgrade(settings: Settings, revision: str = "head") -> None:
    """Migrate the database of these settings forward."""
    with connected_config(settings) as config:
        command.upgrade(config, revision)


def downgrade(settings: Settings, revision: str) -> None:
    """Migrate the database of these settings back."""
    with connected_config(settings) as config:
        command.downgrade(config, revision)


def upgrade_with_more(settings: Settings, folder: Path, more: str = FAILS_HALFWAY) -> None:
    """Migrate forward with one more migration after the last, by default one that fails halfway."""
    names = f'revision = "more"\ndown_revision = "{expected_revision()}"\n'
    (folder / "more.py").write_text(names + more)
    with migration_connection(settings) as connection:
        config = alembic_config(settings, connection)
        config.set_main_option("path_separator", "newline")
        config.set_main_option("version_locations", f"{FOLDER / 'versions'}\n{folder}")
        command.upgrade(config, "head")


@contextmanager
def migration_connection(settings: Settings) -> Iterator[Connection]:
    """A connection in a transaction, with an engine as migrations have it."""
    with _engine(settings).begin() as connection:
        yield connection


@cache  # it keeps no connection, but the statements that look at a schema, which take long to make
def _engine(settings: Settings) -> Engine:
    return make_migration_engine(settings)


def alter(settings: Settings, change: Callable[[Operations], object]) -> None:
    """Change the schema behind the back of the migrations."""
    with migration_connection(settings) as connection:
        change(Operations(MigrationContext.configure(connection)))


def schema_of(settings: Settings) -> dict[str, Any]:
    """All that can be told of a schema, in an order that does not depend on how it came to be."""
    with migration_connection(settings) as connection:
        inspector = inspect(connection)
        names = set(inspector.get_table_names()) - {VERSION_TABLE}
        return {name: _table(inspector, name) for name in sorted(names)}


def _table(inspector: Inspector, name: str) -> dict[str, Any]:
    return {
        "columns": _sorted(
            (column["name"], str(column["type"]), column["nullable"], column["default"])
            for column in inspector.get_columns(name)
        ),
        "primary key": inspector.get_pk_constraint(name),
        "foreign keys": _sorted(inspector.get_foreign_keys(name)),
        "unique": _sorted(inspector.get_unique_constraints(name)),
        "checks": _sorted(inspector.get_check_constraints(name)),
        "indexes": _sorted(inspector.get_indexes(name)),
    }


def _sorted(entries: Any) -> list[str]:
    return sorted(repr(entry) for entry in entries)
