"""What Alembic runs for each command: migrations under a lock, or their SQL as a script."""

from typing import Any

from alembic import context

from {{ cookiecutter.__package }}.database import Base
from {{ cookiecutter.__package }}.database.engine import (
    MIGRATION_OPTIONS,
    migration_lock,
)

OPTIONS: dict[str, Any] = {
    "target_metadata": Base.metadata,
    "user_module_prefix": "column_types.",
    "compare_type": True,
    "compare_server_default": True,
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
    connection = context.config.attributes["connection"]
    with migration_lock(connection):
        context.configure(connection=connection, **OPTIONS)
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    write_script()
else:
    migrate()
