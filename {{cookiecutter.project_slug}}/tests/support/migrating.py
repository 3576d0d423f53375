"""Migrations beside other work: one more migration to apply, and an upgrade in a thread."""

from pathlib import Path
from shutil import copytree
from threading import Thread

import pytest

from {{ cookiecutter.__package }}.database import migrations, revisions
from {{ cookiecutter.__package }}.settings import Settings

from .concurrency import SECONDS

TABLE = "idempotency_keys"
READ = f"SELECT count(*) FROM {TABLE}"
ADDS_A_COLUMN = """
import sqlalchemy as sa
from alembic import op

revision = "adds"
down_revision = "{head}"


def upgrade() -> None:
    op.create_table("_first", sa.Column("id", sa.Integer(), primary_key=True))
    op.add_column("{table}", sa.Column("color", sa.String(20), nullable=True))


def downgrade() -> None:
    op.drop_column("{table}", "color")
    op.drop_table("_first")
"""


@pytest.fixture
def hurried(migrated: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """A migrated database with one more migration to apply, which waits briefly for locks."""
    text = ADDS_A_COLUMN.format(head=revisions.expected_revision(), table=TABLE)
    folder = tmp_path / "migrations"
    copytree(revisions.FOLDER, folder)
    (folder / "versions" / "adds.py").write_text(text, encoding="utf-8")
    monkeypatch.setattr(revisions, "FOLDER", folder)
    return migrated.model_copy(update={"migration_lock_timeout_seconds": 0.5})


class Migrating(Thread):
    """An upgrade beside the test."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(daemon=True)
        self.settings = settings
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        """Upgrade, and keep the error."""
        try:
            migrations.upgrade(self.settings)
        except Exception as error:
            self.error = error

    def end(self) -> None:
        """Wait for the end, and raise the error."""
        self.join(SECONDS)
        assert not self.is_alive()
        if self.error:
            raise self.error
