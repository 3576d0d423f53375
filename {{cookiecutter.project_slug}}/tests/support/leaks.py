"""What an application keeps of the database at the moment, and that it keeps nothing in the end."""

import contextvars
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from flask import Flask
from sqlalchemy import Connection, Engine, QueuePool, event, func, select
from werkzeug.test import EnvironBuilder

from {{ cookiecutter.__package }}.database import db

from .probe import Probe


def engine_of(app: Flask) -> Engine:
    """The application's engine, looked up without a context, whose end the tests look at."""
    return cast(Engine, app.extensions["database"].engine)


def pool_of(app: Flask) -> QueuePool:
    """The application's pool of connections."""
    return cast(QueuePool, engine_of(app).pool)


def open_sessions() -> int:
    """How many contexts have a session at the moment, in all applications of this process."""
    return len(db.session.registry.registry)


def count_rows(engine: Engine) -> int:
    """How many rows of the resource are committed."""
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(Probe)) or 0


def assert_nothing_leaked(app: Flask) -> None:
    """Assert that no connection is checked out, and that no session is kept."""
    assert pool_of(app).checkedout() == 0, "a connection is still checked out"
    assert open_sessions() == 0, "the session of a context that ended is kept"


@dataclass
class Traffic:
    """What an engine did: each checkout, statement, commit and rollback, in order."""

    steps: list[str] = field(default_factory=list)

    def count(self, step: str) -> int:
        """How many of these there were."""
        return self.steps.count(step)


@contextmanager
def traffic(app: Flask) -> Iterator[Traffic]:
    """Watch what the application's engine does while the block runs."""
    seen = Traffic()

    def statement(_connection: Connection, _cursor: object, sql: str, *_rest: object) -> None:
        seen.steps.append(sql.split(None, 1)[0].upper())

    listeners: list[tuple[str, Callable[..., None]]] = [
        ("checkout", lambda *_: seen.steps.append("checkout")),
        ("before_cursor_execute", statement),
        ("commit", lambda _connection: seen.steps.append("COMMIT")),
        ("rollback", lambda _connection: seen.steps.append("ROLLBACK")),
    ]
    engine = engine_of(app)
    for name, listener in listeners:
        event.listen(engine, name, listener)
    try:
        yield seen
    finally:
        for name, listener in listeners:
            event.remove(engine, name, listener)


def read_stream(app: Flask, path: str, parts: int | None = None) -> list[bytes]:
    """Ask as a server does, read so many parts of the body, or all, and close it."""

    def ask() -> list[bytes]:
        environ = EnvironBuilder(path).get_environ()
        body = app(environ, lambda *_: lambda _: None)
        try:
            return list(_first(body, parts))
        finally:
            cast(Any, body).close()

    return contextvars.Context().run(ask)


def _first(body: Iterable[bytes], parts: int | None) -> Iterator[bytes]:
    if parts == 0:
        return
    for number, part in enumerate(body, 1):
        yield part
        if number == parts:
            return
