"""How this service speaks to {{ cookiecutter.__engine }}: PyMySQL, a bounded pool, a bound on every wait."""

import errno
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    NullPool,
    and_,
    create_engine,
    event,
    make_url,
    or_,
    text,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from .constraints import Kind, Violation
from .hang_guard import HangGuard
from .innodb_connection import TimeLimitedConnection
from .{{ cookiecutter.database }} import (
    CHECK_VIOLATED,
    GET_LOCK,
    LIMIT_IN_SECONDS,
    LIMIT_VARIABLE,
    LOCK_NAME,
    OUTAGES,
    RETRYABLE_ERRORS,
    STATEMENT_TIMEOUT,
    ServerConnection,
    limits,
)
from .revisions import MigrationError
from .unfinished import interrupted_step as interrupted_step
from .unfinished import recorded_progress as recorded_progress

log = logging.getLogger(__name__)

MIGRATION_OPTIONS: dict[str, Any] = {}
MAX_MIGRATION_SECONDS = 3600.0
MAX_WAIT_SECONDS = MAX_MIGRATION_SECONDS
"""How long a migration waits for another one to end."""

CONNECT_TIMEOUT_SECONDS = 3
PING_TIMEOUT_SECONDS = 1.0
PROBE_TIMEOUT_SECONDS = 2.0
ANSWER_SECONDS = 1.0
"""How much longer than the server a statement's limit waits here, for a server that hangs."""

POOL_OPTIONS: dict[str, Any] = {"pool_pre_ping": True}
"""A request finds no connection that the server closed while it was idle."""

CONSTRAINT_KINDS: dict[object, Kind] = {
    1022: "unique",
    1048: "check",
    1062: "unique",
    1216: "reference",
    1217: "reference",
    1264: "check",
    1292: "check",
    1366: "check",
    1406: "check",
    1451: "reference",
    1452: "reference",
    CHECK_VIOLATED: "check",
}
"""Unique keys, both ends of a foreign key, and values: null, out of range, too long, CHECK."""

UNIQUE_NAME = re.compile(r"'(?:[^'.]*\.)?([^'.]*)'$")
CONSTRAINT_NAME = re.compile(
    r"CONSTRAINT `([^`]+)`|[`']([^`']*)[`'](?: at row [0-9]+| cannot be null| is violated\.)$"
)


def make_engine(url: str, *, statement_timeout_seconds: float, **options: Any) -> Engine:
    """Return an engine whose waits are bounded; `options` go to `create_engine`.

    READ COMMITTED: a transaction sees what others committed, and takes no gap locks that deadlock.
    """
    parts = make_url(url)
    connect_args: dict[str, Any] = {
        "charset": "utf8mb4",
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "init_command": f"SET time_zone = '+00:00', {limits(statement_timeout_seconds)}",
        "read_timeout": CONNECT_TIMEOUT_SECONDS,
        "write_timeout": CONNECT_TIMEOUT_SECONDS,
    }
    if "connect_timeout" in parts.query:
        del connect_args["connect_timeout"]
    engine = create_engine(
        parts,
        isolation_level="READ COMMITTED",
        connect_args=connect_args,
        hide_parameters=True,
        **options,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: TimeLimitedConnection, _record: object) -> None:
        _check_limit(connection, statement_timeout_seconds)
        connection.set_time_limit(statement_timeout_seconds + ANSWER_SECONDS)

    ping = _ping_in_time(engine.dialect.do_ping, statement_timeout_seconds + ANSWER_SECONDS)
    engine.dialect.do_ping = ping  # type: ignore[assignment,method-assign]
    # Not by the event `do_connect`: the first listener that connects keeps others from it.
    engine.dialect.connect = HangGuard(ServerConnection)  # type: ignore[assignment,method-assign]
    return engine


def _check_limit(connection: TimeLimitedConnection, seconds: float) -> None:
    """Log an error unless the server applies the limit: a proxy may have dropped it."""
    with connection.cursor() as cursor:
        cursor.execute(LIMIT_IN_SECONDS)
        row = cursor.fetchone()
    if row is None or abs(float(row[0]) - seconds) > 0.001:
        log.error(
            "The database does not apply STATEMENT_TIMEOUT_SECONDS (it has %s s): set"
            " %s for the account, or let the proxy pass session variables on",
            row and float(row[0]),
            LIMIT_VARIABLE,
        )


