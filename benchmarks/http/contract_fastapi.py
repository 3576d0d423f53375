"""FastAPI with the SQLAlchemy ORM and the service's contract, written by hand for one resource.

It has what the service gives its callers and operators: validation that reports all errors, problem
documents, request and trace ids, a log line and a metric for each request, security headers, entity
tags, filters, sorts, signed cursors, idempotency keys. `compare.py` compares it answer by answer.
"""

import base64
import hashlib
import hmac
import json
import re
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import quote, urlencode
from uuid import UUID

import prometheus_client
import uuid_utils
from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
)
from sqlalchemy import (
    Column,
    ColumnElement,
    DateTime,
    Integer,
    LargeBinary,
    String,
    Table,
    and_,
    delete,
    or_,
    select,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.orm.exc import StaleDataError
from starlette.exceptions import HTTPException as StarletteHTTPException

from benchmarks.http.items import (
    INSTANT,
    items,
    make_engine,
    price_text,
    stored_price,
    timestamp_text,
    uuid7,
)

SECRET = b"0123456789abcdef" * 4
MAX_BODY_BYTES = 2**20
RETENTION = timedelta(hours=24)
TITLES = {
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    412: "Precondition Failed",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    428: "Precondition Required",
    500: "Internal Server Error",
}
SECURITY_HEADERS = [
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
]
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SECONDS = prometheus_client.Histogram(
    "http_request_duration_seconds",
    "Time from the start of a request to its response.",
    ["method", "route", "status"],
    buckets=BUCKETS,
)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# -- ids, headers, log and metrics -----------------------------------------------------------

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class Observed:
    """Gives each request its ids, its headers, its line in the log and its place in the metrics."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        request_id = given if REQUEST_ID.fullmatch(given) else str(uuid_utils.uuid7())
        trace = TRACEPARENT.fullmatch(headers.get(b"traceparent", b"").decode("latin-1"))
        trace_id = trace[1] if trace else uuid_utils.uuid4().hex
        scope["request_id"] = request_id
        status = 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    *SECURITY_HEADERS,
                    (b"x-request-id", request_id.encode()),
                ]
            await send(message)

        await self.app(scope, receive, send_with_headers)
        passed = time.perf_counter() - began
        route = scope.get("route")
        path = route.path if route else None
        SECONDS.labels(scope["method"], path or "", status).observe(passed)
        line = {
            "event": "request",
            "level": "error" if status >= 500 else "info",
            "method": scope["method"],
            "route": path,
            "path": scope["path"],
            "status": status,
            "duration_ms": round(passed * 1000, 3),
            "request_id": request_id,
            "trace_id": trace_id,
            "client": scope["client"][0],
            "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        }
        sys.stderr.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")


# -- problems --------------------------------------------------------------------------------


def problem(
    request: Request, status: int, detail: str, errors: Sequence[dict[str, str]] = ()
) -> Response:
    """Return a problem document (RFC 9457)."""
    title = TITLES[status]
    document: dict[str, Any] = {
        "type": f"/problems/{title.lower().replace(' ', '-')}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": quote(request.url.path),
        "request_id": request.scope["request_id"],
    }
    if errors:
        document["errors"] = errors[:100]
    return Response(json.dumps(document), status, media_type="application/problem+json")


def http_error(request: Request, error: Exception) -> Response:
    """Return the problem for an HTTP error."""
    assert isinstance(error, StarletteHTTPException)  # noqa: S101
    return problem(request, error.status_code, str(error.detail))


UNUSABLE = "The request cannot be used as it is; see errors."


def invalid(request: Request, error: Exception) -> Response:
    """Return the problem with all errors of a request."""
    assert isinstance(error, RequestValidationError)  # noqa: S101
    errors = []
    for each in error.errors():
        part, *place = each["loc"]
        if each["type"] == "json_invalid":
            return problem(request, 400, "The body is not valid JSON in UTF-8.")
        detail = each["msg"].removeprefix("Value error, ")
        if part != "body":
            errors.append({"parameter": str(place[0])[:200], "detail": detail})
        elif not place:
            errors.append({"pointer": "#", "detail": "should be an object"})
        else:
            names = [str(name)[:200].replace("~", "~0").replace("/", "~1") for name in place]
            errors.append({"pointer": "/".join(["#", *map(quote, names)]), "detail": detail})
    return problem(request, 422, UNUSABLE, errors)


TAKEN = re.compile(r"UNIQUE constraint failed: items\.(\w+)|uq_items_(\w+)")


def conflict(request: Request, error: Exception) -> Response:
    """Return the problem for a unique value that is taken, or an unknown reference."""
    assert isinstance(error, IntegrityError)  # noqa: S101
    if request.method == "DELETE":
        return problem(request, 409, "Others refer to this, so it cannot be deleted.")
    found = TAKEN.search(str(error.orig))
    detail = "The change conflicts with data that exists, or that it refers to."
    name = found and (found[1] or found[2])
    errors = [{"pointer": f"#/{name}", "detail": "is taken"}] if name else []
    return problem(request, 409, detail, errors)


def stale(request: Request, _error: Exception) -> Response:
    """Return the problem for a row that somebody else changed in the meantime."""
    return problem(request, 412, "Somebody else changed this in the meantime.")


# -- schemas ---------------------------------------------------------------------------------

NO_NUL = r"^[^\u0000]*$"
PRICE = r"^(0|[1-9][0-9]{0,15})(\.[0-9]{1,2})?$"
RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,18})")


def _price(value: Any) -> Decimal:
    if not isinstance(value, str) or not re.fullmatch(PRICE, value):
        raise ValueError(f'should be a decimal in a string that matches {PRICE}, such as "1.00"')
    return Decimal(value).quantize(Decimal("0.01"))


def _timestamp(value: Any) -> Any:
    if not isinstance(value, str) or not RFC3339.fullmatch(value):
        raise ValueError(
            "should be an RFC 3339 timestamp with an offset, such as 2030-01-31T12:00:00Z"
        )
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        utc = value.astimezone(UTC)
    except OverflowError:
        utc = None
    if utc is None or utc.year < 1000:
        raise ValueError("is outside the years 1000 to 9999 in UTC")
    return utc


def _limit(value: Any) -> int:
    number = int(value) if isinstance(value, str) and INTEGER.fullmatch(value) else value
    if not isinstance(number, int) or not -(2**63) <= number < 2**63:
        raise ValueError("should be an integer of 64 bits, such as 42")
    return number


Code = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=NO_NUL)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NO_NUL)]
Timestamp = Annotated[datetime, BeforeValidator(_timestamp), AfterValidator(_in_utc)]
Price = Annotated[Decimal, PlainValidator(_price)]
Status = Literal["draft", "active", "retired"]
TimestampOut = Annotated[datetime, PlainSerializer(timestamp_text, return_type=str)]
PriceOut = Annotated[Any, PlainSerializer(price_text, return_type=str)]
Sort = Literal["created_at", "created_at_desc", "code", "code_desc", "name", "name_desc"]


class ItemCreate(BaseModel):
    """A new item."""

    model_config = ConfigDict(extra="forbid")

    code: Code
    name: Name
    status: Status
    price: Price
    available_at: Timestamp | None = None
    parent_id: UUID | None = None


class ItemPatch(BaseModel):
    """Changes; what is absent stays as it is."""

    model_config = ConfigDict(extra="forbid")

    code: Code = ""
    name: Name = ""
    status: Status = "draft"
    price: Price = Decimal(0)
    available_at: Timestamp | None = None
    parent_id: UUID | None = None


class ItemRead(BaseModel):
    """One item."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    code: str
    name: str
    status: str
    price: PriceOut
    available_at: TimestampOut | None
    parent_id: UUID | None
    version: int
    created_at: TimestampOut
    updated_at: TimestampOut


class ItemPage(BaseModel):
    """Some of the items."""

    items: list[ItemRead]
    next: str | None


class ItemQuery(BaseModel):
    """Which items to list."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, BeforeValidator(_limit)] = Field(default=20, ge=1, le=100)
    cursor: str | None = Field(default=None, max_length=3600, pattern=r"^[A-Za-z0-9_=-]+$")
    sort: Sort = "created_at"
    code: Code | None = None
    name: Name | None = None
    parent_id: UUID | None = None


# -- the database ----------------------------------------------------------------------------

sessions = sessionmaker(make_engine(), expire_on_commit=False)


class Base(DeclarativeBase):
    """The base of the entities."""


class Item(Base):
    """One item."""

    __table__ = items
    __mapper_args__: ClassVar[dict[str, Any]] = {"version_id_col": items.c.version}


class IdempotencyKey(Base):
    """A key that was used, and its answer."""

    __table__ = Table(
        "idempotency_keys",
        items.metadata,
        Column("digest", String(64), primary_key=True),
        Column("body_digest", String(64)),
        Column("status", Integer),
        Column("headers", String(2000)),
        Column("body", LargeBinary),
        Column("created_at", INSTANT or DateTime()),
    )


def open_session() -> Iterator[Session]:
    """Yield a session for a request."""
    with sessions() as session:
        yield session


Opened = Annotated[Session, Depends(open_session)]

SORT_KEYS: dict[str, tuple[Any, bool]] = {
    "created_at": (Item.created_at, False),
    "created_at_desc": (Item.created_at, True),
    "code": (Item.code, False),
    "code_desc": (Item.code, True),
    "name": (Item.name, False),
    "name_desc": (Item.name, True),
}


def beyond(column: Any, value: Any, row_id: UUID, *, descending: bool) -> ColumnElement[bool]:
    """Return the condition for what follows a row in this order."""
    if descending:
        return and_(column <= value, or_(column < value, Item.id < row_id))
    return and_(column >= value, or_(column > value, Item.id > row_id))


def sign(position: bytes, query: ItemQuery) -> str:
    """Return a cursor that is valid for this sort and these filters."""
    purpose = query.model_dump_json(exclude={"limit", "cursor"}).encode()
    signature = hmac.digest(SECRET, purpose + position, "sha256")[:16]
    return base64.urlsafe_b64encode(signature + position).decode()


def opened(request: Request, query: ItemQuery) -> tuple[str, UUID] | Response:
    """Return the value and the id in the cursor, or the problem."""
    assert query.cursor is not None  # noqa: S101
    try:
        position = base64.urlsafe_b64decode(query.cursor.encode())[16:]
    except ValueError:
        position = b""
    if not hmac.compare_digest(query.cursor.encode(), sign(position, query).encode()):
        detail = "is not a cursor of this service, or belongs to another sort or filter"
        return problem(request, 422, UNUSABLE, [{"parameter": "cursor", "detail": detail}])
    return position[16:].decode(), UUID(bytes=position[:16])


# -- the routes ------------------------------------------------------------------------------


def checked_body(request: Request) -> None:
    """Reject a body that is not JSON, or too large."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise HTTPException(415, "The body must be application/json.")
    if int(request.headers.get("content-length", "0")) > MAX_BODY_BYTES:
        raise HTTPException(413, "The data value transmitted exceeds the capacity limit.")


app = FastAPI()
app.add_exception_handler(StarletteHTTPException, http_error)
app.add_exception_handler(RequestValidationError, invalid)
app.add_exception_handler(IntegrityError, conflict)
app.add_exception_handler(StaleDataError, stale)
app.add_middleware(Observed)


def entity_tag(row: Any) -> str:
    """Return the entity tag of a row."""
    return f'"{row.version}"'


@app.get("/api/v1/items/{row_id:uuid}", response_model=ItemRead)
def read(
    row_id: UUID,
    session: Opened,
    response: Response,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Any:
    """Read one item."""
    row = session.get(Item, row_id)
    if row is None:
        raise HTTPException(404, "There is nothing with this id.")
    tag = entity_tag(row)
    if if_none_match is not None:
        given = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
        if tag in given or "*" in given:
            return Response(status_code=304, headers={"ETag": tag})
    response.headers["ETag"] = tag
    return row


@app.get("/api/v1/items", response_model=ItemPage)
def list_page(
    request: Request, response: Response, session: Opened, query: Annotated[ItemQuery, Query()]
) -> Any:
    """List the items."""
    if len(request.query_params.multi_items()) != len(request.query_params):
        names = [name for name, _ in request.query_params.multi_items()]
        repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        errors = [{"parameter": name, "detail": "is given more than once"} for name in repeated]
        return problem(request, 422, UNUSABLE, errors)
    column, descending = SORT_KEYS[query.sort]
    statement = select(Item)
    for name in ("code", "name", "parent_id"):
        if (value := getattr(query, name)) is not None:
            statement = statement.where(getattr(Item, name) == value)
    if query.cursor is not None:
        position = opened(request, query)
        if isinstance(position, Response):
            return position
        text, last = position
        value = datetime.fromisoformat(text) if column is Item.created_at else text
        statement = statement.where(beyond(column, value, last, descending=descending))
    order = [column.desc(), Item.id.desc()] if descending else [column, Item.id]
    rows = session.scalars(statement.order_by(*order).limit(query.limit + 1)).all()
    following = None
    if len(rows) > query.limit:
        row = rows[query.limit - 1]
        value = str(getattr(row, column.key))
        following = sign(row.id.bytes + value.encode(), query)
        parameters = {**request.query_params, "cursor": following}
        response.headers["Link"] = f'<{request.url.path}?{urlencode(parameters)}>; rel="next"'
    return {"items": rows[: query.limit], "next": following}


@app.post(
    "/api/v1/items",
    response_model=ItemRead,
    status_code=201,
    dependencies=[Depends(checked_body)],
)
def create(
    request: Request,
    new: ItemCreate,
    session: Opened,
    idempotency_key: Annotated[
        str | None, Header(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")
    ] = None,
) -> Any:
    """Create one item; with an Idempotency-Key it can be sent again."""
    claimed = None
    if idempotency_key is not None:
        digest = _digest(json.dumps(["", "POST", request.url.path, idempotency_key]))
        body_digest = _digest(new.model_dump_json())
        claimed = _claim(session, digest, body_digest)
        if claimed.body_digest != body_digest:
            errors = [{"parameter": "Idempotency-Key", "detail": "was used with another body"}]
            return problem(request, 422, UNUSABLE, errors)
        if claimed.status:
            return Response(claimed.body, claimed.status, json.loads(claimed.headers))
    now = datetime.now(UTC)
    row = Item(id=uuid7(), version=1, created_at=now, updated_at=now, **new.model_dump())
    row.price = stored_price(new.price)
    session.add(row)
    session.flush()
    body = ItemRead.model_validate(row).model_dump_json().encode()
    headers = {"Location": f"{request.url.path}/{row.id}", "ETag": entity_tag(row)}
    if claimed is not None:
        claimed.status, claimed.body = 201, body
        claimed.headers = json.dumps({**headers, "Content-Type": "application/json"})
    session.commit()
    return Response(body, 201, headers, media_type="application/json")


def changeable(row_id: UUID, session: Session, if_match: str | None) -> Item:
    """Return a row if the request knows its current state. Raises the HTTP errors."""
    row: Item | None = session.get(Item, row_id)
    if row is None:
        raise HTTPException(404, "There is nothing with this id.")
    if if_match is None:
        detail = "Send If-Match with the ETag that you read, or * for any state."
        raise HTTPException(428, detail)
    given = {each.strip() for each in if_match.split(",")}
    if entity_tag(row) not in given and "*" not in given:
        raise HTTPException(412, "This is not the current state; read it again.")
    return row


@app.patch(
    "/api/v1/items/{row_id:uuid}", response_model=ItemRead, dependencies=[Depends(checked_body)]
)
def patch(
    row_id: UUID,
    changes: ItemPatch,
    session: Opened,
    response: Response,
    if_match: Annotated[str | None, Header()] = None,
) -> Any:
    """Change the members that are given."""
    row = changeable(row_id, session, if_match)
    for name, value in changes.model_dump(exclude_unset=True).items():
        setattr(row, name, stored_price(value) if name == "price" else value)
    if session.is_modified(row):
        row.updated_at = datetime.now(UTC)
    session.commit()
    response.headers["ETag"] = entity_tag(row)
    return row


@app.delete("/api/v1/items/{row_id:uuid}", status_code=204, response_class=Response)
def delete_row(
    row_id: UUID, session: Opened, if_match: Annotated[str | None, Header()] = None
) -> None:
    """Delete one item that nothing refers to."""
    session.delete(changeable(row_id, session, if_match))
    session.commit()


def _claim(session: Session, digest: str, body_digest: str) -> Any:
    """Return the key as it was used, or claim it."""
    kept: Any = session.get(IdempotencyKey, digest)
    if kept is not None and kept.created_at.replace(tzinfo=UTC) >= datetime.now(UTC) - RETENTION:
        return kept
    if kept is not None:
        session.expunge(kept)
        session.execute(delete(IdempotencyKey).where(IdempotencyKey.digest == digest))
    kept = IdempotencyKey(
        digest=digest,
        body_digest=body_digest,
        status=0,
        headers="{}",
        body=b"",
        created_at=datetime.now(UTC),
    )
    session.add(kept)
    try:
        session.flush()
    except IntegrityError:  # a simultaneous request was first
        session.rollback()
        return session.get_one(IdempotencyKey, digest)
    return kept


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


@app.get("/metrics", include_in_schema=False)
def metrics() -> Response:
    """Return the metrics of all workers."""
    registry = prometheus_client.CollectorRegistry()
    prometheus_client.multiprocess.MultiProcessCollector(registry)
    text = prometheus_client.generate_latest(registry)
    return Response(text, media_type=prometheus_client.CONTENT_TYPE_LATEST)
