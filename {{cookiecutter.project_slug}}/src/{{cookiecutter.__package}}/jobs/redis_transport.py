"""Celery's transport for Redis, with which a worker survives the loss of its broker.

A worker of kombu 5.7 that loses Redis in the middle of a task ends: it gives back or acknowledges
the message of that task on a channel which is closed by then, whose `pool` raises an AttributeError
(https://github.com/celery/kombu/blob/v5.7.0/kombu/transport/redis.py). Celery expects an error of
the connection there, and goes on. tests/jobs/test_redis_transport.py shows when this
can go.
"""

from typing import Any

from kombu.transport import redis


class Channel(redis.Channel):
    """A channel that raises the expected error when it is closed."""

    @property
    def pool(self) -> Any:
        """The pool of connections. Raises ConnectionError when the channel is closed."""
        if getattr(self.connection, "client", None) is None:
            raise ConnectionError("The connection to the broker was lost.")
        return super().pool


class Transport(redis.Transport):
    """A transport with these channels."""

    Channel = Channel
