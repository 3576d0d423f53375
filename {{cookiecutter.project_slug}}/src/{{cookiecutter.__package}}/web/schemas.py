"""Base models and field types of requests and responses, documented as they behave."""

import math
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    PlainSerializer,
    PlainValidator,
    Strict,
    StringConstraints,
    WithJsonSchema,
)

RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
FULL_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,18})")
NO_NUL = r"^[^\u0000]*$"
MIN_YEAR = 1000
YEARS = "^[1-9][0-9]{3}-"
"""The pattern of the years 1000 to 9999."""
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1
MAX_JSON_DEPTH = 20
SURROGATE = re.compile(r"[\ud800-\udfff]")


class ApiModel(BaseModel):
    """The base of all API models; names are unique, or one would hide another in the document.

    That holds for the service; models of tests have a package of their own.
    """

    model_config = ConfigDict(frozen=True)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        package = cls.__module__.partition(".")[0]
        if (other := MODELS.setdefault((package, cls.__name__), cls)).__module__ != cls.__module__:
            raise TypeError(
                f"{cls.__module__} and {other.__module__} both define the API model {cls.__name__}"
            )


MODELS: dict[tuple[str, str], type[ApiModel]] = {}
"""All of them, by the top-level package and their name."""


class RequestModel(ApiModel):
    """The base of request bodies: unknown members are rejected."""

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


class PathParameters(Parameters):
    """The base of path parameters."""


class QueryParameters(Parameters):
    """The base of query parameters: unknown ones are rejected."""

    model_config = ConfigDict(extra="forbid")


class ResponseModel(ApiModel):
    """The base of responses, made from the attributes of a row."""

    model_config = ConfigDict(from_attributes=True)

    @classmethod
    def from_row(cls, source: object) -> Self:
        """The response that shows `source`."""
        return cls.model_validate(source)


def _never_null(field: dict[str, Any]) -> dict[str, Any]:
    """The schema of a parameter: one that is not given is absent, and there is no other null."""
    alternatives = [each for each in field.get("anyOf", []) if each != {"type": "null"}]
    if len(alternatives) != 1:
        return field
    kept = {name: value for name, value in field.items() if name not in ("anyOf", "default")}
    return {**alternatives[0], **kept}


class StringOf:
    """In `Annotated[str, StringOf(40)]`: a string of 1 to `length` characters, without NUL."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        """Return pydantic's schema of the type."""
        constraints = StringConstraints(min_length=1, max_length=self.length, pattern=NO_NUL)
        return handler.generate_schema(Annotated[source, constraints])


LongString = Annotated[str, StringConstraints(pattern=NO_NUL)]
"""A string of any length that the body can hold, without NUL."""


class IntegerOf:
    """In `Annotated[int, IntegerOf(minimum=0)]`: a JSON integer in these bounds and in 64 bits."""

    def __init__(self, *, minimum: int = MIN_INTEGER, maximum: int = MAX_INTEGER) -> None:
        self.minimum = minimum
        self.maximum = maximum

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        """Return pydantic's schema of the type, which accepts no `1.0`, `true` or `"1"`."""
        bounds = Field(strict=True, ge=self.minimum, le=self.maximum)
        schema = Field(json_schema_extra={"format": "int64"})
        return handler.generate_schema(Annotated[source, bounds, schema])


Integer = Annotated[int, IntegerOf()]
"""A JSON integer of 64 bits."""


def _integer_parameter(value: Any) -> int:
    """Return the integer of a parameter; pydantic alone would also accept `5_0` and `1.0`."""
    number = int(value) if isinstance(value, str) and INTEGER.fullmatch(value) else value
    if not isinstance(number, int) or not MIN_INTEGER <= number <= MAX_INTEGER:
        raise ValueError("should be an integer of 64 bits, such as 42")
    return number


IntegerParameter = Annotated[
    int, BeforeValidator(_integer_parameter), Field(json_schema_extra={"format": "int64"})
]
"""An integer of 64 bits in the query."""

Boolean = Annotated[bool, Strict()]
"""A JSON boolean."""


def _boolean_parameter(value: Any) -> Any:
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


BooleanParameter = Annotated[bool, Strict(), BeforeValidator(_boolean_parameter)]
"""`true` or `false` in the query."""


def _date(value: Any) -> Any:
    """Accept a full-date of RFC 3339; pydantic alone would also accept numbers and timestamps."""
    if isinstance(value, date):
        return value
    if not isinstance(value, str) or not FULL_DATE.fullmatch(value):
        raise ValueError("should be a date, such as 2030-01-31")
    if int(value[:4]) < MIN_YEAR:
        raise ValueError(f"is before the year {MIN_YEAR}")
    return value


Date = Annotated[
    date,
    BeforeValidator(_date),
    WithJsonSchema(
        {"type": "string", "format": "date", "pattern": YEARS, "examples": ["2030-01-31"]}
    ),
]
"""A date of the years 1000 to 9999."""


