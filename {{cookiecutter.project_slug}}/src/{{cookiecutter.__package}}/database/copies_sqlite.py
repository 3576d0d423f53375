"""Keeps what Alembic loses when it copies a table, which most changes of a table need on SQLite.

It makes a table with another name, copies the rows, drops the old table, and renames the new one:
https://alembic.sqlalchemy.org/en/latest/batch.html. Only commands import this.
"""

import re
from typing import Any, NamedTuple

from alembic.ddl.sqlite import SQLiteImpl
from alembic.operations.batch import ApplyBatchImpl
from sqlalchemy import Table, text
from sqlalchemy.exc import OperationalError

from .revisions import MigrationError

# Not read by SQLAlchemy: triggers, and indexes of which a part is an expression (cid -2).
LOST = """
    SELECT type, name, sql FROM sqlite_master WHERE tbl_name = :table AND (
        type = 'trigger' OR type = 'index' AND EXISTS (
            SELECT 1 FROM pragma_index_xinfo(sqlite_master.name) WHERE cid = -2
        )
    )
"""
CREATED = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :table"


class Lost(NamedTuple):
    """A trigger or index that goes with the old table, and the statement that makes it again."""

    kind: str
    name: str
    sql: str


class CopyingImpl(SQLiteImpl):
    """Copies tables with triggers, indexes of expressions, generated columns and AUTOINCREMENT.

    Alembic uses this class because it is for the same dialect, and defined later.
    """

    __dialect__ = "sqlite"
    lost: tuple[Lost, ...] = ()

    def prep_table_for_batch(self, batch_impl: ApplyBatchImpl, table: Table) -> None:
        """Look at the old table before it goes; generated columns take no values."""
        super().prep_table_for_batch(batch_impl, table)
        assert self.connection is not None  # noqa: S101
        named = {"table": table.name}
        self.lost = tuple(Lost(*row) for row in self.connection.execute(text(LOST), named))
        for column in table.columns:
            if column.computed is not None:
                batch_impl.column_transfers.get(column.name, {}).pop("expr", None)
        created = self.connection.scalar(text(CREATED), named)
        assert batch_impl.new_table is not None  # noqa: S101
        options = batch_impl.new_table.dialect_options["sqlite"]
        options["autoincrement"] = bool(re.search(r"\bAUTOINCREMENT\b", created, re.IGNORECASE))

    def rename_table(self, old_table_name: Any, new_table_name: Any, schema: Any = None) -> None:
        """Give the copy the name of the old table, which views and other triggers still have."""
        if not old_table_name.startswith("_alembic_tmp_"):
            super().rename_table(old_table_name, new_table_name, schema)
            return
        self._exec(text("PRAGMA legacy_alter_table=ON"))  # it does not look at who names the table
        super().rename_table(old_table_name, new_table_name, schema)
        self._exec(text("PRAGMA legacy_alter_table=OFF"))
        assert self.connection is not None  # noqa: S101
        for lost in self.lost:
            try:
                self.connection.exec_driver_sql(lost.sql)
            except OperationalError as error:
                raise MigrationError(
                    f"The {lost.kind} {lost.name} does not fit the changed table: in the migration,"
                    f' write op.execute("DROP {lost.kind.upper()} {lost.name}") before the change,'
                    " and make it anew behind it."
                ) from error
