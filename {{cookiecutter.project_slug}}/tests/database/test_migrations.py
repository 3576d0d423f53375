"""The history of the schema: forward, back, alone among replicas, and in step with the models."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from threading import Event, Thread

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import inspect

from {{ cookiecutter.__package }} import create_app
from {{ cookiecutter.__package }}.database import Base, authoring, migrations, revisions
from {{ cookiecutter.__package }}.database.engine import migration_lock
from {{ cookiecutter.__package }}.database.revisions import applied_revisions
from {{ cookiecutter.__package }}.settings import Settings
from {{ cookiecutter.__package }}.web.idempotency import IdempotencyKey

from ..support.concurrency import SECONDS
from ..support.engine import make_migration_engine, run_script
from ..support.processes import in_processes
from ..support.programs import run_program
from ..support.schemas import alter, downgrade, migration_connection, schema_of, upgrade

TABLE = IdempotencyKey.__tablename__
REPLICAS = 4
FIRST = "0001"

Change = Callable[[Operations], object]


def add_column(operations: Operations) -> None:
    operations.add_column(TABLE, sa.Column("colour", sa.String(20), nullable=True))


def change_type(operations: Operations) -> None:
    with operations.batch_alter_table(TABLE) as table:
        table.alter_column(
            "status", type_=sa.String(9), existing_type=sa.Integer(), existing_nullable=False
        )


def change_length(operations: Operations) -> None:
    with operations.batch_alter_table("idempotency_keys") as table:
        table.alter_column(
            "headers", type_=sa.String(300), existing_type=sa.String(2000), existing_nullable=False
        )


def change_default(operations: Operations) -> None:
    with operations.batch_alter_table(TABLE) as table:
        table.alter_column(
            "status", server_default="7", existing_type=sa.Integer(), existing_nullable=False
        )


def allow_null(operations: Operations) -> None:
    with operations.batch_alter_table(TABLE) as table:
        table.alter_column("status", nullable=True, existing_type=sa.Integer())


def drop_index(operations: Operations) -> None:
    operations.drop_index("ix_idempotency_keys_created_at", "idempotency_keys")


def add_unique(operations: Operations) -> None:
    with operations.batch_alter_table(TABLE) as table:
        table.create_unique_constraint(f"uq_{TABLE}_body_digest", ["body_digest"])


DRIFTS = [
    add_column,
    change_type,
    change_length,
    change_default,
    allow_null,
    drop_index,
    add_unique,
]


VALUES: dict[Change, tuple[str, ...]] = {allow_null: ("--default", f"{TABLE}.status:1")}
"""The option that a migration needs to make a column required again."""


@pytest.fixture
def runner(migrated: Settings) -> FlaskCliRunner:
    """Runs commands on that database."""
    return create_app(migrated).test_cli_runner()


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the migrations that a test may add to."""
    folder = tmp_path / "migrations"
    copytree(revisions.FOLDER, folder)
    monkeypatch.setattr(revisions, "FOLDER", folder)
    return folder


def test_there_is_one_head() -> None:
    assert len(ScriptDirectory(str(revisions.FOLDER)).get_heads()) == 1


def test_the_way_back_leaves_nothing_and_the_way_forward_leads_to_the_same(
    migrated: Settings,
) -> None:
    first = schema_of(migrated)
    assert first.keys() == Base.metadata.tables.keys()

    downgrade(migrated, "base")
    assert schema_of(migrated) == {}

    upgrade(migrated)
    assert schema_of(migrated) == first


def applied_to(settings: Settings) -> set[str]:
    with migration_connection(settings) as connection:
        return set(applied_revisions(connection))


def test_each_step_back_and_forward_leads_to_the_same(migrated: Settings) -> None:
    while applied := applied_to(migrated):
        before = schema_of(migrated)
        downgrade(migrated, "-1")
        [taken_back] = applied - applied_to(migrated)
        below = schema_of(migrated)
        upgrade(migrated, taken_back)
        assert schema_of(migrated) == before
        downgrade(migrated, "-1")
        assert schema_of(migrated) == below


@pytest.mark.slow
def test_models_and_migrations_agree_in_a_fresh_process(migrated: Settings) -> None:
    done = run_program(
        *("flask", "--app", "{{ cookiecutter.__package }}", "db", "check"),
        environment={
            **os.environ,
            "ENVIRONMENT": "test",
            "DATABASE_URL": migrated.database_url.get_secret_value(),
        },
    )

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("drift", DRIFTS)
def test_drift_is_found(runner: FlaskCliRunner, migrated: Settings, drift: Change) -> None:
    assert runner.invoke(args=["db", "check"]).exit_code == 0

    alter(migrated, drift)

    result = runner.invoke(args=["db", "check"])
    assert result.exit_code != 0
    assert "Models and database differ" in result.output


def test_offline_script_makes_the_same_schema(runner: FlaskCliRunner, migrated: Settings) -> None:
    downgrade(migrated, FIRST)  # what changes a table may need to look at it
    expected = schema_of(migrated)
    script = runner.invoke(args=["db", "sql", FIRST])
    assert script.exit_code == 0
    downgrade(migrated, "base")
    with migration_connection(migrated) as connection:
        connection.execute(sa.text("DROP TABLE alembic_version"))

    with make_migration_engine(migrated).connect() as connection:
        run_script(connection.connection.driver_connection, script.stdout)

    assert schema_of(migrated) == expected
    assert FIRST in runner.invoke(args=["db", "current"]).stdout


