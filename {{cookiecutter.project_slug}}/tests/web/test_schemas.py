import time
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from {{ cookiecutter.__package }}.web.schemas import (
    MODELS,
    ApiModel,
    DecimalOf,
    Parameters,
    RequestModel,
    ResponseModel,
    Timestamp,
)

TIMESTAMP: TypeAdapter[datetime] = TypeAdapter(Timestamp)
AMOUNT: TypeAdapter[Decimal] = TypeAdapter(Annotated[Decimal, DecimalOf(18, 2, minimum="0")])


@pytest.fixture(autouse=True)
def restore_models() -> Any:
    """Allow every test to define models of its own."""
    registered = dict(MODELS)
    yield
    MODELS.clear()
    MODELS.update(registered)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("2030-01-31T12:00:00Z", "2030-01-31T12:00:00Z"),
        ("2030-01-31t12:00:00z", "2030-01-31T12:00:00Z"),
        ("2030-01-31T12:00:00.1+05:30", "2030-01-31T06:30:00.100000Z"),
        ("2030-01-31T23:59:59.999999-00:01", "2030-02-01T00:00:59.999999Z"),
        (datetime(2030, 1, 31, tzinfo=UTC), "2030-01-31T00:00:00Z"),
    ],
)
def test_a_timestamp_is_written_in_utc(value: object, written: str) -> None:
    assert TIMESTAMP.dump_json(TIMESTAMP.validate_python(value)) == f'"{written}"'.encode()


def test_a_timestamp_is_written_in_utc_in_any_time_zone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    try:
        written = TIMESTAMP.dump_json(TIMESTAMP.validate_python("2030-01-31T12:00:00Z"))
    finally:
        monkeypatch.undo()
        time.tzset()

    assert written == b'"2030-01-31T12:00:00Z"'


@pytest.mark.parametrize(
    "value",
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
def test_an_invalid_timestamp_is_rejected(value: object) -> None:
    with pytest.raises(ValidationError):
        TIMESTAMP.validate_python(value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (
            "tomorrow",
            "should be an RFC 3339 timestamp with an offset, such as 2030-01-31T12:00:00Z",
        ),
        ("9999-12-31T23:59:59-00:01", "is outside the years 1000 to 9999 in UTC"),
    ],
)
def test_the_error_for_a_timestamp_gives_the_reason(value: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=f"Value error, {reason} "):
        TIMESTAMP.validate_python(value)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("0", "0.00"),
        ("12.5", "12.50"),
        ("9999999999999999.99", "9999999999999999.99"),
        (Decimal("1.20"), "1.20"),
    ],
)
def test_an_amount_keeps_its_digits(value: object, written: str) -> None:
    assert AMOUNT.dump_json(AMOUNT.validate_python(value)) == f'"{written}"'.encode()


@pytest.mark.parametrize(
    "value",
    ["", "-1", "+1", "01", ".5", "1.", "1.234", "1e2", "NaN", " 1", "1\n", "1" * 17, 1, None],
)
def test_an_invalid_amount_is_rejected(value: object) -> None:
    with pytest.raises(ValidationError, match=r'a decimal in a string .*, such as "1\.00"'):
        AMOUNT.validate_python(value)


def test_a_request_model_rejects_unknown_members() -> None:
    class Small(RequestModel):
        name: str

    with pytest.raises(ValidationError, match="Extra inputs"):
        Small.model_validate({"name": "x", "colour": "red"})


def test_a_response_model_is_made_from_attributes() -> None:
    class Named(ResponseModel):
        name: str

    assert Named.from_row(SimpleNamespace(name="x", secret="y")).model_dump() == {"name": "x"}


def test_models_are_frozen() -> None:
    class Fixed(ApiModel):
        name: str

    with pytest.raises(ValidationError, match="frozen"):
        Fixed(name="x").name = "y"  # type: ignore[misc]


def test_two_models_with_the_same_name_are_rejected() -> None:
    class Twin(ApiModel):
        """The first."""

    with pytest.raises(TypeError, match=r"elsewhere and .*test_schemas both define .* Twin"):
        type("Twin", (ApiModel,), {"__module__": "tests.elsewhere"})


def test_models_of_tests_and_of_the_service_can_have_the_same_name() -> None:
    class Twin(ApiModel):
        """The tests' own."""

    type("Twin", (ApiModel,), {"__module__": "service.elsewhere"})

    assert MODELS["tests", "Twin"] is Twin


def test_the_schema_of_parameters_is_cached_and_never_null() -> None:
    class Search(Parameters):
        limit: int = 5
        colour: str | None = None
        size: int | str | None = None

    schema = Search.model_json_schema()

    assert Search.model_json_schema() is schema
    assert schema["properties"]["colour"] == {"type": "string", "title": "Colour"}
    assert schema["properties"]["limit"] == {"type": "integer", "default": 5, "title": "Limit"}
    assert {"type": "integer"} in schema["properties"]["size"]["anyOf"]
