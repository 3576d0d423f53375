"""The modules with fixtures; docs/testing.md shows how to use them."""

import signal
from inspect import isclass

import pytest

pytest_plugins = [
    "tests.support.problems",
    "tests.support.databases",
    "tests.support.migrating",
    "tests.support.sessions",
    "tests.support.applications",
    "tests.support.queries",
{% if cookiecutter.background_jobs == "celery" %}
    "tests.jobs.support.background",
    "tests.jobs.support.broker",
    "tests.jobs.support.webhooks",
{% endif %}
{% if cookiecutter.database != "sqlite" %}
    "tests.support.restarts",
{% endif %}
]


def pytest_configure() -> None:
    """End on TERM as on Ctrl-C, so that fixtures stop the programs and servers of the run."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_pycollect_makeitem(collector: pytest.Collector, obj: object) -> list[pytest.Item] | None:
    """Collect no class that a module imports: a resource `testimonial` is not a test."""
    own = collector.obj.__name__ if isinstance(collector, pytest.Module) else ""
    return [] if own and isclass(obj) and obj.__module__ != own else None
