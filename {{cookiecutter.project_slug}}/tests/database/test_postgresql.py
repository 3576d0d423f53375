"""The settings for PostgreSQL: bounds on everything, and errors recognized by their codes."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from alembic.operations import ops
from pydantic import SecretStr
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from {{ cookiecutter.__package }}.database import catalog_postgresql, postgresql
from {{ cookiecutter.__package }}.database.postgresql import (
    TimeLimitedConnection,
    is_conflict,
    is_retryable,
    is_statement_timeout,
    migration_lock,
    violation_of,
)
from {{ cookiecutter.__package }}.database.revisions import (
    MigrationError,
    current_revision,
    expected_revision,
)
from {{ cookiecutter.__package }}.settings import Settings

from ..support.engine import make_engine, make_migration_engine
from ..support.postgresql import deferred_checks
from ..support.probe import Probe
from ..support.schemas import migration_connection, schema_of, upgrade, upgrade_with_more


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
        shown = {
            name: connection.execute(text(f"SHOW {name}")).scalar()
            for name in ("timezone", "statement_timeout", "transaction_isolation")
        }

    assert shown == {
        "timezone": "UTC",
        "statement_timeout": "15s",
        "transaction_isolation": "read committed",
    }


def test_timestamps_are_stored_with_a_time_zone(migrated: Settings) -> None:
    columns = "information_schema.columns WHERE column_name = 'created_at'"
    with migration_connection(migrated) as connection:
        kinds = connection.scalars(text(f"SELECT DISTINCT data_type FROM {columns}")).all()

    assert kinds == ["timestamp with time zone"]


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


def with_option(settings: Settings, **option: str) -> Settings:
    """Return settings whose URL has a further option."""
    url = sa.make_url(settings.database_url.get_secret_value()).update_query_dict(option)
    text_ = url.render_as_string(hide_password=False)
    return settings.model_copy(update={"database_url": SecretStr(text_)})


def test_options_of_the_url_are_merged(empty_database: Settings) -> None:
    engine = make_engine(with_option(empty_database, options="-c work_mem=5MB"))
    with engine.connect() as connection:
        assert connection.scalar(text("SHOW work_mem")) == "5MB"
        assert connection.scalar(text("SHOW statement_timeout")) == "15s"
    engine.dispose()


def test_a_limit_that_a_pooler_drops_is_logged(
    empty_database: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    engine = make_engine(with_option(empty_database, prepare_threshold="none"))
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        assert driver.prepare_threshold is None
        assert connection.scalar(text("SHOW statement_timeout")) == "0"
    engine.dispose()

    assert "does not apply STATEMENT_TIMEOUT_SECONDS (it has 0 ms)" in caplog.text


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
            connection.execute(text("SELECT pg_sleep(120)"))
        connection.rollback()

        assert connection.execute(text("SELECT 1")).scalar() == 1
    engine.dispose()

    assert is_statement_timeout(ended.value)
    assert not is_retryable(ended.value)
    assert time.monotonic() - began < 60


def test_wait_for_a_lock_is_ended_at_the_time_limit(engine: Engine) -> None:
    update = text("UPDATE numbers SET number = 3 WHERE id = 1")
    with engine.connect() as one, engine.connect() as other:
        one.execute(update)
        other.execute(text("SET LOCAL statement_timeout = 100"))

        with pytest.raises(DBAPIError) as ended:
            other.execute(update)

    assert is_statement_timeout(ended.value)


def test_lost_update_under_serialisation_is_transient(engine: Engine) -> None:
    strict = engine.execution_options(isolation_level="SERIALIZABLE")
    with strict.connect() as one, strict.connect() as other:
        for connection in (one, other):
            connection.execute(text("SELECT sum(number) FROM numbers"))
        one.execute(text("UPDATE numbers SET number = 3 WHERE id = 1"))
        one.commit()

        with pytest.raises(DBAPIError) as lost:
            other.execute(text("UPDATE numbers SET number = 4 WHERE id = 1"))

    assert is_retryable(lost.value)


def test_deferred_constraint_is_checked_at_a_commit_inside_a_test(engine: Engine) -> None:
    metadata = sa.MetaData()
    later = sa.ForeignKey("numbers.id", deferrable=True, initially="DEFERRED")
    links = sa.Table("links", metadata, sa.Column("number", sa.Integer, later))
    sa.Table("numbers", metadata, sa.Column("id", sa.Integer, primary_key=True))
    links.create(engine)

    sessions = sessionmaker()
    with (
        engine.connect() as connection,
        connection.begin(),
        deferred_checks(sessions, metadata),
        sessions(bind=connection, join_transaction_mode="create_savepoint") as session,
    ):
        session.execute(links.insert().values(number=1))
        session.commit()
        session.execute(links.insert().values(number=99))
        with pytest.raises(IntegrityError):
            session.commit()


def test_a_check_is_reported_as_the_engine_writes_it_in_the_end(engine: Engine) -> None:
    checks = {"listed": "number IN (1, 2)", "of another table": "color > 1"}

    with engine.begin() as connection:
        connection.execute(text("CREATE TEMPORARY TABLE numbers (number INT)"))
        normal = catalog_postgresql.normal_checks(connection, "numbers", checks)
        again = catalog_postgresql.normal_checks(connection, "numbers", normal)

    assert "ANY" in normal["listed"]
    assert normal["of another table"] == checks["of another table"]
    assert again == normal


def test_a_check_that_the_engine_always_writes_otherwise_is_read_some_times(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog_postgresql, "MAX_READINGS", 1)

    with engine.begin() as connection:
        connection.execute(text("CREATE TEMPORARY TABLE numbers (number INT)"))
        checks = catalog_postgresql.normal_checks(connection, "numbers", {"c": "number IN (1, 2)"})

    assert "ANY" in checks["c"]


ALTER = "ALTER TABLE numbers ALTER COLUMN number"
CAST = f"{ALTER} TYPE BIGINT USING CAST(number AS BIGINT)"


@pytest.mark.parametrize(
    ("options", "statements", "rest"),
    [
        ({}, [CAST], None),
        ({"modify_nullable": False}, [CAST], (False, False)),
        ({"modify_server_default": "3"}, [CAST], (None, "3")),
        (
            {"existing_server_default": "2", "modify_server_default": "3"},
            [f"{ALTER} DROP DEFAULT", CAST],
            (None, "3"),
        ),
        ({"existing_server_default": "2"}, [f"{ALTER} DROP DEFAULT", CAST], (None, "2")),
        (
            {"existing_server_default": "2", "modify_server_default": None},
            [f"{ALTER} DROP DEFAULT", CAST],
            (None, None),
        ),
    ],
)
def test_a_new_type_is_cast_without_the_default(
    engine: Engine, options: dict[str, Any], statements: list[str], rest: tuple[object, ...] | None
) -> None:
    alter = ops.AlterColumnOp(
        "numbers",
        "number",
        existing_type=sa.Integer(),
        modify_type=sa.BigInteger(),
        **options,
    )

    found = catalog_postgresql.runnable(alter, engine.dialect)

    assert [str(op.sqltext) for op in found if isinstance(op, ops.ExecuteSQLOp)] == statements
    alters = [op for op in found if isinstance(op, ops.AlterColumnOp)]
    assert [(op.modify_nullable, op.modify_server_default) for op in alters] == (
        [rest] if rest else []
    )


@pytest.mark.parametrize(
    "operation",
    [
        ops.DropColumnOp("numbers", "number"),
        ops.AlterColumnOp("numbers", "number", modify_nullable=True),
        ops.AlterColumnOp(
            "numbers", "number", existing_type=sa.String(1), modify_type=sa.String(2)
        ),
    ],
)
def test_what_needs_no_cast_runs_as_it_is(engine: Engine, operation: ops.MigrateOperation) -> None:
    assert catalog_postgresql.runnable(operation, engine.dialect) == [operation]


def test_migrations_have_time(empty_database: Settings) -> None:
    with make_migration_engine(empty_database).connect() as connection:
        assert connection.execute(text("SHOW statement_timeout")).scalar() == "1h"


def test_migration_that_fails_leaves_the_old_schema(
    empty_database: Settings, tmp_path: Path
) -> None:
    upgrade(empty_database)
    before = schema_of(empty_database)

    with pytest.raises(RuntimeError, match="the other half fails"):
        upgrade_with_more(empty_database, tmp_path)

    assert schema_of(empty_database) == before
    with migration_connection(empty_database) as connection:
        assert current_revision(connection) == expected_revision()


def test_unreachable_server_is_recognized(empty_database: Settings) -> None:
    nowhere = SecretStr("postgresql://nobody@127.0.0.1:9/nowhere_test")
    engine = make_engine(empty_database.model_copy(update={"database_url": nowhere}))

    with pytest.raises(OperationalError) as raised:
        engine.connect()

    assert not is_conflict(raised.value)
    assert not is_retryable(raised.value)
    assert not is_statement_timeout(raised.value)


def test_the_url_may_set_the_time_to_connect(
    empty_database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[object] = []
    connect = TimeLimitedConnection.connect

    def record(*arguments: Any, **options: Any) -> Any:
        given.append(options["connect_timeout"])
        return connect(*arguments, **options)

    monkeypatch.setattr(TimeLimitedConnection, "connect", record)
    engine = make_engine(with_option(empty_database, connect_timeout="3"))
    with engine.connect() as connection:
        assert connection.scalar(text("SHOW statement_timeout")) == "15s"
    engine.dispose()

    assert given == ["3"]


def test_migration_is_not_begun_beside_another(empty_database: Settings) -> None:
    with (
        migration_connection(empty_database) as first,
        migration_lock(first),
        make_migration_engine(empty_database).connect() as second,
    ):
        second.execute(text("SET LOCAL statement_timeout = 100"))

        with pytest.raises(MigrationError, match="did not end in time"), migration_lock(second):
            pytest.fail("it has begun")


def test_an_error_at_the_lock_of_migrations_stays_what_it_is(engine: Engine) -> None:
    with engine.connect() as connection:
        with pytest.raises(DBAPIError):
            connection.execute(text("SELECT nonsense"))

        with (
            pytest.raises(DBAPIError, match="current transaction is aborted"),
            migration_lock(connection),
        ):
            pytest.fail("it has begun")


@pytest.mark.parametrize("descending", [False, True])
def test_a_later_page_begins_in_the_middle_of_equal_values(
    session: Session, descending: bool
) -> None:
    columns = (Probe.name.expression, Probe.id.expression)
    after = postgresql.beyond(columns, ("x", UUID(int=7)), descending=descending)
    order = [each.desc() if descending else each.asc() for each in columns]
    statement = sa.select(Probe).where(after).order_by(*order).limit(2)
    sql = statement.compile(session.connection(), compile_kwargs={"literal_binds": True})
    for way in ("seqscan", "bitmapscan", "sort"):
        session.execute(sa.text(f"SET LOCAL enable_{way} = off"))
    plan = "\n".join(session.scalars(sa.text(f"EXPLAIN {sql}")))

    sign = "<" if descending else ">"
    assert re.search(rf"Index Cond: \(ROW\(.*name.*, id\) {sign} ROW", plan)
