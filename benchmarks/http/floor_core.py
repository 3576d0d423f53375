"""Flask with SQLAlchemy Core, written by hand for three routes: the floor of the ratios."""

import json
from types import SimpleNamespace
from uuid import UUID

from flask import Flask, Response, abort, request
from pydantic import ValidationError
from sqlalchemy import bindparam, insert, select, tuple_

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
engine = make_engine()

ONE = select(items).where(items.c.id == bindparam("id"))
PAGE = select(items).order_by(items.c.created_at, items.c.id).limit(bindparam("count"))
LAST = tuple_(
    bindparam("created_at", type_=items.c.created_at.type), bindparam("last", type_=items.c.id.type)
)
NEXT_PAGE = PAGE.where(tuple_(items.c.created_at, items.c.id) > LAST)
INSERT = insert(items)


@app.get("/api/v1/items/<uuid:row_id>")
def read(row_id: UUID) -> Response:
    with engine.connect() as connection:
        row = connection.execute(ONE, {"id": row_id}).first()
    if row is None:
        abort(404)
    return Response(json.dumps(shown(row)), content_type="application/json")


@app.get("/api/v1/items")
def list_page() -> Response:
    limit = request.args.get("limit", 20, type=int)
    parameters = {"count": limit + 1}
    statement = PAGE
    if "cursor" in request.args:
        statement = NEXT_PAGE
        created_at, last = read_cursor(request.args["cursor"])
        parameters |= {"created_at": created_at, "last": last}
    with engine.connect() as connection:
        rows = connection.execute(statement, parameters).all()
    following = cursor_after(rows[limit - 1]) if len(rows) > limit else None
    body = json.dumps({"items": [shown(row) for row in rows[:limit]], "next": following})
    return Response(body, content_type="application/json")


@app.post("/api/v1/items")
def create() -> Response:
    try:
        new = NewItem.model_validate_json(request.get_data())
    except ValidationError as error:
        return Response(error.json(), 422, content_type="application/json")
    columns = columns_of(new)
    with engine.begin() as connection:
        connection.execute(INSERT, columns)
    body = json.dumps(shown(SimpleNamespace(**columns)))
    return Response(body, 201, content_type="application/json")
