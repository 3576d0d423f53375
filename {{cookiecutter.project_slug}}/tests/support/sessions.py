"""The connection and session of a test, and the isolation of tests from each other.

A test runs in one transaction that is rolled back: `connection`, `session`, `client`. A test that
needs real commits, other connections or threads asks for `committed_db` as well.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache

import pytest
from flask import Flask
from sqlalchemy import (
    CompoundSelect,
    Connection,
    Engine,
    Table,
    event,
    exists,
    literal,
    select,
    union_all,
)
from sqlalchemy.orm import Session
from sqlalchemy.schema import sort_tables_and_constraints

from {{ cookiecutter.__package }}.database import Base, db
from {{ cookiecutter.__package }}.settings import Settings

from .engine import (
    deferred_checks,
    delete_rows,
    is_transaction_open,
    make_engine,
    open_transaction,
)
from .factories import factory_session
from .probe import ProbeBase

MAX_TERMS = 400
"""Of a compound SELECT; the lowest limit of an engine is 500."""

DDL = re.compile(
    r"\s*(CREATE|ALTER|DROP|TRUNCATE|RENAME)\s+(?!TEMPORARY\b|TEMP\b|TABLE\s+(\w+_)?temp\.)",
    re.IGNORECASE,
)
END = re.compile(r"\s*(COMMIT|END|ROLLBACK(?!\s+TO\b))\b", re.IGNORECASE)

SECOND_CONNECTION = (
    "This test takes a second connection, which cannot see what the first one has not committed."
    " Use `session` or `connection`, or ask for the fixture `committed_db` if the test needs"
    " several connections, threads or processes."
)
REAL_COMMIT = (
    "This test would end the transaction that is rolled back after it, and leave its rows to the"
    " other tests. `session.commit()` is fine, it ends a savepoint; if the test needs real commits,"
    " ask for the fixture `committed_db`."
)
DDL_IN_A_TEST = (
    "This test changes the schema that all tests share. Write a migration; if the test is about"
    " DDL, ask for the fixture `empty_database` and use an engine of its own."
)
WAS_ENDED = (
    "Something in this test ended the transaction that is rolled back after it, and its rows may"
    " stay: DDL or a COMMIT inside a stored routine does that. Ask for the fixture `committed_db`"
    " for real commits, or `empty_database` for DDL."
)


class IsolationError(AssertionError):
    """A test would affect other tests; the message says how to avoid that."""


class Guard:
    """Rejects, while it is armed, everything by which a rolled-back test would affect others."""

    def __init__(self) -> None:
        self.armed = False

    def watch(self, engine: Engine) -> None:
        """Watch all connections and statements of this engine."""
        event.listen(engine, "checkout", self._reject_connection)
        event.listen(engine, "before_cursor_execute", self._reject_statement)
        event.listen(engine, "commit", self._reject_commit)

    def _reject_connection(self, *_arguments: object) -> None:
        if self.armed:
            raise IsolationError(SECOND_CONNECTION)

    def _reject_statement(
        self, _connection: Connection, _cursor: object, statement: str, *_arguments: object
    ) -> None:
        if self.armed and DDL.match(statement):
            raise IsolationError(DDL_IN_A_TEST)
        if self.armed and END.match(statement):
            raise IsolationError(REAL_COMMIT)

    def _reject_commit(self, _connection: Connection) -> None:
        if self.armed:
            raise IsolationError(REAL_COMMIT)


@pytest.fixture(scope="session")
def guard() -> Guard:
    """The guard that isolates tests."""
    return Guard()


@pytest.fixture(scope="session")
def test_engine(settings: Settings, guard: Guard) -> Iterator[Engine]:
    """The tests' own engine, apart from the application's pool of one connection."""
    engine = make_engine(settings, pool_size=1, max_overflow=50)
    guard.watch(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def connection(
    app: Flask, service: Flask, test_engine: Engine, guard: Guard
) -> Iterator[Connection]:
    """The connection of the test and of its requests, in a transaction that is rolled back."""
    with rolled_back([app, service], test_engine, guard) as connection:
        yield connection


@contextmanager
def rolled_back(apps: Iterable[Flask], engine: Engine, guard: Guard) -> Iterator[Connection]:
    """Yield a connection that all sessions of the applications use, and roll it back.

    Raises IsolationError if its transaction was ended before.
    """
    with engine.connect() as connection, ExitStack() as joined:
        connection.begin()
        open_transaction(connection)
        for app in apps:
            joined.enter_context(_joining(app, connection))
        guard.armed = True
        try:
            yield connection
        finally:
            guard.armed = False
            joined.close()
        driver = connection.connection  # SQLAlchemy abandons a transaction after an IsolationError
        intact = is_transaction_open(driver.driver_connection)
        driver.rollback()
    if not intact:
        raise IsolationError(WAS_ENDED)


@contextmanager
def _joining(app: Flask, connection: Connection) -> Iterator[None]:
    """Make the application's sessions use savepoints of the connection."""
    with app.app_context():
        factory = db.sessionmaker
    engine = factory.kw["bind"]
    factory.configure(bind=connection, join_transaction_mode="create_savepoint")
    with deferred_checks(factory, Base.metadata):
        yield
    factory.configure(bind=engine, join_transaction_mode="conditional_savepoint")


@pytest.fixture
def committed_db(test_engine: Engine) -> Iterator[Engine]:
    """An engine for tests with real commits, several connections, threads or processes.

    The application uses its own pool; commits of `session` and `client` are real. All rows are
    deleted after the test.
    """
    yield test_engine
    delete_all_rows(test_engine)


@pytest.fixture
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    """The test's own session, which requests do not share; it sees what they committed."""
    if "committed_db" in request.fixturenames:
        bind: Engine | Connection = request.getfixturevalue("committed_db")
    else:
        bind = request.getfixturevalue("connection")
    with (
        Session(bind, join_transaction_mode="create_savepoint") as session,
        factory_session(session),
    ):
        yield session


def delete_all_rows(engine: Engine) -> None:
    """Delete the rows of all tables."""
    with engine.begin() as connection:
        if tables := tables_with_rows(connection):
            delete_rows(connection, tables)


def tables_with_rows(connection: Connection) -> list[Table]:
    """Return the tables that have rows, referring tables first."""
    found: set[str] = set()
    for names in _row_queries():
        found.update(connection.scalars(names))
    return [table for table in _tables() if table.name in found]


@cache
def _tables() -> list[Table]:
    """Return all tables, referring tables first; some may refer to each other."""
    tables = [*ProbeBase.metadata.tables.values(), *Base.metadata.tables.values()]
    ordered = sort_tables_and_constraints(tables)  # type: ignore[no-untyped-call]
    return [table for table, _ in ordered if table is not None][::-1]


@cache
def _row_queries() -> list[CompoundSelect[tuple[str]]]:
    """Make a few statements that find the tables with rows, for any number of tables."""
    terms = [
        select(literal(table.name)).where(exists(select(1).select_from(table)))
        for table in _tables()
    ]
    return [
        union_all(*terms[start : start + MAX_TERMS]) for start in range(0, len(terms), MAX_TERMS)
    ]
