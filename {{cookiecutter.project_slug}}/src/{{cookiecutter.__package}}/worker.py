"""The entry point of Celery.

`celery --app {{ cookiecutter.__package }}.worker worker` runs it.
"""

from pkgutil import iter_modules

from celery.schedules import crontab

from . import create_app, housekeeping, resources
from .database import db
from .jobs.celery_app import make_worker

celery = make_worker(create_app())
celery.autodiscover_tasks(
    [f"{resources.__name__}.{module.name}" for module in iter_modules(resources.__path__)]
)


@celery.task(name="housekeeping")
def clean_up() -> str:
    """Delete what is no longer needed."""
    return housekeeping.clean_up(db.session())


NIGHTLY = {"housekeeping": {"task": clean_up.name, "schedule": crontab(hour="3", minute="23")}}
celery.conf.beat_schedule = NIGHTLY | celery.conf.beat_schedule
