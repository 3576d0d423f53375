"""Migrations that were interrupted, on an engine whose DDL commits: they go on where they stopped.

Each statement of a migration is recorded. A run that was killed, or that met an error, is begun
again after the last statement that was done; the one that was under way may be done or not, so an
error that says that it is done already is none.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    delete,
    event,
    inspect,
    select,
)
from sqlalchemy.schema import CreateTable

from .revisions import INTERNAL_TABLES, PROGRESS_TABLE, MigrationError

CHANGES_OF_ROWS = ("INSERT", "UPDATE", "DELETE", "REPLACE")
READS = ("SELECT", "SHOW", "DESCRIBE", "EXPLAIN", "SET")

DONE_ALREADY = frozenset(
    {1005, 1050, 1051, 1060, 1061, 1068, 1091, 1826, 1146, 1054, 3821, 3822, 3940}
)
"""Table or column or key exists, or does not exist any more: the server's error codes."""

PROGRESS = Table(
    PROGRESS_TABLE,
    MetaData(),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("step", String(100), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("done", Boolean, nullable=False),
)
BEGIN = "REPLACE INTO unfinished_migration (position, step, digest, done) VALUES (%s, %s, %s, 0)"
FORGET = "DELETE FROM unfinished_migration WHERE position = %s"
END = "UPDATE unfinished_migration SET done = 1 WHERE position = %s"


@contextmanager
def recorded_progress(
    connection: Connection, step: str, applied: Collection[str]
) -> Iterator[None]:
    """Record each statement of a migration, and leave out those that are done already.

    `step` is the direction and the revision. Raises MigrationError if another step was
    interrupted, or if the migration has changed since.
    """
    connection.execute(CreateTable(PROGRESS, if_not_exists=True))
    rows = connection.execute(select(PROGRESS).order_by(PROGRESS.c.position)).all()
    if rows and rows[0].step != step:
        if not _is_over(rows[0].step, applied):
            raise MigrationError(_other(rows[0].step, len(rows)))
        connection.execute(delete(PROGRESS))
        rows = []
    recorder = _Recorder(step, [(row.digest, row.done) for row in rows])
    engine = connection.engine
    event.listen(engine, "do_execute", recorder.execute)
    event.listen(engine, "do_execute_no_params", recorder.execute_without_parameters)
    event.listen(engine, "do_executemany", recorder.execute_many)
    try:
        yield
    finally:
        event.remove(engine, "do_execute", recorder.execute)
        event.remove(engine, "do_execute_no_params", recorder.execute_without_parameters)
        event.remove(engine, "do_executemany", recorder.execute_many)
    connection.execute(delete(PROGRESS))


def interrupted_step(connection: Connection, applied: Collection[str]) -> str:
    """Return a sentence about a migration that left a half, or nothing if none did."""
    if not inspect(connection).has_table(PROGRESS_TABLE):
        return ""
    steps = connection.scalars(select(PROGRESS.c.step)).all()
    return "" if not steps or _is_over(steps[0], applied) else _other(steps[0], len(steps))


class _Recorder:
    """Stands between SQLAlchemy and the driver while one migration runs."""

    def __init__(self, step: str, recorded: list[tuple[str, bool]]) -> None:
        self.step = step
        self.recorded = recorded
        self.position = 0

    def execute_without_parameters(self, cursor: Any, statement: str, context: Any) -> bool:
        """Do the same for a statement without parameters."""
        return self.execute(cursor, statement, None, context)

    def execute_many(self, cursor: Any, statement: str, parameters: Any, _context: Any) -> bool:
        """Do the same for a statement with several sets of parameters, which tell it apart."""
        run = partial(cursor.executemany, statement, parameters)
        return self._record(cursor, statement, run, f"{statement}\n{parameters!r}")

    def execute(self, cursor: Any, statement: str, parameters: Any, _context: Any) -> bool:
        """Return True if the statement was executed here, or is done already."""
        return self._record(cursor, statement, partial(cursor.execute, statement, parameters))

    def _record(
        self, cursor: Any, statement: str, run: Callable[[], object], identity: str = ""
    ) -> bool:
        if _is_read(statement) or _is_internal(statement):
            return False
        position, self.position = self.position, self.position + 1
        digest = hashlib.sha256((identity or statement).encode()).hexdigest()
        begun = position < len(self.recorded)
        if begun:
            recorded, done = self.recorded[position]
            if recorded != digest:
                raise MigrationError(_changed(self.step, position))
            if done:
                return True
        record = cursor.connection.cursor()
        record.execute(BEGIN, (position, self.step, digest))
        try:
            run()
        except cursor.connection.Error as error:
            if not begun or error.args[0] not in DONE_ALREADY:
                record.execute(FORGET, (position,))
                cursor.connection.commit()
                raise
        record.execute(END, (position,))
        if not statement.lstrip().upper().startswith(CHANGES_OF_ROWS):
            cursor.connection.commit()  # DDL has committed what was before it, too
        return True


def _is_read(statement: str) -> bool:
    return statement.lstrip().upper().startswith(READS)


def _is_internal(statement: str) -> bool:
    return any(name in statement for name in INTERNAL_TABLES)


def _is_over(step: str, applied: Collection[str]) -> bool:
    """Return whether the step came to its end all the same, but for the delete of its record."""
    direction, revision = step.split()
    return (revision in applied) is (direction == "upgrade")


def _other(step: str, statements: int) -> str:
    direction, revision = step.split()
    return (
        f"The {direction} of {revision} was interrupted at its statement {statements}. Finish it"
        f" first: `flask db {direction}` with the code that has this migration."
    )


def _changed(step: str, done: int) -> str:
    direction, revision = step.split()
    return (
        f"The {direction} of {revision} was interrupted after {done} statements that are not those"
        " of the file any more. Write the file as it was and migrate again; or bring the schema"
        f" by hand to where the file begins, and empty the table {PROGRESS_TABLE}."
    )
