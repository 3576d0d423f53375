"""Fails at once while the database server is known to hang: it takes connects and does not respond.

Each connect waits for its whole timeout then, and the requests behind it wait in turn. So after one
that took long, others fail without a try, for a moment.
"""

import time
from collections.abc import Callable
from typing import Generic, TypeVar

HANG_SECONDS = 1.0
"""A connect that fails after so long got no response; a refused one fails at once."""

PAUSE_SECONDS = 1.0

Connection = TypeVar("Connection")


class HangGuard(Generic[Connection]):
    """Calls `connect`, except for `PAUSE_SECONDS` after a call that a hanging server let fail."""

    def __init__(self, connect: Callable[..., Connection]) -> None:
        self._connect = connect
        self._error: Exception | None = None
        self._failed_at = float("-inf")

    def __call__(self, *args: object, **parameters: object) -> Connection:
        """Return a new connection. Raises the driver's error."""
        began = time.monotonic()
        error = self._error
        if error is not None and began - self._failed_at < PAUSE_SECONDS:
            raise type(error)(*error.args)
        try:
            return self._connect(*args, **parameters)
        except Exception as error:
            if time.monotonic() - began > HANG_SECONDS:
                self._error, self._failed_at = error, time.monotonic()
            raise
