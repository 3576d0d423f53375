"""Says what a migration needs of rows that exist, and what they lose by it.

Only commands import this.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from alembic.operations import ops
from sqlalchemy import (
    Column,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Integer,
    Numeric,
{% if cookiecutter.database != "sqlite" %}
    String,
{% endif %}
    Table,
    UniqueConstraint,
)

from .column_types import ExactDecimal, {% if cookiecutter.database != "sqlite" %}LongText, {% endif %}UtcDateTime
from .comparison import is_partial_or_expression

EQUAL = "{table} gets the unique key {name}: rows with equal values stop the migration."
BREAKS = "{table} gets the CHECK {name}: rows that break it stop the migration."
ORPHANS = "{table} gets the foreign key {name}: values that {other} lacks stop the migration."
SHOWN = " This shows them: {query}"
{% if cookiecutter.database != "sqlite" %}
SHORTER = "{column} gets shorter: values of more than {length} characters stop the migration."
{% endif %}
ROUNDS = "{column} gets fewer places after the point: values that have more of them are rounded."
LOSES_TIME = "{column} becomes a date: the time of the day of its values is lost."
WAY_BACK = "The way back: "

LITERAL = re.compile(
    r"\(?(?:_\w{1,20})?\\?('(?:''|[^'])*')"
    r"(?:::[a-z ]{1,40}(?:\(\d{1,9}\))?)?\)?(?:::[a-z ]{1,40})?\s*,?\s*"
)
"""A text in the SQL of an engine, with what engines write before and after it."""

NEGATION = re.compile(r"\bnot\b|<>|!=", re.IGNORECASE)

Key = tuple[tuple[str, ...], str, tuple[str, ...]]
"""The columns of a foreign key, the table that it refers to, and the columns there."""


class Change(NamedTuple):
    """The operations on a table, and what is known beside them."""

    table: ops.ModifyTableOps
    model: Table
    exist: Mapping[str, str]
    """The CHECKs before, as the engine reports them."""
    wanted: Mapping[str, str]
    """The CHECKs after that."""
    filled: Collection[str]
    """New columns that get a value in rows that exist."""
    new_tables: Collection[str]
    quote: Callable[[str], str]
    has_renames: bool
    """True if tables or columns have other names before the migration: no query can be shown."""

    @property
    def new(self) -> set[str]:
        """The columns that come."""
        return {str(column.name) for column in self._added()}

    @property
    def empty(self) -> set[str]:
        """The columns that come, and have no value in the rows that exist."""
        columns = [each for each in self._added() if each.server_default is None]
        return {str(column.name) for column in columns} - {*self.filled}

    def _added(self) -> list[Column[object]]:
        return [op.column for op in self.table.ops if isinstance(op, ops.AddColumnOp)]


def notes_on(change: Change, *, back: bool) -> Iterator[str]:
    """Yield a sentence for each operation that rows can stop, or that changes their values."""
    for operation in change.table.ops:
        if note := _need(operation, change):
            yield WAY_BACK * back + note
        if not back and (loss := _loss(operation)):
            yield loss


def _need(operation: ops.MigrateOperation, change: Change) -> str:
    """Return the sentence about rows that the operation stops at, if there can be some."""
    match operation:
        case ops.CreateUniqueConstraintOp():
            return _unique_note(str(operation.constraint_name), [*operation.columns], change)
        case ops.CreateIndexOp() if operation.unique:
            index = operation.to_index()
            if is_partial_or_expression(index):
                return EQUAL.format(table=change.model.name, name=index.name)
            names = [column.name for column in index.columns]
            return _unique_note(str(index.name), names, change)
        case ops.CreateCheckConstraintOp():
            return _check_note(operation, change)
        case ops.CreateForeignKeyOp():
            return _key_note(operation, change)
{% if cookiecutter.database != "sqlite" %}
        case ops.AlterColumnOp():
            return _length_note(operation)
{% endif %}
    return ""


def _unique_note(name: str, columns: list[str], change: Change) -> str:
    """Return the sentence, unless rows that exist cannot be equal."""
    was_unique = any(each <= {*columns} for each in _unique_keys_that_go(change))
    if was_unique or change.empty & {*columns}:
        return ""
    given = " AND ".join(
        f"{change.quote(column.name)} IS NOT NULL"
        for column in change.model.columns
        if column.nullable and column.name in columns
    )
    some = ", ".join(map(change.quote, columns))
    query = f"SELECT {some}, COUNT(*) FROM {change.quote(change.model.name)}"  # noqa: S608
    query += f" WHERE {given}" * bool(given) + f" GROUP BY {some} HAVING COUNT(*) > 1"
    return EQUAL.format(table=change.model.name, name=name) + _shown(query, columns, change)


def _check_note(operation: ops.CreateCheckConstraintOp, change: Change) -> str:
    """Return the sentence, unless another CHECK held all rows to it, or its columns are all new."""
    name = str(operation.constraint_name)
    condition = str(operation.condition).replace("\\:", ":")
    words = LITERAL.sub(" ", condition)
    names = {column.name for column in change.model.columns} | change.new
    used = {each for each in names if re.search(rf"\b{each}\b", words)}
    after = change.wanted.get(name, "")
    held = any(before == after or is_wider(before, after) for before in change.exist.values())
    if held or (used and used <= change.new):
        return ""
    query = f"SELECT * FROM {change.quote(change.model.name)} WHERE NOT ({condition})"  # noqa: S608
    return BREAKS.format(table=change.model.name, name=name) + _shown(query, used, change)


def _key_note(operation: ops.CreateForeignKeyOp, change: Change) -> str:
    """Return the sentence, unless the key is made anew, or its column is empty in all rows."""
    other, quote = operation.referent_table, change.quote
    key = (tuple(operation.local_cols), other, tuple(operation.remote_cols))
    if change.empty & {*operation.local_cols} or key in _foreign_keys_that_go(change):
        return ""
    given = " AND ".join(f"child.{quote(each)} IS NOT NULL" for each in operation.local_cols)
    pairs = zip(operation.remote_cols, operation.local_cols, strict=True)
    equal = " AND ".join(f"parent.{quote(one)} = child.{quote(two)}" for one, two in pairs)
    query = f"SELECT child.* FROM {quote(change.model.name)} child WHERE {given}"  # noqa: S608
    if other not in change.new_tables:
        parent = f"SELECT 1 FROM {quote(other)} parent WHERE {equal}"  # noqa: S608
        query += f" AND NOT EXISTS ({parent})"
    sentence = ORPHANS.format(table=change.model.name, name=operation.constraint_name, other=other)
    return sentence + _shown(query, operation.local_cols, change)


def _shown(query: str, columns: Iterable[str], change: Change) -> str:
    """Return the end of a sentence, if the query can run before the migration."""
    return "" if change.has_renames or change.new & {*columns} else SHOWN.format(query=query)


def is_wider(old: str, new: str) -> bool:
    """Return whether a CHECK allows what it allowed before, and more texts: more enum values."""
    (rest, lists), (new_rest, new_lists) = _texts_apart(old), _texts_apart(new)
    return (
        bool(lists)
        and rest == new_rest
        and not NEGATION.search(rest)
        and all(before <= after for before, after in zip(lists, new_lists, strict=True))
    )


def _texts_apart(check: str) -> tuple[str, list[set[str]]]:
    """Return the SQL with a mark for each list of texts, and the lists."""
    rest: list[str] = []
    lists: list[set[str]] = []
    end = 0
    for found in LITERAL.finditer(check):
        if not lists or found.start() != end:
            rest.append(check[end : found.start()])
            lists.append(set())
        lists[-1].add(found[1])
        end = found.end()
    return "?".join([*rest, check[end:]]), lists


def _foreign_keys_that_go(change: Change) -> set[Key]:
    """Return the foreign keys that are dropped, maybe to be made anew."""
    operations = [op for op in change.table.ops if isinstance(op, ops.DropConstraintOp)]
    keys = [op.to_constraint() for op in operations if op.constraint_type == "foreignkey"]
    return {
        (
            tuple(key.column_keys),
            key.referred_table.name,
            tuple(element.column.name for element in key.elements),
        )
        for key in keys
        if isinstance(key, ForeignKeyConstraint)
    }


def _unique_keys_that_go(change: Change) -> list[set[str]]:
    """Return the columns of the unique keys that are dropped, maybe to be made anew."""
    found: list[set[str]] = []
    for operation in change.table.ops:
        if isinstance(operation, ops.DropConstraintOp) and operation.constraint_type == "unique":
            key = operation.to_constraint()
            assert isinstance(key, UniqueConstraint)  # noqa: S101
            found.append({column.name for column in key.columns})
        elif isinstance(operation, ops.DropIndexOp):
            index = operation.to_index()
            if index.unique and not is_partial_or_expression(index):
                found.append({column.name for column in index.columns})
    return found


def _loss(operation: ops.MigrateOperation) -> str:
    """Return the sentence about what the values of rows lose when a column changes its type."""
    if not isinstance(operation, ops.AlterColumnOp):
        return ""
    name = f"{operation.table_name}.{operation.column_name}"
    old, new = operation.existing_type, operation.modify_type
    if isinstance(old, DateTime | UtcDateTime) and isinstance(new, Date):
        return LOSES_TIME.format(column=name)
    before, after = _places(old), _places(new)
    if before is not None and after is not None and before > after:
        return ROUNDS.format(column=name)
    return ""


def _places(kind: object) -> int | None:
    """Return how many digits after the point the values can have; None for other types."""
    if isinstance(kind, Integer):
        return 0
    return kind.scale if isinstance(kind, Numeric | ExactDecimal) else None
{% if cookiecutter.database != "sqlite" %}


def _length_note(operation: ops.AlterColumnOp) -> str:
    """Return the sentence, if a text becomes a string that is shorter."""
    old, new = operation.existing_type, operation.modify_type
    if not isinstance(old, String | LongText) or not isinstance(new, String) or not new.length:
        return ""
    if isinstance(old, String) and old.length and old.length <= new.length:
        return ""
    column = f"{operation.table_name}.{operation.column_name}"
    return SHORTER.format(column=column, length=new.length)
{% endif %}