def test_script_of_a_part(runner: FlaskCliRunner) -> None:
    script = runner.invoke(args=["db", "sql", f"{FIRST}:{FIRST}"])

    assert script.exit_code == 0
    assert "CREATE TABLE" not in script.stdout


def test_second_migration_waits_for_the_first(empty_database: Settings) -> None:
    let_in = Event()

    def migrate() -> None:
        with migration_connection(empty_database) as connection, migration_lock(connection):
            let_in.set()

    second = Thread(target=migrate)
    with migration_connection(empty_database) as connection, migration_lock(connection):
        second.start()
        assert not let_in.wait(0.5)
    assert let_in.wait(SECONDS)
    second.join()


@pytest.mark.slow
def test_of_replicas_that_start_together_one_migrates(empty_database: Settings) -> None:
    in_processes("tests.support.replica", empty_database, REPLICAS)

    assert schema_of(empty_database).keys() == Base.metadata.tables.keys()
    with migration_connection(empty_database) as connection:
        versions = connection.scalars(sa.text("SELECT version_num FROM alembic_version")).all()
    assert versions == [revisions.expected_revision()]


def test_commands_lead_back_and_forward(runner: FlaskCliRunner, migrated: Settings) -> None:
    newest = f"{revisions.expected_revision()} (head)"
    assert newest in runner.invoke(args=["db", "current"]).stdout

    assert runner.invoke(args=["db", "downgrade", "base"]).exit_code == 0
    assert schema_of(migrated) == {}
    assert newest not in runner.invoke(args=["db", "current"]).stdout

    assert runner.invoke(args=["db", "upgrade"]).exit_code == 0
    assert newest in runner.invoke(args=["db", "current"]).stdout


def test_tables_that_refer_to_each_other_are_compared(migrated: Settings) -> None:
    models = sa.MetaData(naming_convention=Base.metadata.naming_convention)
    for name, other in (("_one", "_two"), ("_two", "_one")):
        key = sa.ForeignKey(f"{other}.id")
        sa.Table(name, models, sa.Column("id", sa.Uuid, primary_key=True), sa.Column("other", key))

    found = authoring.check(migrated, models).found

    assert {f"{name}: the table is not in the database." for name in models.tables} <= set(found)


@pytest.mark.parametrize("drift", [add_column, allow_null, change_length, drop_index, add_unique])
def test_new_migration_holds_the_difference(
    runner: FlaskCliRunner, migrated: Settings, own_folder: Path, drift: Change
) -> None:
    expected = schema_of(migrated)
    alter(migrated, drift)
    drifted = schema_of(migrated)
    before = revisions.expected_revision()
    assert before

    values = VALUES.get(drift, ())
    result = runner.invoke(args=["db", "revision", "-m", "Fix what drifted", *values])

    assert result.exit_code == 0, result.output
    [written] = own_folder.glob("versions/*_fix_what_drifted.py")
    assert written.name.startswith(f"{revisions.expected_revision()}_")
    assert runner.invoke(args=["db", "upgrade"]).exit_code == 0
    assert schema_of(migrated) == expected
    assert runner.invoke(args=["db", "downgrade", before]).exit_code == 0
    assert schema_of(migrated).keys() == drifted.keys()
    assert schema_of(migrated) != expected


@pytest.mark.parametrize("table", [TABLE])
def test_new_migration_names_and_imports_the_types_of_a_table(
    runner: FlaskCliRunner, migrated: Settings, own_folder: Path, table: str
) -> None:
    expected = schema_of(migrated)
    alter(migrated, lambda operations: operations.drop_table(table))

    result = runner.invoke(args=["db", "revision", "-m", "Bring a table back"])

    assert result.exit_code == 0, result.output
    [written] = [path.read_text() for path in own_folder.glob("versions/*_bring_a_table_back.py")]
    assert re.search(r"column_types\.UtcDateTime\(", written)
    assert runner.invoke(args=["db", "upgrade"]).exit_code == 0
    assert schema_of(migrated) == expected


def test_no_migration_is_written_without_a_difference(
    runner: FlaskCliRunner, own_folder: Path
) -> None:
    before = list(own_folder.glob("versions/*.py"))

    result = runner.invoke(args=["db", "revision", "-m", "Nothing"])

    assert result.exit_code == 0
    assert "agree" in result.output
    assert list(own_folder.glob("versions/*.py")) == before


def test_migrations_do_not_need_an_application(empty_database: Settings) -> None:
    with migrations.connected_config(empty_database) as config:
        command.upgrade(config, "head")

    with migration_connection(empty_database) as connection:
        assert revisions.current_revision(connection) == revisions.expected_revision()
        assert inspect(connection).has_table(TABLE)


def test_a_database_without_a_schema_has_no_revision(empty_database: Settings) -> None:
    with migration_connection(empty_database) as connection:
        assert revisions.current_revision(connection) is None


def test_the_factory_does_not_touch_the_database(empty_database: Settings) -> None:
    app = create_app(empty_database)

    assert isinstance(app, Flask)
    assert schema_of(empty_database) == {}
