"""How this service speaks to PostgreSQL: psycopg 3, a bounded pool, a bound on every wait."""

import logging
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    NullPool,
    create_engine,
    event,
    literal,
    make_url,
    text,
    tuple_,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from .constraints import Kind, Violation
from .hang_guard import HangGuard
from .revisions import MigrationError

log = logging.getLogger(__name__)

MIGRATION_OPTIONS: dict[str, Any] = {}
MAX_MIGRATION_SECONDS = 3600.0

CONNECT_TIMEOUT_SECONDS = 3
PING_TIMEOUT_SECONDS = 1.0
PROBE_TIMEOUT_SECONDS = 2.0
ANSWER_SECONDS = 1.0
"""How much longer than the server a statement's limit waits here, for a server that hangs."""

POOL_OPTIONS: dict[str, Any] = {"pool_pre_ping": True}
"""A request finds no connection that the server closed while it was idle."""

# SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html
CONSTRAINT_KINDS: dict[str, Kind] = {
    "22001": "check",
    "22003": "check",
    "22P05": "check",
    "23001": "reference",
    "23502": "check",
    "23503": "reference",
    "23505": "unique",
    "23514": "check",
}
"""Unique and foreign keys, and values: too long, out of range, no such character, null, CHECK."""

RETRYABLE_ERRORS = frozenset({"40001", "40P01", "55P03"})
"""Serialization failure, deadlock, lock not available."""

STATEMENT_TIMEOUT = "57014"

OUTAGES = re.compile(r"08...|25006|53...|57P0[1-5]|58...")
"""Connection lost, read-only (a replica), out of disk or memory, shutting down, an I/O error."""

CAUSES = (
    "connection refused",
    "connection reset by peer",
    "certificate verify failed",
    "does not exist",
    "does not support ssl",
    "failed to resolve host",
    "is not permitted to log in",
    "name or service not known",
    "network is unreachable",
    "no more connections",
    "no pg_hba.conf entry",
    "no route to host",
    "no space left on device",
    "no such file or directory",
    "password authentication failed",
    "permission denied",
    "remaining connection slots",
    "server closed the connection unexpectedly",
    "temporary failure in name resolution",
    "the database system is shutting down",
    "the database system is starting up",
    "timeout expired",
    "too many clients",
    "too many connections",
    "unsupported startup parameter",
)
"""Texts of libpq and the server that tell why connecting failed, and hold no name or value."""


class TimeLimitedConnection(psycopg.Connection[Any]):
    """A connection that is closed when the server does not respond within `time_limit` seconds.

    A server that is stopped, or cut off by the network, cannot apply a limit of its own.
    """

    time_limit: float | None = None

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait for the server. Raises psycopg.OperationalError when it does not respond in time."""
        try:
            return super().wait(gen, interval, timeout or self.time_limit)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.close()  # the statement still runs: nothing else can be sent
            raise


def make_engine(url: str, *, statement_timeout_seconds: float, **options: Any) -> Engine:
    """Return an engine whose waits are bounded; `options` go to `create_engine`.

    A URL with `?prepare_threshold=none` leads to a pooler such as PgBouncer, which hands each
    transaction to another connection. It takes no options at the start: the role has the limit.
    """
    milliseconds = round(statement_timeout_seconds * 1000)
    parts = make_url(url)
    connect_args: dict[str, Any] = {"connect_timeout": CONNECT_TIMEOUT_SECONDS}
    if "connect_timeout" in parts.query:
        del connect_args["connect_timeout"]
    if parts.query.get("prepare_threshold") == "none":
        parts = parts.difference_update_query(["prepare_threshold"])
        connect_args["prepare_threshold"] = None
    else:
        limits = f"-c timezone=UTC -c statement_timeout={milliseconds}"
        connect_args["options"] = f"{parts.query.get('options', '')} {limits}".strip()
    engine = create_engine(parts, connect_args=connect_args, hide_parameters=True, **options)

    @event.listens_for(engine, "connect")
    def prepare(connection: TimeLimitedConnection, _record: object) -> None:
        connection.time_limit = CONNECT_TIMEOUT_SECONDS
        _check_limit(connection, milliseconds)
        connection.time_limit = statement_timeout_seconds + ANSWER_SECONDS

    ping = _ping_in_time(engine.dialect.do_ping)
    engine.dialect.do_ping = ping  # type: ignore[assignment,method-assign]
    # Not by the event `do_connect`: the first listener that connects keeps others from it.
    engine.dialect.connect = HangGuard(TimeLimitedConnection.connect)  # type: ignore[assignment,method-assign]
    return engine


def _check_limit(connection: TimeLimitedConnection, milliseconds: int) -> None:
    """Log an error unless the server applies the limit: a pooler may have dropped it."""
    query = "SELECT extract(epoch FROM current_setting('statement_timeout')::interval) * 1000"
    connection.autocommit = True
    row = connection.execute(query).fetchone()
    connection.autocommit = False
    if row is None or round(row[0]) != milliseconds:
        log.error(
            "The database does not apply STATEMENT_TIMEOUT_SECONDS (it has %s ms): give it to the"
            " role, ALTER ROLE ... SET statement_timeout = %d, TimeZone = 'UTC' as two statements",
            row and round(row[0]),
            milliseconds,
        )


def _ping_in_time(do_ping: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Return the dialect's `do_ping` with a limit of its own: an idle connection responds at once.

    SQLAlchemy has no option for it. Without it, a request waits for the statement limit first and
    for a new connection afterwards.
    """

    def ping(connection: TimeLimitedConnection) -> bool:
        limit, connection.time_limit = connection.time_limit, PING_TIMEOUT_SECONDS
        try:
            return do_ping(connection)
        finally:
            connection.time_limit = limit

    return ping


