"""Each kind of change that people make to tables, on rows that exist, on one engine.

Copied into a project as a module of its tests. Each kind begins with the tables `customers` and
`orders`, with rows. The change is made in the models, the migration is generated, and it goes
forwards, back and forwards again; the rows are compared by value after each step, and the models
with the database. After it a row is created through the API of a service with the new model.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from shutil import copytree
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from my_service.database import authoring, comparison, migrations, revisions, writer
from my_service.database import column_types as types
from my_service.database.session import NAMING_CONVENTION
from sqlalchemy.exc import DBAPIError

from tests.support.engine import make_engine

from .schema_api import RowsApi

ENGINE = os.environ["SERVICE_ENGINE"]
TABLE = Path(os.environ["CHANGES_TABLE"])
"""Gets a line of JSON for each kind of change that was proved."""

CHANGES = ("ALTER", "CREATE", "DROP", "INSERT", "UPDATE")

Row = dict[str, Any]


class Model:
    """The tables of a service, to be changed before they are built."""

    def __init__(self) -> None:
        text = types.ExactString
        self.customers: list[Any] = [
            sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("name", text(40), nullable=False),
        ]
        self.name = "orders"
        self.columns: dict[str, Any] = {
            "id": sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
            "number": sa.Column("number", text(40), nullable=False),
            "status": sa.Column("status", enum("draft", "paid"), nullable=False),
            "total": sa.Column("total", types.ExactDecimal(12, 2), nullable=False),
            "quantity": sa.Column("quantity", sa.Integer, nullable=False),
            "note": sa.Column("note", text(200)),
            "priority": sa.Column(
                "priority", sa.Integer, nullable=False, server_default=sa.text("3")
            ),
            "at": sa.Column("at", types.UtcDateTime(), nullable=False),
            "customer_id": sa.Column("customer_id", sa.Integer, nullable=False),
            "parent_id": sa.Column("parent_id", sa.Integer),
        }
        self.parts: dict[str, Any] = {
            "number": sa.UniqueConstraint("number"),
            "total": sa.CheckConstraint("total >= 0", name="total_not_negative"),
            "self": sa.CheckConstraint("parent_id <> id", name="not_its_own_parent"),
            "customer": sa.ForeignKeyConstraint(["customer_id"], ["customers.id"]),
            "parent": sa.ForeignKeyConstraint(["parent_id"], ["orders.id"]),
            "ix customer": sa.Index(None, "customer_id"),
            "ix parent": sa.Index(None, "parent_id"),
            "ix quantity": sa.Index(None, "quantity", "id"),
        }
        self.more: list[tuple[str, list[Any]]] = []

    def build(self) -> sa.MetaData:
        """Return the tables."""
        metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)
        if self.customers:
            sa.Table("customers", metadata, *self.customers)
        if self.columns:
            sa.Table(self.name, metadata, *self.columns.values(), *self.parts.values())
        for name, parts in self.more:
            sa.Table(name, metadata, *parts)
        return metadata

    def alter(self, name: str, **changes: Any) -> None:
        """Give a column other attributes."""
        old = self.columns[name]
        kept = {
            "type_": old.type,
            "nullable": old.nullable,
            "server_default": old.server_default.arg if old.server_default is not None else None,
        }
        self.columns[name] = sa.Column(name, **(kept | changes))

    def rename(self, old: str, new: str) -> None:
        """Give a column another name, and what is about it, too."""
        column = self.columns[old]
        self.columns = {
            (new if name == old else name): (
                sa.Column(new, column.type, nullable=column.nullable) if name == old else each
            )
            for name, each in self.columns.items()
        }

    def drop(self, column: str, *parts: str) -> None:
        """Remove a column, and these constraints and indexes."""
        del self.columns[column]
        for part in parts:
            del self.parts[part]


def enum(*values: str) -> sa.Enum:
    return sa.Enum(*values, name="status", native_enum=False, create_constraint=True, length=40)


def at(hour: int) -> datetime:
    return datetime.fromisoformat(f"2026-01-0{hour}T10:00:00.123456Z")


def order(number: int, values: Mapping[str, Any]) -> Row:
    row: Row = {
        "id": number,
        "number": f"N{number}",
        "status": "paid" if number % 2 else "draft",
        "total": Decimal(f"{number}.50"),
        "quantity": number * 10,
        "note": None if number == 2 else f"note {number}",
        "priority": number,
        "at": at(number),
        "customer_id": number,
        "parent_id": number - 1 or None,
    }
    return row | dict(values)


NEEDS_LENGTH = 0 if ENGINE == "sqlite" else 1
"""SQLite stores strings of any length; the others stop at one that is too long."""


@dataclass(frozen=True)
class Kind:
    """One kind of change."""

    change: Callable[[Model], object]
    wishes: Mapping[str, str] = field(default_factory=dict)
    accepted: Mapping[str, Any] = field(default_factory=dict)
    """Of a new row after the change, beside or instead of the usual values; None removes one."""
    rejected: Mapping[str, Any] | None = None
    """Of a row that the database has to reject after the change."""
    after: Mapping[str, Callable[[Row], Any]] = field(default_factory=dict)
    """Values of rows that existed, where they are not those before the change."""
    back: Mapping[str, Any] = field(default_factory=dict)
    """Values of rows after the way back, where they are not those before the change."""
    other: Callable[[Model], object] | None = None
    """Makes the tables from which the kind begins."""
    table: str = "orders"
    notes: int = 0
    """How many sentences are about values that change."""
    stops: int = 0
    """How many sentences are about rows that can stop the migration or the way back."""


def add(name: str, *arguments: Any, **options: Any) -> Callable[[Model], object]:
    return lambda model: model.columns.update({name: sa.Column(name, *arguments, **options)})


def part(name: str, item: Callable[[], Any] | None) -> Callable[[Model], object]:
    def change(model: Model) -> None:
        if item is None:
            del model.parts[name]
        else:
            model.parts[name] = item()

    return change


def both(*changes: Callable[[Model], object]) -> Callable[[Model], object]:
    return lambda model: [change(model) for change in changes]


def altered(name: str, **changes: Any) -> Callable[[Model], object]:
    return lambda model: model.alter(name, **changes)


def add_notes(model: Model) -> None:
    model.more.append(
        (
            "notes",
            [
                sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
                sa.Column("order_id", sa.Integer, nullable=False),
                sa.Column("kind", enum("a", "b"), nullable=False),
                sa.ForeignKeyConstraint(["order_id"], [f"{model.name}.id"]),
                sa.Index(None, "order_id"),
                sa.UniqueConstraint("kind", "order_id"),
            ],
        )
    )


def rename_table(model: Model) -> None:
    model.name = "purchases"
    model.parts["parent"] = sa.ForeignKeyConstraint(["parent_id"], ["purchases.id"])


KINDS: dict[str, Kind] = {
    "an optional column comes": Kind(
        add("color", types.ExactString(20)),
        accepted={"color": "red"},
        after={"color": lambda _: None},
    ),
    "a required column with a server default comes": Kind(
        add("color", types.ExactString(20), nullable=False, server_default="blue"),
        accepted={"color": "red"},
        rejected={"color": None},
        after={"color": lambda _: "blue"},
    ),
    "a required column comes": Kind(
        add("color", types.ExactString(20), nullable=False),
        {"default": "orders.color:it's 50% b:c"},
        accepted={"color": "red"},
        rejected={"color": None},
        after={"color": lambda _: "it's 50% b:c"},
    ),
    "a required decimal comes": Kind(
        add("weight", types.ExactDecimal(10, 3), nullable=False),
        {"default": "orders.weight:1.5"},
        accepted={"weight": Decimal("2.125")},
        after={"weight": lambda _: Decimal("1.5")},
    ),
    "a required timestamp comes": Kind(
        add("seen", types.UtcDateTime(), nullable=False),
        {"default": "orders.seen:2026-01-02T11:00:00.123456+01:00"},
        accepted={"seen": at(3)},
        after={"seen": lambda _: at(2)},
    ),
    "a required boolean comes": Kind(
        add("open", sa.Boolean, nullable=False),
        {"default": "orders.open:true"},
        accepted={"open": False},
        after={"open": lambda _: True},
    ),
    "a required uuid comes": Kind(
        add("key", sa.Uuid, nullable=False),
        {"default": "orders.key:01890000-0000-7000-8000-000000000001"},
        accepted={"key": UUID(int=2)},
        after={"key": lambda _: UUID("01890000-0000-7000-8000-000000000001")},
    ),
    "a required JSON value comes": Kind(
        add("extra", types.ExactJson(), nullable=False),
        {"default": 'orders.extra:{"a": [1, "x: y"]}'},
        accepted={"extra": {"b": 1.0}},
        after={"extra": lambda _: {"a": [1, "x: y"]}},
    ),
    "a required date comes": Kind(
        add("day", sa.Date, nullable=False),
        {"default": "orders.day:2026-02-28"},
        accepted={"day": date(2026, 3, 1)},
        rejected={"day": None},
        after={"day": lambda _: date(2026, 2, 28)},
    ),
    "an optional column goes": Kind(
        lambda model: model.drop("note"), accepted={"note": ...}, back={"note": None}
    ),
    "a required column goes": Kind(
        lambda model: model.drop("quantity", "ix quantity"),
        {"default": "orders.quantity:7"},
        accepted={"quantity": ...},
        back={"quantity": 7},
    ),
    "a column is renamed": Kind(
        lambda model: model.rename("note", "remark"),
        {"rename": "orders.note:remark"},
        accepted={"note": ..., "remark": "x"},
        after={"remark": lambda row: row["note"]},
    ),
    "a unique column is renamed": Kind(
        both(
            lambda model: model.rename("number", "code"),
            part("number", lambda: sa.UniqueConstraint("code")),
        ),
        {"rename": "orders.number:code"},
        accepted={"number": ..., "code": "N9"},
        rejected={"number": ..., "code": "N1"},
        after={"code": lambda row: row["number"]},
    ),
    "a column with a CHECK is renamed": Kind(
        both(
            lambda model: model.rename("total", "amount"),
            part("total", lambda: sa.CheckConstraint("amount >= 0", name="amount_not_negative")),
        ),
        {"rename": "orders.total:amount"},
        accepted={"total": ..., "amount": Decimal("1.25")},
        rejected={"total": ..., "amount": Decimal(-1)},
        after={"amount": lambda row: row["total"]},
    ),
    "an indexed column is renamed": Kind(
        both(
            lambda model: model.rename("quantity", "count"),
            part("ix quantity", lambda: sa.Index(None, "count", "id")),
        ),
        {"rename": "orders.quantity:count"},
        accepted={"quantity": ..., "count": 1},
        after={"count": lambda row: row["quantity"]},
    ),
    "an enum column is renamed": Kind(
        lambda model: model.rename("status", "state"),
        {"rename": "orders.status:state"},
        accepted={"status": ..., "state": "paid"},
        rejected={"status": ..., "state": "sold"},
        after={"state": lambda row: row["status"]},
    ),
    "a reference is renamed": Kind(
        both(
            lambda model: model.rename("customer_id", "buyer_id"),
            part("customer", lambda: sa.ForeignKeyConstraint(["buyer_id"], ["customers.id"])),
            part("ix customer", lambda: sa.Index(None, "buyer_id")),
        ),
        {"rename": "orders.customer_id:buyer_id"},
        accepted={"customer_id": ..., "buyer_id": 2},
        rejected={"customer_id": ..., "buyer_id": 99},
        after={"buyer_id": lambda row: row["customer_id"]},
    ),
    "a column is renamed and gets longer": Kind(
        both(
            lambda model: model.rename("note", "remark"),
            altered("remark", type_=types.ExactString(300)),
        ),
        {"rename": "orders.note:remark"},
        accepted={"note": ..., "remark": "x" * 300},
        after={"remark": lambda row: row["note"]},
        stops=NEEDS_LENGTH,
    ),
    "a string gets longer": Kind(
        altered("note", type_=types.ExactString(300)),
        accepted={"note": "x" * 300},
        stops=NEEDS_LENGTH,
    ),
    "a string gets shorter": Kind(
        altered("note", type_=types.ExactString(100)), stops=NEEDS_LENGTH
    ),
    "a string becomes a text": Kind(
        altered("note", type_=types.LongText()), accepted={"note": "x" * 1000}, stops=NEEDS_LENGTH
    ),
    "an integer becomes a large one": Kind(
        altered("quantity", type_=sa.BigInteger), accepted={"quantity": 2**40}
    ),
    "an integer becomes a string": Kind(
        altered("quantity", type_=types.ExactString(20)),
        accepted={"quantity": "many"},
        after={"quantity": lambda row: str(row["quantity"])},
    ),
    "a string becomes an integer": Kind(
        altered("quantity", type_=sa.Integer),
        accepted={"quantity": 5},
        after={"quantity": lambda row: int(row["quantity"])},
        other=altered("quantity", type_=types.ExactString(20)),
    ),
    "an integer with a server default becomes a string": Kind(
        altered("priority", type_=types.ExactString(20)),
        accepted={"priority": "high"},
        after={"priority": lambda row: str(row["priority"])},
    ),
    "a decimal gets more digits": Kind(
        altered("total", type_=types.ExactDecimal(14, 2)),
        accepted={"total": Decimal("999999999999.25")},
    ),
    "a decimal gets more places": Kind(
        altered("total", type_=types.ExactDecimal(14, 4)),
        accepted={"total": Decimal("1.2345")},
    ),
    "a decimal gets fewer places": Kind(
        altered("total", type_=types.ExactDecimal(12, 1)),
        accepted={"total": Decimal("1.2")},
        notes=1,
    ),
    "a decimal becomes a text": Kind(
        altered("total", type_=types.LongText()),
        accepted={"total": "much"},
        after={"total": lambda row: str(row["total"])},
        other=part("total", None),
    ),
    "a text becomes a short string": Kind(
        altered("note", type_=types.ExactString(20)),
        accepted={"note": "x" * 20},
        other=altered("note", type_=types.LongText()),
        stops=NEEDS_LENGTH,
    ),
    "a decimal with a CHECK gets more places": Kind(
        both(
            altered("total", type_=types.ExactDecimal(14, 4)),
            part("total", lambda: sa.CheckConstraint("total <= 90000", name="total_small")),
        ),
        accepted={"total": Decimal("1.2345")},
        other=part("total", lambda: sa.CheckConstraint("total <= 900", name="total_small")),
        stops=2,
    ),
    "an integer becomes a decimal": Kind(
        altered("quantity", type_=types.ExactDecimal(12, 2)),
        accepted={"quantity": Decimal("1.25")},
        after={"quantity": lambda row: Decimal(row["quantity"])},
    ),
    "a decimal becomes an integer": Kind(
        altered("quantity", type_=sa.Integer),
        accepted={"quantity": 5},
        after={"quantity": lambda row: int(row["quantity"])},
        other=altered("quantity", type_=types.ExactDecimal(12, 2)),
        notes=1,
    ),
    "an optional integer becomes a required decimal": Kind(
        altered("size", type_=types.ExactDecimal(12, 2), nullable=False),
        {"default": "orders.size:1.5"},
        accepted={"size": Decimal("1.25")},
        rejected={"size": None},
        after={"size": lambda row: Decimal("1.5") if row["size"] is None else row["size"]},
        back={"size": 2},
        other=add("size", sa.Integer),
    ),
    "an optional integer becomes a required string": Kind(
        altered("size", type_=types.ExactString(20), nullable=False),
        {"default": "orders.size:12"},
        accepted={"size": "large"},
        rejected={"size": None},
        after={"size": lambda row: str(row["size"] or 12)},
        back={"size": 12},
        other=add("size", sa.Integer),
    ),
    "a column becomes required": Kind(
        altered("note", nullable=False),
        {"default": "orders.note:none"},
        rejected={"note": None},
        after={"note": lambda row: row["note"] or "none"},
        back={"note": lambda row: row["note"] or "none"},
    ),
    "a column becomes optional": Kind(
        altered("number", nullable=True), accepted={"number": None}, notes=1
    ),
    "a server default comes": Kind(
        altered("quantity", server_default=sa.text("5")), accepted={"quantity": ...}
    ),
    "a server default changes": Kind(
        altered("priority", server_default=sa.text("4")), accepted={"priority": ...}
    ),
    "a server default goes": Kind(
        altered("priority", server_default=None), rejected={"priority": None}
    ),
    "a server default that is a text changes": Kind(
        altered("note", server_default="it's 50%"),
        accepted={"note": ...},
        other=altered("note", server_default="none"),
    ),
    "a server default that is a timestamp comes": Kind(
        # MySQL wants the precision of the column.
        altered("at", server_default=sa.func.now(6) if ENGINE == "mysql" else sa.func.now()),
        accepted={"at": ...},
    ),
    "an enum value comes": Kind(
        altered("status", type_=enum("draft", "paid", "sold")),
        accepted={"status": "sold"},
        rejected={"status": "lost"},
        stops=1,
    ),
    "an enum value goes": Kind(
        altered("status", type_=enum("draft", "paid")),
        rejected={"status": "sold"},
        other=altered("status", type_=enum("draft", "paid", "sold")),
        stops=1,
    ),
    "an enum value changes": Kind(
        altered("status", type_=enum("draft", "paid", "closed")),
        accepted={"status": "closed"},
        rejected={"status": "sold"},
        other=altered("status", type_=enum("draft", "paid", "sold")),
        stops=2,
    ),
    "an optional enum column comes": Kind(
        add(
            "size",
            sa.Enum("s", "m", name="size", native_enum=False, create_constraint=True, length=40),
        ),
        accepted={"size": "m"},
        rejected={"size": "x"},
        after={"size": lambda _: None},
    ),
    "a required enum column comes": Kind(
        add(
            "size",
            sa.Enum("s", "m", name="size", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        {"default": "orders.size:s"},
        accepted={"size": "m"},
        rejected={"size": "x"},
        after={"size": lambda _: "s"},
    ),
    "a required enum column goes": Kind(
        lambda model: model.drop("status"),
        {"default": "orders.status:draft"},
        accepted={"status": ...},
        back={"status": "draft"},
    ),
    "a CHECK comes": Kind(
        part("length", lambda: sa.CheckConstraint("length(number) > 1", name="number_length")),
        rejected={"number": "x"},
        stops=1,
    ),
    "a CHECK with quotes, signs and a pattern comes": Kind(
        part(
            "like",
            lambda: sa.CheckConstraint("note <> 'it''s' AND note NOT LIKE 'a%'", name="note"),
        ),
        rejected={"note": "abc"},
        stops=1,
    ),
    "a CHECK changes": Kind(
        part("total", lambda: sa.CheckConstraint("total >= 1", name="total_not_negative")),
        rejected={"total": Decimal(-1)},
        stops=2,
    ),
    "a CHECK changes in a literal only": Kind(
        part("code", lambda: sa.CheckConstraint("number <> 'B'", name="code")),
        rejected={"number": "B"},
        other=part("code", lambda: sa.CheckConstraint("number <> 'A'", name="code")),
        stops=2,
    ),
    "a CHECK goes": Kind(part("total", None), accepted={"total": Decimal(-1)}, stops=1),
    "an index comes": Kind(part("ix note", lambda: sa.Index(None, "note", "id"))),
    "an index goes": Kind(part("ix quantity", None)),
    "an index gets other columns": Kind(
        part("ix quantity", lambda: sa.Index("ix_orders_quantity", "quantity", "total")),
        other=part("ix quantity", lambda: sa.Index("ix_orders_quantity", "quantity", "id")),
    ),
    "an index becomes unique": Kind(
        part("ix quantity", lambda: sa.Index("ix_orders_quantity", "quantity", unique=True)),
        accepted={"quantity": 77},
        rejected={"quantity": 10},
        other=part("ix quantity", lambda: sa.Index("ix_orders_quantity", "quantity")),
        stops=1,
    ),
    "an index is renamed": Kind(
        part("ix quantity", lambda: sa.Index("ix_sold", "quantity", "id")),
    ),
    "a unique key is renamed": Kind(
        part("number", lambda: sa.UniqueConstraint("number", name="uq_sold")),
        rejected={"number": "N1"},
    ),
    "the index of a reference is renamed": Kind(
        part("ix customer", lambda: sa.Index("ix_sold", "customer_id")),
        rejected={"customer_id": 99},
    ),
    "the index of a reference goes": Kind(part("ix customer", None), rejected={"customer_id": 99}),
    "the index of a reference comes": Kind(
        part("ix customer", lambda: sa.Index(None, "customer_id")),
        rejected={"customer_id": 99},
        other=part("ix customer", None),
    ),
    "the index of a reference gets a column more": Kind(
        part("ix customer", lambda: sa.Index(None, "customer_id", "at")),
        rejected={"customer_id": 99},
    ),
    "a unique key comes": Kind(
        part("uq note", lambda: sa.UniqueConstraint("quantity")),
        accepted={"quantity": 9},
        rejected={"quantity": 10},
        stops=1,
    ),
    "a unique key goes": Kind(part("number", None), accepted={"number": "N1"}, stops=1),
    "a unique key gets other columns": Kind(
        part("number", lambda: sa.UniqueConstraint("number", "customer_id")),
        accepted={"number": "N1", "customer_id": 3},
        rejected={"number": "N1", "customer_id": 1},
        stops=1,
    ),
    "a unique key of a reference comes": Kind(
        both(part("ix customer", None), part("uq", lambda: sa.UniqueConstraint("customer_id"))),
        accepted={"customer_id": 4},
        rejected={"customer_id": 1},
        stops=1,
    ),
    "an optional reference comes": Kind(
        both(
            add("payer_id", sa.Integer),
            part("payer", lambda: sa.ForeignKeyConstraint(["payer_id"], ["customers.id"])),
            part("ix payer", lambda: sa.Index(None, "payer_id")),
        ),
        accepted={"payer_id": 2},
        rejected={"payer_id": 99},
        after={"payer_id": lambda _: None},
    ),
    "a required reference comes": Kind(
        both(
            add("payer_id", sa.Integer, nullable=False),
            part("payer", lambda: sa.ForeignKeyConstraint(["payer_id"], ["customers.id"])),
            part("ix payer", lambda: sa.Index(None, "payer_id")),
        ),
        {"default": "orders.payer_id:1"},
        accepted={"payer_id": 2},
        rejected={"payer_id": 99},
        after={"payer_id": lambda _: 1},
        stops=1,
    ),
    "the reference to itself goes": Kind(
        lambda model: model.drop("parent_id", "self", "parent", "ix parent"),
        accepted={"parent_id": ...},
        back={"parent_id": None},
        stops=1,
    ),
    "a required reference goes": Kind(
        lambda model: model.drop("customer_id", "customer", "ix customer"),
        {"default": "orders.customer_id:1"},
        accepted={"customer_id": ...},
        back={"customer_id": 1},
        stops=1,
    ),
    "the action of a reference changes": Kind(
        part(
            "customer",
            lambda: sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], ondelete="CASCADE"),
        ),
        rejected={"customer_id": 99},
    ),
    "a foreign key comes": Kind(
        part("customer", lambda: sa.ForeignKeyConstraint(["customer_id"], ["customers.id"])),
        rejected={"customer_id": 99},
        other=part("customer", None),
        stops=1,
    ),
    "a foreign key goes": Kind(part("customer", None), accepted={"customer_id": 99}, stops=1),
    "a column with a unique key and an index goes": Kind(
        lambda model: model.drop("number", "number", "ix number"),
        {"default": "orders.number:"},
        accepted={"number": ...},
        back={"number": ValueError},
        other=part("ix number", lambda: sa.Index(None, "number", "id")),
    ),
    "a table comes": Kind(add_notes),
    "a table goes": Kind(lambda model: model.more.clear(), other=add_notes),
    "a table and the reference to it go": Kind(
        both(
            lambda model: model.drop("payer_id", "payer", "ix payer"),
            lambda model: model.more.clear(),
        ),
        accepted={"payer_id": ...},
        back={"payer_id": None},
        other=both(
            lambda model: model.more.append(
                ("payers", [sa.Column("id", sa.Integer, primary_key=True, autoincrement=False)])
            ),
            add("payer_id", sa.Integer),
            part("payer", lambda: sa.ForeignKeyConstraint(["payer_id"], ["payers.id"])),
            part("ix payer", lambda: sa.Index(None, "payer_id")),
        ),
    ),
    "a table is renamed": Kind(
        rename_table, {"rename": "orders:purchases"}, rejected={"number": "N1"}, table="purchases"
    ),
    "a table that another refers to is renamed": Kind(
        both(rename_table, lambda model: model.more.clear(), add_notes),
        {"rename": "orders:purchases"},
        rejected={"number": "N1"},
        table="purchases",
        other=add_notes,
    ),
    "a table and its column are renamed": Kind(
        both(rename_table, lambda model: model.rename("note", "remark")),
        {"rename": "orders.note:remark orders:purchases"},
        accepted={"note": ..., "remark": "x"},
        after={"remark": lambda row: row["note"]},
        table="purchases",
    ),
    "a column goes beside a new one that it is not": Kind(
        both(lambda model: model.drop("note"), add("remark", types.ExactString(200))),
        {"drop": "orders.note"},
        accepted={"note": ..., "remark": "x"},
        after={"remark": lambda _: None},
        back={"note": None},
    ),
    "columns that are called like keywords come": Kind(
        both(
            add("order", types.ExactString(20), nullable=False),
            add("select", sa.Integer, nullable=False),
            part("select", lambda: sa.CheckConstraint(sa.column("select") > 0, name="select")),
            part("ix order", lambda: sa.Index(None, "order")),
        ),
        {"default": "orders.order:x, orders.select:1"},
        accepted={"order": "y", "select": 2},
        rejected={"order": "y", "select": 0},
        after={"order": lambda _: "x", "select": lambda _: 1},
    ),
    "several things change at once": Kind(
        both(
            lambda model: model.rename("note", "remark"),
            altered("status", type_=enum("draft", "paid", "sold")),
            add("color", types.ExactString(20), nullable=False),
            part("total", lambda: sa.CheckConstraint("total >= 1", name="total_not_negative")),
            part("ix quantity", None),
            part("number", lambda: sa.UniqueConstraint("number", "customer_id")),
        ),
        {"rename": "orders.note:remark", "default": "orders.color:red"},
        accepted={"note": ..., "remark": "x", "status": "sold", "color": "blue"},
        rejected={"note": ..., "remark": "x", "status": "lost", "color": "blue"},
        after={"remark": lambda row: row["note"], "color": lambda _: "red"},
        stops=4,
    ),
}


def key_of_customers(model: Model) -> None:
    model.customers.append(sa.Column("region", types.ExactString(20), nullable=False))
    model.customers.append(sa.UniqueConstraint("id", "region"))


SEQUENCE: list[tuple[Callable[[Model], object], Mapping[str, str]]] = [
    (key_of_customers, {"default": "customers.region:north"}),
    (
        both(
            add("region", types.ExactString(20), nullable=False),
            part(
                "customer",
                lambda: sa.ForeignKeyConstraint(
                    ["customer_id", "region"], ["customers.id", "customers.region"]
                ),
            ),
            part("ix customer", lambda: sa.Index(None, "customer_id", "region")),
        ),
        {"default": "orders.region:north"},
    ),
    (add("extra", types.ExactJson()), {}),
    (
        both(
            lambda model: model.rename("total", "amount"),
            part("total", lambda: sa.CheckConstraint("amount >= 0", name="amount")),
            part("ix amount", lambda: sa.Index(None, "amount", "note")),
        ),
        {"rename": "orders.total:amount"},
    ),
    (lambda model: model.drop("note", "ix amount"), {}),
    (altered("number", type_=types.ExactString(60), nullable=False), {}),
    (altered("number", type_=types.ExactString(50), nullable=False), {}),
    (altered("amount", type_=types.ExactDecimal(14, 4), nullable=False), {}),
    (altered("status", type_=enum("draft", "paid", "sold"), nullable=False), {}),
    (altered("status", type_=enum("draft", "paid", "lost"), nullable=False), {}),
    (altered("quantity", type_=types.ExactString(20), nullable=False), {}),
    # SQLite and MySQL have one type for both.
    *(
        [(altered("extra", type_=types.LongText()), {})]
        if ENGINE in ("postgresql", "mariadb")
        else []
    ),
    (part("number", lambda: sa.UniqueConstraint("number", "quantity")), {}),
    (both(rename_table, add_notes), {"rename": "orders:purchases"}),
    (
        both(
            add("twin_id", sa.Integer),
            part("twin", lambda: sa.ForeignKeyConstraint(["twin_id"], ["purchases.id"])),
            part("ix twin", lambda: sa.Index(None, "twin_id")),
            part("self", lambda: sa.CheckConstraint("twin_id >= 0", name="twin")),
        ),
        {},
    ),
    (lambda model: model.drop("parent_id", "parent", "ix parent"), {}),
    (altered("priority", server_default=None), {}),
    (altered("twin_id", nullable=False), {"default": "purchases.twin_id:1"}),
    (lambda model: model.more.clear(), {}),
    (
        both(
            lambda model: model.drop("customer_id", "customer", "ix customer"),
            lambda model: model.drop("region"),
        ),
        {"default": "purchases.customer_id:1, purchases.region:north"},
    ),
    (lambda model: model.customers.clear(), {}),
    (both(lambda model: model.columns.clear(), lambda model: model.parts.clear()), {}),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Migrations without any version."""
    made = tmp_path / "migrations"
    copytree(revisions.FOLDER, made)
    for path in made.glob("versions/*.py"):
        path.unlink()
    monkeypatch.setattr(revisions, "FOLDER", made)
    return made


