"""A service whose only resource is a table that a change has made: rows are created through it.

Copied into a project beside schema_changes.py.
"""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import sqlalchemy as sa
from flask import Response
from my_service.database import column_types as types
from my_service.database import db
from my_service.web import schemas
from my_service.web.blueprints import resource_blueprint
from my_service.web.responses import empty_response
from pydantic import create_model
from sqlalchemy.orm import registry

from tests.support.applications import new_app

PATH = "/api/v1/rows"


class RowsApi:
    """The routes of a table, on a database that has it."""

    def __init__(self, settings: Any, table: sa.Table) -> None:
        self.app = new_app(settings, resources=[_blueprint(table)])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self.app.app_context():
            db.engine.dispose()

    def create(self, row: dict[str, Any]) -> int:
        """Send a row as JSON, and return the status of the response."""
        body = {name: _json(value) for name, value in row.items()}
        status: int = self.app.test_client().post(PATH, json=body).status_code
        return status


def _blueprint(table: sa.Table) -> Any:
    row = type("Row", (), {})
    registry().map_imperatively(row, table)
    members: dict[str, Any] = {column.name: _member(column) for column in table.columns}
    base: Any = schemas.RequestModel  # it is Any where nothing is installed
    body_model: Any = create_model("RowCreate", __base__=base, **members)
    api: Any = resource_blueprint("rows")

    def create(body: Any) -> Response:
        session = db.session()
        made = row()
        for name, value in body.model_dump(exclude_unset=True).items():
            setattr(made, name, value)
        session.add(made)
        session.commit()
        return empty_response(201)

    create.__annotations__["body"] = body_model
    api.post("", responses={201: None})(create)
    return api


def _member(column: sa.Column[Any]) -> tuple[Any, Any]:
    """Return the type of a member of the body, and its default if it may be absent."""
    kind = _type(column.type)
    if column.nullable:
        return kind | None, None
    return (kind, ...) if column.server_default is None else (kind, None)


TYPES: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (sa.Enum, lambda kind: Literal[tuple(kind.enums)]),
    (types.LongText, lambda _: schemas.LongString),
    (sa.String, lambda kind: Annotated[str, schemas.StringOf(kind.length)]),
    (
        types.ExactDecimal,
        lambda kind: Annotated[Decimal, schemas.DecimalOf(kind.precision, kind.scale)],
    ),
    (types.UtcDateTime, lambda _: schemas.Timestamp),
    (types.ExactJson, lambda _: schemas.Json),
    (sa.Boolean, lambda _: schemas.Boolean),
    (sa.Integer, lambda _: schemas.Integer),
    (sa.Date, lambda _: schemas.Date),
    (sa.Uuid, lambda _: UUID),
)
"""The type that the generator of resources writes for a column of a type; the first that fits."""


def _type(kind: Any) -> Any:
    return next(make(kind) for known, make in TYPES if isinstance(kind, known))


def _json(value: Any) -> Any:
    """Return a value as a caller sends it."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return str(value) if isinstance(value, (Decimal, UUID, date)) else value
