"""A stored value comes back equal; a value that cannot be stored exactly is rejected."""

import enum
import itertools
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Engine,
    Enum,
    MetaData,
    Table,
    Uuid,
    func,
    insert,
    select,
)
from sqlalchemy.exc import StatementError

from {{ cookiecutter.__package }}.clock import utc_now
from {{ cookiecutter.__package }}.database.column_types import (
    ExactDecimal,
    ExactJson,
    ExactString,
    LongBinary,
    LongText,
    UtcDateTime,
    string_enum,
    uuid7,
)
from {{ cookiecutter.__package }}.settings import Settings

from ..support.engine import make_engine


class Colour(enum.StrEnum):
    RED = "red"
    DEEP_BLUE = "deep blue"


VALUES = Table(
    "every_type",
    MetaData(),
    Column("id", Uuid, primary_key=True),
    Column("timestamp", UtcDateTime),
    Column("stored_at", UtcDateTime, server_default=func.now()),
    Column("amount", ExactDecimal(18, 2)),
    Column("share", ExactDecimal(9, 9)),
    Column("whole", ExactDecimal(18, 0)),
    Column("word", ExactString(30)),
    Column("document", JSON(none_as_null=True)),
    Column("anything", ExactJson),
    Column(
        "colour",
        Enum(
            Colour,
            name="colour",
            native_enum=False,
            create_constraint=True,
            length=16,
            values_callable=lambda colours: [colour.value for colour in colours],
        ),
    ),
)

TOKYO = timezone(timedelta(hours=9))
NEWFOUNDLAND = timezone(timedelta(hours=-3, minutes=-30))

ROUND_TRIPS = [
    ("timestamp", datetime(2026, 11, 22, 15, 4, 5, 123456, tzinfo=UTC)),
    ("timestamp", datetime(2026, 11, 22, 23, 59, 59, 999999, tzinfo=TOKYO)),
    ("timestamp", datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=NEWFOUNDLAND)),
    ("timestamp", datetime(1, 1, 2, tzinfo=UTC)),
    ("timestamp", datetime(9999, 12, 30, 23, 59, 59, 999999, tzinfo=UTC)),
    ("amount", Decimal("9999999999999999.99")),
    ("amount", Decimal("-9999999999999999.99")),
    ("amount", Decimal("1234567890123456.78")),
    ("amount", Decimal("0.01")),
    ("amount", Decimal("0.00")),
    ("amount", Decimal("5")),
    ("amount", Decimal("1E+3")),
    ("share", Decimal("0.123456789")),
    ("whole", Decimal("999999999999999999")),
    ("anything", {"a": [1, True, None, "x"], "b": {}}),
    ("anything", "null"),
    ("anything", None),
    ("word", "naïve ÆØÅ 漢字 👩🏽‍🚀"),
    ("word", " a "),
    ("word", ""),
    ("word", "'\"\\%_;--"),
    ("document", {"a": [1, 2.5, None, True], "é": {"👍": "x"}}),
    ("document", []),
    ("colour", Colour.DEEP_BLUE),
]

JSON_COLUMNS = {"document", "anything"}
"""Not every engine compares JSON."""


@pytest.fixture(scope="module")
def engine(settings: Settings) -> Iterator[Engine]:
    """An engine of a database with a table that has a column of each type."""
    engine = make_engine(settings, pool_size=1)
    VALUES.create(engine)
    yield engine
    VALUES.drop(engine)
    engine.dispose()


@pytest.fixture
def stored(engine: Engine) -> Iterator[Connection]:
    """A connection that stores nothing for good."""
    with engine.connect() as connection:
        yield connection
        connection.rollback()


def store(connection: Connection, **values: Any) -> uuid.UUID:
    row: uuid.UUID = values.setdefault("id", uuid7())
    connection.execute(insert(VALUES).values(**values))
    return row


def read(connection: Connection, column: str, row: uuid.UUID) -> Any:
    return connection.scalar(select(VALUES.c[column]).where(VALUES.c.id == row))


@pytest.mark.parametrize(("column", "value"), ROUND_TRIPS)
def test_value_comes_back_equal(stored: Connection, column: str, value: object) -> None:
    row = store(stored, **{column: value})

    back = read(stored, column, row)

    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize("column", ["timestamp", "amount", "word", "document", "colour"])
def test_null_comes_back(stored: Connection, column: str) -> None:
    row = store(stored, **{column: None})

    assert read(stored, column, row) is None


@pytest.mark.parametrize(
    ("column", "value"),
    [each for each in ROUND_TRIPS if each[0] not in JSON_COLUMNS],
)
def test_value_is_found_by_itself(stored: Connection, column: str, value: object) -> None:
    row = store(stored, **{column: value})

    found = stored.scalars(select(VALUES.c.id).where(VALUES.c[column] == value)).all()

    assert row in found


@pytest.fixture
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clock on the wall is in another zone than UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_tokyo")
def test_the_zone_of_the_machine_does_not_matter(stored: Connection) -> None:
    timestamp = datetime(2026, 7, 1, 9, 0, tzinfo=UTC)
    row = store(stored, timestamp=timestamp.astimezone(TOKYO))

    back = read(stored, "timestamp", row)

    assert (back, back.utcoffset()) == (timestamp, timedelta(0))


def test_instant_comes_back_in_utc(stored: Connection) -> None:
    row = store(stored, timestamp=datetime(2026, 7, 1, 9, 0, tzinfo=TOKYO))

    back = read(stored, "timestamp", row)

    assert back.tzinfo is UTC
    assert back.hour == 0


