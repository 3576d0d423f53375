"""How this service speaks to MariaDB: PyMySQL, a bounded pool, a bound on every statement."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from .constraints import Kind, Violation
from .revisions import MigrationError
from .unfinished import recorded_progress as recorded_progress

MIGRATION_OPTIONS: dict[str, Any] = {}
MAX_MIGRATION_SECONDS = 3600.0

CONNECT_TIMEOUT_SECONDS = 5

POOL_OPTIONS: dict[str, Any] = {"pool_pre_ping": True}
"""A request finds no connection that the server closed while it was idle."""

RETRYABLE_ERRORS = frozenset({1020, 1205, 1213})
"""Row changed since it was read, lock wait timeout, deadlock: the server's error codes."""

CONSTRAINT_KINDS: dict[object, Kind] = {
    1048: "check",
    1062: "unique",
    1451: "reference",
    1452: "reference",
    4025: "check",
}
"""NOT NULL, unique key, both ends of a foreign key, CHECK: the server's error codes."""

UNIQUE_NAME = re.compile(r"'(?:[^'.]*\.)?([^'.]*)'$")
CONSTRAINT_NAME = re.compile(r"CONSTRAINT `([^`]+)`")

STATEMENT_TIMEOUT = 1969
CHECK_FAILED = 4025


def make_engine(url: str, *, statement_timeout_seconds: float, **options: Any) -> Engine:
    """Return an engine whose statements are cancelled in time; `options` go to `create_engine`.

    READ COMMITTED: a transaction sees what others committed, and takes no gap locks that deadlock.
    """
    session_variables = (
        f"SET time_zone = '+00:00', max_statement_time = {statement_timeout_seconds}"
    )
    return create_engine(
        url,
        isolation_level="READ COMMITTED",
        connect_args={
            "charset": "utf8mb4",
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "init_command": session_variables,
        },
        hide_parameters=True,
        **options,
    )


def is_conflict(error: DBAPIError) -> bool:
    """Whether a constraint of the schema refused the change; the driver sorts CHECK elsewhere."""
    return isinstance(error, IntegrityError) or _code(error) == CHECK_FAILED


def violation_of(error: DBAPIError) -> Violation:
    """Return the constraint of a conflict.

    Its name is the last quoted word of the message of a unique key, which also holds the value, and
    follows CONSTRAINT in the others, whatever the language of the messages is.
    """
    code, message = _code(error), str(getattr(error.orig, "args", ("", ""))[-1])
    kind = CONSTRAINT_KINDS.get(code, "other")
    pattern = UNIQUE_NAME if kind == "unique" else CONSTRAINT_NAME
    found = pattern.search(message)
    return Violation(kind, constraint=found[1] if found else "")


def is_retryable(error: DBAPIError) -> bool:
    """Whether the transaction lost a race with another, and may succeed when it is done again."""
    return _code(error) in RETRYABLE_ERRORS


def is_statement_timeout(error: DBAPIError) -> bool:
    """Whether the statement was cancelled at its time limit."""
    return _code(error) == STATEMENT_TIMEOUT


def _code(error: DBAPIError) -> object:
    return next(iter(getattr(error.orig, "args", ())), None)


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
    name = "CONCAT(DATABASE(), '.alembic')"
    query = text(f"SELECT GET_LOCK({name}, {MAX_MIGRATION_SECONDS})")
    if connection.scalar(query) != 1:
        raise MigrationError("Another migration of this database did not end in time.")
    seconds = max(1, round(lock_timeout_seconds))  # the server counts whole seconds
    connection.execute(
        text(f"SET lock_wait_timeout = {seconds}, innodb_lock_wait_timeout = {seconds}")
    )
    yield
