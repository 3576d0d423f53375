"""The engine's report of a table, the same for a table that exists and for a model."""

from collections.abc import Mapping
from typing import NamedTuple


class ReportedColumn(NamedTuple):
    """A column in the engine's own words; the type includes length, precision and collation."""

    type: str
    default: str | None


class ReportedTable(NamedTuple):
    """The columns and the CHECK constraints of a table, by name."""

    columns: Mapping[str, ReportedColumn]
    checks: Mapping[str, str]
