"""The columns of a constraint that the engine names."""

import pytest
import sqlalchemy as sa

from {{ cookiecutter.__package }}.database.constraints import (
    Kind,
    Violation,
    violated_columns,
)

METADATA = sa.MetaData()
sa.Table("one_x", METADATA, sa.Column("id", sa.Integer, primary_key=True))
sa.Table(
    "two_x",
    METADATA,
    sa.Column("code", sa.String(9)),
    sa.Column("one_id", sa.ForeignKey("one_x.id", name="fk_one")),
    sa.UniqueConstraint("code", "one_id", name="uq_both"),
    sa.Index("ix_code", "code", unique=True),
    sa.Index("ix_one", "one_id"),
)


@pytest.mark.parametrize(
    ("kind", "name", "columns"),
    [
        ("reference", "fk_one", ("one_id",)),
        ("unique", "uq_both", ("code", "one_id")),
        ("unique", "ix_code", ("code",)),
        ("other", "ix_one", ()),
        ("other", "", ()),
    ],
)
def test_the_columns_of_a_constraint_are_those_of_the_models(
    kind: Kind, name: str, columns: tuple[str, ...]
) -> None:
    assert violated_columns(Violation(kind, constraint=name), METADATA) == columns


def test_columns_that_the_engine_tells_come_first() -> None:
    assert violated_columns(Violation("unique", "uq_both", ("code",)), METADATA) == ("code",)
