"""SQLite as a real database: transactions that begin, wait for each other, and end in time."""

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask, g
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import Session

from {{ cookiecutter.__package }} import create_app
from {{ cookiecutter.__package }}.database import catalog_sqlite, sqlite
from {{ cookiecutter.__package }}.database.constraints import Violation
from {{ cookiecutter.__package }}.database.revisions import expected_revision
from {{ cookiecutter.__package }}.database.sqlite import (
    MAX_MIGRATION_SECONDS,
    is_conflict,
    is_retryable,
    is_statement_timeout,
    violation_of,
)
from {{ cookiecutter.__package }}.settings import Settings

from ..support.applications import MakeApp
from ..support.engine import make_engine, make_migration_engine
from ..support.probe import Probe, ProbeBase
from ..support.schemas import alter, migration_connection, schema_of, upgrade, upgrade_with_more

TABLE = Probe.__tablename__

FOREVER = text(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
)

ROUNDS = 50_000
SOME_TIME = text(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
    f" WHERE i < {ROUNDS}) SELECT count(*) FROM n"
)

KEEPS_ROWS = """
import sqlalchemy as sa
from alembic import op


def upgrade():
    with op.batch_alter_table("{table}") as table:
        table.alter_column("name", type_=sa.String(300), existing_type=sa.String(200))
"""

LOSES_A_ROW = """
from alembic import op


def upgrade():
    op.execute("DELETE FROM {table} WHERE parent_id IS NULL")
"""


@pytest.fixture
def engine(empty_database: Settings) -> Iterator[Engine]:
    """An engine with a table of numbers; a writer does not wait for another."""
    engine = make_engine(empty_database)

    @sa.event.listens_for(engine, "connect")
    def hurry(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA busy_timeout=1")

    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE numbers (number INTEGER UNIQUE CHECK (number < 9))"))
    yield engine
    engine.dispose()


def test_connections_are_prepared(empty_database: Settings) -> None:
    engine = make_engine(empty_database)
    with engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "busy_timeout", "foreign_keys", "synchronous")
        }
        driver = cast(sqlite3.Connection, connection.connection.driver_connection)
        assert driver.isolation_level is None
    engine.dispose()

    assert pragmas == {
        "journal_mode": "wal",
        "busy_timeout": 15_000,
        "foreign_keys": 1,
        "synchronous": 1,
    }


@pytest.fixture
def writer(empty_database: Settings) -> Iterator[sqlite3.Connection]:
    """A connection that writes into a new database, as another process that prepares it does."""
    file = sa.make_url(empty_database.database_url.get_secret_value()).database
    assert file
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        yield writer


def test_connection_waits_for_another_that_prepares_the_database(
    empty_database: Settings, writer: sqlite3.Connection
) -> None:
    engine = make_engine(empty_database)
    with ThreadPoolExecutor(1) as threads:
        connected = threads.submit(engine.connect)
        time.sleep(0.1)
        assert not connected.done()
        writer.execute("ROLLBACK")
        with connected.result() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    engine.dispose()


@pytest.mark.usefixtures("writer")
def test_connection_waits_for_the_statement_limit(empty_database: Settings) -> None:
    hurried = empty_database.model_copy(update={"statement_timeout_seconds": 0.05})
    with pytest.raises(OperationalError, match="locked") as ended:
        make_engine(hurried).connect()

    assert is_retryable(ended.value)


def test_pool_is_as_large_as_a_worker_has_threads(empty_database: Settings) -> None:
    engine = make_engine(empty_database.model_copy(update={"threads": 3}))

    assert isinstance(engine.pool, sa.QueuePool)
    assert engine.pool.size() == 3
    assert engine.pool._max_overflow == 0


def test_writers_take_the_lock_when_they_begin(engine: Engine) -> None:
    with engine.connect() as one, engine.connect() as other:
        one.begin()

        with pytest.raises(OperationalError, match="locked") as locked:
            other.begin()

    assert is_retryable(locked.value)


def test_reads_of_safe_requests_share(app: Flask, engine: Engine) -> None:
    with app.app_context(), engine.connect() as one, engine.connect() as other:
        one.execute(text("INSERT INTO numbers VALUES (1)"))
        g.sqlite_begin = "DEFERRED"

        assert other.execute(text("SELECT count(*) FROM numbers")).scalar() == 0


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_safe_methods_begin_without_the_lock(make_app: MakeApp, method: str) -> None:
    assert begins_with(make_app(), method) == "DEFERRED"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_other_methods_begin_with_the_lock(make_app: MakeApp, method: str) -> None:
    assert begins_with(make_app(), method) == "IMMEDIATE"


