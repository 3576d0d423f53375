"""Revisions of the schema, as the service sees them: read without Alembic, which is slow to import.

`alembic_version` is Alembic's own table and holds the newest revision only. `applied_revisions`
holds all that were applied, so that a release recognises a database that is ahead of it.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    MetaData,
    String,
    Table,
    column,
    insert,
    inspect,
    select,
    table,
)

FOLDER = Path(__file__).parent.parent / "migrations"

VERSION_TABLE = "alembic_version"
APPLIED_TABLE = "applied_revisions"
PROGRESS_TABLE = "unfinished_migration"
INTERNAL_TABLES = frozenset({VERSION_TABLE, APPLIED_TABLE, PROGRESS_TABLE})
"""The tables that migrations keep for themselves: no model has them."""

BREAKS_OLDER_CODE = "breaks_older_code"
"""Write `breaks_older_code = True` into a migration that an older release cannot run on."""
NAMES = ("revision", "down_revision", BREAKS_OLDER_CODE)
"""The names in a migration that the service reads."""

APPLIED = Table(
    APPLIED_TABLE,
    MetaData(),
    Column("revision", String(64), primary_key=True),
    Column(BREAKS_OLDER_CODE, Boolean, nullable=False),
)

BEHIND = "The database schema is not at the revision of this service; migrate it."
OTHER_HISTORY = (
    "The database schema has another history: it is at {present}, which this service does not know."
)
BROKEN_BY = (
    "The database schema is at {present}, which this release cannot run on; deploy a newer one."
)
PRESENT_TWICE = (
    "{one} and {two} are both the revision {revision}. Delete the one that is a copy; write the"
    " other anew by `make migration`, if they differ."
)
PARENT_MISSING = (
    "The migration {revision} follows {parent}, which is not in migrations/versions. Add its file:"
    " it was not committed, or a merge has lost it."
)

UNREADABLE = (
    "The migration {file} cannot be read: {error}. Correct the file; a merge may have left conflict"
    " markers in it."
)
NAME_MISSING = (
    "The migration {file} does not set {name}. Write `{name} = ...` into it as in the other files"
    " of migrations/versions, or delete the file."
)


class MigrationError(RuntimeError):
    """A migration cannot go on; the message says what is wrong and what to do."""


@dataclass(frozen=True)
class History:
    """The revisions that this code knows, each with those that it follows, in order."""

    parents: Mapping[str, tuple[str, ...]]
    breaking: frozenset[str]

    @property
    def heads(self) -> list[str]:
        """The revisions that no other follows, sorted."""
        followed = {parent for parents in self.parents.values() for parent in parents}
        return sorted(self.parents.keys() - followed)

    @property
    def head(self) -> str | None:
        """The newest revision, None if there is none.

        Raises MigrationError if several are the newest: two branches were merged.
        """
        if len(self.heads) > 1:
            raise MigrationError(
                f"The migrations have several newest revisions: {', '.join(self.heads)}. Join them"
                " by `make merge-migrations`, and read what both change."
            )
        return next(iter(self.heads), None)

    def up_to(self, revisions: Iterable[str]) -> list[str]:
        """Return these revisions and all that they follow, each after those that it follows."""
        found: dict[str, None] = {}

        def visit(revision: str) -> None:
            if revision not in found and revision in self.parents:
                for parent in sorted(self.parents[revision]):
                    visit(parent)
                found[revision] = None

        for revision in sorted(revisions):
            visit(revision)
        return list(found)


class SchemaStatus(NamedTuple):
    """True if this code can serve on a database; the reason if it cannot."""

    ready: bool
    detail: str = ""
    ahead: tuple[str, ...] = ()
    """The revisions of the database that are newer than this code."""


def history(folder: Path | None = None) -> History:
    """Return the revisions in the folder, by default those of the service.

    Raises MigrationError if a file is missing, there twice, or not that of a migration.
    """
    return _read(folder or FOLDER)


@cache
def _read(folder: Path) -> History:
    parents: dict[str, tuple[str, ...]] = {}
    files: dict[str, str] = {}
    breaking = set()
    for path in sorted(folder.glob("versions/*.py")):
        names = _names_of(path)
        revision = str(names["revision"])
        if revision in files:
            one, two = files[revision], path.name
            raise MigrationError(PRESENT_TWICE.format(one=one, two=two, revision=revision))
        files[revision] = path.name
        parents[revision] = _parents(names["down_revision"])
        if names.get(BREAKS_OLDER_CODE):
            breaking.add(revision)
    for revision, above in parents.items():
        for parent in above:
            if parent not in parents:
                raise MigrationError(PARENT_MISSING.format(revision=revision, parent=parent))
    return History(parents, frozenset(breaking))


def forget_history() -> None:
    """Read the folders anew: a migration was written."""
    _read.cache_clear()


def expected_revision(folder: Path | None = None) -> str | None:
    """Return the newest revision that this code knows, None if it has none.

    Raises MigrationError if several revisions are the newest: two branches were merged.
    """
    return history(folder).head


def current_heads(connection: Connection) -> list[str]:
    """Return the newest revisions of the database: none before it was migrated, or one."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return []
    versions = select(column("version_num", String)).select_from(table(VERSION_TABLE))
    return sorted(connection.scalars(versions))