def test_timestamps_of_different_zones_are_in_order(stored: Connection) -> None:
    later = store(stored, timestamp=datetime(2026, 7, 1, 0, 0, 1, tzinfo=UTC))
    earlier = store(stored, timestamp=datetime(2026, 7, 1, 9, 0, tzinfo=TOKYO))

    both = VALUES.c.id.in_([earlier, later])
    query = select(VALUES.c.id).where(both).order_by(VALUES.c.timestamp)

    assert stored.scalars(query).all() == [earlier, later]


def test_naive_time_is_rejected(stored: Connection) -> None:
    with pytest.raises(StatementError, match="has no time zone"):
        store(stored, timestamp=datetime(2026, 7, 1))


def test_now_is_aware_and_has_microseconds() -> None:
    assert utc_now().tzinfo is UTC
    assert any(utc_now().microsecond % 1000 for _ in range(100))


def test_a_whole_number_is_a_decimal(stored: Connection) -> None:
    stored.execute(insert(VALUES).values(id=uuid7(), amount=Decimal("2.00")))
    amount = VALUES.c.amount

    assert stored.scalar(select(amount).where(amount > 1, amount.in_([2, 3]))) == 2


def test_a_time_of_the_database_is_found_by_its_value(stored: Connection) -> None:
    stored.execute(insert(VALUES).values(id=uuid7()))
    stored_at = VALUES.c.stored_at

    value = stored.scalar(select(stored_at))

    assert value is not None
    assert abs(value - utc_now()) < timedelta(minutes=2)
    assert stored.scalars(select(stored_at).where(stored_at == value)).all() == [value]


def test_a_float_is_no_decimal(stored: Connection) -> None:
    with pytest.raises(StatementError, match=r"0.5 is a float.* use Decimal\('0.5'\)"):
        stored.scalar(select(func.count()).where(VALUES.c.amount > 0.5))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("amount", "0.001"),
        ("amount", "1.005"),
        ("amount", "10000000000000000.00"),
        ("amount", "-10000000000000000.00"),
        ("amount", "1E+16"),
        ("share", "1"),
        ("whole", "0.5"),
        ("amount", "NaN"),
        ("amount", "Infinity"),
        ("amount", "-Infinity"),
    ],
)
def test_decimal_that_does_not_fit_is_rejected(stored: Connection, column: str, value: str) -> None:
    with pytest.raises(StatementError, match="does not fit"):
        store(stored, **{column: Decimal(value)})


def test_decimal_comes_back_with_its_whole_scale(stored: Connection) -> None:
    row = store(stored, amount=Decimal("7"), whole=Decimal("7"))

    assert str(read(stored, "amount", row)) == "7.00"
    assert str(read(stored, "whole", row)) == "7"


def test_decimals_are_compared_and_sorted_as_numbers(stored: Connection) -> None:
    amounts = [Decimal(amount) for amount in ("-10.50", "-9.00", "0.00", "2.00", "10.00")]
    rows = [store(stored, amount=amount) for amount in reversed(amounts)]

    mine = VALUES.c.id.in_(rows)
    ordered = stored.scalars(select(VALUES.c.amount).where(mine).order_by(VALUES.c.amount)).all()
    below = select(VALUES.c.amount).where(mine, VALUES.c.amount < Decimal("2.01"))

    assert list(ordered) == amounts
    assert set(stored.scalars(below)) == set(amounts[:-1])


@pytest.mark.parametrize(("one", "other"), [("a", "A"), ("a", "a "), ("e", "é"), ("ss", "ß")])
def test_texts_that_differ_are_different(stored: Connection, one: str, other: str) -> None:
    row = store(stored, word=one)

    query = select(VALUES.c.id).where(VALUES.c.word == other, VALUES.c.id == row)

    assert stored.scalars(query).all() == []


def test_value_outside_of_an_enum_is_rejected(stored: Connection) -> None:
    with pytest.raises(StatementError, match="colour"):
        store(stored, colour="green")


def test_ids_are_version_7_and_in_the_order_of_their_making(stored: Connection) -> None:
    made = [uuid7() for _ in range(200)]
    for row in reversed(made):
        store(stored, id=row)

    query = select(VALUES.c.id).where(VALUES.c.id.in_(made)).order_by(VALUES.c.id)

    assert {row.version for row in made} == {7}
    assert all(one < other for one, other in itertools.pairwise(made))
    assert list(stored.scalars(query)) == made


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (ExactDecimal(9, 2), "ExactDecimal(9, 2)"),
        (ExactJson(), "ExactJson()"),
        (ExactString(30), "ExactString(30)"),
        (LongText(), "LongText()"),
        (LongBinary(), "LongBinary()"),
    ],
)
def test_a_type_is_written_as_a_migration_needs_it(kind: Any, written: str) -> None:
    assert repr(kind) == written


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (ExactDecimal(9, 2), Decimal),
        (ExactString(30), str),
        (LongText(), str),
        (UtcDateTime(), datetime),
    ],
)
def test_a_type_knows_the_type_of_its_values(kind: Any, values: type) -> None:
    assert kind.python_type is values


def test_an_enum_is_stored_by_its_values() -> None:
    kind = string_enum(Colour, "colour")

    assert kind.enums == ["red", "deep blue"]
    assert (kind.length, kind.native_enum, kind.name) == (40, False, "colour")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [(1, 1, True), (1, True, False), (1, 1.0, False), ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True)],
)
def test_json_values_are_compared_by_their_json(one: Any, other: Any, same: bool) -> None:
    assert ExactJson().compare_values(one, other) is same
