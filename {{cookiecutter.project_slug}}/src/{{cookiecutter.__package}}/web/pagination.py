"""Pages of a list, by cursor: stable while rows come and go, and as fast at the end as at first.

A cursor names the last row seen (keyset paging); it is signed, and valid for one sort and filter.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from hmac import compare_digest, digest
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from flask import abort, current_app, request
from pydantic import Field
from sqlalchemy import ColumnElement, Select
from sqlalchemy.orm import InstrumentedAttribute, Session

from ..database.engine import beyond
from .schemas import IntegerParameter, QueryParameters
from .validation import unprocessable

MAX_PAGE_SIZE = 100
DEFAULT_PAGE_SIZE = 20
MAX_CURSOR_LENGTH = 3600
"""Characters; that of a row with a string of 650 emoji has 3512."""

POSITION = {"limit", "cursor"}
SIGNATURE_BYTES = 16
ID_BYTES = 16
LENGTH_BYTES = 2
"""A cursor begins with a UUID in 16 bytes, or the length of another id in 2 and then its text."""

Parser = Callable[[str], Any]
PARSERS: Mapping[type, Parser] = {
    date: date.fromisoformat,
    datetime: datetime.fromisoformat,
    Decimal: Decimal,
    int: int,
    str: str,
    UUID: UUID,
}
"""How the value of a sort key or an id is read back from `str(value)`."""

Item = TypeVar("Item")
Condition = Callable[[Any], ColumnElement[bool]]


class PageQuery(QueryParameters):
    """The query parameters of every list."""

    limit: IntegerParameter = Field(
        default=DEFAULT_PAGE_SIZE, ge=1, le=MAX_PAGE_SIZE, description="maximum number of items"
    )
    cursor: str | None = Field(
        default=None,
        max_length=MAX_CURSOR_LENGTH,
        pattern=r"^[A-Za-z0-9_=-]+$",
        description="`next` of the page before; only with the same sort and filters",
    )


def equals(attribute: InstrumentedAttribute[Any]) -> Condition:
    """Return the filter for rows with this value."""
    return lambda value: attribute == value


def at_least(attribute: InstrumentedAttribute[Any]) -> Condition:
    """Return the filter for rows with this value or a greater one."""
    return lambda value: attribute >= value


def below(attribute: InstrumentedAttribute[Any]) -> Condition:
    """Return the filter for rows with a smaller value."""
    return lambda value: attribute < value


def conditions(query: PageQuery, filters: Mapping[str, Condition]) -> list[ColumnElement[bool]]:
    """Return the conditions of the filters that the query has; `filters` are by its parameters."""
    given = {name: getattr(query, name) for name in filters}
    return [filters[name](value) for name, value in given.items() if value is not None]


@dataclass(frozen=True)
class SortKey:
    """An order of a list: by a column that is never null, then by id unless it is unique.

    The column and the id are of types that `PARSERS` has.
    """

    attribute: InstrumentedAttribute[Any]
    descending: bool = False

    @property
    def name(self) -> str:
        """The name of the attribute, which the items of the list have."""
        return self.attribute.key

    @property
    def is_unique(self) -> bool:
        """True if no two rows have the same value."""
        [column] = self.attribute.property.columns
        return bool(column.unique)

    @property
    def row_id(self) -> InstrumentedAttribute[Any]:
        """The id of the rows."""
        row_id: InstrumentedAttribute[Any] = self.attribute.class_.id
        return row_id

    @property
    def parsers(self) -> tuple[Parser, Parser]:
        """The parsers of the value and the id, from their `str`. Raises TypeError if one has none.

        That of a UUID is the type itself.
        """
        return _parser_of(self.attribute), _parser_of(self.row_id)

    def order(self) -> list[ColumnElement[Any]]:
        """Return the ORDER BY."""
        attributes: list[Any] = [self.attribute]
        if not self.is_unique:
            attributes.append(self.row_id)
        return [each.desc() if self.descending else each.asc() for each in attributes]

    def keyset_condition(self, value: Any, row_id: Any) -> ColumnElement[bool]:
        """Return the condition for what follows the row with this value and id.

        The database begins in the middle of the index, however many rows have the same value.
        """
        if not self.is_unique:
            columns = (self.attribute.expression, self.row_id)
            return beyond(columns, (value, row_id), descending=self.descending)
        condition: ColumnElement[bool] = (
            self.attribute < value if self.descending else self.attribute > value
        )
        return condition


@dataclass(frozen=True)
class Page(Generic[Item]):
    """Some items of a list, and the cursor of those that follow, if any do."""

    items: Sequence[Item]
    next: str | None

    @property
    def headers(self) -> dict[str, str]:
        """The Link header (RFC 8288) that leads to the next page."""
        if self.next is None:
            return {}
        parameters = {**request.args.to_dict(), "cursor": self.next}
        path = request.script_root + request.path
        return {"Link": f'<{path}?{urlencode(parameters)}>; rel="next"'}


def paginate(
    session: Session, statement: Select[Item], query: PageQuery, sort_key: SortKey
) -> Page[Item]:
    """Return the page of a statement that `query` asks for, with one SELECT.

    The statement selects entities, or columns among which are the sort key and `id`; it has any
    clause but an order and a limit. A cursor that was changed, or belongs to another sort or
    filter, gets 422. Raises TypeError, on the first page too, if no cursor can hold the sort key.
    """
    parsers = sort_key.parsers
    if query.cursor is not None:
        value, row_id = _decode_cursor(query.cursor, query, parsers)
        statement = statement.where(sort_key.keyset_condition(value, row_id))
    statement = statement.order_by(*sort_key.order()).limit(query.limit + 1)
    result = session.execute(statement)
    rows: Sequence[Any] = (
        result.scalars().unique().all() if len(result.keys()) == 1 else result.all()
    )
    if len(rows) <= query.limit:
        return Page(rows, None)
    items = rows[: query.limit]
    return Page(items, _cursor_after(items[-1], query, sort_key))


def _parser_of(attribute: InstrumentedAttribute[Any]) -> Parser:
    kind = attribute.type.python_type
    if kind not in PARSERS:
        known = ", ".join(sorted(each.__name__ for each in PARSERS))
        raise TypeError(f"{attribute} is a {kind.__name__}; a cursor can hold: {known}")
    return PARSERS[kind]


def _cursor_after(item: Any, query: PageQuery, sort_key: SortKey) -> str:
    value = str(getattr(item, sort_key.name)).encode()
    if isinstance(item.id, UUID):
        return _sign_cursor(item.id.bytes + value, query)
    row_id = str(item.id).encode()
    return _sign_cursor(len(row_id).to_bytes(LENGTH_BYTES) + row_id + value, query)


def _decode_cursor(
    cursor: str, query: PageQuery, parsers: tuple[Parser, Parser]
) -> tuple[Any, Any]:
    """Return value and id of the last row; respond with 422 unless it was signed for `query`."""
    try:
        position = urlsafe_b64decode(cursor.encode())[SIGNATURE_BYTES:]
    except ValueError:
        position = b""
    if not compare_digest(cursor.encode(), _sign_cursor(position, query).encode()):
        detail = "is not a cursor of this service, or belongs to another sort or filter"
        abort(unprocessable([{"parameter": "cursor", "detail": detail}]))
    parse, parse_id = parsers
    if parse_id is UUID:
        return parse(position[ID_BYTES:].decode()), UUID(bytes=position[:ID_BYTES])
    end = LENGTH_BYTES + int.from_bytes(position[:LENGTH_BYTES])
    return parse(position[end:].decode()), parse_id(position[LENGTH_BYTES:end].decode())


def _sign_cursor(position: bytes, query: PageQuery) -> str:
    """Return the cursor of a position, valid for this path, sort and filters only.

    An HMAC by itself takes half the time of a serializer that derives a key for each cursor.
    """
    purpose = f"cursor {request.path} {query.model_dump_json(exclude=POSITION)}\n".encode()
    key = current_app.config["SECRET_KEY"].encode()
    signature = digest(key, purpose + position, "sha256")[:SIGNATURE_BYTES]
    return urlsafe_b64encode(signature + position).decode()
