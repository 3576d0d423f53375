"""Conditional requests (RFC 9110, section 13): nobody overwrites a change that they have not seen.

The entity tag is the row's version: the same from every worker, and compared without a body.
"""

from typing import Protocol

from pydantic import ConfigDict, Field
from werkzeug.exceptions import PreconditionFailed, PreconditionRequired
from werkzeug.http import parse_etags

from .schemas import Parameters


class Versioned(Protocol):
    """A row that counts its changes."""

    @property
    def version(self) -> int:
        """Goes up by one with each change."""
        ...


class IfNoneMatchHeader(Parameters):
    """The conditional headers of a read."""

    if_none_match: str | None = Field(
        default=None,
        alias="If-None-Match",
        description="entity tags that the caller has; 304 if one is current",
    )


class IfMatchHeader(Parameters):
    """The conditional headers of a change.

    Documented as required; a change without is answered with 428, which says more than 422.
    """

    model_config = ConfigDict(json_schema_extra={"required": ["If-Match"]})

    if_match: str | None = Field(
        default=None,
        alias="If-Match",
        description="entity tag of the state that the change is based on, or * for any",
    )


def entity_tag(row: Versioned) -> str:
    """The row's entity tag, quoted as the ETag header wants it."""
    return f'"{row.version}"'


def matches_if_none_match(row: Versioned, conditions: IfNoneMatchHeader) -> bool:
    """Whether the caller of a read has this state already."""
    return parse_etags(conditions.if_none_match).contains_weak(str(row.version))


def check_if_match(row: Versioned, conditions: IfMatchHeader) -> None:
    """Let a change go on only if it is based on the row's present state.

    Raises the HTTP errors 428 without If-Match, and 412 if it names another state.
    """
    if conditions.if_match is None:
        raise PreconditionRequired("Send If-Match with the ETag that you read, or * for any state.")
    if not parse_etags(conditions.if_match).contains(str(row.version)):
        raise PreconditionFailed("This is not the present state; read it again.")
