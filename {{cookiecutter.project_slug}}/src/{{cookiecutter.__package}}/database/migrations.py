"""The commands of Alembic, one revision a transaction, under a lock, with errors of one sentence.

Only commands import this module.
"""

import logging
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from threading import Timer
from typing import TypeVar

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, MetaData, make_url
from sqlalchemy.exc import DBAPIError

from ..base_settings import ServiceSettings
from . import revisions
from .engine import (
    interrupted_step,
    is_retryable,
    make_migration_engine,
    migration_lock,
    recorded_progress,
)
from .revisions import MigrationError
from .session import Base
from .statement_errors import reason_without_values

log = logging.getLogger(__name__)

ATTEMPTS = 10
"""How often a revision that cannot get its locks is begun."""

WAITS = "Waiting for a lock: another migration or a writer holds it. This goes on when it is free."

Result = TypeVar("Result")


def alembic_config(
    settings: ServiceSettings,
    connection: Connection | None = None,
    *,
    models: MetaData = Base.metadata,
    locked: bool = False,
) -> Config:
    """Return Alembic's configuration; without a connection it can only write SQL scripts.

    `models` is what the database is compared with. `locked` says that the connection holds the
    lock of migrations already.
    """
    config = Config(stdout=sys.stdout)  # the default is the one of when Alembic was imported
    config.set_main_option("script_location", str(revisions.FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")  # as `revision_ids.file_name`
    config.attributes["connection"] = connection
    config.attributes["models"] = models
    config.attributes["locked"] = locked
    config.attributes["lock_timeout_seconds"] = settings.migration_lock_timeout_seconds
    config.attributes["dialect"] = (
        make_url(settings.database_url.get_secret_value()).get_dialect().name
    )
    return config


@contextmanager
def locked_connection(settings: ServiceSettings) -> Iterator[Connection]:
    """A connection of its own in one transaction, which holds the lock of migrations."""
    seconds = settings.migration_lock_timeout_seconds
    waiting = Timer(seconds, log.warning, [WAITS])
    waiting.daemon = True
    with _engine(settings.url_for_migrations).connect() as connection:
        waiting.start()
        try:
            with connection.begin(), migration_lock(connection, seconds):
                waiting.cancel()
                yield connection
        finally:
            waiting.cancel()


@cache
def _engine(url: str) -> Engine:
    """The engine of this database: it caches the compiled statements of comparisons."""
    return make_migration_engine(url)


@contextmanager
def connected_config(settings: ServiceSettings) -> Iterator[Config]:
    """Alembic's configuration on a locked connection, in one transaction."""
    with locked_connection(settings) as connection:
        yield alembic_config(settings, connection, locked=True)


def upgrade(settings: ServiceSettings, target: str = "head") -> list[str]:
    """Migrate forward, one transaction for each revision; returns notes, if there are any.

    A database that is ahead of this code is left alone: an older release is started again. Raises
    MigrationError.
    """
    goal = resolve(target)
    notes: list[str] = []

    def apply_next(connection: Connection) -> bool:
        """Apply the first revision that is missing; return whether there was one."""
        known = revisions.history()
        heads = revisions.current_heads(connection)
        if set(heads) - known.parents.keys():
            notes.append(_ahead(connection, heads, goal))
            notes.extend(_interrupted(connection))
            return False
        above = known.up_to(heads)
        revisions.record_applied(connection, above)
        missing = [revision for revision in known.up_to([goal]) if revision not in above]
        if missing:
            with (
                _explained(missing[0], "applied"),
                recorded_progress(connection, f"upgrade {missing[0]}", above),
            ):
                command.upgrade(alembic_config(settings, connection, locked=True), missing[0])
        else:
            notes.extend(_interrupted(connection))
        return len(missing) > 1

    while _with_retries(settings, apply_next):
        pass
    return notes


def downgrade(settings: ServiceSettings, target: str) -> None:
    """Migrate back to a revision, to `base` or by a number such as `-1`. Raises MigrationError."""
    kept: list[str] | None = None

    def undo_next(connection: Connection) -> bool:
        """Take the newest revision back; return whether there is another."""
        nonlocal kept
        known = revisions.history()
        above = known.up_to(known_heads(connection))
        revisions.record_applied(connection, above)
        if kept is None:
            kept = _kept(known, above, target)
        undone = [revision for revision in reversed(above) if revision not in kept]
        if not undone:
            return False
        # With the name of its branch, so that other migrations from the same parent stay.
        below = f"{undone[0]}@{next(iter(known.parents[undone[0]]), 'base')}"
        with (
            _explained(undone[0], "taken back"),
            recorded_progress(connection, f"downgrade {undone[0]}", above),
        ):
            command.downgrade(alembic_config(settings, connection, locked=True), below)
        return len(undone) > 1

    while _with_retries(settings, undo_next):
        pass


def current(settings: ServiceSettings) -> str:
    """Return the revision of the database, and how it compares with that of the code."""
    head = resolve("head")
    with locked_connection(settings) as connection:
        present = revisions.current_revision(connection)
        if present is None:
            found = f"none; the newest is {head}"
        elif present == head:
            found = f"{present} (head)"
        elif revisions.schema_status(connection).ready:
            found = f"{present}, ahead of this code, which is at {head}"
        else:
            found = f"{present}; the newest is {head}"
        return "\n".join([found, *_interrupted(connection)])


def print_sql(settings: ServiceSettings, revision_range: str) -> None:
    """Print the SQL of the migrations in the range, for a database that is not at hand.

    Raises MigrationError for a range of which there is no such revision.
    """
    below, _, newest = revision_range.rpartition(":")
    parts = [below if below in ("", "base") else resolve(below), resolve(newest or "head")]
    command.upgrade(alembic_config(settings), ":".join(filter(None, parts)), sql=True)


def resolve(target: str) -> str:
    """Return the id of the revision that is meant: `head`, an id or the start of one."""
    known = revisions.history()
    if target in ("head", "heads"):
        if known.head is None:
            raise MigrationError("There are no migrations yet.")
        return known.head
    found = [revision for revision in known.parents if revision.startswith(target)]
    if target in known.parents:
        return target
    if len(found) == 1:
        return found[0]
    several = f" It may be {' or '.join(sorted(found))}." if found else ""
    raise MigrationError(
        f"There is no revision {target!r} in {revisions.FOLDER.name}/versions.{several}"
    )


def _kept(known: revisions.History, above: list[str], target: str) -> list[str]:
    """Return the revisions that stay when the database goes back to `target`."""
    if target == "base":
        return []
    if target.startswith("-") and target[1:].isdigit():
        return above[: max(0, len(above) - int(target[1:]))]
    goal = resolve(target)
    if goal not in above:
        raise MigrationError(
            f"The database is not at {goal} or above it, so it cannot go back there."
        )
    return known.up_to([goal])


def known_heads(connection: Connection) -> list[str]:
    """Return the revisions that the database is at. Raises MigrationError for unknown ones."""
    heads = revisions.current_heads(connection)
    unknown = [head for head in heads if head not in revisions.history().parents]
    if unknown:
        raise MigrationError(_unknown(unknown))
    return heads


def _interrupted(connection: Connection) -> list[str]:
    """Return a sentence about a migration that left a half, if one did."""
    sentence = interrupted_step(connection, revisions.applied_revisions(connection))
    return [sentence] if sentence else []


def _ahead(connection: Connection, heads: list[str], goal: str) -> str:
    """Return a note if the database is ahead of this code, else raise MigrationError."""
    if goal not in revisions.applied_revisions(connection):
        raise MigrationError(_unknown(heads))
    return (
        f"The database is at {' and '.join(heads)}, ahead of this code, which is at {goal}:"
        " nothing to migrate."
    )


def _unknown(heads: list[str]) -> str:
    return (
        f"The database is at {' and '.join(heads)}, which this code does not have. Check out the"
        " code that has it, and go back from there with `flask db downgrade`; or give this branch"
        " a database of its own (docs/migrations.md, Branches)."
    )


def _with_retries(settings: ServiceSettings, work: Callable[[Connection], Result]) -> Result:
    """Do `work` in a locked transaction; when it cannot get a lock, give way and try again."""
    timeout = settings.migration_lock_timeout_seconds
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with locked_connection(settings) as connection:
                return work(connection)
        except DBAPIError as error:
            if not is_retryable(error):
                raise
            log.warning(
                "A migration did not get its locks in %g s and gave way (%d of %d attempts)",
                *(timeout, attempt, ATTEMPTS),
            )
        if attempt < ATTEMPTS:
            # What queued behind it has gone on by then; random, so that two do not meet again.
            time.sleep(timeout * random.uniform(0.2, 1))  # noqa: S311
    raise MigrationError(
        f"The migration could not get its locks in {ATTEMPTS} attempts of {timeout:g} s. A"
        " transaction keeps a table locked for longer; end it, and migrate again"
        " (docs/migrations.md, Locks)."
    )


@contextmanager
def _explained(revision: str, done: str) -> Iterator[None]:
    """Name the migration in the error of a statement that the database rejects."""
    try:
        yield
    except DBAPIError as error:
        if is_retryable(error):
            raise
        reason = reason_without_values(error)
        raise MigrationError(f"The migration {revision} could not be {done}: {reason}.") from error