@pytest.fixture
def engine(empty_database: Any) -> Iterator[sa.Engine]:
    engine = make_engine(empty_database)
    yield engine
    engine.dispose()


def write(settings: Any, models: sa.MetaData, wishes: Any = None) -> Any:
    return authoring.write_migration(settings, "Change", wishes or authoring.NOTHING, models=models)


def rows_of(engine: sa.Engine, table: sa.Table) -> list[Row]:
    with engine.connect() as connection:
        rows = connection.execute(sa.select(table).order_by(table.c.id)).mappings()
        return [dict(row) for row in rows]


def values(table: sa.Table, number: int, given: Mapping[str, Any]) -> Row:
    row = order(number, given)
    return {name: value for name, value in row.items() if value is not ... and name in table.c}


def add_row(engine: sa.Engine, table: sa.Table, number: int, given: Mapping[str, Any]) -> None:
    with engine.begin() as connection:
        connection.execute(sa.insert(table), values(table, number, given))


def cast_row(row: Row, table: sa.Table) -> Row:
    """Give integers the types of the columns, for tables that begin with another type."""

    def cast(kind: object, value: Any) -> Any:
        if isinstance(value, int) and isinstance(kind, sa.String):
            return str(value)
        return (
            Decimal(value)
            if isinstance(value, int) and isinstance(kind, types.ExactDecimal)
            else value
        )

    return {name: cast(table.c[name].type, value) for name, value in row.items()}


