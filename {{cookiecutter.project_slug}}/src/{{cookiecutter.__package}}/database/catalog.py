"""The engine's report of a table, the same for a table that exists and for a model."""

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import Connection


class ReportedColumn(NamedTuple):
    """A column in the engine's own words; the type includes length, precision and collation."""

    type: str
    default: str | None


class ReportedTable(NamedTuple):
    """The columns and the CHECK constraints of a table, by name."""

    columns: Mapping[str, ReportedColumn]
    checks: Mapping[str, str]


def rename_column(connection: Connection, table: str, old: str, new: str) -> tuple[str, str]:
    """Return what renames a column, and what takes that back."""
    quote = connection.dialect.identifier_preparer.quote
    rename = f"ALTER TABLE {quote(table)} RENAME COLUMN"
    return f"{rename} {quote(old)} TO {quote(new)}", f"{rename} {quote(new)} TO {quote(old)}"
