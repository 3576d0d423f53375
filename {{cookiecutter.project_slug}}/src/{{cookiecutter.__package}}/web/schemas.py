"""What requests and answers are made of: base models and field types, documented as they behave."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
NO_NUL = r"^[^\u0000]*$"


class ApiModel(BaseModel):
    """The base of all API models; names are unique, or one would hide another in the document."""

    model_config = ConfigDict(frozen=True)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if (other := MODELS.setdefault(cls.__name__, cls)).__module__ != cls.__module__:
            raise TypeError(
                f"{cls.__module__} and {other.__module__} both define the API model {cls.__name__}"
            )


MODELS: dict[str, type[ApiModel]] = {}


class RequestModel(ApiModel):
    """The base of request bodies: unknown members are refused."""

    model_config = ConfigDict(extra="forbid")


class Parameters(ApiModel):
    """The base of query, path and header models; their schema is read often, and made once."""

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The JSON schema of the parameters."""
        return cls._schema_made_once(*args, **kwargs)

    @classmethod
    @cache
    def _schema_made_once(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        schema = super().model_json_schema(*args, **kwargs)
        schema["properties"] = {
            name: _never_null(field) for name, field in schema["properties"].items()
        }
        return schema


class QueryParameters(Parameters):
    """The base of query parameters: unknown ones are refused."""

    model_config = ConfigDict(extra="forbid")


class ResponseModel(ApiModel):
    """The base of answers, made from the attributes of a row."""

    model_config = ConfigDict(from_attributes=True)

    @classmethod
    def from_row(cls, source: object) -> Self:
        """The answer that shows `source`."""
        return cls.model_validate(source)


def _never_null(field: dict[str, Any]) -> dict[str, Any]:
    """The schema of a parameter: one that is not given is absent, and there is no other null."""
    alternatives = [each for each in field.get("anyOf", []) if each != {"type": "null"}]
    if len(alternatives) != 1:
        return field
    kept = {name: value for name, value in field.items() if name not in ("anyOf", "default")}
    return {**alternatives[0], **kept}


def _timestamp(value: Any) -> Any:
    """Take an RFC 3339 text; pydantic alone would also take numbers and naive times."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not RFC3339.fullmatch(value):
        raise ValueError(
            "should be an RFC 3339 timestamp with an offset, such as 2030-01-31T12:00:00Z"
        )
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("is outside the years 1 to 9999 in UTC") from None


TIMESTAMP_SCHEMA = WithJsonSchema(
    {"type": "string", "format": "date-time", "examples": ["2030-01-31T12:00:00Z"]},
)

Timestamp = Annotated[
    datetime, BeforeValidator(_timestamp), AfterValidator(_in_utc), TIMESTAMP_SCHEMA
]
"""An instant in a request: RFC 3339 with any offset."""

TimestampOut = Annotated[datetime, TIMESTAMP_SCHEMA]
"""An instant in an answer, in UTC with `Z`: its column has made sure of that."""


AMOUNT_DIGITS = 18
AMOUNT_SCALE = 2
AMOUNT_PATTERN = r"^(0|[1-9][0-9]{0,15})(\.[0-9]{1,2})?$"
AMOUNT_UNIT = Decimal("0.01")


def _amount(value: Any) -> Any:
    """Take a decimal written as a string; a JSON number would lose digits on its way."""
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str) or not re.fullmatch(AMOUNT_PATTERN, value):
        raise ValueError(
            f'should be a decimal in a string that matches {AMOUNT_PATTERN}, such as "12.50"'
        )
    return Decimal(value).quantize(AMOUNT_UNIT)


AMOUNT_SCHEMA = WithJsonSchema(
    {"type": "string", "pattern": AMOUNT_PATTERN, "examples": ["12.50"]},
)

Amount = Annotated[Decimal, BeforeValidator(_amount), AMOUNT_SCHEMA]
"""An exact amount in a request, of up to 18 digits, two of them after the point."""

AmountOut = Annotated[Decimal, AMOUNT_SCHEMA]
"""An exact amount in an answer, a string with two digits after the point, as its column gives."""

ShortText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, pattern=NO_NUL),
    Field(examples=["A name"]),
]
"""A text of 1 to 200 characters."""

Code = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"),
    Field(examples=["A-1001"]),
]
"""A key that people use: 1 to 64 letters, digits, dots, dashes and underscores."""
