"""The tasks of the benchmark of background jobs, for its worker, its relay and its caller.

Each process appends a byte to a file for each statement and each task that is done.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from my_service.database import db
from my_service.jobs import enqueue, relay
from my_service.worker import celery
from sqlalchemy import Engine, event, text

__all__ = ["celery", "enqueue"]

flask_app = celery.flask_app
FOLDER = Path(os.environ["BENCHMARK_FOLDER"])
STATEMENTS, DONE = FOLDER / "statements", FOLDER / "done"
APPEND = os.O_CREAT | os.O_APPEND | os.O_WRONLY
statements_file, done_file = os.open(STATEMENTS, APPEND), os.open(DONE, APPEND)


@event.listens_for(Engine, "before_cursor_execute")
def count_statement(*_: Any) -> None:
    """Count a statement."""
    os.write(statements_file, b".")


@celery.task
def idle() -> None:
    """Do nothing."""
    os.write(done_file, b".")


@celery.task
def write() -> None:
    """Write a row; it is counted when it is committed."""
    session = db.session()
    session.execute(text("INSERT INTO benchmark (number) VALUES (1)"))
    event.listen(session, "after_commit", lambda _: os.write(done_file, b"."), once=True)


@dataclass(frozen=True)
class Counts:
    """Tasks and statements of all processes so far."""

    done: int
    statements: int


def counted() -> Counts:
    """Return the counts."""
    return Counts(DONE.stat().st_size, STATEMENTS.stat().st_size)


def make_table() -> None:
    """Create the table that tasks write to."""
    with flask_app.app_context(), db.engine.begin() as connection:
        connection.execute(text("CREATE TABLE benchmark (number INTEGER)"))


if __name__ == "__main__":
    relay.run(celery, Event())
