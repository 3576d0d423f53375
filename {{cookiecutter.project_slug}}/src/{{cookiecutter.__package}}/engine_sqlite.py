"""How this service speaks to SQLite: as to a real database, with many writers and no lost update.

Stock `sqlite3` neither begins a transaction before a SELECT or a SAVEPOINT nor waits for a writer;
with these settings 16 writers lose nothing. Facts: https://www.sqlite.org/wal.html and
https://www.sqlite.org/lang_transaction.html
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from flask import Flask, g, has_app_context, request
from sqlalchemy import Connection, Engine, NullPool, create_engine, event

if TYPE_CHECKING:
    from .settings import Settings

DRIVERS = ("sqlite", "sqlite+pysqlite")
EXAMPLE_URL = "sqlite:///{{ cookiecutter.__package }}.db"

MIGRATION_OPTIONS = {"render_as_batch": True, "transactional_ddl": True}
LONGEST_MIGRATION_SECONDS = 3600.0

BUSY_TIMEOUT_MS = 30_000
STEPS_BETWEEN_CHECKS = 10_000
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def make_engine(settings: "Settings", **options: Any) -> Engine:
    """An engine with a pool as large as a worker has threads; `options` go to `create_engine`."""
    pool = {
        "pool_size": settings.threads,
        "max_overflow": 0,
        "pool_timeout": settings.pool_timeout_seconds,
    }
    engine = create_engine(
        settings.database_url.get_secret_value(), hide_parameters=True, **(options or pool)
    )
    limit = settings.statement_timeout_seconds

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # transactions are begun below, not by the driver
        connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(f"BEGIN {_begin_mode(connection)}")

    @event.listens_for(engine, "before_cursor_execute")
    def limit_time(connection: Connection, *_statement: object) -> None:
        end = time.monotonic() + limit
        driver = cast(sqlite3.Connection, connection.connection.driver_connection)
        driver.set_progress_handler(lambda: time.monotonic() > end, STEPS_BETWEEN_CHECKS)

    return engine


def make_migration_engine(settings: "Settings") -> Engine:
    """An engine for migrations, with time for slow ones.

    Foreign keys are not enforced while a table is replaced by an altered copy, because the copy's
    references would be lost with the original; `migration_lock` looks at them in the end.
    """
    patient = settings.model_copy(update={"statement_timeout_seconds": LONGEST_MIGRATION_SECONDS})
    engine = make_engine(patient, poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def loosen(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA foreign_keys=OFF")

    return engine


@contextmanager
def migration_lock(connection: Connection) -> Iterator[None]:
    """BEGIN IMMEDIATE is the lock. Raises RuntimeError if the migration broke a reference."""
    yield
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        tables = ", ".join(sorted({row[0] for row in broken}))
        raise RuntimeError(
            f"The migration leaves references to rows that do not exist in: {tables}"
        )


def _begin_mode(connection: Connection) -> str:
    """IMMEDIATE takes the write lock at once, so that a read-then-write loses no update."""
    chosen = connection.get_execution_options().get("sqlite_begin")
    if chosen is None and has_app_context():
        chosen = g.get("sqlite_begin")
    return chosen or "IMMEDIATE"


def let_reads_share(app: Flask) -> None:
    """Let requests with a safe method read beside each other and beside a writer.

    The mark is on `g`, which belongs to the context: a context nested in such a request writes.
    """

    @app.before_request
    def mark() -> None:
        g.sqlite_begin = "DEFERRED" if request.method in SAFE_METHODS else "IMMEDIATE"
