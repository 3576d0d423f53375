"""Puts the operations of a generated migration into an order that runs, with rows, on the engine.

Alembic lists differences; engines have rules about their order. A migration goes through it twice,
forwards and back. Only commands import this.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from alembic.operations import ops
from sqlalchemy import ClauseElement, Column, Enum, ForeignKeyConstraint, UniqueConstraint

Operations = list[ops.MigrateOperation]
Keys = Mapping[str, Sequence[ForeignKeyConstraint]]
"""The foreign keys that each table has while an operation runs."""

# Within a table: what refers to a column goes before the column does, and comes after it.
RANK: Mapping[str, int] = {
    "check": 0,
    "foreignkey": 1,
    "unique": 2,
    "primary": 2,
}


def arranged(operations: Iterable[ops.MigrateOperation], keys: Keys) -> Operations:
    """Return the operations, tables first and last, and those of each table in their order.

    `keys` are the foreign keys before the operations; one whose index goes is made anew, because
    some engines keep an index that a foreign key needs.
    """
    flat = list(operations)
    created = {op.table_name for op in flat if isinstance(op, ops.CreateTableOp)}
    dropped = {op.table_name for op in flat if isinstance(op, ops.DropTableOp)}
    tables = [op for op in flat if isinstance(op, ops.ModifyTableOps)]
    return [
        *(op for op in flat if isinstance(op, ops.CreateTableOp)),
        *(op for op in tables if op.table_name in created),
        *(
            _ordered(op, keys.get(op.table_name, ()))
            for op in tables
            if op.table_name not in created | dropped
        ),
        # Its indexes and constraints go with a table; not every engine drops them before it.
        *(op for op in flat if isinstance(op, ops.DropTableOp)),
    ]


def rename_indexes(
    table: ops.ModifyTableOps, rename_sql: Callable[[str, str, str], str], *, keys_are_indexes: bool
) -> None:
    """Rename each index and unique key that differs in its name only, where the engine can.

    `rename_sql` gives the statement for a table, the old and the new name. `keys_are_indexes` says
    that a unique key and a unique index are the same. A large index would take long to build anew.
    """
    dropped = {op: _parts_of(op, keys_are_indexes) for op in table.ops if _goes(op)}
    created = {op: _parts_of(op, keys_are_indexes) for op in table.ops if _comes(op)}
    for new in [op for op in table.ops if op in created]:
        same = [op for op in dropped if dropped[op][1:] == created[new][1:]]
        sql = rename_sql(table.table_name, dropped[same[0]].name, created[new].name) if same else ""
        if sql and created[new].name not in {each.name for each in dropped.values()}:
            del dropped[same[0]]
            kept = [op for op in table.ops if op is not same[0] and op is not new]
            table.ops = [*kept, ops.ExecuteSQLOp(sql)]


class IndexParts(NamedTuple):
    """An index or a unique key, in values that can be compared."""

    name: str
    unique: bool
    constraint: bool
    columns: tuple[str, ...]
    options: tuple[str, ...] = ()


def _parts_of(operation: ops.MigrateOperation, keys_are_indexes: bool) -> IndexParts:
    if isinstance(operation, (ops.DropIndexOp, ops.CreateIndexOp)):
        index = operation.to_index()
        columns = tuple(str(getattr(each, "name", each)) for each in index.expressions)
        given = index.dialect_kwargs.items()
        # SQL, such as the condition of a partial index, is neither true nor false.
        options = sorted(f"{k}={v}" for k, v in given if isinstance(v, ClauseElement) or v)
        return IndexParts(str(index.name), bool(index.unique), False, columns, tuple(options))
    assert isinstance(operation, (ops.DropConstraintOp, ops.CreateUniqueConstraintOp))  # noqa: S101
    key = operation.to_constraint()
    assert isinstance(key, UniqueConstraint)  # noqa: S101
    columns = tuple(column.name for column in key.columns)
    return IndexParts(str(key.name), True, not keys_are_indexes, columns)


def _goes(operation: ops.MigrateOperation) -> bool:
    if isinstance(operation, ops.DropConstraintOp):
        return operation.constraint_type == "unique"
    return isinstance(operation, ops.DropIndexOp)


def _comes(operation: ops.MigrateOperation) -> bool:
    return isinstance(operation, (ops.CreateIndexOp, ops.CreateUniqueConstraintOp))


def _ordered(table: ops.ModifyTableOps, keys: Sequence[ForeignKeyConstraint]) -> ops.ModifyTableOps:
    operations: Operations = [*table.ops, *_keys_made_anew(table, keys)]
    return ops.ModifyTableOps(table.table_name, sorted(operations, key=_rank), schema=table.schema)


def _rank(operation: ops.MigrateOperation) -> int:
    match operation:
        case ops.DropConstraintOp():
            return RANK.get(operation.constraint_type or "", 2)
        case ops.DropIndexOp() | ops.ExecuteSQLOp():
            return 3
        case ops.AddColumnOp():
            return 4
        case ops.AlterColumnOp():
            return 5
        case ops.DropColumnOp():
            return 6
        case ops.CreateIndexOp():
            return 7
        case ops.CreateForeignKeyOp():
            return 9
        case ops.CreateCheckConstraintOp():
            return 10
    return 8


def _keys_made_anew(
    table: ops.ModifyTableOps, keys: Sequence[ForeignKeyConstraint]
) -> Iterable[ops.MigrateOperation]:
    dropped = {op.constraint_name for op in table.ops if isinstance(op, ops.DropConstraintOp)}
    indexed = {column for op in table.ops for column in _first_columns(op)}
    for key in keys:
        if key.column_keys[0] in indexed and key.name not in dropped:
            yield ops.DropConstraintOp.from_constraint(key)
            yield ops.CreateForeignKeyOp.from_constraint(key)


def _first_columns(operation: ops.MigrateOperation) -> list[str]:
    """Return the first column of an index or a unique key that goes."""
    if isinstance(operation, ops.DropIndexOp):
        return [str(column.name) for column in operation.to_index().columns][:1]
    if isinstance(operation, ops.DropConstraintOp) and operation.constraint_type == "unique":
        constraint = operation.to_constraint()
        assert isinstance(constraint, UniqueConstraint)  # noqa: S101
        return [str(column.name) for column in constraint.columns][:1]
    return []


def without_type_constraints(operations: Iterable[ops.MigrateOperation]) -> None:
    """Take the CHECK out of the types of columns: it is an operation of its own."""
    for operation in operations:
        if isinstance(operation, ops.AddColumnOp):
            operation.column.type = _plain(operation.column.type)
        elif isinstance(operation, ops.AlterColumnOp):
            operation.modify_type = _plain(operation.modify_type)
            operation.existing_type = _plain(operation.existing_type)


def _plain(kind: Any) -> Any:
    if isinstance(kind, Enum) and not kind.native_enum:
        return Enum(*kind.enums, native_enum=False, length=kind.length)
    return kind


def type_before_required(operation: ops.MigrateOperation) -> Operations:
    """Return the operation in two if a column changes its type and becomes required.

    Rows without a value get one of the new type between them.
    """
    if not isinstance(operation, ops.AlterColumnOp):
        return [operation]
    if operation.modify_type is None or operation.modify_nullable is not False:
        return [operation]
    default = operation.modify_server_default
    required = ops.AlterColumnOp(
        operation.table_name,
        operation.column_name,
        schema=operation.schema,
        existing_type=operation.modify_type,
        existing_server_default=(
            operation.existing_server_default if default is False else default
        ),
        modify_nullable=False,
    )
    operation.modify_nullable = None
    return [operation, required]


def comes_before_values(operation: ops.MigrateOperation) -> bool:
    """Return whether it comes before rows that exist get values, not after it."""
    if isinstance(operation, ops.AlterColumnOp):
        return operation.modify_type is not None
    return isinstance(
        operation, (ops.DropConstraintOp, ops.DropIndexOp, ops.AddColumnOp, ops.ExecuteSQLOp)
    )


def apart_from_sql(operation: ops.MigrateOperation) -> Operations:
    """Return a table's operations in parts: SQL among them has a place of its own.

    A table that is copied is copied at the end of each part.
    """
    if not isinstance(operation, ops.ModifyTableOps):
        return [operation]
    parts: Operations = []
    for step in operation.ops:
        if isinstance(step, ops.ExecuteSQLOp):
            parts.append(step)
        elif parts and isinstance(parts[-1], ops.ModifyTableOps):
            parts[-1].ops.append(step)
        else:
            parts.append(ops.ModifyTableOps(operation.table_name, [step], schema=operation.schema))
    return parts


def column_without(column: Column[Any], *, nullable: bool) -> Column[Any]:
    """Return a column like this one that belongs to no table."""
    return Column(
        column.name,
        column.type,
        nullable=nullable,
        server_default=column.server_default,
        comment=column.comment,
    )
