"""A database with a history of its own, for tests that write migrations."""

from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import pytest
import sqlalchemy as sa

from {{ cookiecutter.__package }}.database import authoring, migrations, revisions
from {{ cookiecutter.__package }}.settings import Settings

from ..support.schemas import migration_connection
from ..support.things import things


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Migrations without any version."""
    copied = tmp_path / "migrations"
    copytree(revisions.FOLDER, copied)
    for path in copied.glob("versions/*.py"):
        path.unlink()
    monkeypatch.setattr(revisions, "FOLDER", copied)
    yield copied
    revisions.forget_history()


@pytest.fixture(scope="module")
def first_migration() -> dict[str, str]:
    """The text of the migration that creates these tables, by its name: it is written once."""
    return {}


@pytest.fixture
def begun(empty_database: Settings, folder: Path, first_migration: dict[str, str]) -> Settings:
    """A database with these tables and a row."""
    if not first_migration:
        path = authoring.write_migration(empty_database, "Begin", models=things()).path
        assert path is not None
        first_migration[path.name] = path.read_text(encoding="utf-8")
    for name, text in first_migration.items():
        (folder / "versions" / name).write_text(text, encoding="utf-8")
    migrations.upgrade(empty_database)
    with migration_connection(empty_database) as connection:
        values = "VALUES (1, 'a', 'first', 'x', 1)"
        connection.execute(sa.text(f"INSERT INTO things (id, kind, name, note, size) {values}"))
    return empty_database
