"""The base of factories, which make rows for tests: each different from all others.

`ProbeFactory.build()` only makes an object; `.create()` also puts it into the test's `session`.
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
    """Let the factories create their rows in this session."""
    _current.append(session)
    try:
        yield
    finally:
        _current.pop()


def _session() -> Session:
    if not _current:
        pytest.fail(
            "A factory creates rows in the test's session: ask for the fixture `session` or"
            " `client`, or use `.build()` for an object that is in no database."
        )
    return _current[-1]


class ModelFactory(SQLAlchemyModelFactory, Generic[T]):
    """The base of all factories; its methods tell the type checker what they make."""

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
    def create_batch(cls, size: int, **values: Any) -> list[T]:
        return cast("list[T]", super().create_batch(size, **values))