def begins_with(app: Flask, method: str) -> str:
    """Return how transactions of a request with this method begin."""
    seen: list[str] = []

    def view() -> str:
        seen.append(g.sqlite_begin)
        return ""

    app.add_url_rule("/begin", view_func=view, methods=[method], provide_automatic_options=False)
    app.test_client().open("/begin", method=method)
    [found] = seen
    return found


def test_read_that_another_overtook_cannot_write(engine: Engine) -> None:
    with engine.connect() as one, engine.connect() as other:
        driver = one.connection.driver_connection
        assert driver is not None
        driver.execute("BEGIN DEFERRED")
        driver.execute("SELECT count(*) FROM numbers").fetchall()
        other.execute(text("INSERT INTO numbers VALUES (1)"))
        other.commit()

        with pytest.raises(DBAPIError) as overtaken:
            one.exec_driver_sql("INSERT INTO numbers VALUES (2)")
        driver.rollback()

    assert is_retryable(overtaken.value)


def test_savepoint_ends_with_its_transaction(engine: Engine) -> None:
    with engine.connect() as connection:
        with connection.begin_nested():
            connection.execute(text("INSERT INTO numbers VALUES (1)"))
        connection.rollback()

        assert connection.execute(text("SELECT count(*) FROM numbers")).scalar() == 0


@pytest.mark.parametrize(("value", "is_invalid"), [(1, False), (9, True)])
def test_a_constraint_rejects_a_conflict_or_a_value(
    engine: Engine, value: int, *, is_invalid: bool
) -> None:
    with engine.connect() as connection:
        connection.execute(text("INSERT INTO numbers VALUES (1)"))
        with pytest.raises(IntegrityError) as raised:
            connection.execute(text("INSERT INTO numbers VALUES (:value)"), {"value": value})

    assert is_conflict(raised.value)
    assert (violation_of(raised.value).kind == "check") == is_invalid
    assert not is_retryable(raised.value)
    assert not is_statement_timeout(raised.value)


def test_other_errors_are_of_no_kind(engine: Engine) -> None:
    with engine.connect() as connection, pytest.raises(DBAPIError) as wrong:
        connection.execute(text("SELECT nonsense"))

    assert not is_conflict(wrong.value)
    assert not is_retryable(wrong.value)
    assert not is_statement_timeout(wrong.value)


@pytest.mark.parametrize("many", [False, True])
def test_statement_is_ended_at_its_time_limit(empty_database: Settings, many: bool) -> None:
    engine = make_engine(empty_database.model_copy(update={"statement_timeout_seconds": 0.1}))
    with engine.connect() as connection:
        connection.execute(text("CREATE TABLE numbers (number INTEGER)"))
        statement = text(f"INSERT INTO numbers {FOREVER} WHERE :number > 0") if many else FOREVER
        began = time.monotonic()
        with pytest.raises(DBAPIError) as ended:
            connection.execute(statement, [{"number": 1}, {"number": 2}] if many else None)
        connection.rollback()

        assert connection.execute(text("SELECT 1")).scalar() == 1
    engine.dispose()

    assert is_statement_timeout(ended.value)
    assert time.monotonic() - began >= 0.1


