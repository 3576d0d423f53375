"""How this service speaks to PostgreSQL: psycopg 3, a bounded pool, a bound on every statement."""

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from .constraints import Kind, Violation
from .revisions import MigrationError

MIGRATION_OPTIONS: dict[str, Any] = {}
MAX_MIGRATION_SECONDS = 3600.0

CONNECT_TIMEOUT_SECONDS = 5

POOL_OPTIONS: dict[str, Any] = {"pool_pre_ping": True}
"""A request finds no connection that the server closed while it was idle."""

RETRYABLE_ERRORS = frozenset({"40001", "40P01", "55P03"})
"""Serialisation failure, deadlock, lock not available: SQLSTATE, appendix A of the manual."""

CONSTRAINT_KINDS: dict[str, Kind] = {
    "23502": "check",
    "23503": "reference",
    "23505": "unique",
    "23514": "check",
}
"""NOT NULL, foreign key, unique key and CHECK: SQLSTATE."""

STATEMENT_TIMEOUT = "57014"


def make_engine(url: str, *, statement_timeout_seconds: float, **options: Any) -> Engine:
    """Return an engine whose statements are cancelled in time; `options` go to `create_engine`."""
    milliseconds = round(statement_timeout_seconds * 1000)
    return create_engine(
        url,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "options": f"-c timezone=UTC -c statement_timeout={milliseconds}",
        },
        hide_parameters=True,
        **options,
    )


def is_conflict(error: DBAPIError) -> bool:
    """Whether a constraint of the schema refused the change."""
    return isinstance(error, IntegrityError)


def violation_of(error: DBAPIError) -> Violation:
    """Return the constraint of a conflict."""
    kind = CONSTRAINT_KINDS.get(_sqlstate(error) or "", "other")
    diagnostics = getattr(error.orig, "diag", None)
    constraint = getattr(diagnostics, "constraint_name", None)
    column = getattr(diagnostics, "column_name", None)
    return Violation(kind, constraint=constraint or column or "")


def is_retryable(error: DBAPIError) -> bool:
    """Whether the transaction lost a race with another, and may succeed when it is done again."""
    return _sqlstate(error) in RETRYABLE_ERRORS


def is_statement_timeout(error: DBAPIError) -> bool:
    """Whether the statement was cancelled at its time limit."""
    return _sqlstate(error) == STATEMENT_TIMEOUT


def _sqlstate(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)


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


def recorded_progress(
    _connection: Connection, _step: str, _applied: Collection[str]
) -> AbstractContextManager[None]:
    """Do nothing: a migration that is interrupted leaves nothing behind."""
    return nullcontext()
