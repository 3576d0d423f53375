"""Values for the tests of resources: for each type of field what is accepted and what is rejected.

A resource lists its fields, such as `{"total": decimal(12, 2)}`; nothing here knows a resource.
"""

import datetime as dt
import decimal as dec
import itertools
import json as json_module
import uuid as uuid_module
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy import literal_column, null

UNKNOWN_ID = "00000000-0000-7000-8000-000000000000"

_numbers = itertools.count()


@dataclass(frozen=True)
class Values:
    """The values of one field; `nth` gives different ones, the smaller the lower the number."""

    nth: Callable[[int], Any]
    """A value of the model."""
    shown: Callable[[Any], Any] = str
    """The JSON of a value of the model."""
    accepted: Sequence[tuple[Any, Any]] = ()
    """JSON that a request can hold, and how a response shows it."""
    rejected: Sequence[Any] = ()
    """JSON that a request cannot hold."""
    changes: Sequence[tuple[Any, Any]] = ()
    """Pairs of JSON values that are equal in Python and differ in JSON."""
    is_optional: bool = False
    relationship: str = ""
    """The name of the relationship, if it is a reference."""
    parent: Callable[[], Any] = lambda: None
    """Makes what a reference refers to."""
    parents: dict[Any, Any] = field(default_factory=dict)
    """The rows that it made, by id."""
    violations: Sequence[Any] = ()
    """Values and SQL that a CHECK of the database rejects."""

    def json(self, number: int) -> Any:
        """Return the JSON of the nth value."""
        return self.shown(self.nth(number))

    def parameter(self, value: Any) -> str:
        """Return a value of the model as a query parameter."""
        shown = self.shown(value)
        return shown if isinstance(shown, str) else json_module.dumps(shown)


Fields = Mapping[str, Values]


def string(length: int, *, optional: bool = False) -> Values:
    """Return the values of a string of 1 to `length` characters."""
    digits = min(length, 9)
    varied = "".join(chr(0x10000 + number * (number + 7919) % 0x8000) for number in range(length))
    return Values(
        nth=lambda number: f"{number % 10**digits:0{digits}d}",
        accepted=[(text, text) for text in ("a", "Z" * length, varied)],
        rejected=[None, "", "a" * (length + 1), *NOT_STRINGS][optional:],
        is_optional=optional,
    )


def text(*, optional: bool = False) -> Values:
    """Return the values of a string of any length."""
    long = "é\u4e2d\U0001f600'\"\\ " * 12_000
    return Values(
        nth=lambda number: f"text {number:06d}",
        accepted=[("", ""), (long, long)],
        rejected=[None, *NOT_STRINGS][optional:],
        is_optional=optional,
    )


def integer(*, minimum: int = -(2**63), maximum: int = 2**63 - 1, optional: bool = False) -> Values:
    """Return the values of an integer in these bounds."""
    start = max(minimum, min(0, maximum - 1))
    return Values(
        nth=lambda number: start + number % (maximum - start + 1),
        shown=int,
        accepted=[(value, value) for value in (minimum, maximum)],
        rejected=[None, minimum - 1, maximum + 1, 10**30, *NOT_INTEGERS][optional:],
        violations=[value for value in (minimum - 1, maximum + 1) if -(2**63) <= value < 2**63],
        is_optional=optional,
    )


def decimal(
    digits: int,
    scale: int,
    *,
    minimum: str | None = None,
    maximum: str | None = None,
    optional: bool = False,
) -> Values:
    """Return the values of a decimal with so many digits, `scale` of them after the point."""
    unit = dec.Decimal(1).scaleb(-scale)
    largest = dec.Decimal(10**digits - 1).scaleb(-scale)
    low = -largest if minimum is None else dec.Decimal(minimum)
    high = largest if maximum is None else dec.Decimal(maximum)
    start = max(low, min(dec.Decimal(0), high - unit))
    count = int((high - start) / unit) + 1

    def shown(value: dec.Decimal) -> str:
        return format(value.quantize(unit), "f")

    accepted = [(format(value, "f"), shown(value)) for value in (low, high)]
    if low <= 0 <= high:
        accepted += [("0", shown(dec.Decimal(0)))]
    if low < 0 <= high:
        accepted += [("-0", shown(dec.Decimal(0)))]
    too_precise = shown(high) + ("5" if scale else ".5")
    return Values(
        nth=lambda number: start + number % count * unit,
        shown=shown,
        accepted=accepted,
        rejected=[
            None,
            shown(low - unit),
            shown(high + unit),
            too_precise,
            *NOT_DECIMALS,
        ][optional:],
        violations=[value for value in (low - unit, high + unit) if abs(value) <= largest],
        is_optional=optional,
    )


