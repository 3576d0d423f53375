"""A table that is changed keeps what Alembic's copy of it would lose."""

import pytest
import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext

from {{ cookiecutter.__package }}.database import authoring, migrations
from {{ cookiecutter.__package }}.database.revisions import MigrationError
from {{ cookiecutter.__package }}.settings import Settings

from ..support.schemas import migration_connection
from ..support.things import things, write

INDEX = "CREATE UNIQUE INDEX uq_lower ON things (lower(note), size)"
TRIGGER = "CREATE TRIGGER grows AFTER INSERT ON things BEGIN UPDATE things SET size = 9; END"
VIEW = "CREATE VIEW notes AS SELECT note FROM things"
SIZES = sa.text("SELECT size FROM things")


def shorter() -> sa.MetaData:
    """The tables after a change that copies one of them."""
    return things(name=sa.Column("name", sa.String(10), nullable=False))


def execute(settings: Settings, *statements: str) -> None:
    """Run statements, as a migration that is written by hand does."""
    with migration_connection(settings) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def made(settings: Settings) -> set[str]:
    """The statements that made what is in the database."""
    with migration_connection(settings) as connection:
        return set(connection.scalars(sa.text("SELECT sql FROM sqlite_master")))


def test_indexes_of_expressions_and_triggers_outlive_a_change(begun: Settings) -> None:
    execute(begun, INDEX, TRIGGER)
    write(begun, shorter())

    migrations.upgrade(begun)
    assert {INDEX, TRIGGER} <= made(begun)
    execute(begun, "INSERT INTO things (id, kind, name) VALUES (7, 'a', 'x')")
    with migration_connection(begun) as connection:
        assert set(connection.scalars(SIZES)) == {9}

    migrations.downgrade(begun, "-1")
    assert {INDEX, TRIGGER} <= made(begun)


def test_an_index_of_an_expression_that_is_missing_is_written(begun: Settings) -> None:
    lower = sa.func.lower(sa.column("note", sa.String))
    models = things(sa.Index("uq_note", lower, unique=True))
    missing = "things: the index uq_note is not in the database."
    assert authoring.check(begun, models).found == [missing]

    write(begun, models)
    migrations.upgrade(begun)

    created = "CREATE UNIQUE INDEX uq_note ON things (lower(note))"
    assert created in made(begun)
    assert authoring.check(begun, models).found == []
    migrations.downgrade(begun, "-1")
    assert created not in made(begun)


def test_a_table_that_a_view_names_can_be_changed(begun: Settings) -> None:
    execute(begun, VIEW)
    write(begun, shorter())

    migrations.upgrade(begun)

    with migration_connection(begun) as connection:
        assert connection.scalars(sa.text("SELECT note FROM notes")).all() == ["x"]


def test_an_index_of_a_column_that_goes_is_named_with_what_to_do(begun: Settings) -> None:
    execute(begun, INDEX)
    write(begun, things(note=None))

    with pytest.raises(MigrationError, match=r"The index uq_lower .*DROP INDEX uq_lower"):
        migrations.upgrade(begun)

    assert INDEX in made(begun)


@pytest.mark.usefixtures("folder")
def test_a_column_that_counts_without_reuse_still_does(empty_database: Settings) -> None:
    def counters(length: int) -> sa.MetaData:
        metadata = sa.MetaData()
        key = sa.Column("id", sa.Integer, primary_key=True)
        name = sa.Column("name", sa.String(length))
        sa.Table("counters", metadata, key, name, sqlite_autoincrement=True)
        return metadata

    write(empty_database, counters(20))
    migrations.upgrade(empty_database)
    write(empty_database, counters(10))
    migrations.upgrade(empty_database)

    [created] = [sql for sql in made(empty_database) if sql and "counters" in sql]
    assert "AUTOINCREMENT" in created
    assert authoring.check(empty_database, counters(10)).found == []


def test_a_rename_reaches_the_keys_of_other_tables(begun: Settings) -> None:
    with migration_connection(begun) as connection:
        Operations(MigrationContext.configure(connection)).rename_table("owners", "people")
        [key] = sa.inspect(connection).get_foreign_keys("things")

    assert key["referred_table"] == "people"
