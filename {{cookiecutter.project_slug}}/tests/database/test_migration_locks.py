"""Migrations wait for each other, longer than for any other lock."""

import time
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from {{ cookiecutter.__package }}.database import migrations, revisions
from {{ cookiecutter.__package }}.database.revisions import MigrationError
from {{ cookiecutter.__package }}.settings import Settings

from ..support.migrating import Migrating
from ..support.schemas import migration_connection, schema_of


def test_migrations_wait_for_each_other_longer_than_for_other_locks(
    hurried: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(migrations, "ATTEMPTS", 1)
    with migrations.locked_connection(hurried):
        second = Migrating(hurried)
        time.sleep(3 * hurried.migration_lock_timeout_seconds)
        assert second.is_alive()
    second.end()

    assert caplog.messages.count(migrations.WAITS) == 1
    assert "_first" in schema_of(hurried)


def test_a_failed_migration_frees_the_lock(hurried: Settings) -> None:
    with pytest.raises(RuntimeError), migrations.locked_connection(hurried):
        raise RuntimeError

    Migrating(hurried).end()
    with migration_connection(hurried) as connection:
        assert revisions.current_heads(connection) == ["adds"]


WRONG = 'op.execute("NONSENSE")'


@pytest.fixture
def spoiled(hurried: Settings) -> Path:  # noqa: ARG001  it makes the folder
    """The migration that is to be applied; its first statement is an error that may pass."""
    path = revisions.FOLDER / "versions" / "adds.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("op.create_table(", f"{WRONG}\n    op.create_table("), "utf-8")
    return path


def test_a_migration_that_may_succeed_later_is_retried(
    hurried: Settings, spoiled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pass_over(_error: DBAPIError) -> bool:
        text = spoiled.read_text(encoding="utf-8")
        spoiled.write_text(text.replace(WRONG, ""), "utf-8")
        return True

    monkeypatch.setattr(migrations, "is_retryable", pass_over)

    migrations.upgrade(hurried)

    assert "_first" in schema_of(hurried)


@pytest.mark.usefixtures("spoiled")
def test_a_migration_is_not_retried_for_ever(
    hurried: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(migrations, "ATTEMPTS", 2)
    monkeypatch.setattr(migrations, "is_retryable", lambda _error: True)
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)

    with pytest.raises(MigrationError, match="could not get its locks in 2 attempts"):
        migrations.upgrade(hurried)

    assert [text for text in caplog.messages if "gave way" in text] == [
        f"A migration did not get its locks in 0.5 s and gave way ({attempt} of 2 attempts)"
        for attempt in (1, 2)
    ]
    [pause] = pauses
    assert 0.1 <= pause <= 0.5
    assert "_first" not in schema_of(hurried)
