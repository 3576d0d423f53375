"""A column gets another type: each value is kept, or stops the migration."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
import sqlalchemy as sa
from alembic.operations import ops
from sqlalchemy.dialects.sqlite import dialect
from sqlalchemy.types import TypeEngine

from {{ cookiecutter.__package }}.database.casts_sqlite import with_cast
from {{ cookiecutter.__package }}.database.column_types import (
    ExactDecimal,
    ExactJson,
    LongText,
    UtcDateTime,
)
from {{ cookiecutter.__package }}.database.revisions import MigrationError

Kind = TypeEngine[object]

STRING = sa.String(200)
DECIMAL = ExactDecimal(12, 2)


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """A database with one row whose price has no type."""
    with closing(sqlite3.connect(":memory:")) as made:
        made.execute("CREATE TABLE things (price)")
        made.execute("INSERT INTO things VALUES (NULL)")
        yield made


def cast(connection: sqlite3.Connection, old: Kind, new: Kind, value: object) -> object:
    """Run the statements beside the change of the type, and return the value after them."""
    connection.execute("UPDATE things SET price = ?", [value])
    change = ops.AlterColumnOp("things", "price", existing_type=old, modify_type=new)
    for operation in with_cast(change, dialect()):
        if isinstance(operation, ops.ExecuteSQLOp):
            assert isinstance(operation.sqltext, str)
            connection.execute(operation.sqltext)
    [[after]] = connection.execute("SELECT price FROM things")
    return after


@pytest.mark.parametrize(
    ("old", "new", "value"),
    [
        (STRING, sa.Integer(), "nonsense"),
        (STRING, sa.BigInteger(), "1.5"),
        (STRING, sa.Integer(), "2026-01-02"),
        (STRING, sa.Integer(), "12 apples"),
        (STRING, sa.Integer(), ""),
        (LongText(), sa.Integer(), "true"),
        (STRING, DECIMAL, "nonsense"),
        (STRING, DECIMAL, "1.5.2"),
        (STRING, DECIMAL, '{"a": 1}'),
        (STRING, DECIMAL, "12345678901234.56"),
        (STRING, ExactJson(), "nonsense"),
        (sa.Integer(), sa.Boolean(), 2),
    ],
)
def test_a_value_that_does_not_fit_stops_the_migration(
    connection: sqlite3.Connection, old: Kind, new: Kind, value: object
) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="things_price_fits_the_new_type"):
        cast(connection, old, new, value)


@pytest.mark.parametrize(
    ("old", "new", "value", "after"),
    [
        (STRING, sa.Integer(), "-12", "-12"),
        (STRING, DECIMAL, "-1.25", -125),
        (STRING, DECIMAL, "9999999999999.25", 999999999999925),
        (STRING, ExactJson(), json.dumps({"a": 1}), '{"a": 1}'),
        (DECIMAL, STRING, -125, "-1.25"),
        (DECIMAL, LongText(), -25, "-0.25"),
        (ExactDecimal(12, 0), STRING, -125, "-125"),
        (DECIMAL, ExactDecimal(12, 1), -125, -13),
        (sa.Integer(), DECIMAL, 2, 200),
        (sa.Integer(), sa.Boolean(), 1, 1),
        (sa.Boolean(), sa.Integer(), 1, 1),
        (STRING, LongText(), "x", "x"),
    ],
)
def test_a_value_that_fits_is_kept(
    connection: sqlite3.Connection, old: Kind, new: Kind, value: object, after: object
) -> None:
    assert cast(connection, old, new, value) == after
    assert cast(connection, old, new, None) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (STRING, sa.Date()),
        (STRING, UtcDateTime()),
        (STRING, sa.Uuid()),
        (STRING, sa.Boolean()),
        (sa.Date(), STRING),
        (sa.Date(), UtcDateTime()),
        (sa.Integer(), sa.Date()),
        (DECIMAL, sa.Boolean()),
        (sa.Boolean(), STRING),
        (sa.Uuid(), sa.Integer()),
    ],
)
def test_a_type_whose_values_would_be_lost_is_rejected(old: Kind, new: Kind) -> None:
    change = ops.AlterColumnOp("things", "price", existing_type=old, modify_type=new)

    with pytest.raises(MigrationError, match=r"things\.price .* Add a column of the new type"):
        with_cast(change, dialect())
