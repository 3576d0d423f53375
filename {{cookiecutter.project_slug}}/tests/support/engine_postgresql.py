"""What the test kit needs to know about PostgreSQL."""

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import URL, Connection, Table, delete

from dev.server_postgresql import create_database, drop_database, start_temporary

__all__ = [
    "create_database",
    "database_name",
    "delete_rows",
    "drop_database",
    "is_transaction_open",
    "named",
    "open_transaction",
    "start_temporary",
]


def database_name(url: URL) -> str:
    """The name of the database."""
    return url.database or ""


def named(url: URL, name: str) -> URL:
    """The URL of the database called `name` on the same server."""
    return url.set(database=name)


def open_transaction(connection: Connection) -> None:
    """Send the BEGIN, so that `is_transaction_open` can see it even before the first row."""
    connection.exec_driver_sql("SELECT 1")


def is_transaction_open(driver: Any) -> bool:
    """Whether the transaction that the test began in was not ended behind SQLAlchemy's back."""
    connection: psycopg.Connection[Any] = driver
    return connection.info.transaction_status != TransactionStatus.IDLE


def delete_rows(connection: Connection, tables: Sequence[Table]) -> None:
    """Delete all rows of the tables, which come with those that refer to others first."""
    for table in tables:
        connection.execute(delete(table))
