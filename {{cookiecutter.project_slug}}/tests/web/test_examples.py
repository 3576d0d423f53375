"""The requests that the tests of every route send: their values, and the paths of rules."""

import json
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from flask import Flask, Response
from pydantic import (
    UUID4,
    Base64Bytes,
    BaseModel,
    Field,
    HttpUrl,
    IPvAnyAddress,
    SecretStr,
    StringConstraints,
    TypeAdapter,
    create_model,
)

from {{ cookiecutter.__package }}.settings import Settings
from {{ cookiecutter.__package }}.web.blueprints import resource_blueprint
from {{ cookiecutter.__package }}.web.schemas import (
    Date,
    DecimalOf,
    Integer,
    Json,
    PathParameters,
    StringOf,
    Timestamp,
)

from ..support.applications import new_app
from ..support.examples import Schema, example
from ..support.oddities import ODDITIES
from ..support.routes import accepts, api_routes, reachable_routes


class Colour(StrEnum):
    """One of two."""

    RED = "red"
    BLUE = "blue"


class Leaf(BaseModel):
    """A model that can hold others of its kind."""

    size: Annotated[int, Field(gt=10)]
    below: "Leaf | None"
    note: str = ""


TYPES = [
    *(bool, int, float, str, Decimal, UUID, UUID4, date, datetime, time, timedelta, None, Any),
    *(HttpUrl, IPv4Address, IPv6Address, IPv6Network, IPvAnyAddress, Base64Bytes, SecretStr),
    *(Date, Timestamp, Integer, Json, Annotated[Decimal, DecimalOf(5, 2, minimum="3")]),
    *(Colour, Literal["a"], Literal[2, "b"], Leaf, list[Leaf], int | None, tuple[()]),
    Annotated[str, StringOf(3)],
    Annotated[str, StringConstraints(min_length=7, max_length=9)],
    Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")],
    Annotated[str, StringConstraints(pattern=r"^\d{4}/[a-f]+$", max_length=8)],
    Annotated[str, StringConstraints(pattern=r"^\p{L}+$")],
    Annotated[str, Field(examples=["too long", "ok"], max_length=2)],
    Annotated[int, Field(gt=10)],
    Annotated[int, Field(ge=10, lt=12)],
    Annotated[int, Field(le=-5)],
    Annotated[int, Field(lt=-5)],
    Annotated[int, Field(multiple_of=5)],
    Annotated[int, Field(multiple_of=5, gt=10)],
    Annotated[int, Field(multiple_of=7, lt=-7)],
    Annotated[float, Field(lt=0)],
    Annotated[float, Field(gt=0, lt=0.5)],
    Annotated[float, Field(gt=0.1, lt=0.9, multiple_of=0.5)],
    Annotated[Decimal, Field(gt=10)],
    Annotated[list[int], Field(min_length=1)],
    Annotated[list[Annotated[int, Field(gt=3)]], Field(min_length=2)],
    Annotated[set[Colour], Field(min_length=1)],
    Annotated[dict[str, time], Field(min_length=2)],
    *(tuple[int, str], tuple[time, ...], dict[str, int], list[Any]),
]


@pytest.mark.parametrize("kind", TYPES)
def test_a_value_fits_the_schema_of_its_type(kind: Any) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    schema = adapter.json_schema(ref_template="#/components/schemas/{model}")
    document = {"components": {"schemas": schema.pop("$defs", {})}}

    adapter.validate_json(json.dumps(example(schema, document)))


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"allOf": [{"$ref": "#/components/schemas/Size"}, {"minimum": 6.0}]}, 10),
        ({"oneOf": [{"$ref": "#/components/schemas/Size"}, {"type": "string"}]}, 5),
        ({"type": "number", "exclusiveMinimum": 10.0, "maximum": 10.5}, 10.5),
        ({"type": "string", "pattern": "("}, "x"),
        ({"type": "string", "pattern": "^(?=a)b$"}, "x"),
        ({"type": "integer", "minimum": 2, "maximum": 1}, 1),
        ({"type": "string", "format": "date", "maxLength": 3}, "x"),
        ({"type": "string", "format": "of-a-team"}, "x"),
    ],
)
def test_a_schema_that_pydantic_does_not_write_has_a_value_too(schema: Schema, value: Any) -> None:
    size = {"type": "integer", "minimum": 5, "multipleOf": 5}

    assert example(schema, {"components": {"schemas": {"Size": size}}}) == value


PATHS: list[tuple[str, Any, str]] = [
    ("<x>", str, "x"),
    ("<x>", UUID, "00000000-0000-7000-8000-000000000000"),
    ("<x>", Literal["b", "a"], "b"),
    ("<x>", Annotated[str, StringConstraints(pattern="^[A-Z]{3}-[0-9]$")], "AAA-0"),
    ("<x>", Annotated[int, Field(ge=1000)], "1000"),
    ("<x>", Annotated[str, Field(examples=["ä b"])], "%C3%A4%20b"),
    ("<uuid:x>", UUID, "00000000-0000-7000-8000-000000000000"),
    ("<uuid:x>", str, "00000000-0000-7000-8000-000000000000"),
    ("<int:x>", Annotated[int, Field(gt=10)], "11"),
    ("<int(min=5):x>", int, "5"),
    ("<int(fixed_digits=3):x>", int, "001"),
    ("<int(signed=True):x>", Annotated[int, Field(lt=0)], "-1"),
    ("<float:x>", float, "1.0"),
    ("<float(max=0.5):x>", float, "0.5"),
    ('<any(b, "c,d"):x>', str, "b"),
    ("<any(b, c):x>", Literal["c"], "c"),
    ("<string(length=2):x>", str, "xx"),
    ("<string(length=2):x>", Annotated[str, StringConstraints(pattern="^[A-Z]+$")], "AA"),
    ("<string(minlength=3):x>/more", str, "xxx/more"),
    ("<path:x>/more", str, "x/more"),
]


@pytest.mark.parametrize(("rule", "kind", "path"), PATHS)
def test_the_path_of_a_rule_leads_to_it(
    settings: Settings, rule: str, kind: Any, path: str
) -> None:
    app = new_app(settings, resources=[])
    api = resource_blueprint("paths")
    model = create_model("AnyPath", __base__=PathParameters, __module__=__name__, x=(kind, ...))

    def view(**_parts: Any) -> Response:
        return Response()

    view.__annotations__["path"] = model
    api.get(f"/{rule}")(view)
    app.register_api(api)  # type: ignore[attr-defined]

    [route] = reachable_routes(app)

    assert route.path == f"/api/v1/paths/{path}"
    if kind is not str or rule != "<uuid:x>":
        assert accepts(app, route)


@pytest.fixture
def odd_app(settings: Settings) -> Flask:
    return new_app(settings, resources=ODDITIES)


def test_no_path_is_known_to_a_route_whose_converter_looks_for_rows(odd_app: Flask) -> None:
    reachable = reachable_routes(odd_app)

    unknown = [route.endpoint for route in api_routes(odd_app) if route not in reachable]
    assert unknown == ["oddities.existing"]


def test_what_only_a_validator_knows_is_not_accepted(odd_app: Flask) -> None:
    routes = reachable_routes(odd_app)

    rejected = [route.endpoint for route in routes if not accepts(odd_app, route)]
    assert rejected == ["oddities.span", "oddities.coded"]
