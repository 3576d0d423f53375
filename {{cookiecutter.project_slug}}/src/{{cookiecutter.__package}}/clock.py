"""The clock of the service; tests that need another time replace it with time-machine."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the current time in UTC, to the microsecond."""
    return datetime.now(UTC)
