"""FastAPI with the SQLAlchemy ORM, synchronous, as its documentation shows it."""

from collections.abc import Iterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, FastAPI, HTTPException, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict
from sqlalchemy import select, tuple_
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from benchmarks.http.items import (
    NewItem,
    columns_of,
    cursor_after,
    items,
    make_engine,
    price_text,
    read_cursor,
    timestamp_text,
)

app = FastAPI()
sessions = sessionmaker(make_engine(), expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class Item(Base):
    __table__ = items


Timestamp = Annotated[str, BeforeValidator(timestamp_text)]
Price = Annotated[str, BeforeValidator(price_text)]


class ItemRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    code: str
    name: str
    status: str
    price: Price
    available_at: Timestamp | None
    parent_id: UUID | None
    version: int
    created_at: Timestamp
    updated_at: Timestamp


class ItemPage(BaseModel):
    items: list[ItemRead]
    next: str | None


def open_session() -> Iterator[Session]:
    with sessions() as session:
        yield session


Opened = Annotated[Session, Depends(open_session)]


@app.get("/api/v1/items/{row_id}", response_model=ItemRead)
def read(row_id: UUID, session: Opened) -> Any:
    row = session.get(Item, row_id)
    if row is None:
        raise HTTPException(404)
    return row


@app.get("/api/v1/items", response_model=ItemPage)
def list_page(
    session: Opened,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: str | None = None,
) -> Any:
    statement = select(Item).order_by(Item.created_at, Item.id).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(tuple_(Item.created_at, Item.id) > tuple_(*read_cursor(cursor)))
    rows = session.scalars(statement).all()
    following = cursor_after(rows[limit - 1]) if len(rows) > limit else None
    return {"items": rows[:limit], "next": following}


@app.post("/api/v1/items", response_model=ItemRead, status_code=201)
def create(new: NewItem, session: Opened) -> Any:
    row = Item(**columns_of(new))
    session.add(row)
    session.commit()
    return row
