"""The entry point of Celery: `celery --app {{ cookiecutter.__package }}.worker`."""

from . import create_app
from .celery_app import make_worker
from .settings import load_settings

settings = load_settings()
celery = make_worker(create_app(settings), settings)
