"""How this service speaks to MariaDB: PyMySQL, a bounded pool, a bound on every statement."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError

if TYPE_CHECKING:
    from .settings import Settings

DRIVERS = ("mariadb+pymysql",)
EXAMPLE_URL = "mariadb+pymysql://user:password@host/{{ cookiecutter.__package }}"

MIGRATION_OPTIONS: dict[str, Any] = {}
LONGEST_MIGRATION_SECONDS = 3600.0

CONNECT_TIMEOUT_SECONDS = 5

LOST_RACES = frozenset({1020, 1205, 1213})
"""Row changed since it was read, lock wait timeout, deadlock: the server's error codes."""

OUT_OF_TIME = 1969
CHECK_FAILED = 4025
NAMES_NO_DATABASE = frozenset({None, ""})


def make_engine(settings: "Settings", **options: Any) -> Engine:
    """An engine with a pool as large as a worker has threads; `options` go to `create_engine`.

    READ COMMITTED: a transaction sees what others committed, and takes no gap locks that deadlock.
    `pool_pre_ping` finds out that the server closed an idle connection before a request does.
    """
    pool = {
        "pool_size": settings.threads,
        "max_overflow": 0,
        "pool_timeout": settings.pool_timeout_seconds,
        "pool_pre_ping": True,
    }
    session_variables = (
        f"SET time_zone = '+00:00', max_statement_time = {settings.statement_timeout_seconds}"
    )
    return create_engine(
        settings.database_url.get_secret_value(),
        isolation_level="READ COMMITTED",
        connect_args={
            "charset": "utf8mb4",
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "init_command": session_variables,
        },
        hide_parameters=True,
        **(options or pool),
    )


def is_conflict(error: DBAPIError) -> bool:
    """Whether a constraint of the schema refused the change; the driver sorts CHECK elsewhere."""
    return isinstance(error, IntegrityError) or _code(error) == CHECK_FAILED


def is_transient(error: DBAPIError) -> bool:
    """Whether the transaction lost a race with another, and may succeed when it is done again."""
    return _code(error) in LOST_RACES


def ran_out_of_time(error: DBAPIError) -> bool:
    """Whether the statement was cancelled at its time limit."""
    return _code(error) == OUT_OF_TIME


def _code(error: DBAPIError) -> object:
    return next(iter(getattr(error.orig, "args", ())), None)


def make_migration_engine(settings: "Settings") -> Engine:
    """An engine for migrations, with time for slow ones."""
    patient = settings.model_copy(update={"statement_timeout_seconds": LONGEST_MIGRATION_SECONDS})
    return make_engine(patient, poolclass=NullPool)


@contextmanager
def migration_lock(connection: Connection) -> Iterator[None]:
    """One migration of this database at a time; raises RuntimeError if another takes too long.

    DDL commits, so the lock is the connection's. It ends with it, after the last commit.
    """
    name = "CONCAT(DATABASE(), '.alembic')"
    query = text(f"SELECT GET_LOCK({name}, {LONGEST_MIGRATION_SECONDS})")
    if connection.scalar(query) != 1:
        raise RuntimeError("Another migration of this database did not end in time.")
    yield
