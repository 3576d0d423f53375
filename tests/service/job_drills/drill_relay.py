"""A relay in trouble: `python -m tests.jobs.drill_relay killed`, or `ahead`."""

import os
import signal
import sys
import time
from threading import Event
from typing import Any

from my_service import create_app
from my_service.jobs import relay


def main(trouble: str) -> None:
    """Run a relay that is killed before it notes what it has published, or whose clock is ahead."""
    if trouble == "ahead":
        now = time.time
        time.time = lambda: now() + 600
    else:
        publish = relay.publish_batch

        def publish_and_be_killed(celery: Any, jobs: Any) -> None:
            publish(celery, jobs)
            os.kill(os.getpid(), signal.SIGKILL)

        relay.publish_batch = publish_and_be_killed
    relay.run(create_app().extensions["celery"], Event())


if __name__ == "__main__":
    main(sys.argv[1])