def test_time_limit_is_of_each_statement(
    empty_database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(sqlite, "time", SimpleNamespace(monotonic=lambda: now))
    engine = make_engine(empty_database.model_copy(update={"statement_timeout_seconds": 2.0}))
    with engine.connect() as connection:
        for _ in range(3):
            now += 1.5
            assert connection.execute(SOME_TIME).scalar() == ROUNDS
    engine.dispose()


def test_the_statement_that_created_a_table_is_read(engine: Engine) -> None:
    created = """
        CREATE TABLE "a (table, odd" (
            id INTEGER PRIMARY KEY, -- a comment, (
            "name" TEXT COLLATE NOCASE DEFAULT ((('A, (b'))) /* another, ) */,
            amount DECIMAL(9, 2) NOT NULL DEFAULT -1 CHECK (((amount) > -2)),
            "check" DATETIME NOT NULL,
            `primary` INTEGER CHECK ("primary" > 0),
            twice INTEGER GENERATED ALWAYS AS (id * 2) STORED,
            CONSTRAINT "named" CHECK ((name) <> ('')),
            UNIQUE (id, name)
        ) WITHOUT ROWID
    """

    with engine.begin() as connection:
        connection.exec_driver_sql(created)
        found = catalog_sqlite.report(connection, "a (table, odd")

    assert found.columns == {
        "id": ("integer", None),
        "name": ("text collate nocase", "'A, (b'"),
        "amount": ("decimal ( 9 , 2 )", "- 1"),
        "check": ("datetime", None),
        "primary": ("integer", None),
        "twice": ("integer generated always", None),
    }
    assert found.checks == {
        "( amount ) > - 2": "( amount ) > - 2",
        '"primary" > 0': '"primary" > 0',
        "named": "( name ) <> ( '' )",
    }


def test_migrations_have_time(empty_database: Settings) -> None:
    with make_migration_engine(empty_database).connect() as connection:
        wait = connection.exec_driver_sql("PRAGMA busy_timeout").scalar()

    assert wait == MAX_MIGRATION_SECONDS * 1000


def test_statements_of_migrations_have_time(empty_database: Settings) -> None:
    hasty = empty_database.model_copy(update={"statement_timeout_seconds": 1e-6})

    with make_migration_engine(hasty).connect() as connection:
        assert connection.execute(SOME_TIME).scalar() == ROUNDS


def test_migrations_keep_no_connection(empty_database: Settings) -> None:
    assert isinstance(make_migration_engine(empty_database).pool, sa.NullPool)


def test_script_of_the_migrations_is_one_transaction(empty_database: Settings) -> None:
    args = ["db", "sql", "0001"]  # what alters a table needs to look at it
    script = create_app(empty_database).test_cli_runner().invoke(args=args).stdout

    assert script.startswith("BEGIN;")
    assert script.rstrip().endswith("COMMIT;")


def test_migration_that_fails_leaves_the_old_schema(
    empty_database: Settings, tmp_path: Path
) -> None:
    upgrade(empty_database)
    before = schema_of(empty_database)

    with pytest.raises(RuntimeError, match="the other half fails"):
        upgrade_with_more(empty_database, tmp_path)

    assert schema_of(empty_database) == before
    assert version_of(empty_database) == expected_revision()


def test_migration_that_alters_a_table_keeps_its_rows(
    empty_database: Settings, tmp_path: Path
) -> None:
    upgrade(empty_database)
    add_parent_and_child(empty_database)

    upgrade_with_more(empty_database, tmp_path, KEEPS_ROWS.format(table=TABLE))

    with migration_connection(empty_database) as connection:
        parents = connection.scalars(text(f"SELECT parent_id FROM {TABLE} ORDER BY code")).all()
    assert parents == [None, "1" * 32]
    assert "VARCHAR(300)" in str(schema_of(empty_database)[TABLE])


def test_migration_that_breaks_a_reference_is_undone(
    empty_database: Settings, tmp_path: Path
) -> None:
    upgrade(empty_database)
    add_parent_and_child(empty_database)

    with pytest.raises(RuntimeError, match=f"rows that do not exist in: {TABLE}"):
        upgrade_with_more(empty_database, tmp_path, LOSES_A_ROW.format(table=TABLE))

    with migration_connection(empty_database) as connection:
        assert connection.execute(text(f"SELECT count(*) FROM {TABLE}")).scalar() == 2
    assert version_of(empty_database) == expected_revision()


def add_parent_and_child(settings: Settings) -> None:
    """Add the table of probes, and two rows, the second of which refers to the first."""
    alter(settings, lambda operations: ProbeBase.metadata.create_all(operations.get_bind()))
    parent, child = "1" * 32, "2" * 32
    columns = "id, code, name, status, price, parent_id, version, created_at, updated_at"
    rest = "'n', 'draft', 1"
    stamps = "1, '2026-01-01', '2026-01-01'"
    alter(
        settings,
        lambda operations: operations.execute(
            f"INSERT INTO {TABLE} ({columns}) VALUES"
            f" ('{parent}', 'a', {rest}, NULL, {stamps}),"
            f" ('{child}', 'b', {rest}, '{parent}', {stamps})"
        ),
    )


def version_of(settings: Settings) -> str:
    """The revision that the database says it is at."""
    with migration_connection(settings) as connection:
        return str(connection.scalar(text("SELECT version_num FROM alembic_version")))


def test_kinds_of_errors_are_recognized_by_their_codes() -> None:
    assert sqlite._code(DBAPIError("SELECT 1", None, Exception("database is locked"))) == 0


def test_a_trigger_that_rejects_a_change_is_a_conflict_of_another_kind(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON numbers BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
        with pytest.raises(DBAPIError) as raised:
            connection.exec_driver_sql("INSERT INTO numbers VALUES (1)")

    assert is_conflict(raised.value)
    assert violation_of(raised.value) == Violation("other")


@pytest.mark.parametrize("descending", [False, True])
def test_a_later_page_begins_in_the_middle_of_equal_values(
    session: Session, descending: bool
) -> None:
    columns = (Probe.name.expression, Probe.id.expression)
    after = sqlite.beyond(columns, ("x", UUID(int=7)), descending=descending)
    order = [each.desc() if descending else each.asc() for each in columns]
    statement = sa.select(Probe).where(after).order_by(*order).limit(2)
    sql = statement.compile(session.connection(), compile_kwargs={"literal_binds": True})

    [step] = session.execute(text(f"EXPLAIN QUERY PLAN {sql}")).all()
    plan = step.detail

    assert f"((name,id){'<' if descending else '>'}(?,?))" in plan
