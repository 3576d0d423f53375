"""Column types that give back the value that was stored, to the microsecond and the last digit."""

import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import uuid_utils.compat
{% if cookiecutter.database == "sqlite" %}
from sqlalchemy import BigInteger, DateTime, Dialect, String
{% elif cookiecutter.database == "postgresql" %}
from sqlalchemy import DateTime, Dialect, Numeric, String
{% else %}
from sqlalchemy import Dialect, Numeric, String
from sqlalchemy.dialects.mysql import DATETIME
{% endif %}
from sqlalchemy.types import TypeDecorator


def uuid7() -> uuid.UUID:
    """A UUIDv7: unique without asking the database, and in order of time (RFC 9562, 5.7)."""
    return uuid_utils.compat.uuid7()


def exact_string(length: int) -> String:
    """A text of at most `length` characters, compared character for character."""
{% if cookiecutter.database == "mariadb" %}
    return String(length, collation="utf8mb4_nopad_bin")
{% else %}
    return String(length)
{% endif %}


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: takes any time zone, refuses a naive time, and comes back in UTC."""

{% if cookiecutter.database == "mariadb" %}
    impl = DATETIME(fsp=6)
{% else %}
    impl = DateTime(timezone=True)
{% endif %}
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Raise ValueError for a naive time: it names no instant."""
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
        instant: datetime = value
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)


class ExactDecimal(TypeDecorator[Decimal]):
{% if cookiecutter.database == "sqlite" %}
    """A decimal of `precision` digits, `scale` of them after the point; never rounded silently.

    SQLite would make it a float, so it is stored as an integer count of its smallest unit: it
    compares and sorts as a number, and holds up to 18 digits.
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

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        """Raise ValueError for a value that the column cannot hold exactly."""
        if value is None:
            return None
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