@pytest.fixture
def sql() -> Iterator[list[str]]:
    """The statements that change the schema or its rows, as the engine gets them."""
    statements: list[str] = []

    def record(*arguments: Any) -> None:
        statement = arguments[2].strip()
        internal = any(name in statement for name in revisions.INTERNAL_TABLES)
        if not internal and statement.partition(" ")[0] in CHANGES:
            statements.append(re.sub(r"\s+", " ", statement))

    sa.event.listen(sa.Engine, "before_cursor_execute", record)
    yield statements
    sa.event.remove(sa.Engine, "before_cursor_execute", record)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.usefixtures("folder")
def test_change(name: str, empty_database: Any, engine: sa.Engine, sql: list[str]) -> None:
    statements = prove(KINDS[name], empty_database, engine, sql)

    with TABLE.open("a", encoding="utf-8") as table:
        print(json.dumps({"change": name, "sql": statements}), file=table)


BLIND: dict[str, tuple[Any, str, object]] = {
    "a CHECK changes in a literal only": (comparison, "_check_operations", []),
    "a string gets longer": (comparison.Comparison, "compare_type", False),
    "a server default changes": (comparison.Comparison, "compare_server_default", False),
}
"""Kinds of change, and a part of the comparison without which each is not seen."""


@pytest.fixture(params=BLIND)
def unseen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Kind:
    """A kind of change that the comparison does not see."""
    holder, part_of_it, nothing = BLIND[request.param]
    monkeypatch.setattr(holder, part_of_it, lambda *_: nothing)
    return KINDS[request.param]


