"""Migrations that are written: all that differs is in them or named, and they run with rows."""

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
{% if cookiecutter.database == "postgresql" %}
from sqlalchemy.dialects.postgresql import ExcludeConstraint
{% endif %}
from sqlalchemy.types import TypeEngine

from {{ cookiecutter.__package }}.database import authoring, migrations, writer
from {{ cookiecutter.__package }}.database.column_types import (
    ExactDecimal,
    LongText,
    UtcDateTime,
)
from {{ cookiecutter.__package }}.database.revisions import MigrationError
from {{ cookiecutter.__package }}.database.session import NAMING_CONVENTION
from {{ cookiecutter.__package }}.settings import Settings

from ..support.schemas import migration_connection
from ..support.things import kinds, rows, things, write

DIFFERENCES: dict[str, tuple[Callable[[], sa.MetaData], str]] = {
    "content of a CHECK": (
        lambda: things(sa.CheckConstraint("size > 1", name="size")),
        "the constraint ck_things_size is not in the database",
    ),
    "enum value": (
        lambda: things(kind=sa.Column("kind", kinds("a", "b", "c"), nullable=False)),
        "the constraint ck_things_kind is not in the database",
    ),
    "new CHECK": (
        lambda: things(
            sa.CheckConstraint("size > 0", name="size"),
            sa.CheckConstraint("name <> note", name="name"),
        ),
        "the constraint ck_things_name is not in the database",
    ),
    "CHECK without a model": (
        lambda: things(kind=sa.Column("kind", sa.String(40), nullable=False)),
        "the constraint ck_things_kind is not in the model",
    ),
    "new column": (
        lambda: things(color=sa.Column("color", sa.String(20))),
        "things.color: the column is not in the database",
    ),
    "length": (
        lambda: things(name=sa.Column("name", sa.String(21), nullable=False)),
        "things.name: the type differs",
    ),
    "NOT NULL": (
        lambda: things(name=sa.Column("name", sa.String(20))),
        "things.name: NOT NULL differs",
    ),
    "server default": (
        lambda: things(size=sa.Column("size", sa.Integer, server_default="4")),
        "things.size: the server default differs",
    ),
    "action of a foreign key": (
        lambda: things(sa.ForeignKeyConstraint(["owner_id"], ["owners.id"], ondelete="CASCADE")),
        "the constraint fk_things_owner_id is not in the database",
    ),
    "name of a foreign key": (
        lambda: things(sa.ForeignKeyConstraint(["owner_id"], ["owners.id"], name="fk_other")),
        "the constraint fk_other is not in the database",
    ),
    "unique key": (
        lambda: things(sa.UniqueConstraint("name")),
        "uq_things_name is not in the database",
    ),
    "index": (
        lambda: things(sa.Index("ix_things_name", "name")),
        "the index ix_things_name is not in the database",
    ),
    "primary key": (
        lambda: things(name=sa.Column("name", sa.String(20), primary_key=True)),
        "the primary key is (id), that of the model (id, name)",
    ),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_difference_is_named(begun: Settings, name: str) -> None:
    assert authoring.check(begun, things()).found == []
    models, sentence = DIFFERENCES[name]

    found = authoring.check(begun, models()).found

    assert any(sentence in line for line in found), found


def test_what_is_not_compared_is_named(begun: Settings) -> None:
    with migration_connection(begun) as connection:
        connection.execute(sa.text("CREATE VIEW names AS SELECT name FROM things"))

    models = things(sa.Index("ix_lower", sa.text("lower(name)")))
    not_compared = authoring.check(begun, models).not_compared

    assert "view names" in not_compared
    assert "index ix_lower, which is partial or of an expression" in not_compared


def test_the_expression_of_a_generated_column_is_named_as_not_compared(begun: Settings) -> None:
    models = things(double=sa.Column("double", sa.Integer, sa.Computed("size * 2", persisted=True)))

    not_compared = authoring.check(begun, models).not_compared

    assert not_compared == ["the expression of the generated column things.double"]


def with_generated(**columns: sa.Column[object] | None) -> sa.MetaData:
    """The tables, of which one has a generated column."""
    generated = sa.Computed("size * 2", persisted=True)
    double: sa.Column[object] = sa.Column("double", sa.Integer, generated)
    return things(double=double, **columns)


def test_a_generated_column_does_not_keep_other_changes_from_being_written(begun: Settings) -> None:
    write(begun, with_generated())
    migrations.upgrade(begun)
    assert authoring.check(begun, with_generated()).found == []

    longer = with_generated(name=sa.Column("name", sa.String(30), nullable=False))
    write(begun, longer)
    migrations.upgrade(begun)

    assert authoring.check(begun, longer).found == []
    migrations.downgrade(begun, "base")
{% if cookiecutter.database in ("sqlite", "postgresql") %}


def test_a_partial_index_is_written(begun: Settings) -> None:
    def models(**changes: sa.Column[object] | None) -> sa.MetaData:
        where = sa.text("size > 5")
        return things(sa.Index("ix_big", "size", {{ cookiecutter.database }}_where=where), **changes)

    write(begun, models())
    migrations.upgrade(begun)
    longer = models(name=sa.Column("name", sa.String(30), nullable=False))
    write(begun, longer)
    migrations.upgrade(begun)

    assert authoring.check(begun, longer).found == []
    with migration_connection(begun) as connection:
        [index] = sa.inspect(connection).get_indexes("things")
    assert "size > 5" in str(index["dialect_options"]["{{ cookiecutter.database }}_where"])
    migrations.downgrade(begun, "base")
{% endif %}
{% if cookiecutter.database == "postgresql" %}


def test_an_identity_does_not_keep_other_changes_from_being_written(begun: Settings) -> None:
    def models(**changes: sa.Column[object] | None) -> sa.MetaData:
        number: sa.Column[object] = sa.Column("number", sa.BigInteger, sa.Identity(always=True))
        return things(number=number, **changes)

    write(begun, models())
    migrations.upgrade(begun)
    longer = models(name=sa.Column("name", sa.String(30), nullable=False))
    write(begun, longer)
    migrations.upgrade(begun)

    assert authoring.check(begun, longer).found == []
    migrations.downgrade(begun, "base")
{% endif %}
{% if cookiecutter.database == "postgresql" %}


def test_exclusion_constraints_are_named_as_not_compared(begun: Settings) -> None:
    with migration_connection(begun) as connection:
        connection.execute(sa.text("ALTER TABLE owners ADD EXCLUDE USING btree (id WITH =)"))

    models = things(ExcludeConstraint(("name", "="), using="btree", name="ex_name"))
    not_compared = authoring.check(begun, models).not_compared

    assert not_compared == [
        "the exclusion constraints of owners",
        "the exclusion constraints of things",
    ]
{% endif %}


def test_nothing_is_compared_with_a_half_of_a_migration(
    begun: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authoring, "interrupted_step", lambda *_: "It was interrupted.")

    with pytest.raises(MigrationError, match="It was interrupted"):
        authoring.check(begun, things())


def test_a_primary_key_is_not_written(begun: Settings) -> None:
    models, _sentence = DIFFERENCES["primary key"]

    with pytest.raises(MigrationError, match="write the change by hand"):
        write(begun, models())


def test_a_new_enum_value_changes_its_check_only(begun: Settings) -> None:
    models, _sentence = DIFFERENCES["enum value"]

    text = write(begun, models())

    assert "alter_column" not in text
    migrations.upgrade(begun)
    with migration_connection(begun) as connection:
        connection.execute(sa.text("UPDATE things SET kind = 'c'"))


def test_a_required_column_without_a_value_is_reported(begun: Settings, folder: Path) -> None:
    models = things(color=sa.Column("color", sa.String(20), nullable=False))

    with pytest.raises(MigrationError, match=r"default=things\.color:VALUE"):
        write(begun, models)

    assert len(list(folder.glob("versions/*.py"))) == 1


def test_a_required_column_with_a_value_is_added_in_three_steps(begun: Settings) -> None:
    models = things(color=sa.Column("color", sa.String(20), nullable=False))

    write(begun, models, default="things.color:it's 5% red")
    migrations.upgrade(begun)

    assert rows(begun)[0]["color"] == "it's 5% red"
    assert authoring.check(begun, models).found == []


def code() -> sa.Column[Any]:
    """A new column that is required."""
    return sa.Column("code", sa.String(20), nullable=False)


UNIQUE_CODES: dict[str, Callable[[], sa.MetaData]] = {
    "key": lambda: things(sa.UniqueConstraint("code"), code=code()),
    "index": lambda: things(sa.Index("ix_code", "code", unique=True), code=code()),
}
NO_UNIQUE_VALUE = (
    r"things\.code is required and unique, .* one value for all rows cannot be unique\. Fill it by"
)


@pytest.mark.parametrize("name", UNIQUE_CODES)
def test_a_value_for_a_unique_column_is_reported(begun: Settings, folder: Path, name: str) -> None:
    with pytest.raises(MigrationError, match=NO_UNIQUE_VALUE):
        write(begun, UNIQUE_CODES[name](), default="things.code:x")
    assert len(list(folder.glob("versions/*.py"))) == 1

    write(begun, UNIQUE_CODES[name](), default="things.code:")  # the table has no rows


def test_a_value_for_the_downgrade_of_a_unique_column_is_reported(begun: Settings) -> None:
    with migration_connection(begun) as connection:
        connection.execute(sa.text("DELETE FROM things"))
    write(begun, UNIQUE_CODES["key"](), default="things.code:")
    migrations.upgrade(begun)

    with pytest.raises(MigrationError, match="no single value can fill it"):
        write(begun, things(), default="things.code:x")

    [first, *_] = authoring.write_migration(begun, "Go on", models=things()).notes
    assert "The way back makes things.code required and unique again" in first


def test_one_value_for_a_column_that_is_unique_with_another_is_written(begun: Settings) -> None:
    models = things(sa.UniqueConstraint("code", "name"), code=code())

    write(begun, models, default="things.code:x")
    migrations.upgrade(begun)

    assert rows(begun)[0]["code"] == "x"


def test_a_value_that_the_column_cannot_have_is_reported(begun: Settings) -> None:
    models = things(kind=None, sort=sa.Column("sort", kinds("a", "b"), nullable=False))

    with pytest.raises(MigrationError, match="it is one of a, b"):
        write(begun, models, default="things.sort:z", drop="things.kind")


def test_a_value_for_another_column_is_reported(begun: Settings) -> None:
    models = things(color=sa.Column("color", sa.String(20)))

    with pytest.raises(MigrationError, match=r"default=things\.size is not for a column"):
        write(begun, models, default="things.size:1")


def test_a_drop_beside_an_addition_is_reported(begun: Settings) -> None:
    models = things(note=None, remark=sa.Column("remark", sa.String(20)))

    with pytest.raises(MigrationError, match=r"rename=things\.note:remark.*drop=things\.note"):
        write(begun, models)


def test_a_drop_beside_an_addition_of_another_type_is_written(begun: Settings) -> None:
    models = things(note=None, weight=sa.Column("weight", sa.Integer))

    text = write(begun, models)

    assert "weight" in text
    migrations.upgrade(begun)
    assert rows(begun)[0].keys() == {"id", "kind", "name", "size", "owner_id", "weight"}


def test_a_rename_keeps_the_values(begun: Settings) -> None:
    models = things(note=None, remark=sa.Column("remark", sa.String(20)))

    write(begun, models, rename="things.note:remark")
    assert rows(begun)[0]["note"] == "x"  # the comparison has left the table as it was
    migrations.upgrade(begun)

    assert rows(begun)[0]["remark"] == "x"
    migrations.downgrade(begun, "-1")
    assert rows(begun)[0]["note"] == "x"


def test_a_column_of_another_type_keeps_its_values_and_its_default(begun: Settings) -> None:
    models = things(size=sa.Column("size", sa.BigInteger, server_default="3"))

    write(begun, models)
    migrations.upgrade(begun)

    assert authoring.check(begun, models).found == []
    with migration_connection(begun) as connection:
        connection.execute(sa.text("INSERT INTO things (id, kind, name) VALUES (2, 'a', 'x')"))
    assert [row["size"] for row in rows(begun)] == [1, 3]


def with_price(kind: TypeEngine[Any], *, nullable: bool = True) -> sa.MetaData:
    """The tables, with a price of this type."""
    return things(price=sa.Column("price", kind, nullable=nullable))


def prices(settings: Settings, models: sa.MetaData) -> list[object]:
    """Return the price of each row."""
    table = models.tables["things"]
    with migration_connection(settings) as connection:
        return list(connection.scalars(sa.select(table.c.price).order_by(table.c.id)))


@pytest.mark.parametrize(
    ("old", "new", "before", "after"),
    [
        (ExactDecimal(12, 2), ExactDecimal(14, 4), Decimal("-1.25"), Decimal("-1.25")),
        (ExactDecimal(12, 2), ExactDecimal(12, 1), Decimal("-1.25"), Decimal("-1.3")),
        (ExactDecimal(12, 2), ExactDecimal(16, 2), Decimal("1.25"), Decimal("1.25")),
        (sa.Integer(), ExactDecimal(12, 2), 7, Decimal(7)),
        (sa.String(20), ExactDecimal(12, 2), "1.25", Decimal("1.25")),
        (ExactDecimal(12, 2), sa.String(20), Decimal("-1.50"), "-1.50"),
        (ExactDecimal(12, 2), LongText(), Decimal("-0.50"), "-0.50"),
        (ExactDecimal(12, 2), sa.Integer(), Decimal("-7.60"), -8),
    ],
)
def test_a_number_keeps_its_value_when_its_type_changes(
    begun: Settings,
    old: TypeEngine[Any],
    new: TypeEngine[Any],
    before: object,
    after: object,
) -> None:
    models, later = with_price(old), with_price(new)
    write(begun, models)
    migrations.upgrade(begun)
    with migration_connection(begun) as connection:
        connection.execute(sa.update(models.tables["things"]).values(price=before))
    assert authoring.check(begun, later).found == ["things.price: the type differs."]

    write(begun, later)
    migrations.upgrade(begun)

    assert prices(begun, later) == [after]
    assert authoring.check(begun, later).found == []


def test_a_change_that_nothing_can_cast_is_reported(
    begun: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reject(*_operation: object) -> None:
        raise MigrationError("things.price: nothing casts it")

    monkeypatch.setattr(f"{writer.__name__}.catalog.runnable", reject)

    with pytest.raises(MigrationError, match="nothing casts it"):
        write(begun, things(name=sa.Column("name", sa.String(20))))


@pytest.mark.parametrize(
    ("old", "new", "value"),
    [
        (sa.String(20), sa.Integer(), "7.5"),
        (sa.String(20), ExactDecimal(12, 2), "nonsense"),
{% if cookiecutter.database != "sqlite" %}
        (LongText(), sa.String(4), "nonsense"),
{% endif %}
    ],
)
def test_a_value_that_does_not_fit_the_new_type_stops_the_migration(
    begun: Settings, old: TypeEngine[Any], new: TypeEngine[Any], value: str
) -> None:
    models = with_price(old)
    write(begun, models)
    migrations.upgrade(begun)
    with migration_connection(begun) as connection:
        connection.execute(sa.update(models.tables["things"]).values(price=value))
    write(begun, with_price(new))

    with pytest.raises(MigrationError) as error:
        migrations.upgrade(begun)

    assert value not in str(error.value)
    assert prices(begun, models) == [value]


@pytest.mark.parametrize(
    ("old", "new", "note_begins"),
    [
        (ExactDecimal(12, 2), sa.Integer(), "gets fewer places"),
{% if cookiecutter.database != "sqlite" %}
        (UtcDateTime(), sa.Date(), "becomes a date"),
{% endif %}
    ],
)
def test_what_the_values_lose_is_reported(
    begun: Settings, old: TypeEngine[Any], new: TypeEngine[Any], note_begins: str
) -> None:
    write(begun, with_price(old))
    migrations.upgrade(begun)

    [note] = authoring.write_migration(begun, "Go on", models=with_price(new)).notes

    assert note.startswith(f"things.price {note_begins}")
{% if cookiecutter.database == "sqlite" %}


def test_a_change_of_type_that_would_lose_values_is_not_written(
    begun: Settings, folder: Path
) -> None:
    write(begun, with_price(UtcDateTime()))
    migrations.upgrade(begun)
    before = list(folder.glob("versions/*"))

    with pytest.raises(MigrationError, match=r"things\.price from DATETIME to DATE and keep its"):
        write(begun, with_price(sa.Date()))

    assert list(folder.glob("versions/*")) == before
{% endif %}


def test_a_column_that_changes_its_type_and_becomes_required_gets_a_value_of_the_new_type(
    begun: Settings,
) -> None:
    write(begun, with_price(sa.Integer()))
    migrations.upgrade(begun)
    models = with_price(sa.String(20), nullable=False)

    write(begun, models, default="things.price:nothing")
    migrations.upgrade(begun)

    assert prices(begun, models) == ["nothing"]
    assert authoring.check(begun, models).found == []


@pytest.mark.parametrize(
    "made",
    [
        lambda name: sa.Index(name, "name", "id"),
        lambda name: sa.Index(name, "name", unique=True),
        lambda name: sa.UniqueConstraint("name", name=name),
    ],
)
def test_an_index_with_another_name_is_renamed(
    begun: Settings, made: Callable[[str], sa.schema.SchemaItem]
) -> None:
    write(begun, things(made("old")))
    migrations.upgrade(begun)

    text = write(begun, things(made("new")))

{% if cookiecutter.database == "sqlite" %}
    assert "drop" in text  # it renames none
{% else %}
    assert "drop" not in text
    assert "create" not in text
{% endif %}
    migrations.upgrade(begun)
    assert authoring.check(begun, things(made("new"))).found == []
    migrations.downgrade(begun, "-1")
    migrations.upgrade(begun)
    assert authoring.check(begun, things(made("new"))).found == []


def test_indexes_that_exchange_their_names_are_made_anew(begun: Settings) -> None:
    write(begun, things(sa.Index("ix_one", "name"), sa.Index("ix_two", "size")))
    migrations.upgrade(begun)
    models = things(sa.Index("ix_one", "size"), sa.Index("ix_two", "name"))

    write(begun, models)
    migrations.upgrade(begun)

    assert authoring.check(begun, models).found == []


REJECTED: dict[str, tuple[Callable[[], sa.MetaData], str]] = {
    "unique key": (
        lambda: things(sa.UniqueConstraint("name")),
        "{{ "name" if cookiecutter.database == "sqlite" else "uq_things_name" }}",
    ),
    "CHECK": (
        lambda: things(
            sa.CheckConstraint("size > 0", name="size"),
            sa.CheckConstraint("name <> 'private'", name="name"),
        ),
        "ck_things_name",
    ),
{% if cookiecutter.database != "sqlite" %}
    "length": (
        lambda: things(name=sa.Column("name", sa.String(3), nullable=False)),
        "things",
    ),
    "number": (
        lambda: things(name=sa.Column("name", sa.Integer, nullable=False)),
        "things",
    ),
{% endif %}
}


@pytest.mark.parametrize("name", REJECTED)
def test_rows_that_do_not_fit_are_reported_without_their_values(begun: Settings, name: str) -> None:
    with migration_connection(begun) as connection:
        connection.execute(sa.text("UPDATE things SET name = 'private'"))
        values = "VALUES (2, 'a', 'private')"
        connection.execute(sa.text(f"INSERT INTO things (id, kind, name) {values}"))
    models, place = REJECTED[name]
    write(begun, models())

    with pytest.raises(MigrationError) as raised:
        migrations.upgrade(begun)

    [sentence] = str(raised.value).splitlines()
    assert re.match(r"The migration 0002_\w+ could not be applied: rows that exist", sentence)
    assert place in sentence
    assert "private" not in sentence


@pytest.mark.parametrize(
    ("rename", "error"),
    [
        ("gone:things", "The database has no table gone."),
        ("gone.old:new", "The database has no table gone."),
        ("things:goods", "There is no model of a table goods."),
        ("owners:things", "The database has a table things already."),
        ("things.gone:remark", "The table things has no column gone."),
        ("things.note:comment", "things.comment is not a new column of the model."),
        ("things.note:size", "things.size is not a new column of the model."),
    ],
)
def test_an_unknown_rename_is_reported(begun: Settings, rename: str, error: str) -> None:
    models = things(note=None, remark=sa.Column("remark", sa.String(20)))

    with pytest.raises(MigrationError, match=re.escape(error)):
        write(begun, models, rename=rename)


def boxes(name: str, label: str = "label", key: str | None = None) -> sa.MetaData:
    """A table whose primary key has this name, or the usual one."""
    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)
    sa.Table(
        name,
        metadata,
        sa.Column("id", sa.Integer, autoincrement=False),
        sa.Column(label, sa.String(20)),
        sa.PrimaryKeyConstraint("id", name=key),
    )
    return metadata


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("key", [None, "key_of_boxes"])
def test_a_rename_of_a_table_keeps_its_rows(empty_database: Settings, key: str | None) -> None:
    authoring.write_migration(empty_database, "Begin", models=boxes("boxes", key=key))
    migrations.upgrade(empty_database)
    with migration_connection(empty_database) as connection:
        connection.execute(sa.text("INSERT INTO boxes (id, label) VALUES (1, 'x')"))
    models = boxes("crates", "title", key=key)

    write(empty_database, models, rename="boxes:crates, boxes.label:title")
    migrations.upgrade(empty_database)

    assert rows(empty_database, "crates") == [{"id": 1, "title": "x"}]
    assert authoring.check(empty_database, models).found == []
    migrations.downgrade(empty_database, "-1")
    assert rows(empty_database, "boxes") == [{"id": 1, "label": "x"}]


@pytest.mark.usefixtures("folder")
def test_a_table_dropped_beside_one_like_it_is_reported(empty_database: Settings) -> None:
    authoring.write_migration(empty_database, "Begin", models=boxes("boxes"))
    migrations.upgrade(empty_database)
    models = boxes("crates")
    sa.Table("unlike", models, sa.Column("id", sa.Integer, primary_key=True))

    with pytest.raises(MigrationError, match=r"rename=boxes:crates.*drop=boxes") as raised:
        write(empty_database, models)

    assert "unlike" not in str(raised.value)
    write(empty_database, models, drop="boxes")
    migrations.upgrade(empty_database)
    assert authoring.check(empty_database, models).found == []


def test_a_downgrade_that_rows_may_stop_is_reported(begun: Settings) -> None:
    models = things(name=sa.Column("name", sa.String(20)))

    written = authoring.write_migration(begun, "Let it go", models=models)

    assert any("The way back makes things.name required again" in note for note in written.notes)
{% if cookiecutter.database != "sqlite" %}


def native(*values: str) -> sa.Enum:
    """A type of the engine that has these values."""
    return sa.Enum(*values, name="grade")


@pytest.mark.usefixtures("folder")
{% if cookiecutter.database == "postgresql" %}
def test_a_new_value_of_a_native_enum_is_not_written(empty_database: Settings) -> None:
{% else %}
def test_a_new_value_of_a_native_enum_is_written(empty_database: Settings) -> None:
{% endif %}
    models = things(grade=sa.Column("grade", native("a", "b")))
    authoring.write_migration(empty_database, "Begin", models=models)
    migrations.upgrade(empty_database)
    assert authoring.check(empty_database, models).found == []
    models = things(grade=sa.Column("grade", native("a", "b", "c")))

{% if cookiecutter.database == "postgresql" %}
    with pytest.raises(MigrationError, match=r"things\.grade: the values of the type grade differ"):
        write(empty_database, models)
{% else %}
    write(empty_database, models)
    migrations.upgrade(empty_database)
    assert authoring.check(empty_database, models).found == []
{% endif %}
{% endif %}


def test_a_model_in_a_schema_of_its_own_is_an_error(begun: Settings) -> None:
    models = sa.MetaData(schema="audit")
    sa.Table("entries", models, sa.Column("id", sa.Integer, primary_key=True))

    with pytest.raises(MigrationError, match="entries: the model has the schema 'audit'"):
        write(begun, models)
{% if cookiecutter.database == "postgresql" %}


def test_a_native_enum_without_its_type_is_an_error(begun: Settings) -> None:
    models = things(kind=sa.Column("kind", sa.Enum("a", "b", name="tone")))

    with pytest.raises(MigrationError, match=r"things\.kind: the type tone is not .*string_enum"):
        authoring.check(begun, models)
{% endif %}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Why?", "Why"),
        ('say """hello"""', "say '''hello'''"),
        ("two\nlines", "two lines"),
        ("a\\d", "a/d"),
    ],
)
def test_any_message_is_the_docstring_of_a_migration(
    begun: Settings, message: str, expected: str
) -> None:
    path = authoring.write_migration(begun, message, empty=True).path

    assert path
    assert path.read_text(encoding="utf-8").startswith(f'"""{expected}."""\n')


@pytest.mark.parametrize(
    ("column", "value", "error"),
    [
        (sa.String(3), "abcd", "it has more than 3 characters"),
        (sa.Float(), "heavy", "could not convert"),
        (sa.Numeric(5, 2), "12345", "it has more than 3 digits before the point"),
        (sa.LargeBinary(), "x", "has to be written into the migration by hand"),
        (sa.Interval(), "3600", "has to be written into the migration by hand"),
        (sa.Time(), "noon", "Invalid isoformat string"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, TypeEngine) else None,
)
def test_a_default_that_the_column_cannot_hold_is_an_error(
    begun: Settings, column: TypeEngine[Any], value: str, error: str
) -> None:
    models = things(more=sa.Column("more", column, nullable=False))

    with pytest.raises(MigrationError, match=error):
        write(begun, models, default=f"things.more:{value}")
