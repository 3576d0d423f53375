"""The settings for {{ cookiecutter.__engine }}: bounds on everything, and errors recognized by their codes."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError

from {{ cookiecutter.__package }}.database import catalog_innodb, innodb
from {{ cookiecutter.__package }}.database.innodb import (
    is_conflict,
    is_retryable,
    is_statement_timeout,
    migration_lock,
    violation_of,
)
from {{ cookiecutter.__package }}.database.innodb_connection import (
    TimeLimitedConnection,
)
from {{ cookiecutter.__package }}.database.{{ cookiecutter.database }} import (
    LIMIT_IN_SECONDS,
    LIMIT_VARIABLE,
    LOCK_NAME,
)
from {{ cookiecutter.__package }}.database.revisions import (
    current_revision,
    expected_revision,
)
from {{ cookiecutter.__package }}.settings import Settings

from ..support.engine import make_engine, make_migration_engine
from ..support.schemas import migration_connection, schema_of, upgrade, upgrade_with_more

SLOW = """
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 900)
    SELECT COUNT(*) FROM numbers a, numbers b, numbers c, numbers d WHERE a.n + b.n + c.n = d.n
"""


@pytest.fixture
def engine(empty_database: Settings) -> Iterator[Engine]:
    """An engine with a table of two numbers."""
    engine = make_engine(empty_database)
    with engine.begin() as connection:
        connection.execute(
            text("CREATE TABLE numbers (id INT PRIMARY KEY, number INT CHECK (number < 9))")
        )
        connection.execute(text("INSERT INTO numbers VALUES (1, 1), (2, 2)"))
    yield engine
    engine.dispose()


def test_connections_are_prepared(engine: Engine) -> None:
    with engine.connect() as connection:
        query = text("SELECT @@time_zone, @@{{ "transaction_isolation" if cookiecutter.database == "mysql" else "tx_isolation" }}, @@character_set_connection")
        shown = connection.execute(query).one()
        limit = connection.scalar(text(LIMIT_IN_SECONDS))

    assert tuple(shown) == ("+00:00", "READ-COMMITTED", "utf8mb4")
    assert limit == 15


def test_pool_is_as_large_as_a_worker_has_threads(empty_database: Settings) -> None:
    engine = make_engine(empty_database.model_copy(update={"threads": 3}))

    assert isinstance(engine.pool, sa.QueuePool)
    assert engine.pool.size() == 3
    assert engine.pool._max_overflow == 0


@pytest.mark.parametrize(
    ("values", "is_invalid"), [((1, 1), False), ((3, 9), True), ((None, 1), True)]
)
def test_a_constraint_rejects_a_conflict_or_a_value(
    engine: Engine, values: tuple[int | None, int], *, is_invalid: bool
) -> None:
    with engine.connect() as connection, pytest.raises(DBAPIError) as raised:
        connection.execute(
            text("INSERT INTO numbers VALUES (:id, :number)"),
            {"id": values[0], "number": values[1]},
        )

    assert is_conflict(raised.value)
    assert (violation_of(raised.value).kind == "check") == is_invalid
    assert violation_of(raised.value).constraint
    assert not is_retryable(raised.value)
    assert not is_statement_timeout(raised.value)


def test_other_errors_are_of_no_kind(engine: Engine) -> None:
    with engine.connect() as connection, pytest.raises(DBAPIError) as wrong:
        connection.execute(text("SELECT nonsense"))

    assert not is_conflict(wrong.value)
    assert not is_retryable(wrong.value)
    assert not is_statement_timeout(wrong.value)


def test_statement_is_ended_at_its_time_limit(empty_database: Settings) -> None:
    engine = make_engine(empty_database.model_copy(update={"statement_timeout_seconds": 0.5}))
    began = time.monotonic()
    with engine.connect() as connection:
        with pytest.raises(DBAPIError) as ended:
            connection.execute(text(SLOW))
        connection.rollback()

        assert connection.execute(text("SELECT 1")).scalar() == 1
    engine.dispose()

    assert is_statement_timeout(ended.value)
    assert not is_retryable(ended.value)
    assert time.monotonic() - began < 60


def test_wait_for_a_lock_that_takes_too_long_is_transient(engine: Engine) -> None:
    update = text("UPDATE numbers SET number = 3 WHERE id = 1")
    with engine.connect() as one, engine.connect() as other:
        one.execute(update)
        other.execute(text("SET innodb_lock_wait_timeout = 0"))

        with pytest.raises(DBAPIError) as lost:
            other.execute(update)
        other.invalidate()

    assert is_retryable(lost.value)


def test_a_temporary_table_is_not_taken_for_another(engine: Engine) -> None:
    with engine.connect() as connection:
        with pytest.raises(RuntimeError, match="numbers"):
            catalog_innodb.report(connection, "numbers", temporary=True)
        connection.execute(text("CREATE TEMPORARY TABLE numbers (number INT)"))
        with pytest.raises(RuntimeError, match="numbers"):
            catalog_innodb.report(connection, "numbers")
        connection.invalidate()  # the temporary table goes with its connection


def test_migrations_have_time(empty_database: Settings) -> None:
    with make_migration_engine(empty_database).connect() as connection:
        assert connection.execute(text(LIMIT_IN_SECONDS)).scalar() == 3600


def test_migration_that_fails_keeps_its_half_and_not_its_name(
    empty_database: Settings, tmp_path: Path
) -> None:
    upgrade(empty_database)
    before = schema_of(empty_database)

    with pytest.raises(RuntimeError, match="the other half fails"):
        upgrade_with_more(empty_database, tmp_path)

    # DDL commits here, so a migration had better hold one statement of it.
    assert schema_of(empty_database).keys() - before.keys() == {"_half"}
    with migration_connection(empty_database) as connection:
        assert current_revision(connection) == expected_revision()


def test_lock_of_a_migration_that_failed_is_free(empty_database: Settings, tmp_path: Path) -> None:
    upgrade(empty_database)
    with pytest.raises(RuntimeError, match="the other half fails"):
        upgrade_with_more(empty_database, tmp_path)

    with migration_connection(empty_database) as connection:
        lock = text(f"SELECT GET_LOCK({LOCK_NAME}, 10)")
        assert connection.scalar(lock) == 1  # once the server has seen the end of the connection


def test_migration_is_not_begun_beside_another(
    empty_database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(innodb, "MAX_WAIT_SECONDS", 0)
    with migration_connection(empty_database) as connection, migration_lock(connection):
        with pytest.raises(RuntimeError, match="did not end in time"):
            upgrade(empty_database)

        assert schema_of(empty_database) == {}


def test_unreachable_server_is_recognized(empty_database: Settings) -> None:
    nowhere = SecretStr("{{ cookiecutter.database }}+pymysql://nobody@127.0.0.1:9/nowhere_test")
    engine = make_engine(empty_database.model_copy(update={"database_url": nowhere}))

    with pytest.raises(OperationalError) as raised:
        engine.connect()

    assert not is_conflict(raised.value)
    assert not is_retryable(raised.value)
    assert not is_statement_timeout(raised.value)


def test_the_url_may_set_the_time_to_connect(empty_database: Settings) -> None:
    given = make_url(empty_database.database_url.get_secret_value())
    hurried = given.update_query_dict({"connect_timeout": "3"})
    engine = innodb.make_engine(
        hurried.render_as_string(hide_password=False), statement_timeout_seconds=2
    )

    with engine.connect() as connection:
        made = connection.connection.driver_connection
        assert made is not None
        assert made.connect_timeout == 3
    engine.dispose()


def test_a_limit_that_the_server_does_not_apply_is_logged(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A proxy may drop what a connection sets."""
    check = innodb._check_limit

    def drop_first(connection: TimeLimitedConnection, seconds: float) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET {LIMIT_VARIABLE} = 0")
        check(connection, seconds)

    engine.dispose()
    with engine.connect():
        assert caplog.messages == []
    engine.dispose()
    monkeypatch.setattr(innodb, "_check_limit", drop_first)

    with engine.connect():
        [message] = caplog.messages

    assert "does not apply STATEMENT_TIMEOUT_SECONDS (it has 0.0 s)" in message