def is_conflict(error: DBAPIError) -> bool:
    """Return whether a constraint of the schema, or the type of a column, rejected the change."""
    return isinstance(error, IntegrityError) or _sqlstate(error) in CONSTRAINT_KINDS


def violation_of(error: DBAPIError) -> Violation:
    """Return the constraint of a conflict, or the column of a value."""
    kind = CONSTRAINT_KINDS.get(_sqlstate(error) or "", "other")
    diagnostics = getattr(error.orig, "diag", None)
    constraint = getattr(diagnostics, "constraint_name", None)
    column = getattr(diagnostics, "column_name", None)
    return Violation(kind, constraint=constraint or column or "")


def is_retryable(error: DBAPIError) -> bool:
    """Return whether the transaction lost a race with another, and may succeed when repeated."""
    return _sqlstate(error) in RETRYABLE_ERRORS


def is_statement_timeout(error: DBAPIError) -> bool:
    """Return whether the statement was cancelled at its time limit."""
    return _sqlstate(error) == STATEMENT_TIMEOUT


def is_outage(error: DBAPIError) -> bool:
    """Return whether the server cannot be used just now; an error without a statement is one."""
    if error.connection_invalidated or error.statement is None:
        return True
    return OUTAGES.fullmatch(_sqlstate(error) or "") is not None


def cause_of(error: SQLAlchemyError) -> str:
    """Return why a statement or a connection failed, without names and values."""
    original = getattr(error, "orig", None) or error
    parts = [type(original).__name__]
    if sqlstate := getattr(original, "sqlstate", None):
        parts.append(f"SQLSTATE {sqlstate}")
    said = str(original).lower()
    parts += [cause for cause in CAUSES if cause in said][:1]
    return ", ".join(parts)


def _sqlstate(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)


def beyond(
    columns: Sequence[ColumnElement[Any]], values: Sequence[Any], *, descending: bool
) -> ColumnElement[bool]:
    """Return the condition for what follows the row with these values, in the columns' order.

    PostgreSQL finds a row value in an index; it would scan all rows that are equal in the first
    column.
    """
    typed = zip(values, columns, strict=True)
    row, last = tuple_(*columns), tuple_(*(literal(value, each.type) for value, each in typed))
    return row < last if descending else row > last


def make_probe_engine(url: str) -> Engine:
    """Return an engine for readiness probes: one connection, with short limits."""
    return make_engine(
        url,
        statement_timeout_seconds=PROBE_TIMEOUT_SECONDS,
        pool_size=1,
        max_overflow=0,
        **POOL_OPTIONS,
    )


def make_migration_engine(url: str) -> Engine:
    """An engine for migrations, with time for slow ones."""
    return make_engine(url, statement_timeout_seconds=MAX_MIGRATION_SECONDS, poolclass=NullPool)


@contextmanager
def migration_lock(connection: Connection, lock_timeout_seconds: float = 5.0) -> Iterator[None]:
    """Hold the lock of migrations, which ends with the transaction: one migrates at a time.

    The wait for it is bounded by the statement timeout; then MigrationError is raised. Any other
    lock is waited for at most `lock_timeout_seconds`, because traffic queues behind a migration
    that waits; that limit is set after the wait for the other migration, which it would end.
    """
    try:
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('alembic'))"))
    except DBAPIError as error:
        if is_statement_timeout(error):
            raise MigrationError(
                "Another migration of this database did not end in time."
            ) from error
        raise
    connection.execute(text(f"SET LOCAL lock_timeout = {round(lock_timeout_seconds * 1000)}"))
    yield


def interrupted_step(_connection: Connection, _applied: Collection[str]) -> str:
    """Return nothing: a migration that is interrupted leaves nothing behind."""
    return ""


def recorded_progress(
    _connection: Connection, _step: str, _applied: Collection[str]
) -> AbstractContextManager[None]:
    """Do nothing: a migration that is interrupted leaves nothing behind."""
    return nullcontext()
