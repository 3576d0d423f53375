"""The part of the engine that only MySQL has: variables, error codes, statements to be killed."""

import logging
import math
from typing import Any

import pymysql
from pymysql.constants import CR
from sqlalchemy import RowMapping

from .catalog import ReportedColumn
from .innodb_connection import TimeLimitedConnection

log = logging.getLogger(__name__)

SECONDS_TO_KILL = 1

# Error codes: https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
CHECK_VIOLATED = 3819
STATEMENT_TIMEOUT = 3024

RETRYABLE_ERRORS = frozenset({1205, 1213, 3572})
"""Lock wait timeout, deadlock, a lock that NOWAIT did not wait for."""

OUTAGES = frozenset({1021, 1037, 1038, 1040, 1041, 1053, 1114, 1203, 1290, 2006, 2013, 4031})
"""Out of disk, memory or connections, shutting down, read-only (a replica), connection lost."""

LIMIT_VARIABLE = "max_execution_time"
LIMIT_IN_SECONDS = "SELECT @@max_execution_time / 1000"

GET_LOCK = "SELECT /*+ MAX_EXECUTION_TIME(0) */ GET_LOCK"
"""The wait has a limit of its own, which is longer than that of statements."""

LOCK_NAME = "SHA2(CONCAT(DATABASE(), '.alembic'), 256)"
"""A digest: the name of a lock has at most 64 characters, and so has that of a database."""

EXPRESSION = "DEFAULT_GENERATED"


class ServerConnection(TimeLimitedConnection):
    """A connection that kills its statement on the server when it has waited for too long.

    The server limits only what reads. What writes would go on with its locks, after the driver
    gave up.
    """

    def __init__(self, **parameters: Any) -> None:
        self._parameters = parameters
        super().__init__(**parameters)

    def query(self, sql: str, unbuffered: bool = False) -> int:
        """Run a statement. Raises pymysql.OperationalError if it takes too long."""
        try:
            return super().query(sql, unbuffered)
        except pymysql.OperationalError as error:
            if error.args[0] == CR.CR_SERVER_LOST and isinstance(error.__context__, TimeoutError):
                self._kill_statement()
            raise

    def _kill_statement(self) -> None:
        """End the server's side of this connection, by another one; log it if that fails."""
        bounds = dict.fromkeys(
            ("connect_timeout", "read_timeout", "write_timeout"), SECONDS_TO_KILL
        )
        number: int = self.thread_id()  # type: ignore[no-untyped-call]
        try:
            with pymysql.connect(**(self._parameters | bounds)) as other:
                other.query(f"KILL {number}")
        except pymysql.Error:
            log.warning("A statement that took too long may still run: it was not killed")


def limits(seconds: float) -> str:
    """Return what `SET` sets for statements that may take so long; locks end what writes."""
    whole = max(1, math.ceil(seconds))  # the server counts whole seconds for locks
    return (
        f"{LIMIT_VARIABLE} = {max(1, round(seconds * 1000))},"
        f" innodb_lock_wait_timeout = {whole}, lock_wait_timeout = {whole}"
    )


def reported_column(row: RowMapping, check: str | None) -> ReportedColumn:
    """Return a row of SHOW FULL COLUMNS, the same for a temporary table.

    There the server writes NULL for nothing, does not mark a default that is an expression, and
    writes that in parentheses. The mark stays when the default goes.
    """
    extra = [word for word in row["Extra"].split() if word not in ("NULL", EXPRESSION)]
    default = row["Default"]
    is_expression = EXPRESSION in row["Extra"] and default is not None
    if is_expression and not default.startswith("CURRENT_TIMESTAMP"):
        default = f"({default})"
    parts = (row["Type"], row["Collation"], *extra, check)
    return ReportedColumn(
        " ".join(part for part in parts if part), default and default.replace("\\'", "'")
    )
