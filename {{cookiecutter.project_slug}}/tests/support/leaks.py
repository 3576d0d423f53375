"""Leaks of connections and sessions, and the traffic of an application with its database."""

import contextvars
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from flask import Flask
from sqlalchemy import Connection, Engine, QueuePool, event, func, select
from sqlalchemy.exc import OperationalError
from werkzeug.test import EnvironBuilder

from {{ cookiecutter.__package }}.database import db

from .probe import Probe

OUT_OF_REACH = "Error: The database reports: ConnectionError: it is out of reach.\n"
"""The sentence with which commands end while the database is out of reach."""


def engine_of(app: Flask) -> Engine:
    """Return the application's engine without a context, because the tests watch contexts end."""
    return cast(Engine, app.extensions["database"].engine)


def pool_of(app: Flask) -> QueuePool:
    """Return the application's connection pool."""
    return cast(QueuePool, engine_of(app).pool)


def put_out_of_reach(app: Flask) -> None:
    """Put the application's database out of reach, before the first connection."""

    @event.listens_for(engine_of(app), "do_connect")
    def fail(*_arguments: object) -> None:
        raise OperationalError(None, None, ConnectionError("it is out of reach"))


def open_sessions() -> int:
    """Count the contexts that have a session, in all applications of this process."""
    return len(db.session.registry.registry)


def count_rows(engine: Engine) -> int:
    """Count the committed probes."""
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(Probe)) or 0


def assert_nothing_leaked(app: Flask) -> None:
    """Assert that no connection is checked out and no session is open."""
    assert pool_of(app).checkedout() == 0, "a connection is still checked out"
    assert open_sessions() == 0, "the session of an ended context is still open"


@dataclass
class Traffic:
    """Each checkout, statement, commit and rollback of an engine, in order."""

    steps: list[str] = field(default_factory=list)


@contextmanager
def traffic(app: Flask) -> Iterator[Traffic]:
    """Record what the application's engine does while the block runs."""
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


def read_stream(
    app: Flask,
    path: str,
    parts: int | None = None,
    before: Callable[[], object] = lambda: None,
) -> list[bytes]:
    """Send a request as a server does, read all or `parts` parts of the body, and close it.

    `before` is called when the view has returned and no part was read.
    """

    def send() -> list[bytes]:
        environ = EnvironBuilder(path).get_environ()
        body = app(environ, lambda *_: lambda _: None)
        try:
            before()
            return list(_first(body, parts))
        finally:
            cast(Any, body).close()

    return contextvars.Context().run(send)


def _first(body: Iterable[bytes], parts: int | None) -> Iterator[bytes]:
    if parts == 0:
        return
    for number, part in enumerate(body, 1):
        yield part
        if number == parts:
            return
