"""The models of requests and responses."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import MISSING, Field, StringConstraints

from {{ cookiecutter.__package }}.web.pagination import PageQuery
from {{ cookiecutter.__package }}.web.schemas import (
    DecimalOf,
    PathParameters,
    RequestModel,
    ResponseModel,
    StringOf,
    Timestamp,
    TimestampOut,
)

from .models import ProbeStatus

Code = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"),
    Field(examples=["A-1001"]),
]
ShortText = Annotated[str, StringOf(200)]
Amount = Annotated[Decimal, DecimalOf(18, 2, minimum="0")]
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
    """The members to change: one that is absent stays as it is, null removes a value."""

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
    price: Amount
    available_at: TimestampOut | None
    parent_id: UUID | None
    version: int
    created_at: TimestampOut
    updated_at: TimestampOut


class ProbePage(ResponseModel):
    """Some of the probes, and the cursor of those that follow."""

    items: Sequence[ProbeRead]
    next: str | None = Field(description="`cursor` of the next page, null on the last")


class ProbePath(PathParameters):
    """The path of one probe."""

    id: UUID


class ProbeQuery(PageQuery):
    """Which probes to list, and in which order."""

    sort: Literal["created_at", "created_at_desc", "name", "name_desc"] = "created_at"
    status: ProbeStatus | None = None
    parent_id: UUID | None = None
