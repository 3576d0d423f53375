"""A migration says what it needs of rows that exist when it is written."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from alembic.operations import ops

from {{ cookiecutter.__package }}.database import authoring, migrations
from {{ cookiecutter.__package }}.database.notes import Change, is_wider, notes_on
from {{ cookiecutter.__package }}.database.revisions import MigrationError
from {{ cookiecutter.__package }}.database.writer import Wishes
from {{ cookiecutter.__package }}.settings import Settings

from ..support.schemas import migration_connection
from ..support.things import kinds, things, write

CHECK = sa.CheckConstraint

# The row of the tests is (1, 'a', 'first', 'x', 1), or two of them that only differ in their ids.
NEEDS: dict[str, tuple[Callable[[], sa.MetaData], str]] = {
    "unique key": (
        lambda: things(sa.UniqueConstraint("name")),
        "things gets the unique key uq_things_name: rows with equal values stop",
    ),
    "unique key of two columns": (
        lambda: things(sa.UniqueConstraint("name", "note")),
        "things gets the unique key uq_things_name_note: rows with equal values stop",
    ),
    "unique index": (
        lambda: things(sa.Index("ix_name", "name", unique=True)),
        "things gets the unique key ix_name: rows with equal values stop",
    ),
    "new CHECK": (
        lambda: things(CHECK("size > 0", name="size"), CHECK("note = 'y:z'", name="note")),
        "things gets the CHECK ck_things_note: rows that break it stop",
    ),
    "narrower CHECK": (
        lambda: things(CHECK("size > 5", name="size")),
        "things gets the CHECK ck_things_size: rows that break it stop",
    ),
    "other enum values": (
        lambda: things(kind=sa.Column("kind", kinds("b", "c"), nullable=False)),
        "things gets the CHECK ck_things_kind: rows that break it stop",
    ),
    "new foreign key": (
        lambda: things(
            sa.ForeignKeyConstraint(["owner_id"], ["owners.id"]),
            sa.ForeignKeyConstraint(["size"], ["owners.id"]),
        ),
        "things gets the foreign key fk_things_size: values that owners lacks stop",
    ),
}

NO_NEEDS: dict[str, Callable[[], sa.MetaData]] = {
    "new optional column": lambda: things(
        sa.UniqueConstraint("code"),
        CHECK("size > 0", name="size"),
        CHECK("code <> 'x'", name="code"),
        code=sa.Column("code", sa.String(20)),
    ),
    "new optional reference": lambda: things(
        sa.ForeignKeyConstraint(["owner_id"], ["owners.id"]),
        sa.ForeignKeyConstraint(["other_id"], ["owners.id"]),
        other_id=sa.Column("other_id", sa.Integer),
    ),
    "another action of a foreign key": lambda: things(
        sa.ForeignKeyConstraint(["owner_id"], ["owners.id"], ondelete="CASCADE")
    ),
    "new table": lambda: with_boxes(sa.UniqueConstraint("label")),
    "longer string": lambda: things(name=sa.Column("name", sa.String(30), nullable=False)),
}


def with_boxes(*more: sa.schema.SchemaItem) -> sa.MetaData:
    """The tables, and one more."""
    metadata = things()
    columns = sa.Column("id", sa.Integer, primary_key=True), sa.Column("label", sa.String(20))
    sa.Table("boxes", metadata, *columns, sa.Index("ix_boxes_label", "label", unique=True), *more)
    return metadata


def notes(settings: Settings, models: sa.MetaData) -> list[str]:
    """Write a migration, and return what is said of it; nothing of its way back."""
    found = authoring.write_migration(settings, "Go on", models=models).notes
    return [each for each in found if not each.startswith("The way back")]


@pytest.mark.parametrize("name", NEEDS)
def test_rows_that_can_stop_a_migration_are_named(begun: Settings, name: str) -> None:
    models, sentence = NEEDS[name]
    with migration_connection(begun) as connection:
        row = "SELECT 2, kind, name, note, size FROM things"
        connection.execute(sa.text(f"INSERT INTO things (id, kind, name, note, size) {row}"))

    [note] = notes(begun, models())

    assert note.startswith(sentence)
    _, _, query = note.partition("This shows them: ")
    with migration_connection(begun) as connection:
        assert connection.exec_driver_sql(query.replace("%", "%%")).all()
    with pytest.raises(MigrationError):
        migrations.upgrade(begun)


@pytest.mark.parametrize("name", NO_NEEDS)
def test_a_change_that_no_row_can_stop_has_no_note(begun: Settings, name: str) -> None:
    assert notes(begun, NO_NEEDS[name]()) == []
    migrations.upgrade(begun)


def test_a_column_that_goes_with_its_check_has_no_note(begun: Settings) -> None:
    models = things(CHECK("name <> ''", name="name"))
    write(begun, models)
    migrations.upgrade(begun)
    without = things(CHECK("name <> ''", name="name"), size=None)

    assert authoring.write_migration(begun, "Go on", models=without).notes == []


@pytest.mark.parametrize(
    ("column", "wishes"),
    [("size", {}), ("length", {"rename": "things.size:length"})],
    ids=["CHECK", "column and CHECK"],
)
def test_a_check_with_another_name_alone_has_no_note(
    begun: Settings, column: str, wishes: dict[str, str]
) -> None:
    columns: dict[str, sa.Column[object] | None] = {"size": None}
    columns[column] = sa.Column(column, sa.Integer, server_default="3")
    models = things(CHECK(f"{column} > 0", name="positive"), **columns)

    written = authoring.write_migration(begun, "Go on", Wishes.parse(**wishes), models=models)

    assert written.notes == []
    migrations.upgrade(begun)
    migrations.downgrade(begun, "-1")


def noted(*operations: ops.MigrateOperation, **others: object) -> list[str]:
    """The sentences about these operations on the table `things`."""
    facts = {"filled": (), "new_tables": (), "has_renames": False, **others}
    table = things().tables["things"]
    change = Change(
        ops.ModifyTableOps("things", operations),
        table,
        exist={},
        wanted={},
        quote=lambda name: f"<{name}>",
        **facts,  # type: ignore[arg-type]
    )
    return list(notes_on(change, back=False))


UNIQUE = ops.CreateUniqueConstraintOp("uq", "things", ["name", "size"])


def test_a_query_has_quoted_names_and_no_rows_that_are_never_equal() -> None:
    assert noted(UNIQUE) == [
        "things gets the unique key uq: rows with equal values stop the migration. This shows them:"
        " SELECT <name>, <size>, COUNT(*) FROM <things> WHERE <size> IS NOT NULL"
        " GROUP BY <name>, <size> HAVING COUNT(*) > 1"
    ]


def test_columns_that_were_unique_before_are_unique_with_others() -> None:
    key, index = sa.UniqueConstraint("name", name="key"), sa.Index("index", "size", unique=True)
    plain = sa.Index("plain", "name")
    sa.Table("things", sa.MetaData(), sa.Column("name"), sa.Column("size"), key, index, plain)

    assert noted(ops.DropConstraintOp.from_constraint(key), UNIQUE) == []
    assert noted(ops.DropIndexOp.from_index(index), UNIQUE) == []
    assert noted(ops.DropIndexOp.from_index(plain), UNIQUE) != []


def test_a_query_that_could_not_run_is_not_shown() -> None:
    index = ops.CreateIndexOp("ix", "things", [sa.func.lower(sa.column("name"))], unique=True)
    column: sa.Column[int] = sa.Column("size", sa.Integer, server_default="1")

    found = [
        *noted(UNIQUE, has_renames=True),
        *noted(index),
        *noted(ops.AddColumnOp("things", column), UNIQUE),
    ]

    assert found == [
        "things gets the unique key uq: rows with equal values stop the migration.",
        "things gets the unique key ix: rows with equal values stop the migration.",
        "things gets the unique key uq: rows with equal values stop the migration.",
    ]


def test_a_new_column_that_gets_values_can_be_unequal_to_a_row_of_another_table() -> None:
    column: sa.Column[int] = sa.Column("owner_id", sa.Integer)
    key = ops.CreateForeignKeyOp("fk", "things", "owners", ["owner_id"], ["id"])
    add = ops.AddColumnOp("things", column)

    assert noted(add, key) == []
    assert noted(add, key, filled={"owner_id"}) == [
        "things gets the foreign key fk: values that owners lacks stop the migration."
    ]


def test_each_value_stops_at_a_table_that_is_new() -> None:
    columns = ["owner_id", "size"]
    key = ops.CreateForeignKeyOp("fk", "things", "owners", columns, ["id", "size"])

    [one], [two] = noted(key, new_tables={"owners"}), noted(key)

    assert one.endswith(
        "SELECT child.* FROM <things> child WHERE child.<owner_id> IS NOT NULL"
        " AND child.<size> IS NOT NULL"
    )
    assert two == (
        f"{one} AND NOT EXISTS (SELECT 1 FROM <owners> parent"
        " WHERE parent.<id> = child.<owner_id> AND parent.<size> = child.<size>)"
    )


def test_words_in_texts_of_a_check_are_no_columns() -> None:
    add = ops.AddColumnOp("things", sa.Column("way", sa.String(20)))
    check = ops.CreateCheckConstraintOp("ck", "things", "way IN ('name', 'size')")

    assert noted(add, check) == []
{% if cookiecutter.database != "sqlite" %}


def test_only_a_text_gets_shorter() -> None:
    change = ops.AlterColumnOp(
        "things", "size", existing_type=sa.Integer(), modify_type=sa.String(3)
    )

    assert noted(change) == []
{% endif %}


def test_one_more_enum_value_can_stop_the_way_back_only(begun: Settings) -> None:
    models = things(kind=sa.Column("kind", kinds("a", "b", "c"), nullable=False))

    [note] = authoring.write_migration(begun, "Go on", models=models).notes

    assert note.startswith("The way back: things gets the CHECK ck_things_kind: rows that break it")
{% if cookiecutter.database != "sqlite" %}


def test_a_shorter_string_can_stop_a_migration(begun: Settings) -> None:
    models = things(name=sa.Column("name", sa.String(3), nullable=False))

    assert notes(begun, models) == [
        "things.name gets shorter: values of more than 3 characters stop the migration."
    ]
    with pytest.raises(MigrationError):
        migrations.upgrade(begun)
{% endif %}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("kind IN ('a', 'b')", "kind IN ('a', 'b', 'c')", True),
        ("kind IN ('a', 'b')", "kind IN ('b', 'a')", True),
        ("kind IN ('a', 'b')", "kind IN ('a')", False),
        ("kind IN ('it''s')", "kind IN ('it''s', 'b')", True),
        ("kind NOT IN ('a')", "kind NOT IN ('a', 'b')", False),
        ("kind <> 'a'", "kind <> 'b'", False),
        ("kind IN ('a') OR size > 1", "kind IN ('a', 'b') OR size > 2", False),
        ("a IN ('x', 'y') AND b IN ('z')", "a IN ('x') AND b IN ('z', 'y')", False),
        ("size > 1", "size > 0", False),
        ("", "kind IN ('a')", False),
    ],
)
def test_only_more_texts_are_known_to_be_wider(old: str, new: str, expected: bool) -> None:
    assert is_wider(old, new) is expected
