"""A worker that knows the tests' own tasks, too: `python -m tests.jobs.support.worker`."""

import sys

from {{ cookiecutter.__package }} import create_app
from {{ cookiecutter.__package }}.jobs.celery_app import make_worker
from {{ cookiecutter.__package }}.jobs.process import work, worker_command
from {{ cookiecutter.__package }}.settings import Settings

from ...support.probe import PROBES
from . import worker_tasks

__all__ = ["celery", "worker_tasks"]

settings = Settings.load(env_file=None)
service = create_app(settings, resources=PROBES)
celery = make_worker(service, settings)


def main() -> int:
    """Do what `jobs work` does, with this module in place of the service's own."""
    command = worker_command(settings)
    command[command.index("{{ cookiecutter.__package }}.worker")] = __spec__.name
    return work(service, settings, command)


if __name__ == "__main__":
    sys.exit(main())
