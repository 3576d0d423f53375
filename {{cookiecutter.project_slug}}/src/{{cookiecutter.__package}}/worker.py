"""The entry point of Celery: `celery --app {{ cookiecutter.__package }}.worker`."""

from . import create_app
from .jobs.celery_app import make_worker
from .settings import Settings

settings = Settings.load()
celery = make_worker(create_app(settings), settings)
