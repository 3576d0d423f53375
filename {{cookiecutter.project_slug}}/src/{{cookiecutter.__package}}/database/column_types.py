"""Column types that give back the value that was stored, to the microsecond and the last digit."""

import json
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import uuid_utils.compat
{% if cookiecutter.database == "sqlite" %}
from sqlalchemy import BigInteger, DateTime, Dialect, Enum, LargeBinary, String, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import now
{% elif cookiecutter.database == "postgresql" %}
from sqlalchemy import JSON, DateTime, Dialect, Enum, LargeBinary, Numeric, String, Text
{% elif cookiecutter.database == "mysql" %}
from sqlalchemy import Dialect, Enum, Numeric, String
from sqlalchemy.dialects.mysql import DATETIME, LONGBLOB, LONGTEXT
{% else %}
from sqlalchemy import JSON, Dialect, Enum, Numeric, String
from sqlalchemy.dialects.mysql import DATETIME, LONGBLOB, LONGTEXT
{% endif %}
from sqlalchemy.types import TypeDecorator

MAX_ENUM_LENGTH = 40
{% if cookiecutter.database == "sqlite" %}
SCALED_INTEGER = "SCALED_INTEGER"
"""The type of decimals in the database, for which SQLite has none."""
{% endif %}
{% if cookiecutter.database in ("mariadb", "mysql") %}
EXACT = {{ '"utf8mb4_0900_bin"' if cookiecutter.database == "mysql" else '"utf8mb4_nopad_bin"' }}
"""The collation that compares character by character, trailing spaces included."""
{% endif %}


def uuid7() -> uuid.UUID:
    """Return a UUIDv7: unique without asking the database, and in order of time (RFC 9562, 5.7)."""
    return uuid_utils.compat.uuid7()


class ExactString(String):
    """A string of at most `length` characters, compared character by character."""

    def __init__(self, length: int) -> None:
{% if cookiecutter.database in ("mariadb", "mysql") %}
        super().__init__(length, collation=EXACT)
{% else %}
        super().__init__(length)
{% endif %}


class LongText(TypeDecorator[str]):
    """A string of any length, compared character by character; it cannot have an index."""

{% if cookiecutter.database in ("mariadb", "mysql") %}
    impl = LONGTEXT(collation=EXACT)
{% else %}
    impl = Text
{% endif %}
    cache_ok = True

    def __repr__(self) -> str:
        """Return the type as a new migration writes it."""
        return "LongText()"

    @property
    def python_type(self) -> type[str]:
        """The type of the values."""
        return str


class LongBinary(TypeDecorator[bytes]):
    """Bytes, of any number; they cannot have an index."""

{% if cookiecutter.database in ("mariadb", "mysql") %}
    impl = LONGBLOB
{% else %}
    impl = LargeBinary
{% endif %}
    cache_ok = True

    def __repr__(self) -> str:
        """Return the type as a new migration writes it."""
        return "LongBinary()"


def string_enum(values: type[StrEnum], name: str) -> Enum:
    """Return the type of a column that holds the values of a StrEnum, as strings.

    A CHECK with this name lists them; a further value changes nothing else.
    """
    return Enum(
        values,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=MAX_ENUM_LENGTH,
        values_callable=lambda members: [member.value for member in members],
    )


class UtcDateTime(TypeDecorator[datetime]):
    """A timestamp: takes any time zone, rejects a naive time, and comes back in UTC."""

