"""Pages of a list, by cursor: stable while rows come and go, and as fast at the end as at first.

A cursor names the last row seen (keyset paging); it is signed, and good for one order and filter.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from flask import abort, current_app, request
from itsdangerous import BadSignature, URLSafeSerializer
from pydantic import Field
from sqlalchemy import ColumnElement, Select, and_, or_
from sqlalchemy.orm import InstrumentedAttribute, Session

from .api_types import Query
from .openapi import unprocessable

LARGEST_PAGE = 100
USUAL_PAGE = 20
POSITION = {"limit", "cursor"}
NOT_A_FILTER = {*POSITION, "sort"}


class Identified(Protocol):
    """A row with an id that orders rows which are equal otherwise."""

    @property
    def id(self) -> UUID:
        """Unique, and never changed."""
        ...


Row = TypeVar("Row", bound=Identified)


class PageQuery(Query):
    """The query parameters of every list."""

    limit: int = Field(
        default=USUAL_PAGE, ge=1, le=LARGEST_PAGE, description="most items to return"
    )
    cursor: str | None = Field(
        default=None,
        max_length=2000,
        description="`next` of the page before; only with the same sort and filters",
    )

    @property
    def filters(self) -> dict[str, Any]:
        """The columns to filter by, and their values."""
        return self.model_dump(exclude=NOT_A_FILTER, exclude_none=True)


@dataclass(frozen=True)
class Order:
    """An order of a list: by a column that is never null, then by id.

    `parse` reads the column's value back from `str(value)`.
    """

    column: InstrumentedAttribute[Any]
    parse: Callable[[str], Any] = str
    descending: bool = False

    def by(self, row_id: InstrumentedAttribute[UUID]) -> tuple[ColumnElement[Any], ...]:
        """The ORDER BY of this order."""
        if self.descending:
            return self.column.desc(), row_id.desc()
        return self.column.asc(), row_id.asc()

    def after(
        self, value: Any, last: UUID, row_id: InstrumentedAttribute[UUID]
    ) -> ColumnElement[bool]:
        """What comes after the row with this value and id."""
        if self.descending:
            return or_(self.column < value, and_(self.column == value, row_id < last))
        return or_(self.column > value, and_(self.column == value, row_id > last))


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows of a list, and the cursor of those that follow, if any do."""

    items: Sequence[Row]
    next: str | None

    @property
    def headers(self) -> dict[str, str]:
        """The Link header (RFC 8288) that leads to the next page."""
        if self.next is None:
            return {}
        parameters = {**request.args.to_dict(), "cursor": self.next}
        return {"Link": f'<{request.path}?{urlencode(parameters)}>; rel="next"'}


def read_page(
    session: Session,
    statement: Select[Row],
    query: PageQuery,
    order: Order,
    row_id: InstrumentedAttribute[UUID],
) -> Page[Row]:
    """The page of `statement` that `query` asks for, with one SELECT.

    A cursor that was changed, or made for another sort or filter, is answered with 422.
    """
    if query.cursor is not None:
        value, last = _open_cursor(query, order)
        statement = statement.where(order.after(value, last, row_id))
    rows = session.scalars(statement.order_by(*order.by(row_id)).limit(query.limit + 1)).all()
    if len(rows) <= query.limit:
        return Page(rows, None)
    items = rows[: query.limit]
    return Page(items, _cursor_after(items[-1], query, order))


def _cursor_after(row: Identified, query: PageQuery, order: Order) -> str:
    value = getattr(row, order.column.key)
    return str(_signer().dumps([_purpose(query), str(value), str(row.id)]))


def _open_cursor(query: PageQuery, order: Order) -> tuple[Any, UUID]:
    try:
        purpose, value, last = _signer().loads(query.cursor or "")
    except BadSignature:
        abort(unprocessable([{"parameter": "cursor", "detail": "is not a cursor of this service"}]))
    if purpose != _purpose(query):
        abort(
            unprocessable([{"parameter": "cursor", "detail": "belongs to another sort or filter"}])
        )
    return order.parse(value), UUID(last)


def _purpose(query: PageQuery) -> str:
    """What a cursor is good for: this path, sort and filters."""
    selection = f"{request.path} {query.model_dump_json(exclude=POSITION)}"
    return hashlib.sha256(selection.encode()).hexdigest()[:16]


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.secret_key or "", salt="cursor")