def current_revision(connection: Connection) -> str | None:
    """Return the revision that the database is at, or None when it was never migrated."""
    return " and ".join(current_heads(connection)) or None


def applied_revisions(connection: Connection) -> dict[str, bool]:
    """Return all revisions that were applied, and for each whether older code breaks on it."""
    if not inspect(connection).has_table(APPLIED_TABLE):
        return {}
    rows = connection.execute(select(APPLIED.c.revision, APPLIED.c[BREAKS_OLDER_CODE]))
    return {row.revision: row.breaks_older_code for row in rows}


def record_applied(connection: Connection, revisions: Iterable[str]) -> None:
    """Record revisions that were applied without it, as by a script of another tool."""
    applied = applied_revisions(connection)
    known = history()
    missing: list[dict[str, Any]] = [
        {"revision": revision, BREAKS_OLDER_CODE: revision in known.breaking}
        for revision in revisions
        if revision not in applied
    ]
    if missing:
        APPLIED.create(connection, checkfirst=True)
        connection.execute(insert(APPLIED), missing)


def schema_status(connection: Connection) -> SchemaStatus:
    """Return whether the schema is at the revision of this code, or ahead of it.

    Ahead: the newest revision that this code knows was applied, and newer ones after it, none of
    which breaks older code.
    """
    try:
        known, head = history(), history().head
    except MigrationError as error:
        return SchemaStatus(False, str(error))
    applied = applied_revisions(connection)
    newer = sorted(applied.keys() - known.parents.keys())
    present = ", ".join(newer)
    if head is not None and head not in applied:
        return SchemaStatus(False, OTHER_HISTORY.format(present=present) if newer else BEHIND)
    breaking = [revision for revision in newer if applied[revision]]
    if breaking:
        return SchemaStatus(False, BROKEN_BY.format(present=", ".join(breaking)))
    return SchemaStatus(True, ahead=tuple(newer))


def _names_of(path: Path) -> dict[str, object]:
    """Read the names that a migration gives a constant, without running it.

    Raises MigrationError if the file is not Python, or its revision is not in it.
    """
    try:
        names = dict(_constants(ast.parse(path.read_text(encoding="utf-8"), path.name)))
    except (SyntaxError, ValueError) as error:
        raise MigrationError(UNREADABLE.format(file=path.name, error=error)) from error
    for name in ("revision", "down_revision"):
        if name not in names:
            raise MigrationError(NAME_MISSING.format(file=path.name, name=name))
    return names


def _constants(module: ast.Module) -> Iterator[tuple[str, object]]:
    for node in module.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name) and target.id in NAMES:
                yield target.id, ast.literal_eval(node.value)


def _parents(named: Any) -> tuple[str, ...]:
    """Return `down_revision` as a tuple: it is None, a text or several."""
    if named is None:
        return ()
    return (named,) if isinstance(named, str) else tuple(named)
