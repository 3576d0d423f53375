"""Helpers for {{ cookiecutter.__engine }}, on which the tests run: other modules import them from here."""

from typing import Any

from sqlalchemy import Engine

from {{ cookiecutter.__package }}.database import engine
from {{ cookiecutter.__package }}.database.session import engine_options
from {{ cookiecutter.__package }}.settings import Settings

from .{{ cookiecutter.__engine_module }} import (
{% if cookiecutter.database != "sqlite" %}
    connection_number,
{% endif %}
    cut_off,
    database_name,
    deferred_checks,
    delete_rows,
    drop_database,
{% if cookiecutter.database != "sqlite" %}
    end_connection,
{% endif %}
    is_transaction_open,
    make_empty_database,
    named,
    open_transaction,
    run_script,
    start_temporary,
)

__all__ = [
{% if cookiecutter.database != "sqlite" %}
    "connection_number",
{% endif %}
    "cut_off",
    "database_name",
    "deferred_checks",
    "delete_rows",
    "drop_database",
{% if cookiecutter.database != "sqlite" %}
    "end_connection",
{% endif %}
    "is_transaction_open",
    "make_empty_database",
    "make_engine",
    "make_migration_engine",
    "named",
    "open_transaction",
    "run_script",
    "start_temporary",
]


def make_engine(settings: Settings, **options: Any) -> Engine:
    """Make an engine like the service's with these settings, except for these options."""
    url = settings.database_url.get_secret_value()
    return engine.make_engine(url, **(engine_options(settings) | options))


def make_migration_engine(settings: Settings) -> Engine:
    """Make an engine like that of migrations."""
    return engine.make_migration_engine(settings.database_url.get_secret_value())
