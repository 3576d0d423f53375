"""A value that somebody typed, as the SQL of a column: `default=orders.status:draft`."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn
from uuid import UUID

from sqlalchemy import (
    JSON,
    Boolean,
    Date,
    DateTime,
    Dialect,
    Enum,
    Float,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    String,
    Time,
    Uuid,
    literal,
)
from sqlalchemy.exc import CompileError
from sqlalchemy.types import TypeDecorator, TypeEngine

from .column_types import ExactDecimal, ExactJson, UtcDateTime

BOOLEANS = {"true": True, "false": False}


def sql_literal(kind: TypeEngine[Any], value: str, dialect: Dialect) -> str:
    """Return the SQL of the value for a column of this type. Raises ValueError if it is none."""
    if isinstance(kind, UtcDateTime):
        return _datetime(value)
    parsed = _parser(kind)(value)
    if isinstance(parsed, str):  # JSON too, for which SQLAlchemy writes no literals, and enums
        kind = String()
    try:
        rendered = literal(parsed, kind).compile(
            dialect=dialect, compile_kwargs={"literal_binds": True}
        )
    except CompileError as error:  # the column type rejects it, such as too many digits
        raise ValueError(str(error.__cause__)) from error
    return single_percents(str(rendered), dialect).replace(":", r"\:")


def single_percents(sql: str, dialect: Dialect) -> str:
    """Return SQL as the engine gets it: the compiler doubles `%` for drivers that format."""
    formats = dialect.paramstyle in ("format", "pyformat")
    return sql.replace("%%", "%") if formats else sql


def _parser(kind: TypeEngine[Any]) -> Callable[[str], Any]:
    if isinstance(kind, Enum):
        return lambda value: _one_of(kind, value)
    if isinstance(kind, ExactDecimal):
        return _decimal
    if isinstance(kind, (ExactJson, JSON)):
        return lambda value: json.dumps(json.loads(value))
    inner: Any = kind.impl_instance if isinstance(kind, TypeDecorator) else kind
    parsers: tuple[tuple[Any, Callable[[str], Any]], ...] = (
        (Boolean, _boolean),
        (Integer, int),
        (Float, float),
        (Numeric, lambda value: _decimal_of(inner, value)),
        (Uuid, UUID),
        (Date, date.fromisoformat),
        (Time, time.fromisoformat),
        ((DateTime, Interval, LargeBinary), _rejected),
        (String, lambda value: _string_of(inner, value)),
    )
    return next((parse for known, parse in parsers if isinstance(inner, known)), str)


def _rejected(_value: str) -> NoReturn:
    raise ValueError("a value of this type has to be written into the migration by hand")


def _string_of(kind: String, value: str) -> str:
    if kind.length and len(value) > kind.length:
        raise ValueError(f"it has more than {kind.length} characters")
    return value


def _decimal_of(kind: Numeric[Any], value: str) -> Decimal:
    parsed = _decimal(value)
    places = kind.scale or 0
    if kind.precision and abs(parsed) >= 10 ** (kind.precision - places):
        raise ValueError(f"it has more than {kind.precision - places} digits before the point")
    return parsed


def _one_of(kind: Enum, value: str) -> str:
    if value not in kind.enums:
        raise ValueError(f"it is one of {', '.join(kind.enums)}")
    return value


def _boolean(value: str) -> bool:
    if value.lower() not in BOOLEANS:
        raise ValueError("it is true or false")
    return BOOLEANS[value.lower()]


def _decimal(value: str) -> Decimal:
    try:
        return Decimal(value)
    except InvalidOperation:
        raise ValueError("it is not a decimal number") from None


def _datetime(value: str) -> str:
    """Return a timestamp as the column types store it: in UTC, to the microsecond."""
    parsed = datetime.fromisoformat(value)
    if parsed.tzinfo is None:
        raise ValueError("it has no time zone, such as a Z at the end")
    written = parsed.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
{% if cookiecutter.database == "postgresql" %}
    written += "+00"
{% endif %}
    return f"'{written}'".replace(":", r"\:")
