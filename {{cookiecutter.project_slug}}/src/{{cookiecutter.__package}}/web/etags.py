"""Conditional requests (RFC 9110, section 13), which prevent lost updates.

The entity tag is the row's version: it is the same in every worker, and needs no body to compare.
"""

from typing import Protocol

from pydantic import ConfigDict, Field
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import object_session
from werkzeug.exceptions import NotFound, PreconditionFailed, PreconditionRequired
from werkzeug.http import parse_etags

from .schemas import Parameters


class Versioned(Protocol):
    """A row that counts its changes."""

    @property
    def version(self) -> int:
        """The number of the version, which each change increments."""
        ...


class IfNoneMatchHeader(Parameters):
    """The conditional header of a read."""

    if_none_match: str | None = Field(
        default=None,
        alias="If-None-Match",
        description="entity tags that the caller has; 304 if one is current",
    )


class IfMatchHeader(Parameters):
    """The conditional header of a change.

    It is documented as required; without it the response is 428, which says more than 422.
    """

    model_config = ConfigDict(json_schema_extra={"required": ["If-Match"]})

    if_match: str | None = Field(
        default=None,
        alias="If-Match",
        description="entity tag of the state that the change is based on, or * for any",
    )


def entity_tag(row: Versioned) -> str:
    """Return the row's entity tag, quoted for the ETag header."""
    return f'"{row.version}"'


def matches_if_none_match(row: Versioned, conditions: IfNoneMatchHeader) -> bool:
    """Return whether the caller of a read already has this version."""
    return parse_etags(conditions.if_none_match).contains_weak(str(row.version))


def check_if_match(row: Versioned, conditions: IfMatchHeader) -> None:
    """Check that a change is based on the row's current version.

    For any version the row is read again, and locked until the transaction ends, so that no other
    change comes between. Raises the HTTP errors 428 without If-Match, 412 if it names another
    version, and 404 if the row is gone meanwhile.
    """
    if conditions.if_match is None:
        raise PreconditionRequired("Send If-Match with the ETag that you read, or * for any state.")
    tags = parse_etags(conditions.if_match)
    if tags.star_tag:
        _lock(row)
    elif not tags.contains(str(row.version)):
        raise PreconditionFailed("This is not the current state; read it again.")


def _lock(row: Versioned) -> None:
    session = object_session(row)
    assert session is not None  # noqa: S101  a view changes what it has read
    try:
        session.refresh(row, with_for_update={"of": type(row)})
    except InvalidRequestError:
        raise NotFound("There is nothing with this id.") from None
