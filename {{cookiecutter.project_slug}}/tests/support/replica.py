"""A starting replica: it migrates its database at the same time as others."""

from collections.abc import Callable

from {{ cookiecutter.__package }}.database.migrations import upgrade
from {{ cookiecutter.__package }}.settings import Settings


def main(wait_for_others: Callable[[], object]) -> None:
    """Upgrade the schema of `DATABASE_URL` to the newest revision when the others do."""
    settings = Settings.load(env_file=None)
    wait_for_others()
    upgrade(settings)
