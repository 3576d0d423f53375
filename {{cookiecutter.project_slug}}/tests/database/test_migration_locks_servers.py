"""A migration that waits for a lock gives way, so that the requests behind it go on."""

import logging
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from {{ cookiecutter.__package }}.database import migrations
from {{ cookiecutter.__package }}.database.revisions import MigrationError
from {{ cookiecutter.__package }}.settings import Settings

from ..support.concurrency import wait_until
from ..support.engine import make_engine
from ..support.migrating import READ, TABLE, Migrating
from ..support.schemas import schema_of

SLEEP = "{{ "SELECT pg_sleep(1)" if cookiecutter.database == "postgresql" else "SELECT SLEEP(1)" }}"


@pytest.fixture
def engine(migrated: Settings) -> Iterator[sa.Engine]:
    """The engine of the traffic."""
    engine = make_engine(migrated)
    yield engine
    engine.dispose()


def gave_way(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "gave way" in record.getMessage()]


def test_a_migration_gives_way_to_a_transaction_and_is_retried(
    hurried: Settings, engine: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with engine.connect() as holder, engine.connect() as reader:
        holder.execute(sa.text(READ))
        migrating = Migrating(hurried)
        wait_until(lambda: gave_way(caplog) or not migrating.is_alive())
        assert gave_way(caplog)
        for _ in range(5):
            assert reader.scalar(sa.text(READ)) == 0
            reader.rollback()
        assert migrating.is_alive()
        holder.rollback()
        migrating.end()

    assert "color" in str(schema_of(hurried)[TABLE]["columns"])
    assert "_first" in schema_of(hurried)


def test_a_migration_without_its_locks_ends_after_some_attempts(
    hurried: Settings, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "ATTEMPTS", 2)
    with engine.connect() as holder:
        holder.execute(sa.text(READ))
        with pytest.raises(MigrationError, match="could not get its locks in 2 attempts"):
            migrations.upgrade(hurried)

    migrations.upgrade(hurried)
    assert "_first" in schema_of(hurried)


def test_a_migration_has_a_statement_limit_of_its_own(hurried: Settings) -> None:
    limited = hurried.model_copy(update={"statement_timeout_seconds": 0.2})
    with migrations.locked_connection(limited) as connection:
        connection.execute(sa.text(SLEEP))
