"""What the test kit needs to know about MariaDB."""

import re
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from pymysql.constants.SERVER_STATUS import SERVER_STATUS_IN_TRANS
from sqlalchemy import URL, Connection, Engine, Table, delete

from dev.server_mariadb import create_database, drop_database, start_temporary

__all__ = [
    "connection_number",
    "create_database",
    "cut_off",
    "database_name",
    "deferred_checks",
    "delete_rows",
    "drop_database",
    "end_connection",
    "is_transaction_open",
    "named",
    "open_transaction",
    "run_script",
    "start_temporary",
]

SECONDS_TO_END = 60


def database_name(url: URL) -> str:
    """The name of the database."""
    return url.database or ""


def named(url: URL, name: str) -> URL:
    """The URL of the database called `name` on the same server."""
    return url.set(database=name)


def run_script(driver: Any, script: str) -> None:
    """Run a script of SQL, as the engine's own shell would."""
    for statement in re.split(r";\s*", script):
        if statement:
            driver.query(statement)
    driver.commit()


def open_transaction(connection: Connection) -> None:
    """Open it for good, so that `is_transaction_open` can see it even before the first row."""
    connection.exec_driver_sql("START TRANSACTION")


def is_transaction_open(driver: Any) -> bool:
    """Whether the transaction that the test began in was not ended, as DDL does here silently."""
    return bool(driver.server_status & SERVER_STATUS_IN_TRANS)


def deferred_checks(_sessions: object, _metadata: object) -> AbstractContextManager[None]:
    """Nothing: no constraint is deferred to a commit here."""
    return nullcontext()


def delete_rows(connection: Connection, tables: Sequence[Table]) -> None:
    """Delete all rows of the tables, whatever refers to whatever; InnoDB checks row by row."""
    connection.exec_driver_sql("SET foreign_key_checks = 0")
    for table in tables:
        connection.execute(delete(table))
    connection.exec_driver_sql("SET foreign_key_checks = 1")


def cut_off(connection: Connection, by: Engine) -> None:
    """Let the server end this connection, by another; returns when it is gone."""
    end_connection(connection_number(connection), by)


def connection_number(connection: Connection) -> int:
    """What the server calls this connection."""
    driver: Any = connection.connection.driver_connection
    return int(driver.thread_id())


def end_connection(number: int, by: Engine) -> None:
    """Let the server end the connection with this number; returns when it is gone."""
    end = time.monotonic() + SECONDS_TO_END
    with by.connect() as other:
        other.exec_driver_sql(f"KILL {number}")
        while number in other.exec_driver_sql("SHOW PROCESSLIST").scalars():
            assert time.monotonic() < end
            time.sleep(0.005)
