"""The server's report of its tables, by SHOW: it lists temporary tables nowhere else."""

import re
from collections.abc import Mapping

from alembic.operations import ops
{% if cookiecutter.database == "mysql" %}
from sqlalchemy import Connection, Dialect, Integer, String
{% else %}
from sqlalchemy import Connection, Dialect
{% endif %}

{% if cookiecutter.database == "mysql" %}
from . import catalog
{% endif %}
from .catalog import ReportedTable
{% if cookiecutter.database == "mariadb" %}
from .catalog import rename_column as rename_column
{% endif %}
{% if cookiecutter.database == "mysql" %}
from .column_types import LongText
{% endif %}
from .{{ cookiecutter.database }} import reported_column

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
        {row["Field"]: reported_column(row, checked.get(row["Field"])) for row in columns},
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


{% if cookiecutter.database == "mysql" %}
def runnable(operation: ops.MigrateOperation, dialect: Dialect) -> list[ops.MigrateOperation]:
    """Return the operation, with what fails for a text that is no integer: it would be rounded."""
    if (
        not isinstance(operation, ops.AlterColumnOp)
        or not isinstance(operation.modify_type, Integer)
        or not isinstance(operation.existing_type, String | LongText)
    ):
        return [operation]
    quote = dialect.identifier_preparer.quote
    column = quote(operation.column_name)
    table = quote(operation.table_name)
    cast = f"UPDATE {table} SET {column} = CAST({column} AS SIGNED)"  # noqa: S608 - quoted names
    return [ops.ExecuteSQLOp(cast), operation]
{% else %}
def runnable(operation: ops.MigrateOperation, _dialect: Dialect) -> list[ops.MigrateOperation]:
    """Return the operation: the engine casts rows itself."""
    return [operation]
{% endif %}


{% if cookiecutter.database == "mysql" %}
def rename_column(connection: Connection, table: str, old: str, new: str) -> tuple[str, str]:
    """Return what renames a column with the CHECKs that use it, and what takes that back."""
    quote = connection.dialect.identifier_preparer.quote_identifier
    before = {
        name: check
        for name, check in report(connection, table).checks.items()
        if quote(old) in check
    }
    if not before:
        return catalog.rename_column(connection, table, old, new)
    after = {name: check.replace(quote(old), quote(new)) for name, check in before.items()}
    drops = [f"DROP CHECK {quote(name)}" for name in before]

    def rename(one: str, other: str, checks: Mapping[str, str]) -> str:
        adds = [f"ADD CONSTRAINT {quote(name)} CHECK ({text})" for name, text in checks.items()]
        actions = [*drops, f"RENAME COLUMN {quote(one)} TO {quote(other)}", *adds]
        return f"ALTER TABLE {quote(table)} {', '.join(actions)}"

    return rename(old, new, after), rename(new, old, before)


{% endif %}
def rename_index(dialect: Dialect, table: str, old: str, new: str) -> str:
    """Return what renames an index or a unique key."""
    quote = dialect.identifier_preparer.quote
    return f"ALTER TABLE {quote(table)} RENAME INDEX {quote(old)} TO {quote(new)}"


def primary_key_renames(_connection: Connection, _old: str, _new: str) -> list[tuple[str, str]]:
    """Return nothing: no other table can want the name of a primary key."""
    return []


def _unquoted(name: str) -> str:
    return name.replace("``", "`")
