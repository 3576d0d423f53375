"""A migration that was interrupted goes on where it stopped: DDL commits, so a half stays."""

from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import pytest
import sqlalchemy as sa

from {{ cookiecutter.__package }} import create_app
from {{ cookiecutter.__package }}.database import migrations, revisions
from {{ cookiecutter.__package }}.database.revisions import (
    PROGRESS_TABLE,
    MigrationError,
    expected_revision,
)
from {{ cookiecutter.__package }}.settings import Settings

from ..support.schemas import migration_connection, schema_of

STATEMENTS = (
    'op.create_table("_first", sa.Column("id", sa.Integer(), primary_key=True))',
    'op.execute("INSERT INTO _first (id) VALUES (1)")',
    'op.add_column("_first", sa.Column("color", sa.String(20), nullable=True))',
    "op.execute(\"UPDATE _first SET color = CONCAT(COALESCE(color, ''), 'x')\")",
    'op.create_index("ix__first_color", "_first", ["color"])',
    "op.execute(\"UPDATE _first SET color = CONCAT(color, 'y')\")",
    'op.create_table("_rows", sa.Column("number", sa.Integer()))',
    'op.bulk_insert(sa.table("_rows", sa.column("number")), [{"number": 1}, {"number": 2}])',
    'op.add_column("_rows", sa.Column("more", sa.Integer()))',
)
UNDONE = (
    'op.drop_table("_rows")',
    'op.drop_index("ix__first_color", "_first")',
    'op.drop_column("_first", "color")',
    'op.drop_table("_first")',
)
STOP = 'raise RuntimeError("interrupted")'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the migrations, to add to."""
    copied = tmp_path / "migrations"
    copytree(revisions.FOLDER, copied)
    monkeypatch.setattr(revisions, "FOLDER", copied)
    yield copied
    revisions.forget_history()


def write(folder: Path, upgrade: tuple[str, ...], downgrade: tuple[str, ...] = UNDONE) -> Path:
    """Write the migration `half` with these lines."""
    path = folder / "versions" / "half.py"
    lines = [
        "import sqlalchemy as sa",
        "from alembic import op",
        'revision = "half"',
        f"down_revision = {expected_head(folder)!r}",
        "def upgrade():",
        *(f"    {line}" for line in upgrade),
        "def downgrade():",
        *(f"    {line}" for line in downgrade),
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    revisions.forget_history()
    return path


def expected_head(folder: Path) -> str | None:
    """The newest revision of the project, without `half`."""
    (folder / "versions" / "half.py").unlink(missing_ok=True)
    revisions.forget_history()
    return expected_revision()


def interrupted(settings: Settings, folder: Path, after: int) -> None:
    """Upgrade, and stop after so many statements."""
    write(folder, (*STATEMENTS[:after], STOP, *STATEMENTS[after:]))
    with pytest.raises(RuntimeError, match="interrupted"):
        migrations.upgrade(settings)


def rows(settings: Settings, query: str) -> list[tuple[object, ...]]:
    """The rows of a query."""
    with migration_connection(settings) as connection:
        return [tuple(row) for row in connection.execute(sa.text(query))]


@pytest.mark.parametrize("after", range(1, len(STATEMENTS) + 1))
def test_an_interrupted_upgrade_goes_on(migrated: Settings, folder: Path, after: int) -> None:
    interrupted(migrated, folder, after)
    write(folder, STATEMENTS)

    migrations.upgrade(migrated)

    assert rows(migrated, "SELECT id, color FROM _first") == [(1, "xy")]
    assert rows(migrated, "SELECT number FROM _rows ORDER BY number") == [(1,), (2,)]
    assert "ix__first_color" in str(schema_of(migrated)["_first"]["indexes"])
    assert rows(migrated, f"SELECT * FROM {PROGRESS_TABLE}") == []


@pytest.mark.parametrize("after", [1, 3, 5, 7, 9])
def test_a_statement_that_was_done_and_not_recorded_is_not_an_error(
    migrated: Settings, folder: Path, after: int
) -> None:
    interrupted(migrated, folder, after)
    with migration_connection(migrated) as connection:
        last = f"UPDATE {PROGRESS_TABLE} SET done = 0 ORDER BY position DESC LIMIT 1"
        connection.execute(sa.text(last))
    write(folder, STATEMENTS)

    migrations.upgrade(migrated)

    assert rows(migrated, "SELECT id, color FROM _first") == [(1, "xy")]


@pytest.mark.parametrize("after", range(1, len(UNDONE) + 1))
def test_an_interrupted_downgrade_goes_on(migrated: Settings, folder: Path, after: int) -> None:
    write(folder, STATEMENTS)
    migrations.upgrade(migrated)
    write(folder, STATEMENTS, (*UNDONE[:after], STOP, *UNDONE[after:]))
    with pytest.raises(RuntimeError, match="interrupted"):
        migrations.downgrade(migrated, "-1")
    write(folder, STATEMENTS)

    migrations.downgrade(migrated, "-1")

    assert "_first" not in schema_of(migrated)
    migrations.upgrade(migrated)
    assert rows(migrated, "SELECT id, color FROM _first") == [(1, "xy")]


def test_a_failed_statement_that_was_not_begun_before_is_an_error(
    migrated: Settings, folder: Path
) -> None:
    write(folder, (STATEMENTS[0], STATEMENTS[0]))

    with pytest.raises(MigrationError, match="half could not be applied"):
        migrations.upgrade(migrated)


def test_the_rest_may_change_and_what_was_done_may_not(migrated: Settings, folder: Path) -> None:
    interrupted(migrated, folder, 3)
    write(folder, (STATEMENTS[0].replace("_first", "_other"), *STATEMENTS[1:]))
    with pytest.raises(MigrationError, match="interrupted after 0 statements that are not those"):
        migrations.upgrade(migrated)

    write(folder, STATEMENTS[:3])
    migrations.upgrade(migrated)

    assert rows(migrated, "SELECT id, color FROM _first") == [(1, None)]


def test_rows_that_were_inserted_together_may_not_change(migrated: Settings, folder: Path) -> None:
    interrupted(migrated, folder, len(STATEMENTS))
    write(folder, tuple(each.replace('"number": 2', '"number": 3') for each in STATEMENTS))

    with pytest.raises(MigrationError, match="statements that are not those of the file"):
        migrations.upgrade(migrated)


def test_another_migration_does_not_begin_before_the_interrupted_one_is_finished(
    migrated: Settings, folder: Path
) -> None:
    interrupted(migrated, folder, 3)

    with pytest.raises(MigrationError, match=r"The upgrade of half was interrupted .* Finish it"):
        migrations.downgrade(migrated, "-1")


def test_a_step_that_ended_without_its_record_being_deleted_is_over(
    migrated: Settings, folder: Path
) -> None:
    write(folder, STATEMENTS)
    migrations.upgrade(migrated)
    with migration_connection(migrated) as connection:
        row = f"INSERT INTO {PROGRESS_TABLE} VALUES (0, 'upgrade half', 'x', 1)"
        connection.execute(sa.text(row))

    migrations.downgrade(migrated, "-1")

    assert "_first" not in schema_of(migrated)


def test_a_statement_without_parameters_is_not_repeated(migrated: Settings, folder: Path) -> None:
    unprepared = STATEMENTS[3].removesuffix(")") + ", execution_options={'no_parameters': True})"
    write(folder, (*STATEMENTS[:3], unprepared, STOP))
    with pytest.raises(RuntimeError, match="interrupted"):
        migrations.upgrade(migrated)
    write(folder, (*STATEMENTS[:3], unprepared))

    migrations.upgrade(migrated)

    assert rows(migrated, "SELECT id, color FROM _first") == [(1, "x")]


def test_each_command_tells_that_a_migration_was_interrupted(
    migrated: Settings, folder: Path
) -> None:
    interrupted(migrated, folder, 3)
    runner = create_app(migrated).test_cli_runner()
    sentence = "The upgrade of half was interrupted at its statement 3. Finish it first"

    assert sentence in runner.invoke(args=["db", "current"]).output
    for command in (["check"], ["revision", "-m", "More"], ["downgrade", "-1"]):
        result = runner.invoke(args=["db", *command])
        assert result.exit_code == 1
        [line] = result.output.splitlines()
        assert sentence in line


@pytest.mark.parametrize("newer", [False, True])
def test_an_older_release_starts_on_what_was_interrupted_and_tells_it(
    migrated: Settings, folder: Path, newer: bool
) -> None:
    known = expected_revision()
    if newer:
        write(folder, STATEMENTS[:2]).rename(folder / "versions" / "newer.py")
        text = (folder / "versions" / "newer.py").read_text(encoding="utf-8")
        (folder / "versions" / "newer.py").write_text(text.replace("half", "newer"), "utf-8")
        revisions.forget_history()
        migrations.upgrade(migrated)
        assert expected_revision() != known
    steps = STATEMENTS[2:] if newer else STATEMENTS
    write(folder, (*steps[:1], STOP))
    with pytest.raises(RuntimeError, match="interrupted"):
        migrations.upgrade(migrated)
    for name in ("half", "newer"):
        (folder / "versions" / f"{name}.py").unlink(missing_ok=True)
    revisions.forget_history()

    notes = migrations.upgrade(migrated)

    assert notes[-1].startswith("The upgrade of half was interrupted at its statement 1.")
