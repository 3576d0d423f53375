"""Compares, writes and merges migrations, for developers. Only commands import this module."""

import secrets
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from alembic import command
from alembic.operations import ops
from alembic.script import Script
from sqlalchemy import Connection, MetaData

from ..base_settings import ServiceSettings
from . import revisions
from .comparison import Comparison, require_known_models, without_noise
from .engine import interrupted_step
from .migrations import alembic_config, known_heads, locked_connection, resolve
from .revision_ids import revision_id
from .revisions import MigrationError
from .session import Base
from .writer import Wishes, Writer, renamed

NOTHING = Wishes()


class Written(NamedTuple):
    """A migration that was written, None if there is nothing to migrate; and what to know of it."""

    path: Path | None
    notes: list[str]


class Differences(NamedTuple):
    """The differences of models and database, and what was not compared, in sentences."""

    found: list[str]
    not_compared: list[str]


def write_migration(
    settings: ServiceSettings,
    message: str,
    wishes: Wishes = NOTHING,
    *,
    empty: bool = False,
    models: MetaData = Base.metadata,
) -> Written:
    """Write a migration from the differences between models and database, or an empty one.

    Raises MigrationError if it could not run, with what to say so that it can.
    """
    message = _one_line(message)
    if empty:
        return _write_empty(settings, message)
    with locked_connection(settings) as connection:
        newest = _require_newest(connection)
        require_known_models(connection, models)
        wishes.check_renames(connection, models)
        renames = wishes.rename_statements(connection)
        writer = Writer(models, wishes, renames, above=newest)
        config = alembic_config(settings, connection, models=models, locked=True)
        with renamed(connection, renames), _without_noise():
            scripts = command.revision(
                config, message, autogenerate=True, process_revision_directives=writer.process
            )
    return Written(_path(scripts), writer.notes)


def check(settings: ServiceSettings, models: MetaData = Base.metadata) -> Differences:
    """Compare the models with the database, which has to be at the newest revision."""
    found: list[str] = []
    not_compared: list[str] = []

    def describe(context: object, _revision: object, scripts: list[ops.MigrationScript]) -> None:
        comparison: Comparison = context.opts["comparison"]  # type: ignore[attr-defined]
        operations = scripts.pop().upgrade_ops
        assert operations is not None  # noqa: S101
        found.extend([*_described(operations), *comparison.by_hand])
        not_compared.extend(comparison.not_comparable(models))

    with locked_connection(settings) as connection:
        _require_newest(connection)
        require_known_models(connection, models)
        config = alembic_config(settings, connection, models=models, locked=True)
        with _without_noise():
            command.revision(config, autogenerate=True, process_revision_directives=describe)
    return Differences(list(dict.fromkeys(found)), not_compared)


def merge(settings: ServiceSettings, message: str) -> Path:
    """Write the migration that joins all newest revisions. Raises MigrationError if it is one."""
    heads = revisions.history().heads
    if len(heads) < 2:
        raise MigrationError("There is one newest revision already: nothing to merge.")
    message = _one_line(message)
    revision = revision_id(heads, message)
    script = command.merge(alembic_config(settings), heads, message, rev_id=revision)
    revisions.forget_history()
    assert script is not None  # noqa: S101
    return Path(script.path)


def _one_line(message: str) -> str:
    """Return the message as a docstring can hold it; a full stop follows there."""
    return " ".join(message.split()).replace("\\", "/").replace('"', "'").rstrip(".!?")


def _write_empty(settings: ServiceSettings, message: str) -> Written:
    """Write a migration to be filled by hand; its content is not known yet, so it gets a salt."""
    head = resolve("head")
    revision = revision_id([head], message + secrets.token_hex())
    scripts = command.revision(alembic_config(settings), message, rev_id=revision)
    return Written(_path(scripts), [])


def _path(scripts: Script | list[Script | None] | None) -> Path | None:
    revisions.forget_history()
    script = next(iter(scripts), None) if isinstance(scripts, list) else scripts
    return Path(script.path) if script else None


@contextmanager
def _without_noise() -> Iterator[None]:
    """Ignore the warnings of a comparison, and those about NOT VALID."""
    with without_noise(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Can't validate argument 'dialect_options'")
        yield


def _require_newest(connection: Connection) -> str | None:
    """Return the newest revision. Raises MigrationError if the database is not at it."""
    head = revisions.history().head
    heads = known_heads(connection)
    sentence = interrupted_step(connection, revisions.applied_revisions(connection))
    if sentence:
        raise MigrationError(sentence)
    if heads != ([head] if head else []):
        raise MigrationError(
            f"The database is at {' and '.join(heads) or 'no revision'}, and the newest one is"
            f" {head}. Migrate it first: `flask db upgrade`."
        )
    return head


def _described(operations: ops.OpContainer) -> list[str]:
    """Return a line for each difference."""
    lines: list[str] = []
    for operation in operations.ops:
        if isinstance(operation, ops.OpContainer):
            lines += _described(operation)
        else:
            lines.append(_line(operation))
    return lines


def _line(operation: ops.MigrateOperation) -> str:
    table = getattr(operation, "table_name", "")
    match operation:
        case ops.CreateTableOp():
            return f"{table}: the table is not in the database."
        case ops.DropTableOp():
            return f"{table}: the table has no model."
        case ops.AddColumnOp():
            return f"{table}.{operation.column.name}: the column is not in the database."
        case ops.DropColumnOp():
            return f"{table}.{operation.column_name}: the column is not in the model."
        case ops.AlterColumnOp():
            return f"{table}.{operation.column_name}: {_changes(operation)} differs."
        case ops.CreateIndexOp():
            return f"{table}: the index {operation.index_name} is not in the database."
        case ops.DropIndexOp():
            return f"{table}: the index {operation.index_name} is not in the model."
        case ops.DropConstraintOp():
            return f"{table}: the constraint {operation.constraint_name} is not in the model."
    name = getattr(operation, "constraint_name", type(operation).__name__)
    return f"{table}: the constraint {name} is not in the database."


def _changes(operation: ops.AlterColumnOp) -> str:
    changes = {
        "the type": operation.modify_type is not None,
        "NOT NULL": operation.modify_nullable is not None,
        "the server default": operation.modify_server_default is not False,
        "the comment": operation.modify_comment is not False,
    }
    return " and ".join(name for name, changed in changes.items() if changed)
