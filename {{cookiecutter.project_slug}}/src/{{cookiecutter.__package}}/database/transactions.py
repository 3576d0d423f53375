"""Retry a whole unit of work after a deadlock or a serialization failure.

The database ends one of two transactions that wait for each other, or that read what the other
wrote. It is rolled back, and a retry succeeds. The retry needs a new session, because the data
that the old one read have changed.
"""

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from .engine import is_retryable
from .session import db

log = logging.getLogger(__name__)

ATTEMPTS = 5
FIRST_PAUSE_SECONDS = 0.02

Result = TypeVar("Result")


def run_in_transaction(work: Callable[[Session], Result], *, attempts: int = ATTEMPTS) -> Result:
    """Call `work` with a new session, commit, and return its result.

    After a deadlock, a serialization failure or a concurrent change of a versioned row, `work` is
    called again, up to `attempts` times in total. The last error is raised, and every other error
    at once. So `work` reads everything it needs, and does nothing that cannot be rolled back, such
    as sending a mail. Do not call this while a transaction of `db.session` is open: it takes a
    second connection, which would wait for the locks of the first.

        def transfer(session: Session) -> None: ...
        run_in_transaction(transfer)
    """
    for attempt in range(1, attempts):
        try:
            return _once(work)
        except (DBAPIError, StaleDataError) as error:
            if isinstance(error, DBAPIError) and not is_retryable(error):
                raise
            log.info("Attempt %d of a transaction lost a race: retrying", attempt)
        longest = FIRST_PAUSE_SECONDS * 2**attempt
        time.sleep(random.uniform(0, longest))  # noqa: S311  so that two do not collide again
    return _once(work)


def _once(work: Callable[[Session], Result]) -> Result:
    with db.sessionmaker.begin() as session:
        return work(session)
