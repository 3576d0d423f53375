"""Routes of every kind that a team may write, beside those of a resource.

Some take what no document describes, some need no database, and to one no path is known.
"""

from datetime import time, timedelta
from ipaddress import IPv4Address
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from flask import Response, abort, jsonify
from flask.blueprints import BlueprintSetupState
from pydantic import BaseModel, Field, HttpUrl, StringConstraints, model_validator
from sqlalchemy import text
from werkzeug.routing import BaseConverter, ValidationError

from {{ cookiecutter.__package }}.database import db
from {{ cookiecutter.__package }}.web.blueprints import resource_blueprint
from {{ cookiecutter.__package }}.web.problems import problem_responses
from {{ cookiecutter.__package }}.web.schemas import (
    Parameters,
    PathParameters,
    QueryParameters,
    RequestModel,
)

api = resource_blueprint("oddities")
ODDITIES = [api]


class Existing(BaseConverter):
    """A converter that knows only what is there."""

    def to_python(self, value: str) -> str:
        """Find nothing."""
        raise ValidationError(value)


class OddQuery(QueryParameters):
    """Query parameters that every request needs."""

    count: int = Field(gt=10)
    exact: bool
    names: list[str] = Field(min_length=1)


class OddHeaders(Parameters):
    """A header that every request needs."""

    tenant: UUID = Field(alias="X-Tenant")


class CodePath(PathParameters):
    """A path with a pattern."""

    code: Annotated[str, StringConstraints(pattern="^[A-Z]{2}-[0-9]{4}$")]


class PairPath(PathParameters):
    """A path with two parameters, which `str` would accept."""

    id: UUID
    kind: Literal["large", "small"]


class WordPath(PathParameters):
    """A path with one parameter of any kind."""

    x: Any


class OddBody(RequestModel):
    """A body with members of many types."""

    url: HttpUrl
    at: time
    during: timedelta
    address: IPv4Address
    lines: list[int] = Field(min_length=1)
    pair: tuple[int, str]
    more: int = Field(gt=10)
    fives: int = Field(multiple_of=5)
    less: int = Field(le=-5)
    negative: float = Field(lt=0)


class SpanBody(RequestModel):
    """A body whose members depend on each other."""

    start: int
    end: int

    @model_validator(mode="after")
    def check_order(self) -> Self:
        """Reject a span that does not last."""
        if self.start >= self.end:
            raise ValueError("end should be after start")
        return self


class CodedBody(RequestModel):
    """A body with a member that only its validator describes."""

    code: Annotated[str, Field(pattern=r"^\p{Greek}+$")]


class Started(BaseModel):
    """The work that was begun."""

    id: UUID


@api.record
def add_converter(state: BlueprintSetupState) -> None:
    """Add the converter to the application."""
    state.app.url_map.converters["existing"] = Existing


def use_database(*parts: BaseModel) -> Response:
    """Respond with what a statement returns, and the parts of the request."""
    selected = db.session.scalar(text("SELECT 1"))
    return jsonify(selected, *(part.model_dump(mode="json") for part in parts))


@api.get("")
def needs_parameters(query: OddQuery, header: OddHeaders) -> Response:
    """Need a query and a header."""
    return use_database(query, header)


@api.post("", responses={202: Started, 303: None, **problem_responses(410)})
def take_many_types(body: OddBody) -> Response:
    """Take a body with members of many types."""
    return use_database(body)


@api.get("/kinds")
def kinds() -> Response:
    """List what no database knows."""
    return jsonify(["large", "small"])


@api.get("/gone")
def gone() -> Response:
    """Say that it is no longer there."""
    abort(410)


@api.post("/spans")
def span(body: SpanBody) -> Response:
    """Take a body whose members depend on each other."""
    return use_database(body)


@api.post("/coded")
def coded(body: CodedBody) -> Response:
    """Take a body with a member that only its validator describes."""
    return use_database(body)


@api.get("/codes/<code>")
def by_code(path: CodePath) -> Response:
    """Take a code with a pattern."""
    return use_database(path)


@api.get("/pairs/<id>/<kind>")
def by_pair(path: PairPath) -> Response:
    """Take what the plain converter does not know."""
    return use_database(path)


@api.get("/any/<any(one, two):x>")
def by_any(path: WordPath) -> Response:
    """Take one of some words."""
    return use_database(path)


@api.get("/languages/<string(length=2):x>")
def by_length(path: WordPath) -> Response:
    """Take a word of some length."""
    return use_database(path)


@api.get("/floats/<float:x>")
def by_float(path: WordPath) -> Response:
    """Take a number."""
    return use_database(path)


@api.get("/existing/<existing:x>")
def existing(path: WordPath) -> Response:
    """Take what is there."""
    return use_database(path)
