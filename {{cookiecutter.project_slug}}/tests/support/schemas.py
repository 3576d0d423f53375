"""Helpers for tests of migrations: schemas, and migrations that are not part of the project."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Engine, Inspector, UniqueConstraint, inspect
from sqlalchemy.orm import DeclarativeBase

from {{ cookiecutter.__package }}.database import migrations
from {{ cookiecutter.__package }}.database.comparison import (
    Comparison,
    without_noise,
)
from {{ cookiecutter.__package }}.database.migrations import alembic_config
from {{ cookiecutter.__package }}.database.revisions import (
    FOLDER,
    INTERNAL_TABLES,
    expected_revision,
)
from {{ cookiecutter.__package }}.settings import Settings

from .engine import make_migration_engine

FAILS_HALFWAY = """
import sqlalchemy as sa
from alembic import op


def upgrade():
    op.create_table("_half", sa.Column("id", sa.Integer(), primary_key=True))
    raise RuntimeError("the other half fails")
"""


def upgrade(settings: Settings, revision: str = "head") -> None:
    """Upgrade the database of these settings."""
    migrations.upgrade(settings, revision)


def downgrade(settings: Settings, revision: str) -> None:
    """Downgrade the database of these settings."""
    migrations.downgrade(settings, revision)


def upgrade_with_more(settings: Settings, folder: Path, more: str = FAILS_HALFWAY) -> None:
    """Upgrade with one more migration after the last, by default one that fails halfway."""
    names = f'revision = "more"\ndown_revision = "{expected_revision()}"\n'
    (folder / "more.py").write_text(names + more)
    with migration_connection(settings) as connection:
        config = alembic_config(settings, connection)
        config.set_main_option("path_separator", "newline")
        config.set_main_option("version_locations", f"{FOLDER / 'versions'}\n{folder}")
        command.upgrade(config, "head")


@contextmanager
def migration_connection(settings: Settings) -> Iterator[Connection]:
    """Yield a connection in a transaction, from an engine like that of migrations."""
    with _engine(settings).begin() as connection:
        yield connection


@cache  # it keeps no connections, only compiled statements of the inspector, which are slow to make
def _engine(settings: Settings) -> Engine:
    return make_migration_engine(settings)


def alter(settings: Settings, change: Callable[[Operations], object]) -> None:
    """Change the schema without a migration."""
    with migration_connection(settings) as connection:
        change(Operations(MigrationContext.configure(connection)))


def schema_of(settings: Settings) -> dict[str, Any]:
    """Return a description of the schema, independent of the order in which it was created."""
    with migration_connection(settings) as connection, without_noise():
        inspector = inspect(connection)
        names = set(inspector.get_table_names()) - INTERNAL_TABLES
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
        "indexes": _sorted(_index(each) for each in inspector.get_indexes(name)),
    }


def _index(reported: Mapping[str, Any]) -> dict[str, Any]:
    """An index, of which a condition is given as SQL."""
    options = {name: str(value) for name, value in reported.get("dialect_options", {}).items()}
    return {**reported, "dialect_options": options}


def differences(connection: Connection, model: type[DeclarativeBase]) -> list[Any]:
    """Return what `db check` finds different between a model's table and that of the database."""
    table = model.metadata.tables[model.__tablename__]

    def is_compared(_object: object, name: str | None, kind: str, *_rest: object) -> bool:
        return kind != "table" or name == table.name

    options = {
        **Comparison(connection).options,
        "include_object": is_compared,
        "target_metadata": table.metadata,
    }
    context = MigrationContext.configure(connection, opts=options)
    with without_noise():
        return list(compare_metadata(context, table.metadata))


def indexes_of(model: type[DeclarativeBase]) -> set[tuple[str, ...]]:
    """Return the columns of each index; a unique key has one that any query can go on by id."""
    table = model.metadata.tables[model.__tablename__]
    keys = [each for each in table.constraints if isinstance(each, UniqueConstraint)]
    return {tuple(index.columns.keys()) for index in table.indexes} | {
        (*key.columns.keys(), "id") for key in keys
    }


def _sorted(entries: Any) -> list[str]:
    return sorted(repr(entry) for entry in entries)
