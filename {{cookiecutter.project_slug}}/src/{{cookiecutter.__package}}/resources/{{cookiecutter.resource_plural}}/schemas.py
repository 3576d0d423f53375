"""The models of requests and responses."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from pydantic import MISSING, Field

from ...web.pagination import PageQuery
from ...web.schemas import (
    Amount,
    AmountOut,
    Code,
    Parameters,
    RequestModel,
    ResponseModel,
    ShortText,
    Timestamp,
    TimestampOut,
)
from .models import {{ cookiecutter.__class }}Status

PARENT = "the {{ cookiecutter.__label }} that this one belongs to"


class {{ cookiecutter.__class }}Create(RequestModel):
    """A new {{ cookiecutter.__label }}."""

    code: Code = Field(description="unique key")
    name: ShortText
    status: {{ cookiecutter.__class }}Status = {{ cookiecutter.__class }}Status.DRAFT
    price: Amount
    available_at: Timestamp | None = None
    parent_id: UUID | None = Field(default=None, description=PARENT, examples=[None])


class {{ cookiecutter.__class }}Patch(RequestModel):
    """What to change: a member that is absent stays as it is, null takes a value away."""

    code: Code | MISSING = Field(default=MISSING, description="unique key")
    name: ShortText | MISSING = MISSING
    status: {{ cookiecutter.__class }}Status | MISSING = MISSING
    price: Amount | MISSING = MISSING
    available_at: Timestamp | MISSING | None = MISSING
    parent_id: UUID | MISSING | None = Field(default=MISSING, description=PARENT)


class {{ cookiecutter.__class }}Read(ResponseModel):
    """One {{ cookiecutter.__label }} as it is stored."""

    id: UUID
    code: str
    name: str
    status: {{ cookiecutter.__class }}Status
    price: AmountOut
    available_at: TimestampOut | None
    parent_id: UUID | None
    version: int
    created_at: TimestampOut
    updated_at: TimestampOut


class {{ cookiecutter.__class }}Page(ResponseModel):
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
