"""How this service speaks to SQLite: as to a real database, with many writers and no lost update.

Stock `sqlite3` neither begins a transaction before a SELECT or a SAVEPOINT nor waits for a writer;
with these settings 16 writers lose nothing. Facts: https://www.sqlite.org/wal.html and
https://www.sqlite.org/lang_transaction.html
"""

import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, cast

from flask import Flask, g, has_app_context, request
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    NullPool,
    PoolProxiedConnection,
    create_engine,
    event,
    literal,
    tuple_,
)
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from .column_types import SCALED_INTEGER, ExactDecimal
from .constraints import Violation
from .hang_guard import HangGuard
from .revisions import MigrationError

MIGRATION_OPTIONS = {"render_as_batch": True, "transactional_ddl": True}
MAX_MIGRATION_SECONDS = 3600.0

PROBE_TIMEOUT_SECONDS = 2.0
RETRY_INTERVAL_SECONDS = 0.01
STEPS_BETWEEN_CHECKS = 10_000

POOL_OPTIONS: dict[str, Any] = {}

OUTAGES = frozenset(
    {
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
    }
)
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def make_engine(url: str, *, statement_timeout_seconds: float, **options: Any) -> Engine:
    """Return an engine whose waits are bounded; `options` go to `create_engine`.

    The limit holds for a statement that runs, and for one that waits for another writer's lock.
    """
    engine = create_engine(
        url,
        connect_args={"factory": _connection_with_timeout(statement_timeout_seconds)},
        hide_parameters=True,
        **options,
    )
    # Not by engine events: their dispatch alone takes a fifth of the time of a short SELECT.
    engine.dialect.do_begin = _make_begin()  # type: ignore[assignment,method-assign]
    # A reflected table has the type, and a migration that copies a table copies what is reflected.
    known = {**SQLiteDialect.ischema_names, SCALED_INTEGER: ExactDecimal}
    engine.dialect.ischema_names = known  # type: ignore[attr-defined]

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # transactions are begun by `_begin`, not by the driver
        connection.execute(f"PRAGMA busy_timeout={round(statement_timeout_seconds * 1000)}")
        _write_ahead(connection, statement_timeout_seconds)
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")

    return engine


def _write_ahead(connection: sqlite3.Connection, seconds: float) -> None:
    """Make readers and a writer work side by side; the file keeps that.

    For this change SQLite itself does not wait while another connection writes, as happens when
    processes begin together on a new database: https://www.sqlite.org/c3ref/busy_handler.html
    """
    end = time.monotonic() + seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(RETRY_INTERVAL_SECONDS)
        else:
            return


def is_conflict(error: DBAPIError) -> bool:
    """Return whether a constraint of the schema rejected the change."""
    return isinstance(error, IntegrityError)


def violation_of(error: DBAPIError) -> Violation:
    """Return the constraint of a conflict; SQLite does not name a reference."""
    extended = _extended_code(error)
    _, _, what = str(error.orig).rpartition("constraint failed: ")
    if extended in (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY):
        names = [column.rpartition(".")[2] for column in what.split(", ")]
        return Violation("unique", columns=tuple(names))
    if extended == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
        return Violation("reference")
    if extended in (sqlite3.SQLITE_CONSTRAINT_CHECK, sqlite3.SQLITE_CONSTRAINT_NOTNULL):
        return Violation("check", constraint=what)
    return Violation("other")


def is_retryable(error: DBAPIError) -> bool:
    """Return whether the transaction lost a race with another, and may succeed when repeated.

    That is "database is locked": a writer kept the lock for too long, or wrote what was read here.
    """
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_statement_timeout(error: DBAPIError) -> bool:
    """Return whether the statement was cancelled at its time limit."""
    return _code(error) == sqlite3.SQLITE_INTERRUPT


def is_outage(error: DBAPIError) -> bool:
    """Return whether the file cannot be used just now; an error without a statement is one."""
    return error.connection_invalidated or error.statement is None or _code(error) in OUTAGES


def cause_of(error: SQLAlchemyError) -> str:
    """Return why a statement or a connection failed, without names and values."""
    original = getattr(error, "orig", None) or error
    name = getattr(original, "sqlite_errorname", None)
    return ", ".join([type(original).__name__, name] if name else [type(original).__name__])


def _extended_code(error: DBAPIError) -> int:
    return getattr(error.orig, "sqlite_errorcode", 0)


def _code(error: DBAPIError) -> int:
    return _extended_code(error) & 0xFF  # the low byte is the primary code