@pytest.mark.usefixtures("folder")
def test_a_change_that_the_comparison_does_not_see_is_red(
    unseen: Kind, empty_database: Any, engine: sa.Engine, sql: list[str]
) -> None:
    with pytest.raises(AssertionError, match="the comparison does not see the change"):
        prove(unseen, empty_database, engine, sql)


def model_after(changes: int) -> Model:
    """Return the model after so many changes of the sequence."""
    model = Model()
    del model.parts["self"]
    for change, _wishes in SEQUENCE[:changes]:
        change(model)
    return model


@pytest.mark.usefixtures("folder")
def test_changes_follow_each_other(empty_database: Any, engine: sa.Engine) -> None:
    begun = model_after(0).build()
    write(empty_database, begun)
    migrations.upgrade(empty_database)
    existed = add_rows(engine, begun)
    last = existed

    for number, (_change, wishes) in enumerate(SEQUENCE, start=1):
        model = model_after(number)
        models = model.build()
        assert authoring.check(empty_database, models).found, number
        written = write(empty_database, models, writer.Wishes.parse(**wishes))
        print(number, written.path.read_text())  # shown if the test fails
        migrations.upgrade(empty_database)
        assert authoring.check(empty_database, models).found == [], number
        if model.columns:
            last = rows_of(engine, models.tables[model.name])

    assert [row["amount"] for row in last] == [row["total"] for row in existed]
    assert [row["quantity"] for row in last] == [str(row["quantity"]) for row in existed]
    assert [row["twin_id"] for row in last] == [1, 1, 1]
    migrations.downgrade(empty_database, "base")
    migrations.upgrade(empty_database)
    assert authoring.check(empty_database, models).found == []