def _ping_in_time(do_ping: Callable[[Any], bool], usual_limit: float) -> Callable[[Any], bool]:
    """Return the dialect's `do_ping` with a limit of its own: an idle connection responds at once.

    SQLAlchemy has no option for it. Without it, a request waits for the statement limit first and
    for a new connection afterwards.
    """

    def ping(connection: TimeLimitedConnection) -> bool:
        connection.set_time_limit(PING_TIMEOUT_SECONDS)
        try:
            return do_ping(connection)
        finally:
            connection.set_time_limit(usual_limit)

    return ping


def is_conflict(error: DBAPIError) -> bool:
    """Return whether a constraint of the schema, or the type of a column, rejected the change."""
    return isinstance(error, IntegrityError) or _code(error) in CONSTRAINT_KINDS


def violation_of(error: DBAPIError) -> Violation:
    """Return the constraint of a conflict, or the column of a value.

    The name is the last quoted word of the message of a unique key, which also holds the value. In
    others it follows CONSTRAINT or comes last, whatever the language of the messages is.
    """
    code, message = _code(error), str(getattr(error.orig, "args", ("", ""))[-1])
    kind = CONSTRAINT_KINDS.get(code, "other")
    pattern = UNIQUE_NAME if kind == "unique" else CONSTRAINT_NAME
    found = pattern.search(message)
    return Violation(kind, constraint=next(filter(None, found.groups()), "") if found else "")


def is_retryable(error: DBAPIError) -> bool:
    """Return whether the transaction lost a race with another, and may succeed when repeated."""
    return _code(error) in RETRYABLE_ERRORS


def is_statement_timeout(error: DBAPIError) -> bool:
    """Return whether the statement was cancelled at its time limit."""
    return _code(error) == STATEMENT_TIMEOUT


def is_outage(error: DBAPIError) -> bool:
    """Return whether the server cannot be used just now; an error without a statement is one."""
    return error.connection_invalidated or error.statement is None or _code(error) in OUTAGES


def cause_of(error: SQLAlchemyError) -> str:
    """Return why a statement or a connection failed, without names and values."""
    original = getattr(error, "orig", None) or error
    parts = [type(original).__name__]
    if isinstance(error, DBAPIError) and isinstance(code := _code(error), int):
        parts.append(f"error {code}")
    reason = getattr(original, "original_exception", None)
    if isinstance(reason, OSError):
        parts.append(errno.errorcode.get(reason.errno or 0, type(reason).__name__))
    return ", ".join(parts)


def _code(error: DBAPIError) -> object:
    return next(iter(getattr(error.orig, "args", ())), None)


def beyond(
    columns: Sequence[ColumnElement[Any]], values: Sequence[Any], *, descending: bool
) -> ColumnElement[bool]:
    """Return the condition for what follows the row with these values, in the order of two columns.

    Each side of the OR is a range of an index; of a row value only the first column would be one.
    The first comparison says the same again, and spares reading what is before that range where
    the optimizer searches the index by a filter only.
    """
    (column, row_id), (value, last) = columns, values
    if descending:
        return and_(column <= value, or_(column < value, and_(column == value, row_id < last)))
    return and_(column >= value, or_(column > value, and_(column == value, row_id > last)))


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
    """Hold the lock of migrations. Raises MigrationError if another migration takes too long.

    DDL commits, so the lock is the connection's. It ends with it, after the last commit. Any other
    lock is waited for at most `lock_timeout_seconds`, because traffic queues behind a migration
    that waits.
    """
    query = text(f"{GET_LOCK}({LOCK_NAME}, {MAX_WAIT_SECONDS})")
    if connection.scalar(query) != 1:
        raise MigrationError("Another migration of this database did not end in time.")
    seconds = max(1, round(lock_timeout_seconds))  # the server counts whole seconds
    connection.execute(
        text(f"SET lock_wait_timeout = {seconds}, innodb_lock_wait_timeout = {seconds}")
    )
    yield