def beyond(
    columns: Sequence[ColumnElement[Any]], values: Sequence[Any], *, descending: bool
) -> ColumnElement[bool]:
    """Return the condition for what follows the row with these values, in the columns' order.

    SQLite finds a row value in an index; it would scan all rows that are equal in the first column.
    """
    typed = zip(values, columns, strict=True)
    row, last = tuple_(*columns), tuple_(*(literal(value, each.type) for value, each in typed))
    return row < last if descending else row > last


def make_probe_engine(url: str) -> Engine:
    """Return an engine for readiness probes: one connection, with short limits; it only reads."""
    engine = make_engine(
        url, statement_timeout_seconds=PROBE_TIMEOUT_SECONDS, pool_size=1, max_overflow=0
    )
    engine.dialect.do_begin = _begin_deferred  # type: ignore[assignment,method-assign]
    return engine


def make_migration_engine(url: str) -> Engine:
    """An engine for migrations, with time for slow ones, its own and another's to wait for.

    Foreign keys are not enforced while a table is replaced by an altered copy, because the copy's
    references would be lost with the original; `migration_lock` looks at them in the end.
    """
    engine = make_engine(url, statement_timeout_seconds=MAX_MIGRATION_SECONDS, poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def loosen(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute(f"PRAGMA busy_timeout={round(MAX_MIGRATION_SECONDS * 1000)}")

    return engine


@contextmanager
def migration_lock(connection: Connection, _lock_timeout_seconds: float = 5.0) -> Iterator[None]:
    """Check the references at the end; BEGIN IMMEDIATE is the lock, and readers go on.

    Raises MigrationError if the migration broke a reference.
    """
    yield
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        tables = ", ".join(sorted({row[0] for row in broken}))
        raise MigrationError(
            f"The migration leaves references to rows that do not exist in: {tables}"
        )


def interrupted_step(_connection: Connection, _applied: Collection[str]) -> str:
    """Return nothing: a migration that is interrupted leaves nothing behind."""
    return ""


def recorded_progress(
    _connection: Connection, _step: str, _applied: Collection[str]
) -> AbstractContextManager[None]:
    """Do nothing: a migration that is interrupted leaves nothing behind."""
    return nullcontext()


def _make_begin() -> Callable[[PoolProxiedConnection], None]:
    """Return what begins the transactions of an engine: as a writer, unless `g` has the mark."""
    begin_immediate = HangGuard(_begin_immediate)

    def begin(connection: PoolProxiedConnection) -> None:
        if has_app_context() and g.get("sqlite_begin") == "DEFERRED":
            _begin_deferred(connection)
        else:
            begin_immediate(connection)

    return begin


def _begin_immediate(connection: PoolProxiedConnection) -> None:
    """Take the write lock at once, so that a read-then-write loses no update."""
    cast(sqlite3.Connection, connection.driver_connection).execute("BEGIN IMMEDIATE")


def _begin_deferred(connection: PoolProxiedConnection) -> None:
    cast(sqlite3.Connection, connection.driver_connection).execute("BEGIN DEFERRED")


def _connection_with_timeout(limit: float) -> type[sqlite3.Connection]:
    """The class of connections that interrupt a statement after `limit` seconds."""

    class Cursor(sqlite3.Cursor):
        def execute(self, *statement: Any) -> "Cursor":
            self._start_clock()
            return super().execute(*statement)

        def executemany(self, *statement: Any) -> "Cursor":
            self._start_clock()
            return super().executemany(*statement)

        def _start_clock(self) -> None:
            end = time.monotonic() + limit
            self.connection.set_progress_handler(
                lambda: time.monotonic() > end, STEPS_BETWEEN_CHECKS
            )

    class Connection(sqlite3.Connection):
        def cursor(self, factory: Any = None) -> Any:
            return super().cursor(factory or Cursor)

    return Connection


def begin_reads_deferred(app: Flask) -> None:
    """Make requests read beside each other and beside a writer until `begin_writes_immediately`.

    The mark is on `g`, which belongs to the context: a context nested in such a request writes.
    """

    @app.before_request
    def mark() -> None:
        g.sqlite_begin = "DEFERRED"


def begin_writes_immediately(app: Flask) -> None:
    """Take the write lock for a method that is not safe, from here on.

    Call it after what authenticates: an unknown caller must not wait for the lock, or hold it.
    """

    @app.before_request
    def mark() -> None:
        if request.method not in SAFE_METHODS:
            g.sqlite_begin = "IMMEDIATE"
