import time
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from {{ cookiecutter.__package }}.web.schemas import (
    MODELS,
    Amount,
    ApiModel,
    Parameters,
    RequestModel,
    ResponseModel,
    Timestamp,
)

INSTANT: TypeAdapter[datetime] = TypeAdapter(Timestamp)
AMOUNT: TypeAdapter[Decimal] = TypeAdapter(Amount)


@pytest.fixture(autouse=True)
def forget_models() -> Any:
    """Let every test define models of its own."""
    known = dict(MODELS)
    yield
    MODELS.clear()
    MODELS.update(known)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("2030-01-31T12:00:00Z", "2030-01-31T12:00:00Z"),
        ("2030-01-31t12:00:00z", "2030-01-31T12:00:00Z"),
        ("2030-01-31T12:00:00.1+05:30", "2030-01-31T06:30:00.100000Z"),
        ("2030-01-31T23:59:59.999999-00:01", "2030-02-01T00:00:59.999999Z"),
        (datetime(2030, 1, 31, tzinfo=UTC), "2030-01-31T00:00:00Z"),
    ],
)
def test_an_instant_is_shown_in_utc(given: object, shown: str) -> None:
    assert INSTANT.dump_json(INSTANT.validate_python(given)) == f'"{shown}"'.encode()


def test_an_instant_is_shown_in_utc_wherever_the_service_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    try:
        shown = INSTANT.dump_json(INSTANT.validate_python("2030-01-31T12:00:00Z"))
    finally:
        monkeypatch.undo()
        time.tzset()

    assert shown == b'"2030-01-31T12:00:00Z"'


@pytest.mark.parametrize(
    "given",
    [
        "2030-01-31T12:00:00",
        "2030-01-31 12:00:00Z",
        "2030-01-31T12:00Z",
        "2030-01-31T12:00:00.1234567Z",
        "2030-01-31T12:00:00+0530",
        "2030-01-31T12:00:00+99:99",
        "2030-13-31T12:00:00Z",
        "2030-01-31T12:00:00Z\n",
        "٢٠٣٠-01-31T12:00:00Z",
        "9999-12-31T23:59:59-00:01",
        "0001-01-01T00:00:00+00:01",
        0,
        1.5,
        None,
        True,
        ["2030-01-31T12:00:00Z"],
    ],
)
def test_what_is_no_instant(given: object) -> None:
    with pytest.raises(ValidationError):
        INSTANT.validate_python(given)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (
            "tomorrow",
            "should be an RFC 3339 timestamp with an offset, such as 2030-01-31T12:00:00Z",
        ),
        ("9999-12-31T23:59:59-00:01", "is outside the years 1 to 9999 in UTC"),
    ],
)
def test_why_it_is_no_instant_is_said(given: str, why: str) -> None:
    with pytest.raises(ValidationError, match=f"Value error, {why} "):
        INSTANT.validate_python(given)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("0", "0.00"),
        ("12.5", "12.50"),
        ("9999999999999999.99", "9999999999999999.99"),
        (Decimal("1.20"), "1.20"),
    ],
)
def test_an_amount_keeps_its_digits(given: object, shown: str) -> None:
    assert AMOUNT.dump_json(AMOUNT.validate_python(given)) == f'"{shown}"'.encode()


@pytest.mark.parametrize(
    "given",
    ["", "-1", "+1", "01", ".5", "1.", "1.234", "1e2", "NaN", " 1", "1\n", "1" * 17, 1, None],
)
def test_what_is_no_amount(given: object) -> None:
    with pytest.raises(ValidationError, match=r'a decimal in a string .*, such as "12\.50"'):
        AMOUNT.validate_python(given)


def test_a_body_refuses_what_it_does_not_know() -> None:
    class Small(RequestModel):
        name: str

    with pytest.raises(ValidationError, match="Extra inputs"):
        Small.model_validate({"name": "x", "colour": "red"})


def test_an_answer_is_made_of_attributes() -> None:
    class Shown(ResponseModel):
        name: str

    assert Shown.from_row(SimpleNamespace(name="x", secret="y")).model_dump() == {"name": "x"}


def test_models_cannot_be_changed() -> None:
    class Fixed(ApiModel):
        name: str

    with pytest.raises(ValidationError, match="frozen"):
        Fixed(name="x").name = "y"  # type: ignore[misc]


def test_two_models_of_one_name_are_refused() -> None:
    class Twin(ApiModel):
        """The first."""

    with pytest.raises(TypeError, match=r"elsewhere and .*test_schemas both define .* Twin"):
        type("Twin", (ApiModel,), {"__module__": "elsewhere"})


def test_the_schema_of_parameters_is_made_once_and_never_null() -> None:
    class Search(Parameters):
        limit: int = 5
        colour: str | None = None
        size: int | str | None = None

    schema = Search.model_json_schema()

    assert Search.model_json_schema() is schema
    assert schema["properties"]["colour"] == {"type": "string", "title": "Colour"}
    assert schema["properties"]["limit"] == {"type": "integer", "default": 5, "title": "Limit"}
    assert {"type": "integer"} in schema["properties"]["size"]["anyOf"]
