"""The order in which the operations of a migration run."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic.operations import ops

from {{ cookiecutter.__package }}.database.arrangement import (
    arranged,
    column_without,
    comes_before_values,
    rename_indexes,
    without_type_constraints,
)

METADATA = sa.MetaData()
for name in ("owners", "colors"):
    sa.Table(name, METADATA, sa.Column("id", sa.Integer, primary_key=True))
TABLE = sa.Table(
    "things",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("owner_id", sa.ForeignKey("owners.id", name="fk_owner")),
    sa.Column("color_id", sa.ForeignKey("colors.id", name="fk_color")),
    sa.UniqueConstraint("owner_id", "id", name="uq_owner"),
    sa.Index("ix_owner", "owner_id", "id"),
)
KEYS = sorted(TABLE.foreign_key_constraints, key=lambda key: str(key.name), reverse=True)


def described(operations: Sequence[ops.MigrateOperation]) -> list[str]:
    """Return the operations in words, those of a table in it."""
    found = []
    for operation in operations:
        if isinstance(operation, ops.ModifyTableOps):
            found += described(operation.ops)
        else:
            name = getattr(operation, "constraint_name", getattr(operation, "table_name", ""))
            found.append(f"{type(operation).__name__} {name}")
    return found


def in_things(*operations: ops.MigrateOperation) -> list[ops.MigrateOperation]:
    """Return the operations as those of the table."""
    return [ops.ModifyTableOps("things", list(operations))]


def drop_constraint(kind: str | None) -> ops.DropConstraintOp:
    """Return what drops a constraint of this kind."""
    return ops.DropConstraintOp(f"old_{kind}", "things", kind)


def test_what_refers_to_a_column_goes_before_it_and_comes_after_it() -> None:
    kinds = [
        drop_constraint("check"),
        drop_constraint("foreignkey"),
        drop_constraint("primary"),
        drop_constraint(None),
        ops.DropIndexOp("ix_old", "things"),
        ops.AddColumnOp("things", sa.Column("new", sa.Integer)),
        ops.AlterColumnOp("things", "kept", modify_nullable=True),
        ops.DropColumnOp("things", "old"),
        ops.CreateIndexOp("ix_new", "things", ["new"]),
        ops.CreateUniqueConstraintOp("uq_new", "things", ["new"]),
        ops.CreateForeignKeyOp("fk_new", "things", "owners", ["new"], ["id"]),
        ops.CreateCheckConstraintOp("ck_new", "things", sa.text("new > 0")),
    ]

    [table] = arranged(in_things(*reversed(kinds)), {})

    assert isinstance(table, ops.ModifyTableOps)
    found = [kinds.index(operation) for operation in table.ops]
    assert found == [0, 1, 3, 2, 4, 5, 6, 7, 8, 9, 10, 11]


def test_tables_are_created_first_and_dropped_last() -> None:
    operations = [
        ops.DropTableOp("old"),
        ops.ModifyTableOps("old", [ops.DropIndexOp("ix_old", "old")]),
        ops.ModifyTableOps("things", [ops.DropColumnOp("things", "size")]),
        ops.ModifyTableOps("new", [ops.CreateIndexOp("ix_new", "new", ["id"])]),
        ops.CreateTableOp("new", [sa.Column("id", sa.Integer)]),
    ]

    assert described(arranged(operations, {})) == [
        "CreateTableOp new",
        "CreateIndexOp new",
        "DropColumnOp things",
        "DropTableOp old",
    ]


def test_a_foreign_key_whose_index_goes_is_made_anew() -> None:
    [index] = TABLE.indexes
    operations = in_things(ops.DropIndexOp.from_index(index))

    assert described(arranged(operations, {"things": KEYS})) == [
        "DropConstraintOp fk_owner",
        "DropIndexOp things",
        "CreateForeignKeyOp fk_owner",
    ]


def test_a_foreign_key_whose_unique_key_goes_is_made_anew() -> None:
    [unique] = [each for each in TABLE.constraints if each.name == "uq_owner"]
    operations = in_things(ops.DropConstraintOp.from_constraint(unique))

    assert described(arranged(operations, {"things": KEYS})) == [
        "DropConstraintOp fk_owner",
        "DropConstraintOp uq_owner",
        "CreateForeignKeyOp fk_owner",
    ]


def test_a_foreign_key_that_goes_with_its_index_is_not_made_anew() -> None:
    [index] = TABLE.indexes
    [owner] = [key for key in KEYS if key.name == "fk_owner"]
    operations = in_things(
        ops.DropIndexOp.from_index(index), ops.DropConstraintOp.from_constraint(owner)
    )

    assert described(arranged(operations, {"things": KEYS})) == [
        "DropConstraintOp fk_owner",
        "DropIndexOp things",
    ]


def test_the_check_of_a_type_is_not_part_of_its_column() -> None:
    kind = sa.Enum("a", "b", name="kind", native_enum=False, create_constraint=True, length=40)
    native = sa.Enum("a", "b", name="native")
    added = ops.AddColumnOp("things", sa.Column("kind", kind))
    altered = ops.AlterColumnOp("things", "kind", existing_type=kind, modify_type=native)

    without_type_constraints([added, altered, ops.DropColumnOp("things", "old")])

    for plain in (added.column.type, altered.existing_type):
        assert isinstance(plain, sa.Enum)
        assert (plain.enums, plain.length) == (["a", "b"], 40)
        assert not plain.create_constraint
    assert altered.modify_type is native


def test_a_column_without_its_table_keeps_its_server_default_and_its_comment() -> None:
    column = sa.Column("size", sa.Integer, nullable=False, server_default="3", comment="in cm")

    free = column_without(column, nullable=True)

    assert free.table is None
    assert (free.name, free.nullable, free.comment) == ("size", True, "in cm")
    assert free.server_default is column.server_default


def test_an_index_whose_name_alone_changes_is_renamed() -> None:
    [present] = TABLE.indexes
    table = ops.ModifyTableOps(
        "things",
        [
            ops.DropIndexOp.from_index(present),
            ops.CreateIndexOp("ix_new", "things", ["owner_id", "id"]),
        ],
    )

    rename_indexes(table, "{0} {1} {2}".format, keys_are_indexes=False)

    [rename] = table.ops
    assert isinstance(rename, ops.ExecuteSQLOp)
    assert rename.sqltext == "things ix_owner ix_new"


def test_a_new_type_comes_before_values_and_not_null_after_them() -> None:
    new_type = ops.AlterColumnOp("things", "size", modify_type=sa.Text())
    not_null = ops.AlterColumnOp("things", "size", modify_nullable=False)

    assert comes_before_values(new_type)
    assert not comes_before_values(not_null)
