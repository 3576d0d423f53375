"""Compares models and database by what the engine reports of both, for `db check` and migrations.

The model's table is created as a temporary table. So the comparison needs no knowledge of how an
engine rewrites a type, a default or a CHECK: it has rewritten both. Only commands import this.
"""

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.runtime.plugins import Plugin
from alembic.util import DispatchPriority, PriorityDispatchResult
from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    Connection,
    DefaultClause,
{% if cookiecutter.database == "postgresql" %}
    Enum,
{% endif %}
    Index,
    Inspector,
    MetaData,
    Table,
    inspect,
{% if cookiecutter.database == "sqlite" %}
    text,
{% endif %}
)
{% if cookiecutter.database == "postgresql" %}
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.dialects.postgresql.base import PGInspector
{% endif %}
from sqlalchemy.exc import SAWarning
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateTable
from sqlalchemy.sql.elements import conv

from . import catalog_{{ cookiecutter.__engine_module }} as catalog
from .catalog import ReportedTable
from .literals import single_percents
from .revisions import MigrationError

NOISE = (
    "Skipped unsupported reflection of expression-based index",
    "Generating approximate signature for index",
    "autogenerate skipping",
    "Computed default on .* cannot be modified",
)

PLUGINS = ("alembic.autogenerate.*", "service.constraints")


class Verbatim(ColumnElement[bool]):
    """SQL that a migration shows as it is, but for what `text()` would take for a parameter.

    Alembic doubles `%` and drops the escapes of colons.
    """

    inherit_cache = False

    def __init__(self, sql: str) -> None:
        self.sql = re.sub(r"(?<![:\w\\]):(?=\w)", r"\\:", sql)


@compiles(Verbatim)
def _render(element: Verbatim, _compiler: object, **_options: object) -> str:
    return element.sql


