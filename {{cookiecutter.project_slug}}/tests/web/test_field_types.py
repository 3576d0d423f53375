"""The types of members: what each accepts, how it is written, and what it rejects."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from {{ cookiecutter.__package }}.web.schemas import (
    Boolean,
    BooleanParameter,
    Date,
    DecimalOf,
    IntegerOf,
    IntegerParameter,
    Json,
    LongString,
    StringOf,
)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


TYPES: dict[str, Any] = {
    "string": Annotated[str, StringOf(3)],
    "long string": LongString,
    "integer": Annotated[int, IntegerOf()],
    "small integer": Annotated[int, IntegerOf(minimum=-1, maximum=1)],
    "integer parameter": IntegerParameter,
    "boolean": Boolean,
    "boolean parameter": BooleanParameter,
    "date": Date,
    "decimal": Annotated[Decimal, DecimalOf(3, 2)],
    "whole decimal": Annotated[Decimal, DecimalOf(2, 0, minimum="-5", maximum="5")],
    "share": Annotated[Decimal, DecimalOf(2, 2, maximum="0.5")],
    "json": Json,
}
ADAPTERS: dict[str, TypeAdapter[Any]] = {name: TypeAdapter(kind) for name, kind in TYPES.items()}

ACCEPTED = [
    ("string", "abc", '"abc"'),
    ("long string", "", '""'),
    ("long string", "x" * 1000, f'"{"x" * 1000}"'),
    ("integer", -(2**63), "-9223372036854775808"),
    ("integer", 2**63 - 1, "9223372036854775807"),
    ("small integer", 1, "1"),
    ("integer parameter", "42", "42"),
    ("integer parameter", "-7", "-7"),
    ("boolean", True, "true"),
    ("boolean parameter", "false", "false"),
    ("boolean parameter", True, "true"),
    ("date", "1000-01-01", '"1000-01-01"'),
    ("date", "9999-12-31", '"9999-12-31"'),
    ("date", date(2030, 1, 31), '"2030-01-31"'),
    ("decimal", "-1.5", '"-1.50"'),
    ("decimal", "-0", '"0.00"'),
    ("whole decimal", "-5", '"-5"'),
    ("share", "0.5", '"0.50"'),
    ("json", {"a": [1, 1.5, True, None, "x"]}, '{"a":[1,1.5,true,null,"x"]}'),
    ("json", nested(20), f"{'[' * 20}1{']' * 20}"),
]

REJECTED = [
    *(("string", value) for value in ("", "abcd", "a\0", None, 1)),
    *(("long string", value) for value in ("a\0", None, 1)),
    *(("integer", value) for value in (2**63, -(2**63) - 1, 1.0, True, "1", None)),
    *(("small integer", value) for value in (-2, 2)),
    *(("integer parameter", value) for value in ("5_0", "1.0", "+1", "01", "9" * 19, "", " 1")),
    *(("boolean", value) for value in ("true", 1, 0, None)),
    *(("boolean parameter", value) for value in ("1", "True", "", 1)),
    *(("date", value) for value in ("0999-12-31", "2030-02-30", "20300131", "2030-1-1", 0, None)),
    ("date", "2030-01-31T00:00:00Z"),
    *(("decimal", value) for value in ("10", "1.234", "1e1", "NaN", "+1", "01", 1, None)),
    *(("whole decimal", value) for value in ("-6", "6", "1.0")),
    *(("share", value) for value in ("0.51", "1", ".5")),
    *(("json", value) for value in (None, float("nan"), [float("inf")], {"a\0": 1}, ["\ud800"])),
    ("json", nested(21)),
]


@pytest.mark.parametrize(("kind", "value", "written"), ACCEPTED)
def test_a_value_is_accepted_and_written(kind: str, value: object, written: str) -> None:
    adapter = ADAPTERS[kind]

    assert adapter.dump_json(adapter.validate_python(value)).decode() == written


@pytest.mark.parametrize(("kind", "value"), REJECTED)
def test_a_value_is_rejected(kind: str, value: object) -> None:
    with pytest.raises(ValidationError):
        ADAPTERS[kind].validate_python(value)


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("date", "0999-12-31", "is before the year 1000"),
        ("whole decimal", "6", "should be at least -5 and at most 5"),
        ("json", nested(21), "is nested deeper than 20 levels"),
    ],
)
def test_the_error_gives_the_reason(kind: str, value: object, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        ADAPTERS[kind].validate_python(value)


@pytest.mark.parametrize("kind", ["decimal", "whole decimal", "share"])
def test_the_example_in_the_document_is_accepted(kind: str) -> None:
    [example] = ADAPTERS[kind].json_schema()["examples"]

    ADAPTERS[kind].validate_python(example)
