"""Deletes many rows in batches: no statement meets its time limit, or holds its locks for long."""

from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, delete, select
from sqlalchemy.orm import InstrumentedAttribute, Session

BATCH_SIZE = 1000


def delete_in_batches(
    session: Session, key: InstrumentedAttribute[Any], *conditions: ColumnElement[bool]
) -> int:
    """Delete the rows that meet the conditions, commit each batch, and return how many they were.

    `key` is the primary key of the model, such as `Order.id`.
    """
    deleted = 0
    while True:
        keys = session.scalars(select(key).where(*conditions).limit(BATCH_SIZE)).all()
        # The conditions again: a row may have changed since it was read.
        batch = delete(key.class_).where(key.in_(keys), *conditions)
        deleted += cast("CursorResult[Any]", session.execute(batch)).rowcount
        session.commit()
        if len(keys) < BATCH_SIZE:
            return deleted
