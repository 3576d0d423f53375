"""Each state of a database and a history is readiness, or one sentence that says what to do."""

import re
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import pytest
import sqlalchemy as sa
from alembic.operations import Operations
from flask.testing import FlaskCliRunner

from {{ cookiecutter.__package }} import create_app
from {{ cookiecutter.__package }}.database import migrations, revisions
from {{ cookiecutter.__package }}.database.revisions import (
    APPLIED_TABLE,
    MigrationError,
    applied_revisions,
    current_heads,
    expected_revision,
    history,
    schema_status,
)
from {{ cookiecutter.__package }}.settings import Settings

from ..support.leaks import engine_of
from ..support.problems import problem
from ..support.schemas import alter, migration_connection, schema_of

BREAKS = "\nbreaks_older_code = True\n"
ADDS_A_TABLE = """
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {down_revision!r}
{more}

def upgrade() -> None:
    op.create_table("_t_{revision}", sa.Column("id", sa.Integer(), primary_key=True))


def downgrade() -> None:
    op.drop_table("_t_{revision}")
"""
HEAD = str(expected_revision())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the migrations, to add to and to delete from."""
    copied = tmp_path / "migrations"
    copytree(revisions.FOLDER, copied)
    monkeypatch.setattr(revisions, "FOLDER", copied)
    yield copied
    revisions.forget_history()


def add(folder: Path, revision: str, *parents: str, more: str = "") -> Path:
    """Write a migration that adds a table."""
    down = parents[0] if len(parents) == 1 else parents
    path = folder / "versions" / f"{revision}_adds_a_table.py"
    text = ADDS_A_TABLE.format(revision=revision, down_revision=down, more=more)
    path.write_text(text, encoding="utf-8")
    revisions.forget_history()
    return path


def spoil(path: Path) -> None:
    """Make the migration fail."""
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("op.create_table(", 'op.execute("NONSENSE")  # '), "utf-8")


def remove(path: Path) -> None:
    """Go to code that does not have the migration."""
    path.unlink()
    revisions.forget_history()


def db(settings: Settings, *command: str) -> tuple[int, str]:
    """Run a command of `flask db`; return its exit status and its output."""
    runner: FlaskCliRunner = create_app(settings).test_cli_runner()
    result = runner.invoke(args=["db", *command])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_all_applied_revisions_are_recorded(migrated: Settings) -> None:
    with migration_connection(migrated) as connection:
        assert set(applied_revisions(connection)) == history().parents.keys()

    migrations.downgrade(migrated, "base")
    with migration_connection(migrated) as connection:
        assert applied_revisions(connection) == {}


def test_revisions_of_another_tool_are_recorded_by_the_next_upgrade(migrated: Settings) -> None:
    with migration_connection(migrated) as connection:
        connection.execute(sa.text(f"DROP TABLE {APPLIED_TABLE}"))
        assert not schema_status(connection).ready

    migrations.upgrade(migrated)

    with migration_connection(migrated) as connection:
        assert schema_status(connection).ready
        assert set(applied_revisions(connection)) == history().parents.keys()


def test_the_offline_script_records_them_too(migrated: Settings) -> None:
    status, script = db(migrated, "sql", "0001")  # what alters a table may need to look at it

    assert status == 0
    assert f"INSERT INTO {APPLIED_TABLE}" in script
    assert "'0001'" in script


def test_a_database_behind_the_code_is_not_ready(empty_database: Settings, folder: Path) -> None:
    migrations.upgrade(empty_database)
    add(folder, "newer", HEAD)

    with migration_connection(empty_database) as connection:
        status = schema_status(connection)

    assert not status.ready
    assert "migrate it" in status.detail


def test_a_database_ahead_of_the_code_is_ready(empty_database: Settings, folder: Path) -> None:
    newer = add(folder, "newer", HEAD)
    newest = add(folder, "newest", "newer")
    migrations.upgrade(empty_database)
    remove(newest)
    remove(newer)

    with migration_connection(empty_database) as connection:
        status = schema_status(connection)

    assert status.ready
    assert status.ahead == ("newer", "newest")


def test_a_database_ahead_that_breaks_older_code_is_not_ready(
    empty_database: Settings, folder: Path
) -> None:
    newer = add(folder, "newer", HEAD, more=BREAKS)
    migrations.upgrade(empty_database)
    with migration_connection(empty_database) as connection:
        assert schema_status(connection).ready
    remove(newer)

    with migration_connection(empty_database) as connection:
        status = schema_status(connection)

    assert not status.ready
    assert "newer" in status.detail


def test_a_database_of_another_branch_is_not_ready(empty_database: Settings, folder: Path) -> None:
    other = add(folder, "other", HEAD)
    migrations.upgrade(empty_database)
    remove(other)
    add(folder, "ours", HEAD)

    with migration_connection(empty_database) as connection:
        status = schema_status(connection)

    assert not status.ready
    assert "another history" in status.detail
    assert "other" in status.detail


def test_a_downgraded_database_is_behind(empty_database: Settings, folder: Path) -> None:
    add(folder, "newer", HEAD)
    migrations.upgrade(empty_database)
    migrations.downgrade(empty_database, "-1")

    with migration_connection(empty_database) as connection:
        assert not schema_status(connection).ready


def test_upgrade_leaves_a_database_alone_that_is_ahead(
    empty_database: Settings, folder: Path
) -> None:
    newer = add(folder, "newer", HEAD)
    migrations.upgrade(empty_database)
    remove(newer)
    before = schema_of(empty_database)

    status, output = db(empty_database, "upgrade")

    assert status == 0
    assert "ahead of this code" in output
    assert schema_of(empty_database) == before
    assert "ahead of this code" in db(empty_database, "current")[1]


@pytest.mark.parametrize(
    "command", [("upgrade",), ("downgrade", "-1"), ("check",), ("revision", "-m", "More")]
)
def test_an_unknown_revision_is_one_sentence(
    empty_database: Settings, folder: Path, command: tuple[str, ...]
) -> None:
    other = add(folder, "other", HEAD)
    migrations.upgrade(empty_database)
    remove(other)
    add(folder, "ours", HEAD)

    status, output = db(empty_database, *command)

    assert status == 1
    [line] = output.splitlines()
    assert line.startswith("Error: The database is at other, which this code does not have.")
    assert "Check out the code that has it" in line


@pytest.mark.parametrize(
    "command", [("upgrade",), ("check",), ("current",), ("sql",), ("revision", "-m", "More")]
)
def test_two_newest_revisions_are_one_sentence(
    empty_database: Settings, folder: Path, command: tuple[str, ...]
) -> None:
    migrations.upgrade(empty_database)
    add(folder, "one", HEAD)
    add(folder, "two", HEAD)

    status, output = db(empty_database, *command)

    assert status == 1
    [line] = output.splitlines()
    assert "several newest revisions: one, two" in line
    assert "make merge-migrations" in line


EACH_COMMAND = pytest.mark.parametrize(
    "command",
    [
        ("upgrade",),
        ("downgrade", "-1"),
        ("check",),
        ("current",),
        ("sql",),
        ("merge",),
        ("revision", "-m", "More"),
    ],
)


@EACH_COMMAND
def test_a_missing_migration_is_one_sentence(
    migrated: Settings, folder: Path, command: tuple[str, ...]
) -> None:
    add(folder, "newest", "missing")
    add(folder, "missing", HEAD).unlink()

    assert db(migrated, *command) == (
        1,
        "Error: The migration newest follows missing, which is not in migrations/versions. Add its"
        " file: it was not committed, or a merge has lost it.\n",
    )


@EACH_COMMAND
def test_two_files_of_one_revision_are_one_sentence(
    migrated: Settings, folder: Path, command: tuple[str, ...]
) -> None:
    path = add(folder, "newer", HEAD)
    path.with_name("newer_copy.py").write_bytes(path.read_bytes())

    status, output = db(migrated, *command)

    assert status == 1
    [line] = output.splitlines()
    assert "newer_adds_a_table.py and newer_copy.py are both the revision newer" in line


BROKEN_FILES = {
    "<<<<<<< HEAD\nrevision = 'a'": "The migration newer.py cannot be read: invalid syntax",
    "revision = make()\ndown_revision = 'a'": "The migration newer.py cannot be read: malformed",
    "down_revision: str = 'a'": "The migration newer.py does not set revision. Write `revision =",
    "revision: str = 'a'\ndown_revision: str": "The migration newer.py does not set down_revision.",
}


def add_broken(folder: Path, text: str) -> None:
    """Write a file that is not a migration."""
    (folder / "versions" / "newer.py").write_text(text, encoding="utf-8")
    revisions.forget_history()


@EACH_COMMAND
@pytest.mark.parametrize("text", BROKEN_FILES)
def test_a_file_that_is_not_a_migration_is_one_sentence(
    migrated: Settings, folder: Path, command: tuple[str, ...], text: str
) -> None:
    add_broken(folder, text)

    status, output = db(migrated, *command)

    assert status == 1
    [line] = output.splitlines()
    assert line.startswith(f"Error: {BROKEN_FILES[text]}")


@pytest.mark.parametrize("text", BROKEN_FILES)
def test_a_service_with_a_file_that_is_not_a_migration_is_not_ready(
    migrated: Settings, folder: Path, text: str
) -> None:
    app = create_app(migrated)
    add_broken(folder, text)

    response = app.test_client().get("/readyz")

    engine_of(app).dispose()
    assert problem(response, 503)["detail"].startswith(BROKEN_FILES[text])


def test_names_may_have_types(migrated: Settings, folder: Path) -> None:
    path = add(folder, "newer", HEAD, more=BREAKS.replace(" =", ": bool ="))
    text = path.read_text(encoding="utf-8").replace("revision =", "revision: str =")
    path.write_text(text, encoding="utf-8")
    revisions.forget_history()

    migrations.upgrade(migrated)

    assert expected_revision() == "newer"
    with migration_connection(migrated) as connection:
        assert applied_revisions(connection)["newer"]


@pytest.mark.parametrize("parents", [(HEAD,), ("missing",)])
def test_a_service_with_a_broken_history_is_not_ready(
    migrated: Settings, folder: Path, parents: tuple[str, ...]
) -> None:
    add(folder, "one", HEAD)
    add(folder, "two", *parents)

    with migration_connection(migrated) as connection:
        status = schema_status(connection)

    assert not status.ready
    assert "two" in status.detail


def test_branches_are_joined_by_a_command(empty_database: Settings, folder: Path) -> None:
    add(folder, "0003_aaaaaaaa", HEAD)
    migrations.upgrade(empty_database)
    add(folder, "0003_bbbbbbbb", HEAD)
    before = set(folder.glob("versions/*_merge_branches.py"))

    status, _output = db(empty_database, "merge")

    assert status == 0
    [written] = set(folder.glob("versions/*_merge_branches.py")) - before
    assert written.name.startswith("0004_")
    assert expected_revision() == written.name.removesuffix("_merge_branches.py")
    migrations.upgrade(empty_database)
    tables = schema_of(empty_database).keys()
    assert {"_t_0003_aaaaaaaa", "_t_0003_bbbbbbbb"} <= tables
    with migration_connection(empty_database) as connection:
        assert current_heads(connection) == [expected_revision()]
    migrations.downgrade(empty_database, HEAD)
    assert not {"_t_0003_aaaaaaaa", "_t_0003_bbbbbbbb"} & schema_of(empty_database).keys()


def test_joined_branches_are_taken_back_one_by_one(empty_database: Settings, folder: Path) -> None:
    for revision, *parents in (
        ("one", HEAD),
        ("one_more", "one"),
        ("two", HEAD),
        ("two_more", "two"),
        ("joined", "one_more", "two_more"),
    ):
        add(folder, revision, *parents)
    migrations.upgrade(empty_database)

    for heads in (
        ["one_more", "two_more"],
        ["one_more", "two"],
        ["one_more"],
        ["one"],
        [HEAD],
    ):
        migrations.downgrade(empty_database, "-1")
        with migration_connection(empty_database) as connection:
            assert current_heads(connection) == heads
            assert applied_revisions(connection).keys() == set(history().up_to(heads))


def test_the_way_back_to_the_present_revision_changes_nothing(migrated: Settings) -> None:
    before = schema_of(migrated)

    migrations.downgrade(migrated, HEAD)

    assert schema_of(migrated) == before
    with migration_connection(migrated) as connection:
        assert current_heads(connection) == [HEAD]


def test_one_revision_is_not_merged(migrated: Settings) -> None:
    assert db(migrated, "merge") == (
        1,
        "Error: There is one newest revision already: nothing to merge.\n",
    )


@pytest.mark.parametrize(
    ("command", "part"),
    [
        (("upgrade", "nonsense"), "There is no revision 'nonsense'"),
        (("downgrade", "nonsense"), "There is no revision 'nonsense'"),
        (("sql", "nonsense"), "There is no revision 'nonsense'"),
        (("sql", "nonsense:head"), "There is no revision 'nonsense'"),
        (("revision", "-m", "x", "--rename", "a-b"), "write rename=orders.old:new"),
        (("revision", "-m", "x", "--rename", "nothing:more"), "no table nothing"),
        (("revision", "-m", "x", "--default", "draft"), "write default=orders.status:draft"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    migrated: Settings, command: tuple[str, ...], part: str
) -> None:
    status, output = db(migrated, *command)

    assert status == 1
    [line] = output.splitlines()
    assert part in line


def test_a_database_that_is_behind_is_migrated_before_it_is_compared(
    empty_database: Settings,
) -> None:
    status, output = db(empty_database, "check")

    assert status == 1
    assert "Migrate it first: `flask db upgrade`" in output


def test_a_statement_that_the_database_rejects_names_the_migration(
    empty_database: Settings, folder: Path
) -> None:
    path = add(folder, "wrong", HEAD)
    spoil(path)

    status, output = db(empty_database, "upgrade")

    assert status == 1
    assert output.splitlines()[-1].startswith("Error: The migration wrong could not be applied: ")


def test_each_revision_has_a_transaction_of_its_own(empty_database: Settings, folder: Path) -> None:
    add(folder, "right", HEAD)
    path = add(folder, "wrong", "right")
    spoil(path)

    with pytest.raises(MigrationError, match="wrong could not be applied"):
        migrations.upgrade(empty_database)

    with migration_connection(empty_database) as connection:
        assert current_heads(connection) == ["right"]


def test_an_empty_migration_is_written_for_what_is_done_by_hand(
    migrated: Settings, folder: Path
) -> None:
    first, _ = db(migrated, "revision", "-m", "Fill it", "--empty")

    assert first == 0
    [written] = folder.glob("versions/*_fill_it.py")
    assert "pass" in written.read_text(encoding="utf-8")
    assert db(migrated, "upgrade")[0] == 0


def test_two_branches_with_one_message_have_two_ids(migrated: Settings, folder: Path) -> None:
    db(migrated, "revision", "-m", "Fill it", "--empty")
    [first] = folder.glob("versions/*_fill_it.py")
    remove(first)

    db(migrated, "revision", "-m", "Fill it", "--empty")

    [second] = folder.glob("versions/*_fill_it.py")
    assert first.name != second.name


def test_without_migrations_there_is_no_newest_revision(
    empty_database: Settings, folder: Path
) -> None:
    for path in folder.glob("versions/*.py"):
        path.unlink()
    revisions.forget_history()

    assert db(empty_database, "upgrade") == (1, "Error: There are no migrations yet.\n")


def test_the_start_of_an_id_names_a_revision_if_it_is_that_of_one(
    empty_database: Settings, folder: Path
) -> None:
    add(folder, "x_aaaa", HEAD)
    add(folder, "x_abbb", "x_aaaa")

    assert db(empty_database, "upgrade", "x_aa")[0] == 0

    assert "x_aaaa" in db(empty_database, "current")[1]
    status, output = db(empty_database, "upgrade", "x_a")
    assert status == 1
    assert "no revision 'x_a'" in output
    assert "It may be x_aaaa or x_abbb." in output


def test_a_database_cannot_go_back_to_a_revision_above_it(
    empty_database: Settings, folder: Path
) -> None:
    migrations.upgrade(empty_database)
    add(folder, "newer", HEAD)

    status, output = db(empty_database, "downgrade", "newer")

    assert status == 1
    [line] = output.splitlines()
    assert line.startswith("Error: The database is not at newer or above it")


def test_an_error_of_the_database_is_one_sentence(empty_database: Settings) -> None:
    with migration_connection(empty_database) as connection:
        connection.execute(sa.text("CREATE TABLE alembic_version (other INTEGER)"))

    for command in ("current", "upgrade"):
        status, output = db(empty_database, command)

        assert status == 1
        [line] = output.splitlines()
        assert re.match(r"Error: The database reports: \w+: .*version_num", line)


def test_a_view_is_named_as_not_compared(migrated: Settings) -> None:
    with migration_connection(migrated) as connection:
        connection.execute(sa.text("CREATE VIEW _numbers AS SELECT 1 AS number"))

    status, output = db(migrated, "check")

    assert status == 0
    assert "Not compared: view _numbers." in output.splitlines()


def test_a_way_back_that_rows_may_stop_is_a_note_of_the_command(
    migrated: Settings, folder: Path
) -> None:
    column: sa.Column[str] = sa.Column("color", sa.String(20), nullable=False)

    def add_required(operations: Operations) -> None:
        with operations.batch_alter_table("idempotency_keys") as table:
            table.add_column(column)

    alter(migrated, add_required)

    status, output = db(migrated, "revision", "-m", "Remove it")

    assert status == 0, output
    assert len(list(folder.glob("versions/*_remove_it.py"))) == 1
    assert "The way back makes idempotency_keys.color required again" in output
