"""A service whose only resource is a table that a change has made: rows are created through it.

Copied into a project beside schema_changes.py.
"""

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
    members = {column.name: _member(column) for column in table.columns}
    body_model = create_model("RowCreate", __base__=schemas.RequestModel, **members)
    api = resource_blueprint("rows")

    @api.post("", responses={201: None})
    def create(body: body_model) -> Response:  # type: ignore[valid-type]
        session = db.session()
        made = row()
        for name, value in body.model_dump(exclude_unset=True).items():  # type: ignore[attr-defined]
            setattr(made, name, value)
        session.add(made)
        session.commit()
        return empty_response(201)

    return api


def _member(column: sa.Column[Any]) -> tuple[Any, Any]:
    """Return the type of a member of the body, and its default if it may be absent."""
    kind = _type(column.type)
    if column.nullable:
        return kind | None, None
    return (kind, ...) if column.server_default is None else (kind, None)


def _type(kind: Any) -> Any:
    """Return the type that the generator of resources writes for a column of this type."""
    match kind:
        case sa.Enum():
            return Literal[tuple(kind.enums)]
        case types.LongText():
            return schemas.LongString
        case sa.String():
            return Annotated[str, schemas.StringOf(kind.length or 1)]
        case types.ExactDecimal():
            return Annotated[Decimal, schemas.DecimalOf(kind.precision, kind.scale)]
        case types.UtcDateTime():
            return schemas.Timestamp
        case types.ExactJson():
            return schemas.Json
        case sa.Boolean():
            return schemas.Boolean
        case sa.Integer():
            return schemas.Integer
        case sa.Date():
            return schemas.Date
    assert isinstance(kind, sa.Uuid), kind
    return UUID


def _json(value: Any) -> Any:
    """Return a value as a caller sends it."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return str(value) if isinstance(value, (Decimal, UUID, date)) else value
