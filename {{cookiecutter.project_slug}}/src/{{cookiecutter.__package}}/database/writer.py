"""Writes migrations: what differs, what was said of it, and nothing that cannot run.

Only commands import this.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeGuard

from alembic.autogenerate import render_python_code
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from sqlalchemy import (
    Column,
    Connection,
    ForeignKeyConstraint,
    Index,
    MetaData,
    Table,
    UniqueConstraint,
    inspect,
)

from . import catalog_{{ cookiecutter.__engine_module }} as catalog
from .arrangement import (
    apart_from_sql,
    arranged,
    column_without,
    comes_before_values,
    rename_indexes,
    type_before_required,
    without_type_constraints,
)
from .comparison import Comparison, is_partial_or_expression
from .literals import sql_literal
from .notes import Change, notes_on
from .revision_ids import revision_id
from .revisions import MigrationError

DROP_BESIDE_ADD = (
    "{old} goes and {new}, which is like it, comes. If it is a rename, its rows keep their values"
    " by rename={old}:{short}. If it is not, say drop={old}."
)
NEEDS_VALUE = (
    "{column} is required, and rows that exist have no value for it. Give them one by"
    " default={column}:VALUE, or say default={column}: with nothing after the colon if the table"
    " has no rows."
)
NEEDS_UNIQUE_VALUES = (
    "{column} is required and unique, and rows that exist have no value for it; one value for all"
    " rows cannot be unique. Fill it by hand: make the column optional, fill it in a migration made"
    ' by `make migration m="..." empty=yes`, and make it required after that, by default={column}:'
    " with nothing after the colon. If the table has no rows, say that now."
)
NO_VALUE_BACK = (
    "The way back makes {column} required and unique again: no single value can fill it, and it"
    " fails while a row has none."
)
NEEDS_VALUE_BACK = (
    "The way back makes {column} required again, and fails while a row has no value for it;"
    " default={column}:VALUE gives it one."
)


@dataclass(frozen=True)
class Wishes:
    """Facts that the models do not hold: renames, values for existing rows, possible losses."""

    renames: tuple[tuple[str, str], ...] = ()
    """Pairs such as `orders.old`, `new` and `orders`, `purchases`."""
    defaults: Mapping[str, str] = field(default_factory=dict)
    """A value for each column, such as `draft` for `orders.status`."""
    drops: frozenset[str] = frozenset()
    """Columns and tables that are dropped, not renamed."""

    @classmethod
    def parse(cls, rename: str = "", default: str = "", drop: str = "") -> "Wishes":
        """Read what is written in a command. Raises MigrationError that shows the form."""
        renames = []
        for word in re.split(r"[\s,]+", rename.strip()) if rename.strip() else []:
            match = re.fullmatch(r"(\w+(?:\.\w+)?):(\w+)", word)
            if not match:
                raise MigrationError(
                    f"{word!r} is not a rename; write rename=orders.old:new or"
                    " rename=orders:purchases."
                )
            renames.append((match[1], match[2]))
        defaults = {}
        for word in re.split(r"[\s,]+(?=\w+\.\w+:)", default.strip()) if default.strip() else []:
            match = re.fullmatch(r"(\w+\.\w+):(.*)", word, re.DOTALL)
            if not match:
                raise MigrationError(
                    f"{word!r} is not a default; write default=orders.status:draft."
                )
            defaults[match[1]] = match[2]
        drops = frozenset(re.split(r"[\s,]+", drop.strip())) if drop.strip() else frozenset()
        return cls(tuple(renames), defaults, drops)

    def rename_statements(self, connection: Connection) -> list[tuple[str, str]]:
        """Return the SQL of each rename, columns before tables, and that of its way back."""
        quote = connection.dialect.identifier_preparer.quote
        statements = []
        for old, new in self.renames:
            table, _, column = old.partition(".")
            if column:
                statements.append(catalog.rename_column(connection, table, column, new))
        for old, new in self.renames:
            if "." not in old:
                before, after = quote(old), quote(new)
                forwards = f"ALTER TABLE {before} RENAME TO {after}"
                statements.append((forwards, f"ALTER TABLE {after} RENAME TO {before}"))
                statements += catalog.primary_key_renames(connection, old, new)
        return statements

    def check_renames(self, connection: Connection, models: MetaData) -> None:
        """Raise MigrationError for a rename of what is not there, or to what is not there."""
        inspector = inspect(connection)
        tables = dict(pair for pair in self.renames if "." not in pair[0])
        errors = []
        for old, new in self.renames:
            table, _, column = old.partition(".")
            model = models.tables.get(tables.get(table, table))
            if not inspector.has_table(table):
                errors.append(f"The database has no table {table}.")
            elif model is None:
                errors.append(f"There is no model of a table {tables.get(table, table)}.")
            elif column:
                present = {each["name"] for each in inspector.get_columns(table)}
                if column not in present:
                    errors.append(f"The table {table} has no column {column}.")
                if new not in model.columns or new in present:
                    errors.append(f"{table}.{new} is not a new column of the model.")
            elif inspector.has_table(new):
                errors.append(f"The database has a table {new} already.")
        if errors:
            raise MigrationError(" ".join(dict.fromkeys(errors)))


@contextmanager
def renamed(connection: Connection, renames: Sequence[tuple[str, str]]) -> Iterator[None]:
    """Compare with a database in which the renames are done; they are taken back after that."""
    done: list[str] = []
    try:
        for forwards, back in renames:
            connection.exec_driver_sql(forwards)
            done.append(back)
        yield
    finally:
        for back in reversed(done):
            connection.exec_driver_sql(back)


class Writer:
    """Makes a migration of the differences that Alembic has found: `process`."""

    def __init__(
        self,
        models: MetaData,
        wishes: Wishes,
        renames: Sequence[tuple[str, str]],
        *,
        above: str | None,
    ) -> None:
        self.models = models
        self.renames = renames
        self.above = above
        self.wishes = wishes
        self.notes: list[str] = []
        self.errors: list[str] = []
        self.comparison: Comparison | None = None

    def process(
        self, context: MigrationContext, _revision: object, scripts: list[ops.MigrationScript]
    ) -> None:
        """Change the script before it is rendered; for `alembic.command.revision`.

        No script stays if there is nothing to migrate. Raises MigrationError with all errors.
        """
        [script] = scripts
        forwards, back = script.upgrade_ops, script.downgrade_ops
        assert forwards is not None  # noqa: S101
        assert back is not None  # noqa: S101
        assert context.connection is not None  # noqa: S101
        self.comparison = context.opts["comparison"]
        self.errors += self.comparison.by_hand
        if forwards.is_empty() and not self.renames and not self.errors:
            scripts.clear()
            return
        self._find_lost(forwards.ops)
        used: set[str] = set()
        present = self._keys_present(context.connection)
        forwards.ops = self._runnable(forwards.ops, present, context, used, back=False)
        wanted = {table.name: _keys(table) for table in self.models.tables.values()}
        back.ops = self._runnable(back.ops, wanted, context, used, back=True)
        self.errors += [
            f"default={name} is not for a column that becomes required or goes."
            for name in sorted(self.wishes.defaults.keys() - used)
        ]
        if self.errors:
            raise MigrationError("\n".join(dict.fromkeys(self.errors)))
        forwards.ops = [*(_sql(sql) for sql, _ in self.renames), *forwards.ops]
        back.ops = [*back.ops, *(_sql(sql) for _, sql in reversed(self.renames))]
        plain = MigrationContext.configure(dialect=context.dialect)
        content = render_python_code(forwards, migration_context=plain)
        above = [self.above] if self.above else []
        script.rev_id = revision_id(above, f"{script.message}\n{content}")

    def _keys_present(self, connection: Connection) -> dict[str, list[ForeignKeyConstraint]]:
        """Return the foreign keys of the database, by table."""
        reflected = MetaData()
        inspector = inspect(connection)
        for name in inspector.get_table_names():
            if name in self.models.tables:
                Table(name, reflected, autoload_with=connection)
        return {table.name: _keys(table) for table in reflected.tables.values()}

    def _find_lost(self, operations: Sequence[ops.MigrateOperation]) -> None:
        """Name what is dropped beside something new that is like it: it may be a rename."""
        for table in operations:
            if isinstance(table, ops.ModifyTableOps):
                for old, new in _like_each_other(table, self.comparison, self.models):
                    self._tell_lost(f"{table.table_name}.{old}", f"{table.table_name}.{new}", new)
        created = [op for op in operations if isinstance(op, ops.CreateTableOp)]
        for dropped in operations:
            if isinstance(dropped, ops.DropTableOp):
                names = {column.name for column in dropped.to_table().columns}
                for op in created:
                    if names == {each.name for each in op.columns if isinstance(each, Column)}:
                        self._tell_lost(dropped.table_name, op.table_name, op.table_name)

    def _tell_lost(self, old: str, new: str, short: str) -> None:
        if old not in self.wishes.drops:
            self.errors.append(DROP_BESIDE_ADD.format(old=old, new=new, short=short))

    def _runnable(
        self,
        operations: Iterable[ops.MigrateOperation],
        keys: Mapping[str, Sequence[ForeignKeyConstraint]],
        context: MigrationContext,
        used: set[str],
        *,
        back: bool,
    ) -> list[ops.MigrateOperation]:
        """Return operations that run with rows, in their order."""
        found: list[ops.MigrateOperation] = []
        every = list(operations)
        tables = [op for op in every if isinstance(op, ops.CreateTableOp | ops.DropTableOp)]
        whole = {op.table_name for op in tables}
        for operation in every:
            if isinstance(operation, ops.ModifyTableOps):
                rename_indexes(
                    operation,
                    partial(catalog.rename_index, context.dialect),
                    keys_are_indexes=catalog.KEYS_ARE_INDEXES,
                )
        for operation in arranged(every, keys):
            if isinstance(operation, ops.ModifyTableOps):
                without_type_constraints(operation.ops)
                if operation.table_name not in whole:
                    change = self._change(operation, context, whole, back=back)
                    self.notes += notes_on(change, back=back)
                operation.ops = [
                    step
                    for op in operation.ops
                    for part in type_before_required(op)
                    for step in self._cast(part, context)
                ]
                for step in self._in_steps(operation, context, used, back=back):
                    found += apart_from_sql(step)
            else:
                found.append(operation)
        return found

    def _change(
        self,
        table: ops.ModifyTableOps,
        context: MigrationContext,
        new_tables: set[str],
        *,
        back: bool,
    ) -> Change:
        """Return the operations with what is known beside them, for notes."""
        assert self.comparison is not None  # noqa: S101
        model = self.models.tables[table.table_name]
        checks = [each.checks for each in self.comparison.reported(model)]
        exist, wanted = reversed(checks) if back else checks
        names = [name.split(".") for name, value in self.wishes.defaults.items() if value]
        filled = {column for name, column in names if name == table.table_name}
        quote = context.dialect.identifier_preparer.quote
        renames = bool(self.renames) and not back
        return Change(table, model, exist, wanted, filled, new_tables, quote, renames)

    def _cast(
        self, operation: ops.MigrateOperation, context: MigrationContext
    ) -> list[ops.MigrateOperation]:
        """Return the operation with what casts the values of rows; tell if nothing can."""
        try:
            return catalog.runnable(operation, context.dialect)
        except MigrationError as error:
            self.errors.append(str(error))
            return []

    def _in_steps(
        self,
        table: ops.ModifyTableOps,
        context: MigrationContext,
        used: set[str],
        *,
        back: bool,
    ) -> list[ops.MigrateOperation]:
        """Return the operations of a table; those that need a value in three steps."""
        if not any(map(_becomes_required, table.ops)):
            return [table]
        before: list[ops.MigrateOperation] = []
        fills: list[ops.MigrateOperation] = []
        after: list[ops.MigrateOperation] = []
        for operation in table.ops:
            column = _required_column(operation)
            if column is None:
                (before if comes_before_values(operation) else after).append(operation)
                continue
            name = f"{table.table_name}.{column.name}"
            used.add(name)
            is_unique = str(column.name) in self._unique_columns(table)
            if is_unique:
                self._tell_unique(name, back=back)
            else:
                fills += self._fill(name, table.table_name, column, context, back=back)
            if isinstance(operation, ops.AddColumnOp):
                before.append(
                    ops.AddColumnOp(table.table_name, column_without(column, nullable=True))
                )
                after.insert(
                    0,
                    ops.AlterColumnOp(
                        table.table_name,
                        str(column.name),
                        existing_type=column.type,
                        modify_nullable=False,
                    ),
                )
            else:
                after.append(operation)
        steps = [
            ops.ModifyTableOps(table.table_name, before, schema=table.schema),
            *fills,
            ops.ModifyTableOps(table.table_name, after, schema=table.schema),
        ]
        return [op for op in steps if not isinstance(op, ops.ModifyTableOps) or op.ops]

    def _tell_unique(self, column: str, *, back: bool) -> None:
        """Say that one value cannot fill a unique column, unless the table has no rows."""
        value = self.wishes.defaults.get(column)
        if back and value is None:
            self.notes.append(NO_VALUE_BACK.format(column=column))
        elif value != "":
            sentence = NO_VALUE_BACK if back else NEEDS_UNIQUE_VALUES
            self.errors.append(sentence.format(column=column))

    def _unique_columns(self, table: ops.ModifyTableOps) -> set[str]:
        """Return the columns that are unique each alone, in the model or by these operations."""
        model = self.models.tables.get(table.table_name)
        keys: list[object] = [] if model is None else [*model.constraints, *model.indexes]
        for operation in table.ops:
            if isinstance(operation, ops.CreateUniqueConstraintOp):
                keys.append(operation.to_constraint())
            elif isinstance(operation, ops.CreateIndexOp):
                keys.append(operation.to_index())
        columns = [each.columns.keys() for each in keys if _is_unique(each)]
        return {names[0] for names in columns if len(names) == 1}

    def _fill(
        self,
        name: str,
        table: str,
        column: Column[Any],
        context: MigrationContext,
        *,
        back: bool,
    ) -> list[ops.MigrateOperation]:
        """Return what gives rows that exist a value; tell if there is none."""
        value = self.wishes.defaults.get(name)
        if value is None:
            (self.notes if back else self.errors).append(
                (NEEDS_VALUE_BACK if back else NEEDS_VALUE).format(column=name)
            )
        if not value:
            return []
        model = self.models.tables.get(table)
        typed = column if model is None else model.columns.get(str(column.name), column)
        quote = context.dialect.identifier_preparer.quote
        try:
            literal = sql_literal(typed.type, value, context.dialect)
        except ValueError as error:
            self.errors.append(f"default={name}:{value} is not a value of the column: {error}.")
            return []
        return [
            ops.ExecuteSQLOp(
                f"UPDATE {quote(table)} SET {quote(str(column.name))} = {literal}"  # noqa: S608
                f" WHERE {quote(str(column.name))} IS NULL"
            )
        ]


def _is_unique(key: object) -> TypeGuard[Index | UniqueConstraint]:
    """Return whether no two rows can have the same values."""
    if isinstance(key, Index):
        return bool(key.unique) and not is_partial_or_expression(key)
    return isinstance(key, UniqueConstraint)


def _keys(table: Table) -> list[ForeignKeyConstraint]:
    return sorted(table.foreign_key_constraints, key=lambda key: tuple(key.column_keys))


def _sql(statement: str) -> ops.ExecuteSQLOp:
    """Return the operation for SQL that names no parameter, which a colon could stand for."""
    return ops.ExecuteSQLOp(statement.replace(":", r"\:"))


def _becomes_required(operation: ops.MigrateOperation) -> bool:
    return _required_column(operation) is not None


def _required_column(operation: ops.MigrateOperation) -> Column[Any] | None:
    """Return the column that rows which exist may have no value for, after this operation."""
    if isinstance(operation, ops.AddColumnOp):
        column = operation.column
        return column if not column.nullable and column.server_default is None else None
    if isinstance(operation, ops.AlterColumnOp) and operation.modify_nullable is False:
        unchanged = operation.modify_type is None
        kind = operation.existing_type if unchanged else operation.modify_type
        return Column(operation.column_name, kind)
    return None


def _like_each_other(
    table: ops.ModifyTableOps, comparison: Comparison | None, models: MetaData
) -> Iterator[tuple[str, str]]:
    """Yield pairs of a column that goes and a new one of the same type."""
    assert comparison is not None  # noqa: S101
    dropped = [op.column_name for op in table.ops if isinstance(op, ops.DropColumnOp)]
    added = [str(op.column.name) for op in table.ops if isinstance(op, ops.AddColumnOp)]
    if dropped and added:
        present, wanted = comparison.reported(models.tables[table.table_name])
        for old in dropped:
            for new in added:
                if present.columns[old].type == wanted.columns[new].type:
                    yield old, new
