"""A value that somebody typed is stored as the service would have stored it."""

import enum
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy import Column, Connection

from {{ cookiecutter.__package }}.database.column_types import (
    ExactDecimal,
    ExactJson,
    ExactString,
    LongText,
    UtcDateTime,
    string_enum,
)
from {{ cookiecutter.__package }}.database.literals import sql_literal
from {{ cookiecutter.__package }}.settings import Settings

from ..support.engine import make_migration_engine


class Shade(enum.StrEnum):
    LIGHT = "light"
    DARK = "LIGHT"  # the name of the other


class Level(enum.Enum):
    LOW = 1
    HIGH = 2


TYPED = sa.Table(
    "typed",
    sa.MetaData(),
    Column("id", sa.Integer, primary_key=True, autoincrement=False),
    Column("flag", sa.Boolean),
    Column("number", sa.Integer),
    Column("ratio", sa.Numeric(9, 3)),
    Column("amount", ExactDecimal(9, 2)),
    Column("token", sa.Uuid),
    Column("day", sa.Date),
    Column("moment", UtcDateTime),
    Column("document", sa.JSON),
    Column("anything", ExactJson),
    Column("word", ExactString(40)),
    Column("text", LongText),
    Column("shade", string_enum(Shade, "shade")),
    Column("level", sa.Enum(Level, native_enum=False)),
    Column("kind", sa.Enum("a", "b", native_enum=False)),
)


@pytest.fixture(scope="module")
def stored(settings: Settings) -> Iterator[Connection]:
    """A connection to a database whose table has a column of each type, and a row."""
    engine = make_migration_engine(settings)
    TYPED.create(engine)
    with engine.connect() as connection:
        connection.execute(sa.insert(TYPED).values(id=1))
        yield connection
        connection.rollback()
    TYPED.drop(engine)
    engine.dispose()


@pytest.mark.parametrize(
    ("column", "typed", "value"),
    [
        ("flag", "true", True),
        ("flag", "False", False),
        ("number", "-7", -7),
        ("ratio", "1.5", Decimal("1.500")),
        ("amount", "-0.05", Decimal("-0.05")),
        (
            "token",
            "018f0000-0000-7000-8000-00000000000a",
            UUID("018f0000-0000-7000-8000-00000000000a"),
        ),
        ("day", "2026-02-03", date(2026, 2, 3)),
        ("moment", "2026-02-03T04:05:06Z", datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)),
        ("moment", "2026-02-03T04:05:06.7+02:00", datetime(2026, 2, 3, 2, 5, 6, 700000, UTC)),
        ("document", '{"a": [1, null, "it\'s :x"]}', {"a": [1, None, "it's :x"]}),
        ("anything", "1.0", 1.0),
        ("word", "it's 5% :of 10%% \u00e9", "it's 5% :of 10%% \u00e9"),
        ("text", "", ""),
        ("shade", "LIGHT", Shade.DARK),
        ("level", "HIGH", Level.HIGH),
        ("kind", "b", "b"),
    ],
)
def test_a_typed_value_is_stored(stored: Connection, column: str, typed: str, value: Any) -> None:
    literal = sql_literal(TYPED.c[column].type, typed, stored.dialect)

    stored.execute(sa.text(f"UPDATE typed SET {column} = {literal}"))

    read = stored.scalar(sa.select(TYPED.c[column]))
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("column", "typed", "reason"),
    [
        ("flag", "yes", "it is true or false"),
        ("number", "1.5", "invalid literal"),
        ("ratio", "much", "it is not a decimal number"),
        ("amount", "1.005", "1.005 does not fit 9 digits, 2 after the point"),
        ("amount", "much", "it is not a decimal number"),
        ("token", "7", "UUID"),
        ("day", "yesterday", "yesterday"),
        ("moment", "2026-02-03T04:05:06", "it has no time zone, such as a Z at the end"),
        ("document", "{", "line 1"),
        ("anything", "x", "line 1"),
        ("shade", "DARK", "it is one of light, LIGHT"),
        ("level", "2", "it is one of LOW, HIGH"),
        ("kind", "c", "it is one of a, b"),
    ],
)
def test_a_value_that_the_column_cannot_have_is_rejected(
    stored: Connection, column: str, typed: str, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        sql_literal(TYPED.c[column].type, typed, stored.dialect)
