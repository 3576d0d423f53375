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
    PlainSerializer,
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


class Body(ApiModel):
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
        return super().model_json_schema(*args, **kwargs)


class Query(Parameters):
    """The base of query parameters: unknown ones are refused."""

    model_config = ConfigDict(extra="forbid")


class Answer(ApiModel):
    """The base of answers, made from the attributes of a row."""

    model_config = ConfigDict(from_attributes=True)

    @classmethod
    def of(cls, source: object) -> Self:
        """The answer that shows `source`."""
        return cls.model_validate(source)


def _instant(value: Any) -> Any:
    """Take an RFC 3339 text; pydantic alone would also take numbers and naive times."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not RFC3339.fullmatch(value):
        raise ValueError(
            "should be an RFC 3339 instant with an offset, such as 2030-01-31T12:00:00Z"
        )
    return value.upper()


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("is outside the years 1 to 9999 in UTC") from None


Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    AfterValidator(_in_utc),
    WithJsonSchema(
        {"type": "string", "format": "date-time", "examples": ["2030-01-31T12:00:00Z"]},
    ),
]
"""An instant: RFC 3339 with any offset in requests, in UTC with `Z` in answers."""


AMOUNT_DIGITS = 18
AMOUNT_SCALE = 2
AMOUNT_PATTERN = r"^(0|[1-9][0-9]{0,15})(\.[0-9]{1,2})?$"
SMALLEST_AMOUNT = Decimal("0.01")


def _amount(value: Any) -> Any:
    """Take a decimal written as a string; a JSON number would lose digits on its way."""
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str) or not re.fullmatch(AMOUNT_PATTERN, value, re.ASCII):
        raise ValueError(
            f'should be a decimal in a string that matches {AMOUNT_PATTERN}, such as "12.50"'
        )
    return Decimal(value).quantize(SMALLEST_AMOUNT)


Amount = Annotated[
    Decimal,
    BeforeValidator(_amount),
    PlainSerializer(str, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": AMOUNT_PATTERN, "examples": ["12.50"]}),
]
"""An exact amount of up to 18 digits, two of them after the point."""

ShortText = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NO_NUL)]
"""A text of 1 to 200 characters."""

Code = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"),
    Field(examples=["A-1001"]),
]
"""A key that people use: 1 to 64 letters, digits, dots, dashes and underscores."""
