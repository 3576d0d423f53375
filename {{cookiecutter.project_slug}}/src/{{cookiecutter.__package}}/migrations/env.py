"""Alembic runs this for each command: migrations under a lock, or their SQL as a script."""

from contextlib import nullcontext
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo
from sqlalchemy import delete, insert
from sqlalchemy.schema import CreateTable

from {{ cookiecutter.__package }}.database.comparison import (
    Comparison,
    without_noise,
)
from {{ cookiecutter.__package }}.database.engine import (
    MIGRATION_OPTIONS,
    migration_lock,
)
from {{ cookiecutter.__package }}.database.revisions import (
    APPLIED,
    BREAKS_OLDER_CODE,
    INTERNAL_TABLES,
    history,
)


def record(*, ctx: MigrationContext, step: MigrationInfo, **_others: object) -> None:
    """Record that a revision was applied, or taken back, beside Alembic's own record."""
    ctx.execute(CreateTable(APPLIED, if_not_exists=True))
    name = step.up_revision_id
    ctx.execute(delete(APPLIED).where(APPLIED.c.revision == name))
    if step.is_upgrade:
        breaks = name in history().breaking
        ctx.execute(insert(APPLIED).values({"revision": name, BREAKS_OLDER_CODE: breaks}))


def is_of_the_models(name: str | None, kind: str, _parents: object) -> bool:
    """Leave the tables of the migrations themselves out of comparisons."""
    return kind != "table" or name not in INTERNAL_TABLES


OPTIONS: dict[str, Any] = {
    "target_metadata": context.config.attributes["models"],
    "user_module_prefix": "column_types.",
    "include_name": is_of_the_models,
    "on_version_apply": record,
    **MIGRATION_OPTIONS,
}


def write_script() -> None:
    """Print the SQL of the migrations without a database."""
    dialect = context.config.attributes["dialect"]
    context.configure(dialect_name=dialect, literal_binds=True, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


def migrate() -> None:
    """Run the migrations. The lock comes before the look: of many replicas one migrates."""
    attributes = context.config.attributes
    connection = attributes["connection"]
    timeout = attributes["lock_timeout_seconds"]
    lock = nullcontext() if attributes["locked"] else migration_lock(connection, timeout)
    with lock, without_noise():
        context.configure(connection=connection, **OPTIONS, **Comparison(connection).options)
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    write_script()
else:
    migrate()
