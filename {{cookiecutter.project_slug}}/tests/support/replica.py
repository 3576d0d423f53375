"""A replica that starts: it migrates its database, as others do at the same moment."""

from collections.abc import Callable

from alembic import command

from {{ cookiecutter.__package }}.database.migrations import connected_config
from {{ cookiecutter.__package }}.settings import Settings


def main(begin_together: Callable[[], object]) -> None:
    """Bring the schema of `DATABASE_URL` to the newest revision, beginning when the others do."""
    settings = Settings.load(env_file=None)
    begin_together()
    with connected_config(settings) as config:
        command.upgrade(config, "head")