def boolean(*, optional: bool = False) -> Values:
    """Return the values of a boolean."""
    return Values(
        nth=lambda number: bool(number % 2),
        shown=bool,
        accepted=[(True, True), (False, False)],
        rejected=[None, "true", 1, 0, ""][optional:],
        is_optional=optional,
    )


def uuid(*, optional: bool = False) -> Values:
    """Return the values of a UUID."""
    example = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
    return Values(
        nth=lambda number: uuid_module.UUID(int=number),
        accepted=[(example, example), (example.upper(), example)],
        rejected=[None, "", 5, f"{example}0", example[1:]][optional:],
        is_optional=optional,
    )


def date(*, optional: bool = False) -> Values:
    """Return the values of a date."""
    return Values(
        nth=lambda number: dt.date(2030, 1, 1) + dt.timedelta(days=number),
        accepted=[(day, day) for day in ("1000-01-01", "9999-12-31", "2028-02-29")],
        rejected=[None, "0999-12-31", "2030-02-29", "2030-1-1", f"{START}", 0, ""][optional:],
        is_optional=optional,
    )


def datetime(*, optional: bool = False) -> Values:
    """Return the values of a timestamp."""
    return Values(
        nth=lambda number: START + dt.timedelta(microseconds=number),
        shown=_shown_timestamp,
        accepted=[
            ("1000-01-01T00:00:00Z", "1000-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
            ("2030-01-31T12:00:00.5+02:30", "2030-01-31T09:30:00.500000Z"),
        ],
        rejected=[None, *NOT_TIMESTAMPS][optional:],
        is_optional=optional,
    )


def enum(values: type[StrEnum], *listed: str, optional: bool = False) -> Values:
    """Return the values of an enum; those that requests accept are listed again, as JSON."""
    members = list(values)
    return Values(
        violations=[literal_column("'not a value'")],
        nth=lambda number: members[number % len(members)],
        accepted=[(value, value) for value in listed],
        rejected=[None, "Not a value", f"{listed[0]} ", "", 0, [listed[0]]][optional:],
        is_optional=optional,
    )


def json(*, optional: bool = False) -> Values:
    """Return the values of a JSON member: any value but null, which stands for no value."""
    accepted = [
        *(0, 1, -1.5, 1.0, 2**53, True, False, "", "é\U0001f600", [], {}),
        *([None], {"a": None}, [[1, {"b": [True, 1.0, "x"]}]], {"z": 1, "a": 2}, _nested(20)),
    ]
    return Values(
        nth=lambda number: {"number": number},
        shown=lambda value: value,
        accepted=[(value, value) for value in accepted],
        rejected=[None, *NOT_JSON][optional:],
        changes=[(1, True), (1, 1.0), ([0], [False]), ({"a": 1}, {"a": True})],
        is_optional=optional,
    )


def reference(relationship: str, factory: Callable[[], Any], *, optional: bool = False) -> Values:
    """Return the values of a reference: ids of rows that this factory makes, in the test."""

    made: dict[Any, Any] = {}

    def parent() -> Any:
        row = factory().create()
        made[row.id] = row
        return row

    return Values(
        nth=lambda _number: parent().id,
        rejected=[None, "x", 5][optional:],
        is_optional=optional,
        relationship=relationship,
        parent=parent,
        parents=made,
    )


START = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)

