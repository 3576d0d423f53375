"""Tables of a service, for tests that write migrations of what changes in them."""

import sqlalchemy as sa

from {{ cookiecutter.__package }}.database import authoring
from {{ cookiecutter.__package }}.database.session import NAMING_CONVENTION
from {{ cookiecutter.__package }}.database.writer import Wishes
from {{ cookiecutter.__package }}.settings import Settings

from .schemas import migration_connection


def kinds(*values: str) -> sa.Enum:
    """A type whose values a CHECK lists."""
    return sa.Enum(*values, name="kind", native_enum=False, create_constraint=True, length=40)


def things(*more: sa.schema.SchemaItem, **columns: sa.Column[object] | None) -> sa.MetaData:
    """Two tables of a service; `columns` replaces some, or leaves them out."""
    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)
    sa.Table("owners", metadata, sa.Column("id", sa.Integer, primary_key=True))
    usual: dict[str, sa.Column[object] | None] = {
        "id": sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        "kind": sa.Column("kind", kinds("a", "b"), nullable=False),
        "name": sa.Column("name", sa.String(20), nullable=False),
        "note": sa.Column("note", sa.String(20)),
        "size": sa.Column("size", sa.Integer, server_default="3"),
        "owner_id": sa.Column("owner_id", sa.Integer),
    }
    parts: tuple[sa.schema.SchemaItem, ...] = (
        sa.CheckConstraint("size > 0", name="size"),
        sa.ForeignKeyConstraint(["owner_id"], ["owners.id"]),
    )
    names = {type(part) for part in more}
    sa.Table(
        "things",
        metadata,
        *(column for column in (usual | columns).values() if column is not None),
        *(part for part in parts if type(part) not in names),
        *more,
    )
    return metadata


def write(settings: Settings, models: sa.MetaData, **wishes: str) -> str:
    """Write a migration, and return its text."""
    written = authoring.write_migration(settings, "Go on", Wishes.parse(**wishes), models=models)
    assert written.path
    return written.path.read_text(encoding="utf-8")


def rows(settings: Settings, table: str = "things") -> list[dict[str, object]]:
    """All rows of a table."""
    with migration_connection(settings) as connection:
        found = connection.execute(sa.text(f"SELECT * FROM {table}")).mappings()
        return [dict(row) for row in found]
