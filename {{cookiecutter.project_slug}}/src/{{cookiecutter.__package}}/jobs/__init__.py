"""Background jobs: Celery's tasks, and receipts in the database that keep what a broker loses."""

from .outbox import enqueue

__all__ = ["enqueue"]
