"""The test kit works as docs/testing.md says: all other tests rely on it."""

import os
import signal
import subprocess
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import URL, Connection, Engine, func, select, text
from sqlalchemy.orm import Session
from time_machine import TimeMachineFixture
from werkzeug.test import TestResponse

from {{ cookiecutter.__package }} import clock
from {{ cookiecutter.__package }}.database import db
from {{ cookiecutter.__package }}.settings import Settings

from .support import api
from .support.applications import MakeApp
from .support.databases import SUFFIX, VARIABLE, checked_url
from .support.engine import database_name, named
from .support.probe import Probe, ProbeFactory, ProbeStatus
from .support.problems import problem
from .support.programs import LIBRARIES, Program, run_program
from .support.queries import Queries
from .support.schemas import alter, schema_of
from .support.sessions import (
    Guard,
    IsolationError,
    delete_all_rows,
    rolled_back,
    tables_with_rows,
)

COUNT = select(func.count()).select_from(Probe)


# Databases


def test_database_name_has_the_suffix_of_tests(worker_url: URL) -> None:
    assert database_name(worker_url).endswith(SUFFIX)


def test_settings_are_those_of_the_tests(settings: Settings) -> None:
    assert settings.environment == "test"
    assert settings.threads == 1


def test_database_without_the_suffix_is_rejected(worker_url: URL) -> None:
    precious = named(worker_url, "precious")

    with pytest.raises(pytest.exit.Exception, match="has to end in _test"):
        checked_url(precious.render_as_string(hide_password=False), None)


def test_development_database_is_rejected(worker_url: URL) -> None:
    with pytest.raises(pytest.exit.Exception, match="give them another one"):
        checked_url(worker_url.render_as_string(hide_password=False), worker_url)


def test_database_with_the_suffix_is_accepted(worker_url: URL) -> None:
    other = named(worker_url, "other_test")

    assert checked_url(other.render_as_string(hide_password=False), worker_url) == other


def test_environment_contains_no_setting() -> None:
    fields = {name.upper() for name in Settings.model_fields}

    assert not fields & {name.upper() for name in os.environ}


@pytest.mark.slow
def test_settings_of_the_developer_do_not_reach_the_tests() -> None:
    own = {"ENVIRONMENT": "production", "DATABASE_URL": "nonsense", "threads": "many"}

    done = run_pytest(test_environment_contains_no_setting.__name__, own)

    assert "1 passed" in done.stdout, done.stdout


@pytest.mark.slow
def test_unsuitable_database_ends_the_run_with_a_message(worker_url: URL) -> None:
    precious = named(worker_url, "precious").render_as_string(hide_password=False)

    done = run_pytest(test_settings_are_those_of_the_tests.__name__, {VARIABLE: precious})

    assert done.returncode != 0
    assert "has to end in _test" in done.stdout


