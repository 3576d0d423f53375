"""The table, and the rules that the database itself keeps."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Enum, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from ...clock import utc_now
from ...database import Base
from ...database.column_types import ExactDecimal, ExactString, UtcDateTime, uuid7

TABLE = "{{ cookiecutter.resource_plural }}"


class {{ cookiecutter.__class }}Status(StrEnum):
    """Where the {{ cookiecutter.__label }} is in its life."""

    DRAFT = "draft"
    ACTIVE = "active"
    RETIRED = "retired"


class {{ cookiecutter.__class }}(Base):
    """One {{ cookiecutter.__label }}; `code` is the key that people know it by."""

    __tablename__ = TABLE

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    code: Mapped[str] = mapped_column(ExactString(64), unique=True)
    name: Mapped[str] = mapped_column(ExactString(200))
    status: Mapped[{{ cookiecutter.__class }}Status] = mapped_column(
        Enum(
            {{ cookiecutter.__class }}Status,
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
