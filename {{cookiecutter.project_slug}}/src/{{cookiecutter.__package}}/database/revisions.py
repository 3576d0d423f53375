"""Revisions of the schema, as the service sees them: read without Alembic, which is slow to import.

`alembic_version` is Alembic's own table: https://alembic.sqlalchemy.org/en/latest/api/runtime.html
"""

import ast
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, String, column, inspect, select, table

FOLDER = Path(__file__).parent.parent / "migrations"

VERSION_TABLE = "alembic_version"


@cache
def expected_revision(folder: Path = FOLDER) -> str | None:
    """Return the newest revision that this code knows, None if it has none.

    Raises RuntimeError if several revisions are the newest: two branches were merged.
    """
    parents = dict(_revision_and_parents(path) for path in sorted(folder.glob("versions/*.py")))
    heads = parents.keys() - {parent for each in parents.values() for parent in each}
    if len(heads) > 1:
        raise RuntimeError(
            f"{', '.join(sorted(heads))} are all newest revisions: one has to follow the other."
        )
    return next(iter(heads), None)


def current_revision(connection: Connection) -> str | None:
    """Return the revision that the database is at, or None when it was never migrated."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    versions = select(column("version_num", String)).select_from(table(VERSION_TABLE))
    revisions = connection.scalars(versions)
    return " and ".join(sorted(revisions)) or None


def _revision_and_parents(path: Path) -> tuple[str, tuple[str, ...]]:
    """Read `revision` and `down_revision` from a migration, without running it."""
    names: dict[str, object] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in ("revision", "down_revision"):
                names[name] = ast.literal_eval(node.value)
    parents = names.get("down_revision") or ()
    return str(names["revision"]), (parents,) if isinstance(parents, str) else tuple(parents)  # type: ignore[arg-type]
