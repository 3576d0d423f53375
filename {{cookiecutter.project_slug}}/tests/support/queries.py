"""Count the statements that code sends, to detect an N+1."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from sqlalchemy import Connection, Engine, event

Queries = Callable[..., AbstractContextManager[list[str]]]

# Statements that begin and end transactions and savepoints, some of which only a test has.
NOT_COUNTED = re.compile(r"\s*(BEGIN|SAVEPOINT|RELEASE|ROLLBACK|COMMIT|SET)\b", re.IGNORECASE)


@pytest.fixture
def queries() -> Queries:
    """Collect the statements of a block: `with queries(at_most=2) as statements:`.

    With more than `at_most` statements the test fails and shows them.
    """
    return count_queries


@contextmanager
def count_queries(at_most: int | None = None) -> Iterator[list[str]]:
    """Collect the statements that any engine sends while the block runs."""
    statements: list[str] = []

    def collect(
        _connection: Connection, _cursor: object, statement: str, *_arguments: object
    ) -> None:
        if not NOT_COUNTED.match(statement):
            statements.append(statement)

    event.listen(Engine, "before_cursor_execute", collect)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", collect)
    if at_most is not None and len(statements) > at_most:
        shown = "\n".join(f"{number}. {sql}" for number, sql in enumerate(statements, 1))
        pytest.fail(f"{len(statements)} statements, where {at_most} are allowed:\n{shown}")
