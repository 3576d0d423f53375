"""Migrations wait for each other, longer than for any other lock."""

import time

import pytest

from {{ cookiecutter.__package }}.database import migrations, revisions
from {{ cookiecutter.__package }}.settings import Settings

from ..support.migrating import Migrating
from ..support.schemas import migration_connection, schema_of


def test_migrations_wait_for_each_other_longer_than_for_other_locks(
    hurried: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "ATTEMPTS", 1)
    with migrations.locked_connection(hurried):
        second = Migrating(hurried)
        time.sleep(3 * hurried.migration_lock_timeout_seconds)
        assert second.is_alive()
    second.end()

    assert "_first" in schema_of(hurried)


def test_a_failed_migration_frees_the_lock(hurried: Settings) -> None:
    with pytest.raises(RuntimeError), migrations.locked_connection(hurried):
        raise RuntimeError

    Migrating(hurried).end()
    with migration_connection(hurried) as connection:
        assert revisions.current_heads(connection) == ["adds"]
