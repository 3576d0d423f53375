"""The part of the engine that only MariaDB has: variables, error codes, the name of its lock."""

from sqlalchemy import RowMapping

from .catalog import ReportedColumn
from .innodb_connection import TimeLimitedConnection as ServerConnection

__all__ = ["ServerConnection"]

# Error codes: https://mariadb.com/docs/server/reference/error-codes
CHECK_VIOLATED = 4025
STATEMENT_TIMEOUT = 1969

RETRYABLE_ERRORS = frozenset({1020, 1205, 1213})
"""Row changed since it was read, lock wait timeout, deadlock."""

OUTAGES = frozenset({1021, 1037, 1038, 1040, 1041, 1053, 1114, 1203, 1290, 1927, 2006, 2013})
"""Out of disk, memory or connections, shutting down, read-only (a replica), connection lost."""

LIMIT_VARIABLE = "max_statement_time"
LIMIT_IN_SECONDS = "SELECT @@max_statement_time"

GET_LOCK = "SELECT GET_LOCK"
LOCK_NAME = "CONCAT(DATABASE(), '.alembic')"


def limits(seconds: float) -> str:
    """Return what `SET` sets for statements that may take so long."""
    return f"{LIMIT_VARIABLE} = {seconds}"


def reported_column(row: RowMapping, check: str | None) -> ReportedColumn:
    """Return a row of SHOW FULL COLUMNS, with the CHECK that belongs to the column alone."""
    parts = (row["Type"], row["Collation"], row["Extra"], check)
    return ReportedColumn(" ".join(part for part in parts if part), row["Default"])
