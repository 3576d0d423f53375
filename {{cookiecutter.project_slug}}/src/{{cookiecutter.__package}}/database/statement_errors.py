"""Why the database rejects a statement of a migration, without the values of rows.

Only commands import this module.
"""

import re

from sqlalchemy.exc import DataError, DBAPIError

from .engine import cause_of, is_conflict, violation_of

PLACE = re.compile(
    r"ALTER TABLE \S+(?: \w+ (?:COLUMN|CONSTRAINT) \S+)?"
    r"|CREATE (?:UNIQUE )?INDEX \S+ ON \S+"
    r"|(?:UPDATE|INSERT INTO|DELETE FROM) \S+"
)
"""The beginning of a statement, which names tables, columns and constraints, and no values."""


def reason_without_values(error: DBAPIError) -> str:
    """Return the reason; what a row holds is not in it, though it is in the engine's message."""
    if not is_conflict(error) and not isinstance(error, DataError):
        return f"{type(error.orig).__name__}: {str(error.orig).splitlines()[0]}"
    violation = violation_of(error)
    name = violation.constraint or ", ".join(violation.columns)
    place = PLACE.match(error.statement or "")
    what = f"rows that exist do not fit {name}" if name else "rows that exist do not fit"
    copied = place.group().replace("_alembic_tmp_", "") if place else ""
    return f"{what} ({cause_of(error)})" + (f" in {copied}" if copied else "")
