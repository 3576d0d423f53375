"""A worker that knows the tests' own tasks, too: `celery --app tests.jobs.support.worker`."""

from {{ cookiecutter.__package }} import create_app
from {{ cookiecutter.__package }}.jobs.celery_app import make_worker
from {{ cookiecutter.__package }}.settings import Settings

from ...support.probe import PROBES
from . import worker_tasks

__all__ = ["celery", "worker_tasks"]

celery = make_worker(create_app(Settings.load(env_file=None), resources=PROBES))
