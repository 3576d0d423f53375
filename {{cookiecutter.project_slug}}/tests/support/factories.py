"""Rows for tests: each as small as it can be, and different from all others.

`ResourceFactory.build()` only makes an object; `.create()` also puts it into the test's `session`.
A further resource has its factory here, too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Generic, TypeVar, cast

import pytest
from factory.alchemy import SQLAlchemyModelFactory
from factory.declarations import Sequence
from sqlalchemy.orm import Session

from {{ cookiecutter.__package }}.resources.{{ cookiecutter.resource_plural }}.models import (
    {{ cookiecutter.__class }},
    {{ cookiecutter.__class }}Status,
)

Resource = {{ cookiecutter.__class }}
Status = {{ cookiecutter.__class }}Status

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


class ResourceFactory(ModelFactory[Resource]):
    """A {{ cookiecutter.__label }}."""

    class Meta:
        model = Resource

    code = Sequence(lambda number: f"code-{number}")
    name = Sequence(lambda number: f"name {number}")
    status = Status.DRAFT
    price = Decimal("9.99")
