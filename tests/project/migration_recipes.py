"""Each recipe of docs/migrations.md does what it says, on one engine.

Copied into a project beside schema_changes.py. The code is read from the document.
"""

import re
import textwrap
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from my_service.database import authoring, migrations, revisions, writer
from my_service.database import column_types as types
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Session

from .schema_changes import (
    ENGINE,
    Model,
    add,
    add_notes,
    add_row,
    altered,
    both,
    engine,
    enum,
    folder,
    part,
    rows_of,
    write,
)

__all__ = ["engine", "folder"]

DOCUMENT = Path(__file__).parents[2] / "docs" / "migrations.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FRAME = """
import sqlalchemy as sa
from alembic import op

revision = {revision!r}
down_revision = {parent!r}
{more}

def upgrade():
{upgrade}


def downgrade():
    pass
"""


def blocks(title: str) -> list[str]:
    """The blocks of code of a section."""
    text = DOCUMENT.read_text(encoding="utf-8")
    [section] = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return [body for _language, body in BLOCK.findall(section)]


def wishes(command: str) -> Any:
    """The arguments of a `make migration` in the document, without its message."""
    given = dict(re.findall(r"(\w+)=(\"[^\"]*\"|\S+)", command))
    return writer.Wishes.parse(
        given.get("rename", ""), given.get("default", ""), given.get("drop", "")
    )


def tables(*changes: Callable[[Model], object]) -> sa.MetaData:
    """The tables after these changes."""
    model = Model()
    both(*changes)(model)
    return model.build()


@pytest.fixture
def begun(empty_database: Any, engine: sa.Engine, folder: Path) -> Any:  # noqa: ARG001
    """The settings of a database with the tables and three orders."""
    begin(empty_database, engine, tables())
    return empty_database


def begin(settings: Any, engine: sa.Engine, old: sa.MetaData, **values: Any) -> None:
    """Make the tables, with three orders."""
    write(settings, old)
    migrations.upgrade(settings)
    with engine.begin() as connection:
        connection.execute(
            sa.insert(old.tables["customers"]), [{"id": n, "name": "c"} for n in range(1, 5)]
        )
    for number in (1, 2, 3):
        add_row(engine, old.tables["orders"], number, values)


def by_hand(folder: Path, name: str, upgrade: str, more: str = "") -> None:
    """Write a migration with these lines."""
    text = FRAME.format(
        revision=name,
        parent=revisions.expected_revision(),
        more=more,
        upgrade=textwrap.indent(upgrade, "    "),
    )
    (folder / "versions" / f"{name}.py").write_text(text, encoding="utf-8")
    revisions.forget_history()


def test_a_required_column_is_added(begun: Any, engine: sa.Engine) -> None:
    [command] = blocks("Add a required column")
    new = tables(add("color", types.ExactString(20), nullable=False))

    write(begun, new, wishes(command))
    migrations.upgrade(begun)

    assert {row["color"] for row in rows_of(engine, new.tables["orders"])} == {"red"}


def test_a_required_column_without_a_value_is_not_written(begun: Any, folder: Path) -> None:
    before = list(folder.glob("versions/*"))

    with pytest.raises(revisions.MigrationError, match=r"default=orders\.color:VALUE"):
        write(begun, tables(add("color", types.ExactString(20), nullable=False)))

    assert list(folder.glob("versions/*")) == before


@pytest.mark.parametrize("number", [0, 1])
def test_a_rename_keeps_the_rows(begun: Any, engine: sa.Engine, number: int) -> None:
    command = blocks("Rename")[0].splitlines()[number]
    old = rows_of(engine, tables().tables["orders"])

    def rename_table(model: Model) -> None:
        model.name = "purchases"
        model.parts["parent"] = sa.ForeignKeyConstraint(["parent_id"], ["purchases.id"])

    new = tables((lambda model: model.rename("note", "remark")) if number == 0 else rename_table)

    write(begun, new, wishes(command))
    migrations.upgrade(begun)

    table = new.tables["orders" if number == 0 else "purchases"]
    renamed = {"note": "remark"} if number == 0 else {}
    assert rows_of(engine, table) == [
        {renamed.get(name, name): value for name, value in row.items()} for row in old
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda model: model.rename("note", "remark"), "rename=orders.note:remark"),
        (lambda model: setattr(model, "name", "purchases"), "rename=orders:purchases"),
    ],
)
def test_a_rename_without_an_option_is_reported(
    begun: Any, change: Callable[[Model], object], message: str
) -> None:
    def without_parent(model: Model) -> None:
        change(model)
        del model.parts["parent"]

    with pytest.raises(revisions.MigrationError, match=message):
        write(begun, tables(without_parent))


def test_older_code_is_not_ready_on_what_breaks_it(begun: Any, folder: Path) -> None:
    [code] = blocks("Drop")
    by_hand(folder, "breaking", "pass", code)
    migrations.upgrade(begun)
    (folder / "versions" / "breaking.py").unlink()
    revisions.forget_history()

    with migrations.locked_connection(begun) as connection:
        assert not revisions.schema_status(connection).ready


@pytest.mark.usefixtures("folder")
def test_a_column_is_filled_in_batches(empty_database: Any, engine: sa.Engine) -> None:
    expanded = tables(add("remark", types.ExactString(200)))
    begin(empty_database, engine, expanded)
    [code] = blocks("Fill a column in batches")
    batches: list[int] = []

    class Base(DeclarativeBase):  # type: ignore[misc]  # it is Any where nothing is installed
        metadata = expanded

    class Order(Base):
        __table__ = expanded.tables["orders"]

    def run_in_transaction(work: Callable[[Session], int]) -> int:
        with Session(engine) as session, session.begin():
            batches.append(work(session))
            return batches[-1]

    names = {
        "Order": Order,
        "run_in_transaction": run_in_transaction,
        "select": sa.select,
        "update": sa.update,
        "Session": Session,
    }
    exec(code.replace("1000", "1"), names)  # noqa: S102  code of the document
    names["fill_remarks"]()

    assert batches == [1, 1, 0]
    assert all(row["remark"] == row["note"] for row in rows_of(engine, expanded.tables["orders"]))


def with_due(model: Model) -> None:
    """Give the orders an optional date."""
    model.columns["due"] = sa.Column("due", sa.Date)


@pytest.mark.usefixtures("folder")
def test_a_type_changes_by_a_new_column(
    empty_database: Any, engine: sa.Engine, folder: Path
) -> None:
    [code] = blocks("Change a type")
    expanded, contracted = tables(with_due), tables(with_due, lambda model: model.drop("note"))
    begin(empty_database, engine, tables(), note="2026-03-01")
    write(empty_database, expanded)
    by_hand(folder, "fills", code.replace("sa.Uuid", "sa.Integer"), "from datetime import date")

    migrations.upgrade(empty_database)
    write(empty_database, contracted, wishes("drop=orders.note"))
    migrations.upgrade(empty_database)

    rows = rows_of(engine, contracted.tables["orders"])
    assert [row["due"] for row in rows] == [date(2026, 3, 1)] * 3
    assert authoring.check(empty_database, contracted).found == []


@pytest.mark.usefixtures("folder")
def test_a_value_that_has_no_place_in_the_new_type_stops_the_change(
    empty_database: Any, engine: sa.Engine, folder: Path
) -> None:
    [code] = blocks("Change a type")
    begin(empty_database, engine, tables(), note="nonsense")
    write(empty_database, tables(with_due))
    by_hand(folder, "fills", code.replace("sa.Uuid", "sa.Integer"), "from datetime import date")

    with pytest.raises((ValueError, revisions.MigrationError)):
        migrations.upgrade(empty_database)

    assert {row["note"] for row in rows_of(engine, tables().tables["orders"])} == {"nonsense"}


@pytest.mark.usefixtures("folder")
def test_an_enum_value_goes_after_its_rows(empty_database: Any, engine: sa.Engine) -> None:
    begin(
        empty_database,
        engine,
        tables(altered("status", type_=enum("draft", "paid", "sold"))),
        status="sold",
    )
    new = tables()
    written = write(empty_database, new)
    with pytest.raises((revisions.MigrationError, DBAPIError)):
        migrations.upgrade(empty_database)
    [update] = blocks("Enum values")
    text = written.path.read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if "drop_constraint" in line)
    indent = line[: len(line) - len(line.lstrip())]
    filled = f"{line}\n{indent}{update.strip()}"
    if ENGINE == "sqlite":  # a batch copies the rows at its end: so the UPDATE comes before it
        line = next(line for line in text.splitlines() if "batch_alter_table" in line)
        indent = line[: len(line) - len(line.lstrip())]
        filled = f"{indent}{update.strip()}\n{line}"
    written.path.write_text(text.replace(line, filled, 1), encoding="utf-8")

    migrations.upgrade(empty_database)

    assert {row["status"] for row in rows_of(engine, new.tables["orders"])} == {"paid"}
    assert authoring.check(empty_database, new).found == []


@pytest.fixture
def large(begun: Any, folder: Path) -> Callable[[str], None]:
    """Applies code of the section about large tables."""
    numbers = iter(range(9))

    def apply(code: str) -> None:
        by_hand(folder, f"large{next(numbers)}", code)
        migrations.upgrade(begun)

    return apply


def test_large_tables_change_as_the_document_says(
    begun: Any, engine: sa.Engine, large: Callable[[str], None]
) -> None:
    index = part("ix note", lambda: sa.Index("ix_orders_note_id", "note", "id"))
    check = part("check note", lambda: sa.CheckConstraint("note <> ''", name="note"))
    code = blocks("Large tables")
    if ENGINE == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text(code.pop(0)))
        large(code[0])
        large(code[1])
        large(code[2])
    else:
        [only] = code
        large(only)
    changes = (index,) if ENGINE in ("mariadb", "mysql") else (index, check)

    assert authoring.check(begun, tables(*changes)).found == []


IN_ONE_RELEASE: dict[str, list[tuple[Callable[[Model], object], str, bool]]] = {
    "add a table, an optional column, an index, an enum value that only new code writes": [
        (add_notes, "", True),
        (add("color", types.ExactString(20)), "", True),
        (part("ix note", lambda: sa.Index(None, "note", "id")), "", True),
        (altered("status", type_=enum("draft", "paid", "sold"), nullable=False), "", True),
    ],
    "add a required column": [
        (
            add("color", types.ExactString(20), nullable=False),
            "default=orders.color:red",
            False,
        ),
        (
            add("color", types.ExactString(20), nullable=False, server_default="red"),
            "",
            True,
        ),
    ],
    "drop a column": [(lambda model: model.drop("note"), "", False)],
    "rename, change a type": [
        (lambda model: model.rename("note", "remark"), "rename=orders.note:remark", False),
        (altered("quantity", type_=types.ExactString(20)), "", False),
    ],
    "add a CHECK, a unique key, NOT NULL": [
        (part("note", lambda: sa.CheckConstraint("number <> 'X1'", name="n")), "", False),
        (part("number", lambda: sa.UniqueConstraint("number")), "", False),
        (altered("note", nullable=False), "default=orders.note:none", False),
    ],
}
"""The rows of the table, and for each some changes and whether older code lives with them."""


def test_each_row_of_the_table_is_tried() -> None:
    rows = re.findall(r"^\| ([^|]+) \| (yes|no).*\|$", DOCUMENT.read_text("utf-8"), re.MULTILINE)

    assert [name for name, _ in rows] == list(IN_ONE_RELEASE)
    for name, word in rows:
        assert all(lives for *_, lives in IN_ONE_RELEASE[name]) is (word == "yes"), name


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=f"{name} {number}")
        for name, cases in IN_ONE_RELEASE.items()
        for number, case in enumerate(cases)
    ],
)
@pytest.mark.usefixtures("folder")
def test_an_older_release_lives_with_what_the_table_says(
    empty_database: Any, engine: sa.Engine, case: tuple[Callable[[Model], object], str, bool]
) -> None:
    change, wish, lives = case

    def without_key(model: Model) -> None:
        del model.parts["number"]

    old = tables(without_key)
    orders = old.tables["orders"]
    begin(empty_database, engine, old)
    write(empty_database, tables(without_key, change), wishes(wish))
    migrations.upgrade(empty_database)

    try:
        for number, code in ((4, "N1"), (5, "X1")):
            row = {"number": code, "note": None, "customer_id": 4}
            add_row(engine, orders, number, row)
        quantities = [row["quantity"] for row in rows_of(engine, orders)]
        works = quantities == [10, 20, 30, 40, 50]
    except DBAPIError:
        works = False

    assert works is lives


@pytest.mark.usefixtures("folder")
def test_a_column_is_renamed_over_releases(empty_database: Any, engine: sa.Engine) -> None:
    first = tables()
    expanded = tables(add("remark", types.ExactString(200)))
    contracted = tables(add("remark", types.ExactString(200)), lambda model: model.drop("note"))
    begin(empty_database, engine, first)

    write(empty_database, expanded)
    migrations.upgrade(empty_database)
    orders = expanded.tables["orders"]
    add_row(engine, first.tables["orders"], 4, {"note": "of the first release"})
    with engine.begin() as connection:
        connection.execute(
            sa.update(orders).where(orders.c.remark.is_(None)).values(remark=orders.c.note)
        )
    notes = [row["note"] for row in rows_of(engine, first.tables["orders"])]
    write(empty_database, contracted)
    migrations.upgrade(empty_database)

    assert [row["remark"] for row in rows_of(engine, contracted.tables["orders"])] == notes
    assert notes[-1] == "of the first release"
