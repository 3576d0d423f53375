"""The base of factories, which make rows for tests; no two rows are the same.

`ProbeFactory.build()` only makes an object; `.create()` also adds it to the test's `session`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar, cast

import pytest
from factory.alchemy import SQLAlchemyModelFactory
from sqlalchemy.orm import Session

T = TypeVar("T")

_current: list[Session] = []


@contextmanager
def factory_session(session: Session) -> Iterator[None]:
    """Create the rows of all factories in this session while the block runs."""
    _current.append(session)
    try:
        yield
    finally:
        _current.pop()


def _session() -> Session:
    if not _current:
        pytest.fail(
            "A factory creates rows in the test's session: ask for the fixture `session` or"
            " `client`, or use `.build()` for an object without a database."
        )
    return _current[-1]


class ModelFactory(SQLAlchemyModelFactory, Generic[T]):
    """The base of all factories; its methods declare the model for the type checker."""

    class Meta:
        abstract = True
        sqlalchemy_session_factory = _session
        sqlalchemy_session_persistence = "flush"

    @classmethod
    def build(cls, **values: Any) -> T:
        return cast(T, super().build(**values))

    @classmethod
    def create(cls, **values: Any) -> T:
        return cast(T, super().create(**values))

    @classmethod
    def create_batch(cls, size: int, /, **values: Any) -> list[T]:  # type: ignore[override]
        # A field can be called `size`, which factory_boy's own method cannot tell from the number.
        return [cls.create(**values) for _ in range(size)]
