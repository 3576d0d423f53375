"""MariaDB's report of its tables, by SHOW: it lists temporary tables nowhere else."""

import re
from collections.abc import Mapping

from alembic.operations import ops
from sqlalchemy import Connection, Dialect

from .catalog import ReportedColumn, ReportedTable

CHECK = re.compile(r"^ *CONSTRAINT `((?:[^`]|``)+)` CHECK \((.*)\),?$", re.MULTILINE)
COLUMN_CHECK = re.compile(r"^ *`((?:[^`]|``)+)` .* CHECK \((.*)\),?$", re.MULTILINE)

KEYS_ARE_INDEXES = True
"""True where a unique key and a unique index are the same."""


def report(connection: Connection, table: str, *, temporary: bool = False) -> ReportedTable:
    """Return what the engine knows of the table; a temporary one hides another of its name."""
    quoted = connection.dialect.identifier_preparer.quote_identifier(table)
    created = connection.exec_driver_sql(f"SHOW CREATE TABLE {quoted}").one()[1]
    if created.startswith("CREATE TEMPORARY") is not temporary:
        raise RuntimeError(f"A temporary table hides {table}, or is not there.")
    columns = connection.exec_driver_sql(f"SHOW FULL COLUMNS FROM {quoted}").mappings()
    checked = {_unquoted(name): check for name, check in COLUMN_CHECK.findall(created)}
    return ReportedTable(
        {
            row["Field"]: ReportedColumn(
                " ".join(
                    str(part)
                    for part in (
                        row["Type"],
                        row["Collation"],
                        row["Extra"],
                        checked.get(row["Field"]),
                    )
                    if part
                ),
                row["Default"],
            )
            for row in columns
        },
        {_unquoted(name): definition for name, definition in CHECK.findall(created)},
    )


def drop_temporary(connection: Connection, table: str) -> None:
    """Drop the temporary table, never another of the same name."""
    quoted = connection.dialect.identifier_preparer.quote_identifier(table)
    connection.exec_driver_sql(f"DROP TEMPORARY TABLE {quoted}")


def triggers(connection: Connection) -> list[str]:
    """Return the names of all triggers."""
    return sorted(row[0] for row in connection.exec_driver_sql("SHOW TRIGGERS"))


def normal_checks(
    _connection: Connection, _table: str, checks: Mapping[str, str]
) -> Mapping[str, str]:
    """Return the CHECKs: the engine writes what it reads."""
    return checks


def runnable(operation: ops.MigrateOperation, _dialect: Dialect) -> list[ops.MigrateOperation]:
    """Return the operation: the engine casts rows itself."""
    return [operation]


def rename_index(dialect: Dialect, table: str, old: str, new: str) -> str:
    """Return what renames an index or a unique key."""
    quote = dialect.identifier_preparer.quote
    return f"ALTER TABLE {quote(table)} RENAME INDEX {quote(old)} TO {quote(new)}"


def primary_key_renames(_connection: Connection, _old: str, _new: str) -> list[tuple[str, str]]:
    """Return nothing: no other table can want the name of a primary key."""
    return []


def _unquoted(name: str) -> str:
    return name.replace("``", "`")