def prove(kind: Kind, settings: Any, engine: sa.Engine, sql: list[str]) -> list[str]:
    """Make the change with rows, forwards, back and forwards; return the SQL of the migration."""
    before, after = Model(), Model()
    for model in (before, after):
        if kind.other:
            kind.other(model)
    kind.change(after)
    old, new = before.build(), after.build()
    write(settings, old)
    migrations.upgrade(settings)
    old_table, new_table = old.tables["orders"], new.tables[kind.table]
    existed = add_rows(engine, old)
    assert authoring.check(settings, old).found == []
    assert authoring.check(settings, new).found, "the comparison does not see the change"

    written = write(settings, new, writer.Wishes.parse(**kind.wishes))
    print(written.path.read_text())  # shown if the test fails
    stops = [each for each in written.notes if "stop the migration" in each]
    assert (len(written.notes) - len(stops), len(stops)) == (kind.notes, kind.stops)
    sql.clear()
    migrations.upgrade(settings)
    forwards = list(sql)

    assert rows_of(engine, new_table) == changed(existed, kind, new_table)
    assert authoring.check(settings, new).found == []
    create_rows(settings, engine, new_table, kind)
    assert rows_of(engine, new_table) == changed(existed, kind, new_table)
    if ValueError in kind.back.values():
        with engine.begin() as connection:
            for number in (3, 2, 1):
                connection.execute(sa.delete(new_table).where(new_table.c.id == number))
        existed = []

    sql.clear()
    migrations.downgrade(settings, "-1")
    back = list(sql)

    hidden = written.path.rename(written.path.with_suffix(".txt"))  # the code before the change
    revisions.forget_history()
    assert authoring.check(settings, old).found == []
    hidden.rename(written.path)
    revisions.forget_history()
    restored = [
        row
        | {column: value(row) if callable(value) else value for column, value in kind.back.items()}
        for row in existed
    ]
    assert rows_of(engine, old_table) == restored

    migrations.upgrade(settings)
    assert rows_of(engine, new_table) == changed(restored, kind, new_table)
    assert authoring.check(settings, new).found == []
    return [*forwards, "-- back", *back]


