"""PostgreSQL's report of its tables, and the statements that its migrations need.

Chapter "System Catalogs" of the manual.
"""

import re
from collections.abc import Mapping

from alembic.operations import ops
from sqlalchemy import Connection, Dialect, String, inspect, text
from sqlalchemy.exc import DBAPIError

from .catalog import ReportedColumn, ReportedTable
from .catalog import rename_column as rename_column
from .column_types import LongText

MAX_READINGS = 5

COLUMNS = text(
    "SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod)"
    " || CASE WHEN a.attcollation NOT IN (0, t.typcollation) THEN ' COLLATE ' || c.collname"
    " ELSE '' END || CAST(a.attidentity AS text) || CAST(a.attgenerated AS text) AS type,"
    " pg_get_expr(d.adbin, d.adrelid) AS default"
    " FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
    " LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
    " LEFT JOIN pg_collation c ON c.oid = a.attcollation"
    " WHERE a.attrelid = CAST(:relation AS regclass) AND a.attnum > 0 AND NOT a.attisdropped"
)
CHECKS = text(
    "SELECT conname AS name, pg_get_constraintdef(oid) AS definition FROM pg_constraint"
    " WHERE conrelid = CAST(:relation AS regclass) AND contype = 'c'"
)
TRIGGERS = text(
    "SELECT DISTINCT trigger_name FROM information_schema.triggers"
    " WHERE trigger_schema = current_schema() ORDER BY trigger_name"
)
EXCLUDING = text(
    "SELECT DISTINCT c.relname FROM pg_constraint x JOIN pg_class c ON c.oid = x.conrelid"
    " WHERE x.contype = 'x' AND pg_table_is_visible(c.oid) ORDER BY c.relname"
)

KEYS_ARE_INDEXES = False
"""True where a unique key and a unique index are the same."""


def report(connection: Connection, table: str, *, temporary: bool = False) -> ReportedTable:
    """Return what the engine knows of the table."""
    quote = connection.dialect.identifier_preparer.quote
    schema = "pg_temp" if temporary else quote(connection.dialect.default_schema_name or "public")
    of_table = {"relation": f"{schema}.{quote(table)}"}
    return ReportedTable(
        {
            row.name: ReportedColumn(row.type, row.default)
            for row in connection.execute(COLUMNS, of_table)
        },
        {
            row.name: re.sub(r"^CHECK \((.*)\)", r"\1", row.definition, flags=re.DOTALL)
            for row in connection.execute(CHECKS, of_table)
        },
    )


def drop_temporary(connection: Connection, table: str) -> None:
    """Drop the temporary table, never another of the same name."""
    quote = connection.dialect.identifier_preparer.quote
    connection.execute(text(f"DROP TABLE pg_temp.{quote(table)}"))


def triggers(connection: Connection) -> list[str]:
    """Return the names of all triggers."""
    return list(connection.scalars(TRIGGERS))


def excluding(connection: Connection) -> list[str]:
    """Return the names of the tables that have an exclusion constraint."""
    return list(connection.scalars(EXCLUDING))


def normal_checks(connection: Connection, table: str, checks: Mapping[str, str]) -> dict[str, str]:
    """Return the CHECKs as the engine writes them in the end, by a temporary table.

    What it reports of `status IN ('a')` it writes otherwise when it reads that itself, and then not
    any more. One that the table's columns do not fit stays as it is.
    """
    return {name: _normal(connection, table, check) for name, check in checks.items()}


def _normal(connection: Connection, table: str, check: str) -> str:
    quoted = f"pg_temp.{connection.dialect.identifier_preparer.quote(table)}"
    savepoint = connection.begin_nested()
    try:
        for _ in range(MAX_READINGS):
            add = f"ALTER TABLE {quoted} ADD CONSTRAINT reading CHECK ({check})"
            connection.exec_driver_sql(add)
            read = report(connection, table, temporary=True).checks["reading"]
            connection.exec_driver_sql(f"ALTER TABLE {quoted} DROP CONSTRAINT reading")
            if read == check:
                break
            check = read
    except DBAPIError:
        return check
    finally:
        savepoint.rollback()
    return check


def runnable(operation: ops.MigrateOperation, dialect: Dialect) -> list[ops.MigrateOperation]:
    """Return operations that change a type with its rows: it needs the cast."""
    if not isinstance(operation, ops.AlterColumnOp) or operation.modify_type is None:
        return [operation]
    existing = operation.existing_type
    old = existing.compile(dialect=dialect) if existing is not None else ""
    new = operation.modify_type.compile(dialect=dialect)
    if old.partition("(")[0] == new.partition("(")[0]:
        return [operation]
    quote = dialect.identifier_preparer.quote
    column = quote(operation.column_name)
    alter = f"ALTER TABLE {quote(operation.table_name)} ALTER COLUMN {column}"
    steps: list[ops.MigrateOperation] = []
    default = operation.modify_server_default
    if operation.existing_server_default:
        steps.append(ops.ExecuteSQLOp(f"{alter} DROP DEFAULT"))
        default = operation.existing_server_default if default is False else default
    # A cast cuts a text that is too long; without one the engine raises an error.
    is_text = isinstance(operation.modify_type, String | LongText)
    using = "" if is_text else f" USING CAST({column} AS {new})"
    steps.append(ops.ExecuteSQLOp(f"{alter} TYPE {new}{using}"))
    if operation.modify_nullable is not None or default is not False:
        steps.append(
            ops.AlterColumnOp(
                operation.table_name,
                operation.column_name,
                existing_type=operation.modify_type,
                modify_nullable=operation.modify_nullable,
                modify_server_default=default,
            )
        )
    return steps


def rename_index(dialect: Dialect, _table: str, old: str, new: str) -> str:
    """Return what renames an index, and with it the unique key that it belongs to."""
    quote = dialect.identifier_preparer.quote
    return f"ALTER INDEX {quote(old)} RENAME TO {quote(new)}"


def primary_key_renames(connection: Connection, old: str, new: str) -> list[tuple[str, str]]:
    """Return what renames the primary key with its table, and back: names are those of indexes."""
    if inspect(connection).get_pk_constraint(old)["name"] != f"pk_{old}":
        return []
    quote = connection.dialect.identifier_preparer.quote
    rename = f"ALTER TABLE {quote(new)} RENAME CONSTRAINT"
    before, after = quote(f"pk_{old}"), quote(f"pk_{new}")
    return [(f"{rename} {before} TO {after}", f"{rename} {after} TO {before}")]
