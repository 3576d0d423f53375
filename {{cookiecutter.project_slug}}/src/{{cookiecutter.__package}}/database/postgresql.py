"""How this service speaks to PostgreSQL: psycopg 3, a bounded pool, a bound on every statement."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError

if TYPE_CHECKING:
    from .settings import Settings

DRIVERS = ("postgresql", "postgresql+psycopg")
EXAMPLE_URL = "postgresql://user:password@host/{{ cookiecutter.__package }}"

MIGRATION_OPTIONS: dict[str, Any] = {}
LONGEST_MIGRATION_SECONDS = 3600.0

CONNECT_TIMEOUT_SECONDS = 5

LOST_RACES = frozenset({"40001", "40P01", "55P03"})
"""Serialisation failure, deadlock, lock not available: SQLSTATE, appendix A of the manual."""

OUT_OF_TIME = "57014"
NAMES_NO_DATABASE = frozenset({None, ""})


def make_engine(settings: "Settings", **options: Any) -> Engine:
    """An engine with a pool as large as a worker has threads; `options` go to `create_engine`.

    `pool_pre_ping` finds out that the server closed an idle connection before a request does.
    """
    pool = {
        "pool_size": settings.threads,
        "max_overflow": 0,
        "pool_timeout": settings.pool_timeout_seconds,
        "pool_pre_ping": True,
    }
    milliseconds = round(settings.statement_timeout_seconds * 1000)
    return create_engine(
        settings.database_url.get_secret_value(),
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "options": f"-c timezone=UTC -c statement_timeout={milliseconds}",
        },
        hide_parameters=True,
        **(options or pool),
    )


def is_conflict(error: DBAPIError) -> bool:
    """Whether a constraint of the schema refused the change."""
    return isinstance(error, IntegrityError)


def is_transient(error: DBAPIError) -> bool:
    """Whether the transaction lost a race with another, and may succeed when it is done again."""
    return _sqlstate(error) in LOST_RACES


def ran_out_of_time(error: DBAPIError) -> bool:
    """Whether the statement was cancelled at its time limit."""
    return _sqlstate(error) == OUT_OF_TIME


def _sqlstate(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)


def make_migration_engine(settings: "Settings") -> Engine:
    """An engine for migrations, with time for slow ones."""
    patient = settings.model_copy(update={"statement_timeout_seconds": LONGEST_MIGRATION_SECONDS})
    return make_engine(patient, poolclass=NullPool)


@contextmanager
def migration_lock(connection: Connection) -> Iterator[None]:
    """One migration of this database at a time; the lock ends with the transaction."""
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('alembic'))"))
    yield