def add_rows(engine: sa.Engine, old: sa.MetaData) -> list[Row]:
    """Fill the tables before the change, and return the orders."""
    table = old.tables["orders"]
    with engine.begin() as connection:
        people = [{"id": number, "name": f"c{number}"} for number in range(1, 6)]
        connection.execute(sa.insert(old.tables["customers"]), people)
    for number in (1, 2, 3):
        add_row(engine, table, number, cast_row(values(table, number, {}), table))
    if "notes" in old.tables:
        with engine.begin() as connection:
            connection.execute(
                sa.insert(old.tables["notes"]), {"id": 1, "order_id": 1, "kind": "a"}
            )
    existed = rows_of(engine, table)
    assert len(existed) == 3
    return existed


def changed(rows: list[Row], kind: Kind, table: sa.Table) -> list[Row]:
    """Return what the change has to make of these rows."""
    return [
        {
            name: kind.after[name](row) if name in kind.after else row[name]
            for name in table.columns.keys()  # noqa: SIM118  its values are columns
        }
        for row in rows
    ]


def create_rows(settings: Any, engine: sa.Engine, table: sa.Table, kind: Kind) -> None:
    """Create a row through the API, and have one rejected there and by the database itself."""
    sent = values(table, 4, kind.accepted)
    with RowsApi(settings, table) as api:
        assert api.create(sent) == 201
        [made] = [row for row in rows_of(engine, table) if row["id"] == 4]
        assert sent == {name: made[name] for name in sent}
        if kind.rejected is not None:
            assert api.create(values(table, 5, kind.rejected)) in (409, 422)
            with pytest.raises(DBAPIError):
                add_row(engine, table, 5, kind.rejected)
    with engine.begin() as connection:
        connection.execute(sa.delete(table).where(table.c.id == 4))
