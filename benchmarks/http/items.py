"""Code that the floors share: the table of the service's migration, and a row as JSON.

Written by hand for this table, without abstractions that cost time in a request.
"""

import os
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import uuid_utils.compat
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Engine,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Uuid,
    create_engine,
    event,
)
from sqlalchemy.dialects.mysql import DATETIME

DATABASE_URL = os.environ["DATABASE_URL"]
THREADS = int(os.environ.get("THREADS", "4"))
SQLITE = DATABASE_URL.startswith("sqlite")
MARIADB = DATABASE_URL.startswith("mariadb")

PRICE = BigInteger() if SQLITE else Numeric(18, 2)
"""SQLite has no exact decimals, so the service counts the smallest unit there."""

INSTANT = DATETIME(fsp=6) if MARIADB else DateTime(timezone=True)

items = Table(
    "items",
    MetaData(),
    Column("id", Uuid, primary_key=True),
    Column("code", String(64)),
    Column("name", String(200)),
    Column("status", String(16)),
    Column("price", PRICE),
    Column("available_at", INSTANT),
    Column("parent_id", Uuid),
    Column("version", Integer),
    Column("created_at", INSTANT),
    Column("updated_at", INSTANT),
)

uuid7 = uuid_utils.compat.uuid7


def make_engine() -> Engine:
    """Return an engine with a connection per thread and the pragmas that the service sets."""
    engine = create_engine(DATABASE_URL, pool_size=THREADS, max_overflow=0)
    if SQLITE:

        @event.listens_for(engine, "connect")
        def prepare(connection: Any, _record: object) -> None:
            for pragma in (
                "busy_timeout=30000",
                "journal_mode=WAL",
                "synchronous=NORMAL",
                "foreign_keys=ON",
            ):
                connection.execute(f"PRAGMA {pragma}")

    return engine


class NewItem(BaseModel):
    """The body of a create."""

    model_config = ConfigDict(extra="forbid")

    code: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    status: Literal["draft", "active", "retired"] = "draft"
    price: Decimal = Field(ge=0, max_digits=18, decimal_places=2)
    available_at: AwareDatetime | None = None
    parent_id: UUID | None = None


def stored_price(price: Decimal) -> Any:
    """Return a price as the column stores it."""
    return int(price.scaleb(2)) if SQLITE else price


def price_text(stored: Any) -> str:
    """Return a stored price as JSON shows it."""
    return f"{stored // 100}.{stored % 100:02}" if SQLITE else str(stored)


def stored_timestamp(timestamp: datetime | None) -> datetime | None:
    """Return a timestamp as the column stores it."""
    return timestamp.astimezone(UTC) if timestamp else None


def timestamp_text(stored: datetime | None) -> str | None:
    """Return a stored timestamp, which is in UTC, as JSON shows it."""
    if stored is None:
        return None
    return f"{stored.replace(tzinfo=None).isoformat()}Z"


def columns_of(new: NewItem) -> dict[str, Any]:
    """Return the columns of a new row."""
    now = datetime.now(UTC)
    return {
        "id": uuid7(),
        "code": new.code,
        "name": new.name,
        "status": new.status,
        "price": stored_price(new.price),
        "available_at": stored_timestamp(new.available_at),
        "parent_id": new.parent_id,
        "version": 1,
        "created_at": now,
        "updated_at": now,
    }


def shown(row: Any) -> dict[str, Any]:
    """Return a row, an entity or a namespace of columns, ready for JSON."""
    return {
        "id": str(row.id),
        "code": row.code,
        "name": row.name,
        "status": row.status,
        "price": price_text(row.price),
        "available_at": timestamp_text(row.available_at),
        "parent_id": str(row.parent_id) if row.parent_id else None,
        "version": row.version,
        "created_at": timestamp_text(row.created_at),
        "updated_at": timestamp_text(row.updated_at),
    }


def cursor_after(row: Any) -> str:
    """Return the cursor of the page that follows this row."""
    return f"{timestamp_text(row.created_at)}~{row.id}"


def read_cursor(cursor: str) -> tuple[datetime, UUID]:
    """Return the last row of the previous page."""
    created_at, _, row_id = cursor.partition("~")
    return datetime.fromisoformat(created_at), UUID(row_id)
