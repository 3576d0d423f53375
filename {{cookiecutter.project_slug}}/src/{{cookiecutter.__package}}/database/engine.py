"""The engine of this service, {{ cookiecutter.__engine }}: other modules import it from here."""

from .{{ cookiecutter.__engine_module }} import (
    MIGRATION_OPTIONS,
    POOL_OPTIONS,
    beyond,
    cause_of,
    interrupted_step,
    is_conflict,
    is_outage,
    is_retryable,
    is_statement_timeout,
    make_engine,
    make_migration_engine,
    make_probe_engine,
    migration_lock,
    recorded_progress,
    violation_of,
)

__all__ = [
    "MIGRATION_OPTIONS",
    "POOL_OPTIONS",
    "beyond",
    "cause_of",
    "interrupted_step",
    "is_conflict",
    "is_outage",
    "is_retryable",
    "is_statement_timeout",
    "make_engine",
    "make_migration_engine",
    "make_probe_engine",
    "migration_lock",
    "recorded_progress",
    "violation_of",
]