{% if cookiecutter.database in ("mariadb", "mysql") %}
    impl = DATETIME(fsp=6)
{% else %}
    impl = DateTime(timezone=True)
{% endif %}
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        """The type of the values."""
        return datetime

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Raise ValueError for a naive time: it is not a point in time."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(
                f"{value!r} has no time zone; use `utc_now()` or `datetime(..., tzinfo=UTC)`"
            )
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Read what the driver gives: an aware time, or a naive one that is in UTC."""
        if value is None:
            return None
        timestamp: datetime = value
        return timestamp.astimezone(UTC) if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)


class ExactDecimal(TypeDecorator[Decimal]):
{% if cookiecutter.database == "sqlite" %}
    """A decimal of `precision` digits, `scale` of them after the point; never rounded silently.

    SQLite would make it a float, so it is stored as an integer count of its smallest unit: it
    compares and sorts as a number, and holds up to 18 digits. The name of the type in the database
    has both numbers, and INT in it makes the values integers.
    """

    impl = BigInteger
    cache_ok = True

    def __init__(self, precision: int, scale: int) -> None:
        super().__init__()
        self.precision = precision
        self.scale = scale
{% else %}
    """A decimal of `precision` digits, `scale` of them after the point; never rounded silently."""

    impl = Numeric
    cache_ok = True

    def __init__(self, precision: int, scale: int) -> None:
        super().__init__(precision, scale)
        self.precision = precision
        self.scale = scale
{% endif %}

    def __repr__(self) -> str:
        """As a new migration writes it."""
        return f"ExactDecimal({self.precision}, {self.scale})"

    @property
    def python_type(self) -> type[Decimal]:
        """The type of the values."""
        return Decimal

    def process_bind_param(self, value: Decimal | int | None, dialect: Dialect) -> Any:
        """Raise ValueError for a value that the column cannot hold exactly."""
        if value is None:
            return None
        if isinstance(value, float):
            raise ValueError(f"{value} is a float, which is not exact; use Decimal('{value}')")
        value = Decimal(value)
        units = value.scaleb(self.scale) if value.is_finite() else None
        if units is None or units != units.to_integral_value() or abs(units) >= 10**self.precision:
            raise ValueError(
                f"{value} does not fit {self.precision} digits, {self.scale} after the point"
            )
{% if cookiecutter.database == "sqlite" %}
        return int(units)
{% else %}
        return value
{% endif %}

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """Give the decimal with exactly `scale` digits after the point."""
        if value is None:
            return None
{% if cookiecutter.database == "sqlite" %}
        return Decimal(value).scaleb(-self.scale)
{% else %}
        return Decimal(value)
{% endif %}
{% if cookiecutter.database == "sqlite" %}


@compiles(now, "sqlite")
def _to_the_microsecond(_now: object, _compiler: object, **_options: object) -> str:
    """Write `func.now()` as SQLAlchemy stores times: SQLite compares them as texts."""
    return "strftime('%Y-%m-%d %H:%M:%f000', 'now')"


@compiles(ExactDecimal)
def _scaled_integer(kind: ExactDecimal, _compiler: object, **_options: object) -> str:
    return f"{SCALED_INTEGER}({kind.precision}, {kind.scale})"
{% endif %}


class ExactJson(TypeDecorator[Any]):
    """A JSON value, whose numbers come back with the type that they had; None is NULL.

    SQLAlchemy compares an old with a new value by `==`, for which `1` is `True` and `1.0`: so it
    compares their JSON here. A change inside of a value is not seen; assign a new one.
{% if cookiecutter.database == "sqlite" %}

    SQLite's own JSON type would store `1.0` as `1`, so the column holds text.
{% elif cookiecutter.database == "mysql" %}

    MySQL's own JSON type would round numbers of more than 64 bits, so the column holds text.
{% endif %}
    """

{% if cookiecutter.database == "sqlite" %}
    impl = Text
{% elif cookiecutter.database == "mysql" %}
    impl = LONGTEXT(collation=EXACT)
{% else %}
    impl = JSON(none_as_null=True)
{% endif %}
    cache_ok = True

    def __repr__(self) -> str:
        """Return the type as a new migration writes it."""
        return "ExactJson()"

    def compare_values(self, x: Any, y: Any) -> bool:
        """Return true if both are the same JSON value."""
        return _canonical(x) == _canonical(y)
{% if cookiecutter.database in ("sqlite", "mysql") %}

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Return the JSON text. Raises ValueError for NaN and infinity, which JSON has not."""
        if value is None:
            return None
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Return the value of the JSON text."""
        return None if value is None else json.loads(value)
{% endif %}


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
