"""A migration holds the write lock; readers go on, and do not hold it up."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
import sqlalchemy as sa

from {{ cookiecutter.__package }}.database import migrations
from {{ cookiecutter.__package }}.settings import Settings

from ..support.migrating import READ, Migrating
from ..support.schemas import schema_of


@pytest.fixture
def reader(migrated: Settings) -> Iterator[sqlite3.Connection]:
    """A connection that reads in a transaction."""
    file = sa.make_url(migrated.database_url.get_secret_value()).database
    assert file
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN DEFERRED")
        yield connection


def test_readers_go_on_while_a_migration_runs(
    hurried: Settings, reader: sqlite3.Connection
) -> None:
    with migrations.locked_connection(hurried) as migration:
        migration.execute(sa.text("DELETE FROM idempotency_keys"))
        migration.execute(sa.text("CREATE TABLE _half (id INTEGER)"))

        assert reader.execute(READ).fetchone() == (0,)
        half = reader.execute("SELECT count(*) FROM sqlite_master WHERE name = '_half'")
        assert half.fetchone() == (0,)


def test_a_reader_does_not_hold_a_migration_up(
    hurried: Settings, reader: sqlite3.Connection
) -> None:
    reader.execute(READ).fetchall()

    Migrating(hurried).end()

    assert "_first" in schema_of(hurried)
