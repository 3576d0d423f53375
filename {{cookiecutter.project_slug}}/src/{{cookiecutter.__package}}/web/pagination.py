"""Pages of a list, by cursor: stable while rows come and go, and as fast at the end as at first.

A cursor names the last row seen (keyset paging); it is sealed, and good for one order and filter.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hmac import compare_digest, digest
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from flask import abort, current_app, json, request
from pydantic import Field
from sqlalchemy import ColumnElement, FromClause, Row, Select, and_, bindparam, or_, select
from sqlalchemy.orm import DeclarativeBase, Session

from .schemas import QueryParameters
from .validation import unprocessable

MAX_PAGE_SIZE = 100
DEFAULT_PAGE_SIZE = 20
MAX_CURSOR_LENGTH = 2000
"""Characters; that of a row with 200 emoji in its name has 1200."""

POSITION = {"limit", "cursor"}
NOT_A_FILTER = {*POSITION, "sort"}
CACHED_STATEMENTS = 200
SIGNATURE_BYTES = 16


class PageQuery(QueryParameters):
    """The query parameters of every list."""

    limit: int = Field(
        default=DEFAULT_PAGE_SIZE, ge=1, le=MAX_PAGE_SIZE, description="most items to return"
    )
    cursor: str | None = Field(
        default=None,
        max_length=MAX_CURSOR_LENGTH,
        pattern=r"^[A-Za-z0-9_=-]+$",
        description="`next` of the page before; only with the same sort and filters",
    )

    @property
    def filters(self) -> dict[str, Any]:
        """The columns to filter by, and their values."""
        return self.model_dump(exclude=NOT_A_FILTER, exclude_none=True)


@dataclass(frozen=True)
class SortKey:
    """An order of a list: by a column that is never null, then by id.

    `parse` reads the column's value back from `str(value)`.
    """

    column: str
    parse: Callable[[str], Any] = str
    descending: bool = False

    def by(self, table: FromClause) -> tuple[ColumnElement[Any], ...]:
        """The ORDER BY of this order."""
        columns = table.c[self.column], table.c.id
        return tuple(column.desc() if self.descending else column for column in columns)

    def keyset_condition(self, table: FromClause) -> ColumnElement[bool]:
        """What comes after the row with the parameters `last_value` and `last_id`.

        The first comparison is what lets every database begin in the middle of the index.
        """
        column, row_id = table.c[self.column], table.c.id
        value = bindparam("last_value", type_=column.type)
        last = bindparam("last_id", type_=row_id.type)
        if self.descending:
            return and_(column <= value, or_(column < value, row_id < last))
        return and_(column >= value, or_(column > value, row_id > last))


@dataclass(frozen=True)
class Page:
    """Some rows of a list, and the cursor of those that follow, if any do."""

    items: Sequence[Row[Any]]
    next: str | None

    @property
    def headers(self) -> dict[str, str]:
        """The Link header (RFC 8288) that leads to the next page."""
        if self.next is None:
            return {}
        parameters = {**request.args.to_dict(), "cursor": self.next}
        return {"Link": f'<{request.path}?{urlencode(parameters)}>; rel="next"'}


def read_page(
    session: Session, model: type[DeclarativeBase], query: PageQuery, order: SortKey
) -> Page:
    """The page of the model's table that `query` asks for, with one SELECT.

    A cursor that was changed, or made for another sort or filter, is answered with 422.
    """
    filters = query.filters
    parameters = {**filters, "most": query.limit + 1}
    if query.cursor is not None:
        parameters["last_value"], parameters["last_id"] = _decode_cursor(query.cursor, query, order)
    statement = _statement(model.__table__, order, tuple(filters), query.cursor is not None)
    rows = session.execute(statement, parameters).all()
    if len(rows) <= query.limit:
        return Page(rows, None)
    items = rows[: query.limit]
    return Page(items, _cursor_after(items[-1], query, order))


@lru_cache(CACHED_STATEMENTS)
def _statement(
    table: FromClause, order: SortKey, filters: tuple[str, ...], follows: bool
) -> Select[Any]:
    """Made once for each combination: to build a statement takes as long as to run it."""
    statement = select(table).where(*(table.c[name] == bindparam(name) for name in filters))
    if follows:
        statement = statement.where(order.keyset_condition(table))
    return statement.order_by(*order.by(table)).limit(bindparam("most"))


def _cursor_after(row: Row[Any], query: PageQuery, order: SortKey) -> str:
    position = [str(getattr(row, order.column)), str(row.id)]
    return _sign_cursor(json.dumps(position, ensure_ascii=False).encode(), query)


def _decode_cursor(cursor: str, query: PageQuery, order: SortKey) -> tuple[Any, UUID]:
    """The value and the id of the last row. Answers 422 unless it was sealed for this query."""
    try:
        position = urlsafe_b64decode(cursor.encode())[SIGNATURE_BYTES:]
    except ValueError:
        position = b""
    if not compare_digest(cursor.encode(), _sign_cursor(position, query).encode()):
        fault = "is no cursor of this service, or belongs to another sort or filter"
        abort(unprocessable([{"parameter": "cursor", "detail": fault}]))
    value, last = json.loads(position)
    return order.parse(value), UUID(last)


def _sign_cursor(position: bytes, query: PageQuery) -> str:
    """The cursor of a position: good for this path, sort and filters, and hard to make elsewhere.

    An HMAC by itself takes half the time of a serializer that derives a key for each cursor.
    """
    purpose = f"cursor {request.path} {query.model_dump_json(exclude=POSITION)}\n".encode()
    key = current_app.config["SECRET_KEY"].encode()
    seal = digest(key, purpose + position, "sha256")[:SIGNATURE_BYTES]
    return urlsafe_b64encode(seal + position).decode()
