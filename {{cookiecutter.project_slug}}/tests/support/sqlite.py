"""Helpers of the test kit for SQLite."""

import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, delete


class TemporaryFolder:
    """The folder of the databases of one run."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="db-"))

    def stop(self) -> None:
        """Remove the folder and everything in it."""
        shutil.rmtree(self.path)


def start_temporary() -> tuple[TemporaryFolder, URL]:
    """Make a folder for the databases of one run."""
    folder = TemporaryFolder()
    return folder, URL.create("sqlite", database=str(folder.path / "any_test.db"))


def database_name(url: URL) -> str:
    """Return the name of the database, without its folder and suffix."""
    return Path(url.database or "").stem


def named(url: URL, name: str) -> URL:
    """Return the URL of the database `name` in the same folder."""
    return url.set(database=str(Path(url.database or "").with_name(f"{name}.db")))


def make_empty_database(url: URL) -> None:
    """Give this database no tables: the first connection creates the file anew."""
    drop_database(url)


def drop_database(url: URL) -> None:
    """Remove the database file and the files beside it."""
    for suffix in ("", "-wal", "-shm"):
        Path(f"{url.database}{suffix}").unlink(missing_ok=True)


def run_script(driver: Any, script: str) -> None:
    """Run an SQL script, as the engine's own shell would."""
    connection: sqlite3.Connection = driver
    connection.executescript(script)


def open_transaction(connection: Connection) -> None:
    """Do nothing: BEGIN has opened it."""


def is_transaction_open(driver: Any) -> bool:
    """Return whether the transaction of the test is still open, in spite of the driver or SQL."""
    connection: sqlite3.Connection = driver
    return connection.in_transaction


def deferred_checks(_sessions: object, _metadata: object) -> AbstractContextManager[None]:
    """Do nothing: deferred constraints are checked only in tests with `committed_db`."""
    return nullcontext()


def delete_rows(connection: Connection, tables: Sequence[Table]) -> None:
    """Delete all rows; foreign keys are checked at the commit."""
    connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
    for table in tables:
        connection.execute(delete(table))


def cut_off(connection: Connection, _by: Engine) -> None:
    """Close the driver's connection without SQLAlchemy: there is no server that could do it."""
    driver: Any = connection.connection.driver_connection
    driver.close()
