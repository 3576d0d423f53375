"""A whole unit of work, done again when it lost a race: a deadlock, or a serialisation failure.

The database ends one of two transactions that wait for each other, or that read what the other
wrote. The loser has done nothing wrong and nothing at all: begun again, it succeeds. It must begin
in a new session, for what the old one read is no longer true.
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
    """Do `work` with a session of its own, commit, and return what it returned.

    When the transaction lost a race, or another changed a versioned row first, all of it is done
    again, at most `attempts` times; then, and for every other error at once, the error is raised.
    So `work` reads what it needs by itself, and does nothing that cannot be undone, such as sending
    a mail. Call it instead of `db.session`, not in the middle of its transaction: it takes a
    connection for itself, and would wait for the locks of its own caller.

        def transfer(session: Session) -> None: ...
        run_in_transaction(transfer)
    """
    for attempt in range(1, attempts):
        try:
            return _once(work)
        except (DBAPIError, StaleDataError) as error:
            if isinstance(error, DBAPIError) and not is_retryable(error):
                raise
            log.info("A transaction lost a race for the %d. time: begun again", attempt)
        longest = FIRST_PAUSE_SECONDS * 2**attempt
        time.sleep(random.uniform(0, longest))  # noqa: S311  so that two do not meet once more
    return _once(work)


def _once(work: Callable[[Session], Result]) -> Result:
    with db.sessionmaker.begin() as session:
        return work(session)
