"""Behaviour of MySQL alone: nothing on the server ends a statement that writes."""

import time
from collections.abc import Iterator

import pymysql
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from {{ cookiecutter.__package }}.database import catalog_innodb
from {{ cookiecutter.__package }}.database.column_types import ExactJson, ExactString
from {{ cookiecutter.__package }}.database.engine import is_outage
from {{ cookiecutter.__package }}.database.mysql import LOCK_NAME, limits
from {{ cookiecutter.__package }}.database.unfinished import DONE_ALREADY
from {{ cookiecutter.__package }}.settings import Settings

from ..support.engine import connection_number, end_connection, make_engine

SLOW_WRITE = """INSERT INTO numbers
    WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 900)
    SELECT COUNT(*) FROM counted a, counted b, counted c, counted d WHERE a.n + b.n + c.n = d.n
"""
SECONDS = 20


@pytest.fixture
def engine(empty_database: Settings) -> Iterator[Engine]:
    """An engine with a short limit and a table of numbers."""
    engine = make_engine(empty_database.model_copy(update={"statement_timeout_seconds": 0.2}))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE numbers (number INT)"))
    yield engine
    with engine.connect() as connection:
        for row in connection.exec_driver_sql("SHOW PROCESSLIST").all():
            if row.db == engine.url.database and str(row.Info).startswith(SLOW_WRITE[:20]):
                end_connection(row.Id, engine)  # else the database could not be dropped
    engine.dispose()


def is_running(engine: Engine, number: int) -> bool:
    """Return whether the server still has the connection with this number."""
    with engine.connect() as connection:
        return number in connection.exec_driver_sql("SHOW PROCESSLIST").scalars()


def test_a_statement_that_writes_for_too_long_is_killed(engine: Engine) -> None:
    with engine.connect() as connection:
        number = connection_number(connection)
        with pytest.raises(OperationalError) as ended:
            connection.execute(text(SLOW_WRITE))

    assert is_outage(ended.value)
    end = time.monotonic() + SECONDS
    while is_running(engine, number):
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_statement_that_cannot_be_killed_is_logged(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with engine.connect() as connection, monkeypatch.context() as patch:
        patch.setattr(pymysql, "connect", connect_to_nothing)
        with pytest.raises(OperationalError):
            connection.execute(text(SLOW_WRITE))

    assert "may still run" in caplog.text


def connect_to_nothing(**_parameters: object) -> None:
    """Fail as the driver does when a server does not respond."""
    raise pymysql.OperationalError(2003, "no response")


def test_another_error_kills_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pymysql, "connect", pytest.fail)
    with engine.connect() as connection, pytest.raises(OperationalError):
        connection.execute(text("SELECT nonsense"))


@pytest.mark.parametrize(
    ("seconds", "milliseconds", "for_locks"), [(15, 15000, 15), (0.0001, 1, 1), (1.5, 1500, 2)]
)
def test_a_limit_is_never_none(seconds: float, milliseconds: int, for_locks: int) -> None:
    """For the server 0 is no limit, and it counts locks in whole seconds."""
    assert limits(seconds).split(", ") == [
        f"max_execution_time = {milliseconds}",
        f"innodb_lock_wait_timeout = {for_locks}",
        f"lock_wait_timeout = {for_locks}",
    ]


def test_a_default_that_is_an_expression_is_the_same_in_a_temporary_table(engine: Engine) -> None:
    columns = "(a VARCHAR(36) DEFAULT (UUID()), b DATETIME DEFAULT CURRENT_TIMESTAMP)"
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE TABLE defaults {columns}")
        present = catalog_innodb.report(connection, "defaults")
        connection.exec_driver_sql(f"CREATE TEMPORARY TABLE defaults {columns}")
        wanted = catalog_innodb.report(connection, "defaults", temporary=True)
        connection.invalidate()  # the temporary table goes with its connection

    assert present == wanted
    assert present.columns["a"].default == "(uuid())"


@pytest.mark.parametrize("drop", ["DROP CHECK small", "DROP CONSTRAINT small"])
def test_a_check_that_exists_or_is_gone_was_made_by_the_migration_before(
    engine: Engine, drop: str
) -> None:
    with engine.connect() as connection:
        for change in ("ADD CONSTRAINT small CHECK (number < 9)", drop):
            connection.exec_driver_sql(f"ALTER TABLE numbers {change}")
            with pytest.raises(OperationalError) as repeated:
                connection.exec_driver_sql(f"ALTER TABLE numbers {change}")

            assert repeated.value.orig is not None
            assert repeated.value.orig.args[0] in DONE_ALREADY


@pytest.mark.parametrize(
    "check",
    ["", ", CONSTRAINT small CHECK (size < 9 AND sized <> ':size')"],
    ids=["without", "with"],
)
def test_a_column_is_renamed_there_and_back_with_the_checks_that_use_it(
    engine: Engine, check: str
) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE TABLE boxes (size INT, sized VARCHAR(9){check})")
        before = catalog_innodb.report(connection, "boxes")
        forwards, back = catalog_innodb.rename_column(connection, "boxes", "size", "width")
        connection.exec_driver_sql(forwards)
        renamed = catalog_innodb.report(connection, "boxes")
        connection.exec_driver_sql(back)

        assert catalog_innodb.report(connection, "boxes") == before
    assert list(renamed.columns) == ["width", "sized"]
    assert all("`width` < 9" in text and "':size'" in text for text in renamed.checks.values())
    assert renamed.checks.keys() == before.checks.keys()


def test_the_lock_of_a_database_with_the_longest_name_is_free(engine: Engine) -> None:
    name = LOCK_NAME.replace("DATABASE()", ":name")
    with engine.connect() as connection:
        query = text(f"SELECT IS_FREE_LOCK({name})")

        assert connection.scalar(query, {"name": "d" * 64}) == 1


def test_strings_compare_exactly_and_numbers_in_json_stay(engine: Engine) -> None:
    table = sa.Table(
        "exact", sa.MetaData(), sa.Column("name", ExactString(20)), sa.Column("json", ExactJson())
    )
    number = 10**30 + 1
    with engine.begin() as connection:
        table.create(connection)
        connection.execute(
            table.insert(), [{"name": name, "json": number} for name in ("a", "a ", "A", "ä")]
        )
        same = connection.execute(sa.select(table).where(table.c.name == "a")).all()

    assert same == [("a", number)]