def run_pytest(test: str, variables: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run one test of this module in a process of its own, without plugins that load slowly."""
    inherited = {name: value for name, value in os.environ.items() if "XDIST" not in name}
    inherited["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return run_program(
        *("pytest", "-q", "-p", "no:cacheprovider", f"{__file__}::{test}"),
        environment=inherited | variables,
    )


def test_empty_database_is_empty_and_allows_ddl(empty_database: Settings) -> None:
    assert schema_of(empty_database) == {}

    alter(empty_database, lambda operations: operations.execute("CREATE TABLE more (id INT)"))

    assert schema_of(empty_database).keys() == {"more"}


# Sessions and connections


@pytest.mark.parametrize("attempt", ["first", "second"])
def test_each_test_starts_without_rows(session: Session, attempt: str) -> None:
    assert session.scalar(COUNT) == 0

    ProbeFactory.create(code=f"the {attempt}")
    session.commit()

    assert session.scalar(COUNT) == 1


def test_request_sees_the_rows_of_the_test(client: FlaskClient) -> None:
    row = ProbeFactory.create(name="made before")

    assert client.get(f"{api.URL}/{row.id}").get_json()["name"] == "made before"


def test_test_sees_the_commits_of_a_request(client: FlaskClient, session: Session) -> None:
    row = ProbeFactory.create(name="before")

    client.patch(f"{api.URL}/{row.id}", json={"name": "after"}, headers={"If-Match": "*"})

    assert row.name == "after"
    assert session.scalar(COUNT) == 1


def test_rows_of_a_request_stay_when_the_test_rolls_back(
    client: FlaskClient, session: Session
) -> None:
    ProbeFactory.create()
    api.create(client)

    session.rollback()

    assert session.scalar(COUNT) == 2


def test_missing_commit_is_detected(app: Flask, session: Session) -> None:
    with app.app_context():
        db.session.add(ProbeFactory.build())
        db.session.flush()

    assert session.scalar(COUNT) == 0


def test_session_of_the_test_differs_from_that_of_the_context(app: Flask, session: Session) -> None:
    with app.app_context():
        assert db.session() is not session


def test_second_connection_is_rejected(app: Flask, connection: Connection) -> None:
    assert connection.scalar(COUNT) == 0

    with app.app_context(), pytest.raises(IsolationError, match="`committed_db`"):
        db.engine.connect()


@pytest.mark.parametrize("statement", ["CREATE TABLE more (id INT)", " drop table more"])
def test_change_of_the_schema_is_rejected(session: Session, statement: str) -> None:
    with pytest.raises(IsolationError, match="`empty_database`"):
        session.execute(text(statement))


@pytest.mark.parametrize("statement", ["COMMIT", "commit ", "ROLLBACK"])
def test_statement_that_ends_the_transaction_is_rejected(session: Session, statement: str) -> None:
    with pytest.raises(IsolationError, match="`committed_db`"):
        session.execute(text(statement))


def test_commit_of_the_connection_is_rejected(connection: Connection) -> None:
    with pytest.raises(IsolationError, match="`committed_db`"):
        connection.commit()


def test_transaction_ended_by_the_driver_is_reported(
    app: Flask, test_engine: Engine, guard: Guard
) -> None:
    def end_the_transaction() -> None:
        with rolled_back([app], test_engine, guard) as connection:
            connection.connection.commit()

    with pytest.raises(IsolationError, match="ended the transaction"):
        end_the_transaction()


def test_savepoints_are_allowed(session: Session) -> None:
    with session.begin_nested():
        ProbeFactory.create()
    with session.begin_nested() as inner:
        ProbeFactory.create()
        inner.rollback()

    assert session.scalar(COUNT) == 1


# Real commits


@pytest.mark.parametrize("attempt", ["first", "second"])
def test_committed_rows_are_visible_to_others_and_deleted_after_the_test(
    committed_db: Engine, session: Session, attempt: str
) -> None:
    ProbeFactory.create(code=f"the {attempt}")
    session.commit()

    with committed_db.connect() as other:
        assert other.scalar(COUNT) == 1


def test_all_rows_are_deleted_despite_references(committed_db: Engine, session: Session) -> None:
    parent = ProbeFactory.create()
    child = ProbeFactory.create(parent_id=parent.id)
    ProbeFactory.create(parent_id=child.id)
    parent.parent_id = child.id
    session.commit()

    with committed_db.connect() as connection:
        assert [table.name for table in tables_with_rows(connection)] == [Probe.__tablename__]
    delete_all_rows(committed_db)

    with committed_db.connect() as connection:
        assert tables_with_rows(connection) == []


def test_further_application_has_settings_of_its_own(make_app: MakeApp, app: Flask) -> None:
    further = make_app(threads=3)

    with further.app_context():
        engine = db.engine
    with app.app_context():
        assert db.engine is not engine
    with engine.connect(), engine.connect(), engine.connect() as third:
        assert third.scalar(select(1)) == 1


# Client


def test_client_keeps_no_context(client: FlaskClient) -> None:
    with pytest.raises(pytest.fail.Exception, match="response"):
        client.__enter__()


# Factories


def test_rows_of_a_factory_are_different() -> None:
    first, second = ProbeFactory.build(), ProbeFactory.build()

    assert first.code != second.code
    assert first.status is ProbeStatus.DRAFT


def test_rows_are_created_in_the_session_of_the_test(session: Session) -> None:
    rows = ProbeFactory.create_batch(3, status=ProbeStatus.ACTIVE)

    assert all(row in session for row in rows)
    assert session.scalar(COUNT) == 3


def test_factory_without_a_session_says_what_to_do() -> None:
    with pytest.raises(pytest.fail.Exception, match="`session`"):
        ProbeFactory.create()


# Queries


def test_statements_are_collected(queries: Queries, session: Session) -> None:
    with queries() as statements:
        session.scalar(COUNT)
        session.commit()
        session.scalar(COUNT)

    assert len(statements) == 2
    assert all(statement.startswith("SELECT count") for statement in statements)


def test_too_many_statements_fail_the_test_and_are_shown(
    queries: Queries, session: Session
) -> None:
    ProbeFactory.create_batch(3)
    session.commit()

    def look_at_each() -> None:
        with queries(at_most=2):
            for row in session.scalars(select(Probe)):
                session.refresh(row)

    with pytest.raises(pytest.fail.Exception, match="4 statements, where 2 are allowed") as failed:
        look_at_each()
    assert "4. SELECT" in str(failed.value)


def test_statements_after_the_block_are_not_collected(queries: Queries, session: Session) -> None:
    with queries(at_most=0) as statements:
        pass
    session.scalar(COUNT)

    assert statements == []


# Problems


@pytest.fixture
def not_found(client: FlaskClient) -> TestResponse:
    """The response for an id that does not exist."""
    return client.get(api.MISSING_URL)


def test_problem_is_returned(not_found: TestResponse) -> None:
    assert problem(not_found, 404)["instance"] == api.MISSING_URL


def test_problem_fails_for_another_status(not_found: TestResponse) -> None:
    with pytest.raises(AssertionError):
        problem(not_found, 409)


def test_problem_fails_for_a_response_without_a_problem(client: FlaskClient) -> None:
    with pytest.raises(AssertionError):
        problem(client.get(api.URL), 200)


# Programs

PROGRAM = """
import os, sys

named = {"sqlalchemy.orm", "structlog", "{{ cookiecutter.__package }}"}
print(*sys.argv[1:], os.getcwd(), sorted(os.environ), sorted(named & sys.modules.keys()))
sys.exit(3)
"""

WITH_CHILD_PROCESS = """
import os, time

with open("pipe", "w") as pipe:
    os.fork()
    time.sleep(5)
    pipe.write("survived")
"""


@pytest.mark.slow
def test_program_has_the_libraries_and_only_the_given_environment(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)

    done = run_program("program", "argument", environment={"NAME": "value"}, folder=tmp_path)

    assert done.stdout == f"argument {tmp_path} ['NAME'] ['sqlalchemy.orm', 'structlog']\n"
    assert done.returncode == 3


@pytest.mark.slow
def test_killed_program_takes_its_child_processes_along(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(WITH_CHILD_PROCESS)
    os.mkfifo(tmp_path / "pipe")
    program = Program(["program"], {}, tmp_path / "output", tmp_path)
    with (tmp_path / "pipe").open() as pipe:
        with pytest.raises(subprocess.TimeoutExpired):
            program.wait(0.1)

        program.kill()

        assert pipe.read() == ""
    assert program.poll() == -signal.SIGKILL


@pytest.mark.parametrize("name", LIBRARIES)
def test_libraries_of_programs_are_installed(name: str) -> None:
    assert find_spec(name)


# Time


def test_time_can_be_set(time_machine: TimeMachineFixture) -> None:
    noon = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
    time_machine.move_to(noon, tick=False)
    assert clock.utc_now() == noon

    time_machine.shift(timedelta(hours=25))
    assert clock.utc_now() == noon + timedelta(hours=25)
