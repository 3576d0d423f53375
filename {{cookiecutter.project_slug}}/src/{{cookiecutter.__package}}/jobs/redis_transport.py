"""Celery's way to Redis, on which a worker outlives the loss of its broker.

A worker of kombu 5.7 that loses Redis in the middle of a job ends: it gives back or acknowledges
the message of that job on a channel which is closed by then, whose `pool` raises an AttributeError
(https://github.com/celery/kombu/blob/v5.7.0/kombu/transport/redis.py). Celery expects an error of
the connection there, and goes on. tests/jobs/test_redis_transport.py tells when kombu does
without this.
"""

from typing import Any

from kombu.transport import redis


class Channel(redis.Channel):
    """A channel that says it is closed by an error which is expected of it."""

    @property
    def pool(self) -> Any:
        """Where connections are taken from. Raises ConnectionError when the channel is closed."""
        if getattr(self.connection, "client", None) is None:
            raise ConnectionError("The connection to the broker was lost.")
        return super().pool


class Transport(redis.Transport):
    """A transport with these channels."""

    Channel = Channel
