"""Filters and sort keys, as the SQL that they make; and pages of rows with ids of any type."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import Column, ColumnElement, Date, Integer, Table, Uuid, select
from sqlalchemy.orm import Session, registry
from sqlalchemy.types import TypeEngine

from {{ cookiecutter.__package }}.database.column_types import ExactString
from {{ cookiecutter.__package }}.settings import Settings
from {{ cookiecutter.__package }}.web.pagination import (
    PageQuery,
    SortKey,
    at_least,
    below,
    paginate,
)

from ..support.probe import Probe
from ..support.schemas import migration_connection

ID = UUID("00000000-0000-7000-8000-000000000000")


@contextmanager
def made_rows(
    settings: Settings, kind: TypeEngine[Any], ids: list[Any]
) -> Iterator[tuple[Any, Session]]:
    """Make a table of rows with these ids, and yield their model and a session."""

    class Row:
        """A row, of which others have the same label."""

    mapping = registry()
    row_id = Column("id", kind, primary_key=True, autoincrement=False)
    label = Column("label", ExactString(20), nullable=False)
    table = Table("things", mapping.metadata, row_id, label)
    mapping.map_imperatively(Row, table)
    with migration_connection(settings) as connection, Session(connection) as session:
        mapping.metadata.create_all(connection)
        session.execute(table.insert(), [{"id": each, "label": "x"} for each in ids])
        yield Row, session


def sql(expression: ColumnElement[bool]) -> str:
    return str(expression).replace("_probes.", "")


def test_a_range_has_its_start_and_not_its_end() -> None:
    assert sql(at_least(Probe.price)(Decimal(1))) == "price >= :price_1"
    assert sql(below(Probe.price)(Decimal(1))) == "price < :price_1"


@pytest.mark.parametrize(("descending", "condition"), [(False, "code > "), (True, "code < ")])
def test_a_unique_key_alone_is_the_order(descending: bool, condition: str) -> None:
    key = SortKey(Probe.code, descending=descending)

    assert len(key.order()) == 1
    assert sql(key.keyset_condition("x", ID)).startswith(condition)


@pytest.mark.parametrize("descending", [False, True])
def test_another_key_is_followed_by_the_id(descending: bool) -> None:
    key = SortKey(Probe.name, descending=descending)

    assert [str(each).split()[0] for each in key.order()] == ["_probes.name", "_probes.id"]
    assert "id" in sql(key.keyset_condition("x", ID))


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize(
    ("kind", "ids"),
    [
        (Integer(), [-300, 0, 70_000]),
        (ExactString(40), ["", "a\n1", "é" * 40]),
        (Uuid(), [UUID(int=1), UUID(int=2), UUID(int=3)]),
        (Date(), [date(2030, 1, 1), date(2030, 1, 2), date(2030, 1, 31)]),
    ],
    ids=["integer", "string", "uuid", "date"],
)
def test_rows_with_ids_of_any_type_are_found_page_by_page(
    app: Flask, empty_database: Settings, kind: TypeEngine[Any], ids: list[Any], descending: bool
) -> None:
    found = []
    rows = made_rows(empty_database, kind, ids)
    with rows as (row, session), app.test_request_context("/things"):
        cursor = None
        for _ in ids:
            query = PageQuery(limit=1, cursor=cursor)
            page = paginate(session, select(row), query, SortKey(row.label, descending=descending))
            found += [item.id for item in page.items]
            cursor = page.next

    assert cursor is None
    assert found == (ids[::-1] if descending else ids)


def test_a_sort_key_that_no_cursor_holds_is_rejected_on_the_first_page(
    app: Flask, session: Session
) -> None:
    key = SortKey(Probe.status)

    with app.test_request_context("/probes"), pytest.raises(TypeError) as error:
        paginate(session, select(Probe), PageQuery(), key)

    assert str(error.value) == (
        "Probe.status is a ProbeStatus; a cursor can hold: Decimal, UUID, date, datetime, int, str"
    )
