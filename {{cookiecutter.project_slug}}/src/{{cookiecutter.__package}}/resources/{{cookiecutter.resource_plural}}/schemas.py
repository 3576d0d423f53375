"""What requests may hold and what answers show."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from pydantic import MISSING, Field

from ..api_types import (
    Amount,
    Answer,
    Body,
    Code,
    Instant,
    Parameters,
    ShortText,
    StoredAmount,
    StoredInstant,
)
from ..pagination import PageQuery
from .models import {{ cookiecutter.__class }}Status

PARENT = "the {{ cookiecutter.__label }} that this one belongs to"


class {{ cookiecutter.__class }}Create(Body):
    """A new {{ cookiecutter.__label }}."""

    code: Code = Field(description="unique key")
    name: ShortText
    status: {{ cookiecutter.__class }}Status = {{ cookiecutter.__class }}Status.DRAFT
    price: Amount
    available_at: Instant | None = None
    parent_id: UUID | None = Field(default=None, description=PARENT, examples=[None])


class {{ cookiecutter.__class }}Patch(Body):
    """What to change: a member that is absent stays as it is, null takes a value away."""

    code: Code | MISSING = Field(default=MISSING, description="unique key")
    name: ShortText | MISSING = MISSING
    status: {{ cookiecutter.__class }}Status | MISSING = MISSING
    price: Amount | MISSING = MISSING
    available_at: Instant | MISSING | None = MISSING
    parent_id: UUID | MISSING | None = Field(default=MISSING, description=PARENT)


class {{ cookiecutter.__class }}Read(Answer):
    """One {{ cookiecutter.__label }} as it is stored."""

    id: UUID
    code: str
    name: str
    status: {{ cookiecutter.__class }}Status
    price: StoredAmount
    available_at: StoredInstant | None
    parent_id: UUID | None
    version: int
    created_at: StoredInstant
    updated_at: StoredInstant


class {{ cookiecutter.__class }}Page(Answer):
    """Some of the {{ cookiecutter.__label_plural }}, and the cursor of those that follow."""

    items: Sequence[{{ cookiecutter.__class }}Read]
    next: str | None = Field(description="`cursor` of the next page, null on the last")


class {{ cookiecutter.__class }}Path(Parameters):
    """The path of one {{ cookiecutter.__label }}."""

    id: UUID


class {{ cookiecutter.__class }}Query(PageQuery):
    """Which {{ cookiecutter.__label_plural }} to list, and in which order."""

    sort: Literal["created_at", "created_at_desc", "name", "name_desc"] = "created_at"
    status: {{ cookiecutter.__class }}Status | None = None
    parent_id: UUID | None = None