NOT_STRINGS = ("a\0b", "\ud800", 5, True, ["a"], {"a": "b"})
NOT_INTEGERS = (1.0, 1.5, True, "1", float("inf"), [1])
NOT_DECIMALS = (1, 1.5, "", " 1", "1e1", "NaN", "Infinity", "01", "1.", ".1", "+1", "\u0661", "1\n")
NOT_TIMESTAMPS = (
    *("0999-12-31T23:59:59Z", "1000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"),
    *("2030-01-31T12:00:00", "2030-01-31", "2030-02-30T12:00:00Z", "2030-01-31T12:00:60Z"),
    *("2030-01-31T12:00:00.1234567Z", "tomorrow", 1893456000, ""),
)
NOT_JSON: tuple[Any, ...] = (
    *(float("nan"), [float("inf")], {"a": -float("inf")}, "a\0b", {"a\0b": 1}, [["\ud800"]]),
    [[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]],
)


def accepted(fields: Fields) -> list[Any]:
    """Return each accepted value with its member and how it is shown."""
    return _parameters(fields, lambda values: values.accepted)


def rejected(fields: Fields) -> list[Any]:
    """Return each rejected value with its member."""
    return _parameters(fields, lambda values: [(value,) for value in values.rejected])


def changes(fields: Fields) -> list[Any]:
    """Return the pairs of values that Python takes for equal, with their members."""
    return _parameters(fields, lambda values: values.changes)


def violations(fields: Fields) -> list[Any]:
    """Return each value that the database rejects, with its member: NULL if it is required."""
    return _parameters(
        fields,
        lambda values: [
            *((value,) for value in values.violations),
            *([] if values.is_optional else [(null(),)]),
        ],
    )


def required(fields: Fields) -> list[str]:
    """Return the names of the required members."""
    return [name for name, field in fields.items() if not field.is_optional]


def optional(fields: Fields) -> list[str]:
    """Return the names of the optional members."""
    return [name for name, field in fields.items() if field.is_optional]


def nullable(model: type[BaseModel], fields: Fields) -> set[str]:
    """Return the members of a response that can be null, as the API document says.

    Of one that can be any JSON value it says nothing about null: that one is as in the fields.
    """
    members = model.model_json_schema(mode="serialization")["properties"]
    free = {name for name, each in members.items() if not each.keys() - {"title", "description"}}
    null = {name for name, each in members.items() if {"type": "null"} in each.get("anyOf", ())}
    return null | (free & set(optional(fields)))


def new_body(fields: Fields, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body with values for the required members, each used once, and those given."""
    return {
        name: given[name] if name in given else fields[name].json(next(_numbers) + 100)
        for name in [*fields, *(given.keys() - fields.keys())]
        if name in given or not fields[name].is_optional
    }


def full_body(fields: Fields) -> dict[str, Any]:
    """Return a body with a value for each member."""
    return {name: values.json(5_000) for name, values in fields.items()}


def other_body(fields: Fields, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body with a value for each member that is not equal to this one."""
    others = ({name: values.json(number) for name, values in fields.items()} for number in (1, 2))
    return next(other for other in others if other != body)


def stored(fields: Fields, row: Any) -> dict[str, Any]:
    """Return what a row holds, as JSON."""
    values = {name: getattr(row, name) for name in fields}
    return {
        name: None if value is None else fields[name].shown(value) for name, value in values.items()
    }


def attributes(fields: Fields, member: str, value: Any) -> dict[str, Any]:
    """Return the arguments of a factory that give a row this value."""
    values = fields[member]
    return {values.relationship: values.parents[value]} if values.relationship else {member: value}


def is_same(one: Any, other: Any) -> bool:
    """Return true if both are the same JSON value: `1`, `1.0` and `true` are not."""
    return json_module.dumps(one, sort_keys=True) == json_module.dumps(other, sort_keys=True)


def _shown_timestamp(value: dt.datetime) -> str:
    return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def _parameters(fields: Fields, cases: Callable[[Values], Sequence[tuple[Any, ...]]]) -> list[Any]:
    return [
        pytest.param(name, *case, id=f"{name}-{number}")
        for name, values in fields.items()
        for number, case in enumerate(cases(values))
    ]


def _nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value
