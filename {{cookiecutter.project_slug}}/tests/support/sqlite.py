"""What the test kit needs to know about SQLite."""

import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, delete


class TemporaryFolder:
    """Where the databases of one run are."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="db-"))

    def stop(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.path)


def start_temporary() -> tuple[TemporaryFolder, URL]:
    """Make room for the databases of one run."""
    folder = TemporaryFolder()
    return folder, URL.create("sqlite", database=str(folder.path / "any_test.db"))


def database_name(url: URL) -> str:
    """The name of the database, without its folder and suffix."""
    return Path(url.database or "").stem


def named(url: URL, name: str) -> URL:
    """The URL of the database called `name` in the same place."""
    return url.set(database=str(Path(url.database or "").with_name(f"{name}.db")))


def create_database(url: URL) -> None:
    """Nothing: the first connection creates the file."""


def drop_database(url: URL) -> None:
    """Remove the file and what belongs to it."""
    for suffix in ("", "-wal", "-shm"):
        Path(f"{url.database}{suffix}").unlink(missing_ok=True)


def run_script(driver: Any, script: str) -> None:
    """Run a script of SQL, as the engine's own shell would."""
    connection: sqlite3.Connection = driver
    connection.executescript(script)


def open_transaction(connection: Connection) -> None:
    """Nothing: it was opened by BEGIN."""


def is_transaction_open(driver: Any) -> bool:
    """Whether the transaction that the test began in was not ended behind SQLAlchemy's back."""
    connection: sqlite3.Connection = driver
    return connection.in_transaction


def deferred_checks(_sessions: object, _metadata: object) -> AbstractContextManager[None]:
    """Nothing: what is deferred to a commit is checked in tests with `committed_db` only."""
    return nullcontext()


def delete_rows(connection: Connection, tables: Sequence[Table]) -> None:
    """Delete all rows of the tables, whatever refers to whatever."""
    connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
    for table in tables:
        connection.execute(delete(table))


def cut_off(connection: Connection, _by: Engine) -> None:
    """Close the connection under SQLAlchemy: there is no server that could die."""
    driver: Any = connection.connection.driver_connection
    driver.close()