def _timestamp(value: Any) -> Any:
    """Accept an RFC 3339 text; pydantic alone would also accept numbers and naive times."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not RFC3339.fullmatch(value):
        raise ValueError(
            "should be an RFC 3339 timestamp with an offset, such as 2030-01-31T12:00:00Z"
        )
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        utc = value.astimezone(UTC)
    except OverflowError:
        utc = None
    if utc is None or utc.year < MIN_YEAR:
        raise ValueError(f"is outside the years {MIN_YEAR} to 9999 in UTC")
    return utc


TIMESTAMP_SCHEMA = WithJsonSchema(
    {
        "type": "string",
        "format": "date-time",
        "pattern": YEARS,
        "examples": ["2030-01-31T12:00:00Z"],
    },
)

Timestamp = Annotated[
    datetime, BeforeValidator(_timestamp), AfterValidator(_in_utc), TIMESTAMP_SCHEMA
]
"""A timestamp in a request: RFC 3339 with any offset, of the years 1000 to 9999."""

TimestampOut = Annotated[datetime, TIMESTAMP_SCHEMA]
"""A timestamp in a response, in UTC with `Z`: its column makes sure of that."""


class DecimalOf:
    """In `Annotated[Decimal, DecimalOf(12, 2)]`: an exact decimal, written as a string.

    It has at most `digits` digits, `scale` of them after the point, and is never rounded; a JSON
    number would lose digits. Responses show all of the `scale` digits.
    """

    def __init__(
        self, digits: int, scale: int, *, minimum: str | None = None, maximum: str | None = None
    ) -> None:
        self.digits = digits
        self.scale = scale
        self.minimum = None if minimum is None else Decimal(minimum)
        self.maximum = None if maximum is None else Decimal(maximum)
        self.unit = Decimal(1).scaleb(-scale)
        self.pattern = self._pattern()

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        """Return pydantic's schema of the type."""
        schema = {"type": "string", "pattern": self.pattern, "examples": [self._example()]}
        if bounds := self._bounds():
            schema["description"] = bounds
        return handler.generate_schema(
            Annotated[
                source,
                PlainValidator(self._decimal),
                PlainSerializer(_plain_text, return_type=str, when_used="json"),
                WithJsonSchema(schema),
            ]
        )

    def _decimal(self, value: Any) -> Decimal:
        if isinstance(value, Decimal):
            return value
        if not isinstance(value, str) or not re.fullmatch(self.pattern, value):
            raise ValueError(
                f"should be a decimal in a string that matches {self.pattern}, such as"
                f' "{self._example()}"'
            )
        number = Decimal(value).quantize(self.unit) + 0  # without the sign of -0
        below = self.minimum is not None and number < self.minimum
        if below or (self.maximum is not None and number > self.maximum):
            raise ValueError(f"should be {self._bounds()}")
        return number

    def _pattern(self) -> str:
        sign = "" if self.minimum is not None and self.minimum >= 0 else "-?"
        whole = self.digits - self.scale
        if self.minimum is not None and self.maximum is not None:
            most = max(abs(self.minimum), abs(self.maximum))
            whole = min(whole, len(str(int(most))) if most >= 1 else 0)
        before = f"(0|[1-9][0-9]{{0,{whole - 1}}})" if whole else "0"
        after = f"(\\.[0-9]{{1,{self.scale}}})?" if self.scale else ""
        return f"^{sign}{before}{after}$"

    def _bounds(self) -> str:
        bounds = (("at least", self.minimum), ("at most", self.maximum))
        return " and ".join(f"{words} {bound:f}" for words, bound in bounds if bound is not None)

    def _example(self) -> str:
        number = Decimal(1) if self.digits > self.scale else self.unit
        if self.maximum is not None:
            number = min(number, self.maximum)
        if self.minimum is not None:
            number = max(number, self.minimum)
        return _plain_text(number.quantize(self.unit))


def _plain_text(value: Decimal) -> str:
    """Return a decimal without an exponent."""
    return format(value, "f")


def _json(value: Any) -> Any:
    """Accept what every database stores and gives back: null only inside of another value."""
    if value is None:
        raise ValueError("should not be null")
    _check_json(value, MAX_JSON_DEPTH)
    return value


def _check_json(value: Any, depth: int) -> None:
    if isinstance(value, str):
        if "\0" in value or SURROGATE.search(value):
            raise ValueError("has a string with U+0000 or half a surrogate pair")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("has a number that is not finite")
    elif isinstance(value, dict | list):
        if depth == 0:
            raise ValueError(f"is nested deeper than {MAX_JSON_DEPTH} levels")
        for each in [*value, *value.values()] if isinstance(value, dict) else value:
            _check_json(each, depth - 1)


# An array without `items` is a schema that generators of clients leave out, with its operations.
JSON_SCHEMAS = (
    {"type": "object"},
    {"type": "array", "items": {}},
    *({"type": name} for name in ("string", "number", "boolean")),
)

Json = Annotated[
    Any,
    BeforeValidator(_json),
    WithJsonSchema({"anyOf": list(JSON_SCHEMAS), "description": "any JSON value but null"}),
]
"""Any JSON value but null, nested to a depth of 20."""
