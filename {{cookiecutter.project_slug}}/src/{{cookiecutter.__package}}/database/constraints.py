"""Which constraint a statement violates, and which columns it is about."""

from collections.abc import Iterator
from functools import cache
from typing import Literal, NamedTuple

from sqlalchemy import ForeignKeyConstraint, MetaData, UniqueConstraint

Kind = Literal["unique", "reference", "check", "other"]


class Violation(NamedTuple):
    """A constraint that a statement violates, as far as the engine names it."""

    kind: Kind
    constraint: str = ""
    """Its name in the database."""
    columns: tuple[str, ...] = ()


def violated_columns(violation: Violation, metadata: MetaData) -> tuple[str, ...]:
    """Return the columns of the violated constraint; none if neither engine nor models know."""
    return violation.columns or _columns_by_constraint(metadata).get(violation.constraint, ())


@cache
def _columns_by_constraint(metadata: MetaData) -> dict[str, tuple[str, ...]]:
    return dict(_named_columns(metadata))


def _named_columns(metadata: MetaData) -> Iterator[tuple[str, tuple[str, ...]]]:
    for table in metadata.tables.values():
        for constraint in table.constraints:
            if isinstance(constraint, UniqueConstraint | ForeignKeyConstraint):
                yield str(constraint.name), tuple(column.name for column in constraint.columns)
        for index in table.indexes:
            if index.unique:
                yield str(index.name), tuple(column.name for column in index.columns)
