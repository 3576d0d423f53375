"""Flask with the SQLAlchemy ORM, written by hand for three routes."""

import json
from uuid import UUID

from flask import Flask, Response, abort, request
from pydantic import ValidationError
from sqlalchemy import select, tuple_
from sqlalchemy.orm import DeclarativeBase, sessionmaker

from benchmarks.http.items import (
    NewItem,
    columns_of,
    cursor_after,
    items,
    make_engine,
    read_cursor,
    shown,
)

app = Flask(__name__)
sessions = sessionmaker(make_engine(), expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class Item(Base):
    __table__ = items


PAGE = select(Item).order_by(Item.created_at, Item.id)


@app.get("/api/v1/items/<uuid:row_id>")
def read(row_id: UUID) -> Response:
    with sessions() as session:
        row = session.get(Item, row_id)
    if row is None:
        abort(404)
    return Response(json.dumps(shown(row)), content_type="application/json")


@app.get("/api/v1/items")
def list_page() -> Response:
    limit = request.args.get("limit", 20, type=int)
    statement = PAGE.limit(limit + 1)
    if "cursor" in request.args:
        statement = statement.where(
            tuple_(Item.created_at, Item.id) > tuple_(*read_cursor(request.args["cursor"]))
        )
    with sessions() as session:
        rows = session.scalars(statement).all()
    following = cursor_after(rows[limit - 1]) if len(rows) > limit else None
    body = json.dumps({"items": [shown(row) for row in rows[:limit]], "next": following})
    return Response(body, content_type="application/json")


@app.post("/api/v1/items")
def create() -> Response:
    try:
        new = NewItem.model_validate_json(request.get_data())
    except ValidationError as error:
        return Response(error.json(), 422, content_type="application/json")
    row = Item(**columns_of(new))
    with sessions.begin() as session:
        session.add(row)
    return Response(json.dumps(shown(row)), 201, content_type="application/json")
