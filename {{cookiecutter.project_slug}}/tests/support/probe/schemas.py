"""The models of requests and responses."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from pydantic import MISSING, Field

from {{ cookiecutter.__package }}.web.pagination import PageQuery
from {{ cookiecutter.__package }}.web.schemas import (
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

from .models import ProbeStatus

PARENT = "the probe that this one belongs to"


class ProbeCreate(RequestModel):
    """A new probe."""

    code: Code = Field(description="unique key")
    name: ShortText
    status: ProbeStatus = ProbeStatus.DRAFT
    price: Amount
    available_at: Timestamp | None = None
    parent_id: UUID | None = Field(default=None, description=PARENT, examples=[None])


class ProbePatch(RequestModel):
    """What to change: a member that is absent stays as it is, null takes a value away."""

    code: Code | MISSING = Field(default=MISSING, description="unique key")
    name: ShortText | MISSING = MISSING
    status: ProbeStatus | MISSING = MISSING
    price: Amount | MISSING = MISSING
    available_at: Timestamp | MISSING | None = MISSING
    parent_id: UUID | MISSING | None = Field(default=MISSING, description=PARENT)


class ProbeRead(ResponseModel):
    """One probe as it is stored."""

    id: UUID
    code: str
    name: str
    status: ProbeStatus
    price: AmountOut
    available_at: TimestampOut | None
    parent_id: UUID | None
    version: int
    created_at: TimestampOut
    updated_at: TimestampOut


class ProbePage(ResponseModel):
    """Some of the probes, and the cursor of those that follow."""

    items: Sequence[ProbeRead]
    next: str | None = Field(description="`cursor` of the next page, null on the last")


class ProbePath(Parameters):
    """The path of one probe."""

    id: UUID


class ProbeQuery(PageQuery):
    """Which probes to list, and in which order."""

    sort: Literal["created_at", "created_at_desc", "name", "name_desc"] = "created_at"
    status: ProbeStatus | None = None
    parent_id: UUID | None = None
