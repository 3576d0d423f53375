"""Deletes what is no longer needed; to run once a day."""

from sqlalchemy.orm import Session

{% if cookiecutter.background_jobs == "celery" %}
from .jobs.receipts import purge_failed
{% endif %}
from .web.idempotency import purge_expired_keys


def clean_up(session: Session) -> str:
    """Delete old rows, commit, and say how many they were."""
    done = f"{purge_expired_keys(session)} idempotency keys"
{% if cookiecutter.background_jobs == "celery" %}
    done += f", {purge_failed(session)} failed tasks"
{% endif %}
    return f"Deleted: {done}."
