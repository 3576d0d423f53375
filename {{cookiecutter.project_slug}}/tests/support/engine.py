"""The engine that the tests run on, {{ cookiecutter.__engine }}: other modules import it from here."""

from typing import Any

from sqlalchemy import Engine

from {{ cookiecutter.__package }}.database import engine
from {{ cookiecutter.__package }}.database.session import engine_options
from {{ cookiecutter.__package }}.settings import Settings

from .{{ cookiecutter.database }} import (
{% if cookiecutter.database != "sqlite" %}
    connection_number,
{% endif %}
    create_database,
    cut_off,
    database_name,
    deferred_checks,
    delete_rows,
    drop_database,
{% if cookiecutter.database != "sqlite" %}
    end_connection,
{% endif %}
    is_transaction_open,
    named,
    open_transaction,
    run_script,
    start_temporary,
)

__all__ = [
{% if cookiecutter.database != "sqlite" %}
    "connection_number",
{% endif %}
    "create_database",
    "cut_off",
    "database_name",
    "deferred_checks",
    "delete_rows",
    "drop_database",
{% if cookiecutter.database != "sqlite" %}
    "end_connection",
{% endif %}
    "is_transaction_open",
    "make_engine",
    "make_migration_engine",
    "named",
    "open_transaction",
    "run_script",
    "start_temporary",
]


def make_engine(settings: Settings, **options: Any) -> Engine:
    """An engine as the service has it with these settings, but for these options."""
    url = settings.database_url.get_secret_value()
    return engine.make_engine(url, **(engine_options(settings) | options))


def make_migration_engine(settings: Settings) -> Engine:
    """An engine as migrations have it."""
    return engine.make_migration_engine(settings.database_url.get_secret_value())
