"""Create the tables of the kit."""

import sqlalchemy as sa
from alembic import op

from {{ cookiecutter.__package }}.database import column_types

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "idempotency_keys",
        sa.Column("digest", column_types.ExactString(64), nullable=False),
        sa.Column("body_digest", column_types.ExactString(64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", column_types.ExactString(2000), nullable=False),
        sa.Column("body", column_types.LongBinary(), nullable=False),
        sa.Column("created_at", column_types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(op.f("ix_idempotency_keys_created_at"), "idempotency_keys", ["created_at"])
{% if cookiecutter.background_jobs == "celery" %}
    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("task", column_types.ExactString(200), nullable=False),
        sa.Column("queue", column_types.ExactString(100), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("request_id", column_types.ExactString(128), nullable=True),
        sa.Column("trace_id", column_types.ExactString(32), nullable=True),
        sa.Column("state", column_types.ExactString(10), nullable=False),
        sa.Column("created_at", column_types.UtcDateTime(), nullable=False),
        sa.Column("due_at", column_types.UtcDateTime(), nullable=False),
        sa.Column("heard_at", column_types.UtcDateTime(), nullable=True),
        sa.Column("retries", sa.Integer(), nullable=False),
        sa.Column("runs", sa.Integer(), nullable=False),
        sa.Column("error", column_types.ExactString(1000), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_index(op.f("ix_jobs_state"), "jobs", ["state", "queue", "due_at"])
{% endif %}
{% if cookiecutter.auth == "api_key" %}
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("prefix", column_types.ExactString(16), nullable=False),
        sa.Column("digest", column_types.ExactString(64), nullable=False),
        sa.Column("name", column_types.ExactString(200), nullable=False),
        sa.Column("scopes", column_types.ExactString(1000), nullable=False),
        sa.Column("created_at", column_types.UtcDateTime(), nullable=False),
        sa.Column("expires_at", column_types.UtcDateTime(), nullable=True),
        sa.Column("revoked_at", column_types.UtcDateTime(), nullable=True),
        sa.Column("last_used_at", column_types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("prefix", name=op.f("uq_api_keys_prefix")),
    )
{% endif %}


def downgrade() -> None:
    """Go back."""
{% if cookiecutter.auth == "api_key" %}
    op.drop_table("api_keys")
{% endif %}
{% if cookiecutter.background_jobs == "celery" %}
    op.drop_table("jobs")
{% endif %}
    op.drop_table("idempotency_keys")
