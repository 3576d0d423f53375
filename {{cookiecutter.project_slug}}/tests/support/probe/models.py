"""The table of the kit's own tests: a column of each kind, and no name that a resource can have."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Enum, ForeignKey, Index, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from {{ cookiecutter.__package }}.clock import utc_now
from {{ cookiecutter.__package }}.database.column_types import (
    ExactDecimal,
    ExactString,
    UtcDateTime,
    uuid7,
)
from {{ cookiecutter.__package }}.database.session import NAMING_CONVENTION

TABLE = "_probes"


class ProbeBase(DeclarativeBase):
    """A base of its own: no migration and no comparison with the models sees the table."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class ProbeStatus(StrEnum):
    """The state of a probe."""

    DRAFT = "draft"
    ACTIVE = "active"
    RETIRED = "retired"


class Probe(ProbeBase):
    """One probe; `code` is unique."""

    __tablename__ = TABLE

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    code: Mapped[str] = mapped_column(ExactString(64), unique=True)
    name: Mapped[str] = mapped_column(ExactString(200))
    status: Mapped[ProbeStatus] = mapped_column(
        Enum(
            ProbeStatus,
            name="status",
            native_enum=False,
            create_constraint=True,
            length=16,
            values_callable=lambda statuses: [status.value for status in statuses],
        ),
    )
    price: Mapped[Decimal] = mapped_column(ExactDecimal(18, 2))
    available_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey(f"{TABLE}.id"), index=True)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, onupdate=utc_now)

    __table_args__ = (
        CheckConstraint("price >= 0", name="price_not_negative"),
        CheckConstraint("parent_id <> id", name="not_its_own_parent"),
        Index(None, "created_at", "id"),
        Index(None, "name", "id"),
    )
    __mapper_args__ = {"version_id_col": version}
