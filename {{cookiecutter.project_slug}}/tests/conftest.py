"""The modules with fixtures; docs/testing.md shows how to use them."""

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
