"""Filters and sort keys, as the SQL that they make."""

from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import ColumnElement

from {{ cookiecutter.__package }}.web.pagination import SortKey, at_least, below

from ..support.probe import Probe

ID = UUID("00000000-0000-7000-8000-000000000000")


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