class Comparison:
    """The engine's reports of the tables of one database, and of the models."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.by_hand: list[str] = []
        """Differences that no generated migration can bring, in sentences."""
        self._reported: dict[str, tuple[ReportedTable, ReportedTable]] = {}

    @property
    def options(self) -> Mapping[str, Any]:
        """The options for `context.configure` that compare with this object."""
        return {
            "autogenerate_plugins": PLUGINS,
            "compare_type": self.compare_type,
            "compare_server_default": True,
            "comparison": self,
        }

    def reported(self, table: Table) -> tuple[ReportedTable, ReportedTable]:
        """Return what the engine reports of the table in the database, and of the model."""
        if table.name not in self._reported:
            present = catalog.report(self.connection, table.name)
            with self._temporary(table):
                wanted = catalog.report(self.connection, table.name, temporary=True)
                if present.checks != wanted.checks:
                    present, wanted = (
                        each._replace(
                            checks=catalog.normal_checks(self.connection, table.name, each.checks)
                        )
                        for each in (present, wanted)
                    )
            self._reported[table.name] = present, wanted
        return self._reported[table.name]

    @contextmanager
    def _temporary(self, table: Table) -> Iterator[None]:
        """Make the model as a temporary table."""
        create = str(
            CreateTable(table, include_foreign_key_constraints=[]).compile(
                dialect=self.connection.dialect
            )
        )
        temporary = create.replace("CREATE TABLE", "CREATE TEMPORARY TABLE", 1)
        self.connection.exec_driver_sql(temporary)
        try:
            yield
        finally:
            catalog.drop_temporary(self.connection, table.name)

    def compare_type(
        self,
        _context: object,
        _inspected: Column[Any],
        model: Column[Any],
{% if cookiecutter.database == "postgresql" %}
        inspected_type: object,
        model_type: object,
{% else %}
        _inspected_type: object,
        _model_type: object,
{% endif %}
    ) -> bool:
        """Return whether the types differ; for Alembic."""
        present, wanted = self.reported(model.table)
{% if cookiecutter.database == "postgresql" %}
        if isinstance(inspected_type, Enum) and isinstance(model_type, Enum):
            self._compare_native_enums(model, inspected_type, model_type)
{% endif %}
        return present.columns[model.name].type != wanted.columns[model.name].type
{% if cookiecutter.database == "postgresql" %}

    def _compare_native_enums(self, model: Column[Any], inspected: Enum, wanted: Enum) -> None:
        if wanted.native_enum and inspected.enums != wanted.enums:
            self.by_hand.append(
                f"{model.table.name}.{model.name}: the values of the type {wanted.name} differ;"
                " change them by ALTER TYPE."
            )
{% endif %}

    def compare_server_default(self, model: Column[Any]) -> bool:
        """Return whether the server defaults differ."""
        present, wanted = self.reported(model.table)
        return present.columns[model.name].default != wanted.columns[model.name].default

    def not_comparable(self, metadata: MetaData) -> list[str]:
        """Return what exists and is not compared: see docs/migrations.md."""
        inspector = inspect(self.connection)
{% if cookiecutter.database == "postgresql" %}
        excluding = {*catalog.excluding(self.connection)} | {
            table.name
            for table in metadata.tables.values()
            if any(isinstance(each, ExcludeConstraint) for each in table.constraints)
        }
{% endif %}
        return [
            *(f"trigger {name}" for name in catalog.triggers(self.connection)),
            *(f"view {name}" for name in inspector.get_view_names()),
            *(
                f"index {index.name}, which is partial or of an expression"
                for table in metadata.tables.values()
                for index in sorted(table.indexes, key=lambda index: str(index.name))
                if is_partial_or_expression(index)
            ),
            *(
                f"the expression of the generated column {table.name}.{column.name}"
                for table in metadata.tables.values()
                for column in table.columns
                if column.computed is not None
            ),
{% if cookiecutter.database == "postgresql" %}
            *(f"the exclusion constraints of {table}" for table in sorted(excluding)),
{% endif %}
        ]


def require_known_models({% if cookiecutter.database == "postgresql" %}connection{% else %}_connection{% endif %}: Connection, metadata: MetaData) -> None:
    """Raise MigrationError for models that no comparison and no migration can handle."""
    for table in metadata.tables.values():
        if table.schema is not None:
            raise MigrationError(
                f"{table.name}: the model has the schema {table.schema!r}, and migrations know one"
                " schema only, that of DATABASE_URL: remove it from the model."
            )
{% if cookiecutter.database == "postgresql" %}
    inspector = inspect(connection)
    assert isinstance(inspector, PGInspector)  # noqa: S101
    types = {each["name"] for each in inspector.get_enums()}
    exist = {*inspector.get_table_names()}
    for table in metadata.tables.values():
        for column in table.columns if table.name in exist else ():
            kind = column.type
            if isinstance(kind, Enum) and kind.native_enum and kind.name not in types:
                raise MigrationError(
                    f"{table.name}.{column.name}: the type {kind.name} is not in the database. Use"
                    " `string_enum`, whose values migrations follow, or create the type by hand:"
                    ' `make migration m="..." empty=yes`.'
                )
{% endif %}


@contextmanager
def without_noise() -> Iterator[None]:
    """Ignore warnings about what a comparison does not need, or names as not compared.

    That is an order of tables that refer to each other, and what Alembic and SQLAlchemy cannot
    read or change: an index of an expression, the expression of a generated column.
    """
    with warnings.catch_warnings():
        for message in NOISE:
            warnings.filterwarnings("ignore", message)
        warnings.filterwarnings("ignore", "Cannot correctly sort tables", SAWarning)
        yield


def is_partial_or_expression(index: Index) -> bool:
    """Return whether the index covers some rows only, or something else than columns."""
    partial = any(
        options.get("where") is not None for options in map(dict, index.dialect_options.values())
    )
    return partial or any(not isinstance(each, Column) for each in index.expressions)


def compare_constraints(
    context: AutogenContext,
    table_ops: ops.ModifyTableOps,
    _schema: str | None,
    _name: str,
    present: Table | None,
    model: Table | None,
) -> PriorityDispatchResult:
    """Add the operations for CHECKs that differ, and for foreign keys of another name."""
    if present is not None and model is not None:
        comparison: Comparison = context.opts["comparison"]
        assert context.inspector is not None  # noqa: S101
        table_ops.ops += _check_operations(comparison, present, model)
        table_ops.ops += _renamed_foreign_keys(context.inspector, table_ops, present, model)
        comparison.by_hand += _primary_key(context.inspector, model)
{% if cookiecutter.database == "sqlite" %}
        table_ops.ops += _missing_indexes(comparison.connection, model)
{% endif %}
    return PriorityDispatchResult.CONTINUE


def compare_server_defaults(
    context: AutogenContext,
    operation: ops.AlterColumnOp,
    _schema: str | None,
    _table: str,
    _name: str,
    present: Column[Any],
    model: Column[Any],
) -> PriorityDispatchResult:
    """Compare by what the engine reports; generated columns and identities are left to Alembic.

    A function for the option `compare_server_default` is not called for them, but fails:
    https://github.com/sqlalchemy/alembic/blob/rel_1_18_0/alembic/autogenerate/compare/server_defaults.py
    """
    defaults = (present.server_default, model.server_default)
    if not any(defaults) or not all(isinstance(each, DefaultClause | None) for each in defaults):
        return PriorityDispatchResult.CONTINUE
    comparison: Comparison = context.opts["comparison"]
    operation.existing_server_default = present.server_default
    if comparison.compare_server_default(model):
        operation.modify_server_default = model.server_default
    return PriorityDispatchResult.STOP


def _check_operations(
    comparison: Comparison, present: Table, model: Table
) -> Iterator[ops.MigrateOperation]:
    exist, wanted = (reported.checks for reported in comparison.reported(model))
    texts = check_texts(comparison.connection, model)
    for name in sorted(exist.keys() | wanted.keys()):
        if exist.get(name) == wanted.get(name):
            continue
        if name in exist:
            check = CheckConstraint(Verbatim(exist[name]), name=conv(name), table=present)
            yield ops.DropConstraintOp.from_constraint(check)
        if name in wanted:
            yield ops.CreateCheckConstraintOp(conv(name), model.name, Verbatim(texts[name]))


def check_texts(connection: Connection, table: Table) -> dict[str, str]:
    """Return the SQL of the CHECKs of a model, by the names that they have in the database."""
    compiler = connection.dialect.ddl_compiler(connection.dialect, None)  # type: ignore[arg-type]
    preparer = connection.dialect.identifier_preparer
    checks = [each for each in table.constraints if isinstance(each, CheckConstraint)]
    for column in table.columns:
        checks += [each for each in column.constraints if isinstance(each, CheckConstraint)]
    return {
        str(preparer.format_constraint(each)).strip('`"'): single_percents(
            compiler.sql_compiler.process(each.sqltext, include_table=False, literal_binds=True),
            connection.dialect,
        )
        for each in checks
    }


def _renamed_foreign_keys(
    inspector: Inspector, table_ops: ops.ModifyTableOps, present: Table, model: Table
) -> Iterator[ops.MigrateOperation]:
    """Yield what gives foreign keys the names that they have in the models."""
    dropped = {op.constraint_name for op in table_ops.ops if isinstance(op, ops.DropConstraintOp)}
    names = {
        _target(key["constrained_columns"], key["referred_table"]): key["name"]
        for key in inspector.get_foreign_keys(model.name)
    }
    by_name = {key.name: key for key in present.foreign_key_constraints}
    for key in sorted(model.foreign_key_constraints, key=lambda key: tuple(key.column_keys)):
        name = names.get(_target(key.column_keys, key.referred_table.name))
        wanted = inspector.dialect.identifier_preparer.format_constraint(key)
        if name and name not in dropped and name in by_name and name != str(wanted).strip('`"'):
            yield ops.DropConstraintOp.from_constraint(by_name[name])
            yield ops.CreateForeignKeyOp.from_constraint(key)


{% if cookiecutter.database == "sqlite" %}
def _missing_indexes(connection: Connection, model: Table) -> Iterator[ops.MigrateOperation]:
    """Yield what creates indexes of expressions, which Alembic does not compare."""
    query = text("SELECT name FROM sqlite_master WHERE type = 'index'")
    names = {*connection.scalars(query)}
    for index in model.indexes:
        of_columns = all(isinstance(each, Column) for each in index.expressions)
        if not of_columns and index.name not in names:
            yield ops.CreateIndexOp.from_index(index)


{% endif %}
def _target(columns: Any, table: str) -> tuple[tuple[str, ...], str]:
    return tuple(columns), table


def _primary_key(inspector: Inspector, model: Table) -> Iterator[str]:
    present = inspector.get_pk_constraint(model.name)["constrained_columns"]
    wanted = [column.name for column in model.primary_key]
    if present != wanted:
        yield (
            f"{model.name}: the primary key is ({', '.join(present)}), that of the model"
            f" ({', '.join(wanted)}); write the change by hand."
        )


_plugin = Plugin(PLUGINS[1])
_plugin.add_autogenerate_comparator(
    compare_server_defaults, "column", "server_default", priority=DispatchPriority.FIRST
)
_plugin.add_autogenerate_comparator(
    compare_constraints, "table", "constraints", priority=DispatchPriority.LAST
)
