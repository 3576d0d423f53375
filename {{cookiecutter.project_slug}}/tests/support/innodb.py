"""Helpers of the test kit for {{ cookiecutter.__engine }}."""

import re
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from pymysql.constants.SERVER_STATUS import SERVER_STATUS_IN_TRANS
from sqlalchemy import URL, Connection, Engine, Table, delete

from dev.server_{{ cookiecutter.database }} import create_database, drop_database, start_temporary

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

SECONDS_TO_END = 60


def database_name(url: URL) -> str:
    """Return the name of the database."""
    return url.database or ""


def named(url: URL, name: str) -> URL:
    """Return the URL of the database `name` on the same server."""
    return url.set(database=name)


def make_empty_database(url: URL) -> None:
    """Give this database no tables, whether it exists or not."""
    drop_database(url)
    create_database(url)


def run_script(driver: Any, script: str) -> None:
    """Run an SQL script, as the engine's own shell would."""
    for statement in re.split(r";\s*", script):
        if statement:
            driver.query(statement)
    driver.commit()


def open_transaction(connection: Connection) -> None:
    """Begin a transaction that `is_transaction_open` can see before the first statement."""
    connection.exec_driver_sql("START TRANSACTION")


def is_transaction_open(driver: Any) -> bool:
    """Return whether the transaction of the test is still open; DDL ends it silently."""
    return bool(driver.server_status & SERVER_STATUS_IN_TRANS)


def deferred_checks(_sessions: object, _metadata: object) -> AbstractContextManager[None]:
    """Do nothing: this engine defers no constraint to the commit."""
    return nullcontext()


def delete_rows(connection: Connection, tables: Sequence[Table]) -> None:
    """Delete all rows, without foreign key checks, which InnoDB makes row by row."""
    connection.exec_driver_sql("SET foreign_key_checks = 0")
    for table in tables:
        connection.execute(delete(table))
    connection.exec_driver_sql("SET foreign_key_checks = 1")


def cut_off(connection: Connection, by: Engine) -> None:
    """Make the server end this connection, and wait until it is closed."""
    end_connection(connection_number(connection), by)


def connection_number(connection: Connection) -> int:
    """Return the number by which the server knows this connection."""
    driver: Any = connection.connection.driver_connection
    return int(driver.thread_id())


def end_connection(number: int, by: Engine) -> None:
    """Make the server end the connection with this number, and wait until it is closed."""
    end = time.monotonic() + SECONDS_TO_END
    with by.connect() as other:
        other.exec_driver_sql(f"KILL {number}")
        while number in other.exec_driver_sql("SHOW PROCESSLIST").scalars():
            assert time.monotonic() < end
            time.sleep(0.005)
