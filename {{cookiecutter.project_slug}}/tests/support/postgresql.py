"""Helpers of the test kit for PostgreSQL."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import URL, Connection, Engine, MetaData, Table, event, text
from sqlalchemy.orm import Session, sessionmaker

from dev.server_postgresql import create_database, drop_database, start_temporary

__all__ = [
    "connection_number",
    "cut_off",
    "database_name",
    "deferred_checks",
    "delete_rows",
    "drop_database",
    "end_connection",
    "is_transaction_open",
    "make_empty_database",
    "named",
    "open_transaction",
    "run_script",
    "start_temporary",
]

MILLISECONDS_TO_END = 60_000

# What the server's own template brings, such as an extension, would be gone with the schema.
MAKE_EMPTY = """
DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_extension WHERE extname <> 'plpgsql') OR EXISTS (
    SELECT FROM pg_namespace
    WHERE left(nspname, 3) <> 'pg_' AND nspname NOT IN ('public', 'information_schema')
  ) THEN
    RAISE 'This database holds more than tables';
  END IF;
  PERFORM pg_terminate_backend(pid, 60000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();
  DROP SCHEMA public CASCADE;
  CREATE SCHEMA public;
END $$
"""


def database_name(url: URL) -> str:
    """Return the name of the database."""
    return url.database or ""


def named(url: URL, name: str) -> URL:
    """Return the URL of the database `name` on the same server."""
    return url.set(database=name)


def make_empty_database(url: URL) -> None:
    """Give this database no tables, whether it exists or not.

    One that exists is used again if it holds nothing but tables: a new one takes the server three
    times as long, because it copies 300 files.
    """
    try:
        with psycopg.connect(_conninfo(url), autocommit=True) as connection:
            connection.execute(MAKE_EMPTY)
    except psycopg.Error:
        drop_database(url)
        create_database(url)


def _conninfo(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def run_script(driver: Any, script: str) -> None:
    """Run an SQL script, as the engine's own shell would."""
    connection: psycopg.Connection[Any] = driver
    connection.set_autocommit(True)
    connection.execute(script.encode())


def open_transaction(connection: Connection) -> None:
    """Send the BEGIN, so that `is_transaction_open` can see it before the first statement."""
    connection.exec_driver_sql("SELECT 1")


def is_transaction_open(driver: Any) -> bool:
    """Return whether the transaction of the test is still open, in spite of the driver or SQL."""
    connection: psycopg.Connection[Any] = driver
    return connection.info.transaction_status != TransactionStatus.IDLE


@contextmanager
def deferred_checks(target: sessionmaker[Session], metadata: MetaData) -> Iterator[None]:
    """Check deferred constraints at each commit of these sessions.

    In a test a commit only releases a savepoint, at which the server does not check them.
    """
    if has_deferred(metadata):
        event.listen(target, "before_commit", check_deferred)
        try:
            yield
        finally:
            event.remove(target, "before_commit", check_deferred)
    else:
        yield


def check_deferred(session: Session) -> None:
    """Check now the constraints that are deferred to the commit."""
    session.flush()
    session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    session.execute(text("SET CONSTRAINTS ALL DEFERRED"))


@cache
def has_deferred(metadata: MetaData) -> bool:
    """Return whether these tables have a constraint that is deferred to the commit."""
    return any(
        (constraint.initially or "").upper() == "DEFERRED"
        for table in metadata.tables.values()
        for constraint in table.constraints
    )


def delete_rows(connection: Connection, tables: Sequence[Table]) -> None:
    """Delete all rows in one statement, at whose end PostgreSQL checks the foreign keys."""
    names = map(connection.dialect.identifier_preparer.format_table, tables)
    deletes = ", ".join(f"d{number} AS (DELETE FROM {name})" for number, name in enumerate(names))
    connection.exec_driver_sql(f"WITH {deletes} SELECT 1")


def cut_off(connection: Connection, by: Engine) -> None:
    """Make the server end this connection, and wait until it is closed."""
    end_connection(connection_number(connection), by)


def connection_number(connection: Connection) -> int:
    """Return the number by which the server knows this connection."""
    driver: Any = connection.connection.driver_connection
    return int(driver.info.backend_pid)


def end_connection(number: int, by: Engine) -> None:
    """Make the server end the connection with this number, and wait until it is closed."""
    with by.connect() as other:
        ended = text("SELECT pg_terminate_backend(:number, :milliseconds)")
        assert other.scalar(ended, {"number": number, "milliseconds": MILLISECONDS_TO_END})
