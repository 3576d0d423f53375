"""Fails at once while the database is known to hang: it takes a request and does not respond.

Each call waits for its whole limit then, and the requests behind it wait in turn. So after one that
waited in vain, others fail without a try, for a moment.
"""

import time
from collections.abc import Callable
from copy import copy
from typing import Generic, TypeVar

HANG_SECONDS = 1.0
"""A call that fails after so long got no response; one that is refused fails at once."""

PAUSE_SECONDS = 1.0

Result = TypeVar("Result")


class HangGuard(Generic[Result]):
    """Calls `attempt`, except for `PAUSE_SECONDS` after a call that a hanging database let fail."""

    def __init__(self, attempt: Callable[..., Result]) -> None:
        self._attempt = attempt
        self._error: Exception | None = None
        self._failed_at = float("-inf")

    def __call__(self, *args: object, **parameters: object) -> Result:
        """Return what the call returns. Raises the driver's error."""
        began = time.monotonic()
        error = self._error
        if error is not None and began - self._failed_at < PAUSE_SECONDS:
            raise copy(error)
        try:
            return self._attempt(*args, **parameters)
        except Exception as error:
            if time.monotonic() - began > HANG_SECONDS:
                self._error, self._failed_at = error, time.monotonic()
            raise
