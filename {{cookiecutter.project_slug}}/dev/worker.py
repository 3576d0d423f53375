"""Runs background jobs for development, with a broker: `make worker`."""

import subprocess
import sys
import time
from collections.abc import Sequence

from {{ cookiecutter.__package }}.settings import Settings

from .server_redis import development_broker

APP = "{{ cookiecutter.__package }}"


def run_worker(settings: Settings) -> int:
    """Run a relay and a worker until Ctrl-C; return the exit status of the first that ends."""
    relay = ["flask", "--app", APP, "jobs", "relay"]
    worker = ["celery", "--quiet", "--app", f"{APP}.worker", "worker", "--loglevel", "INFO"]
    with development_broker(settings.broker_url.get_secret_value()):
        return run_together([relay, [*worker, "--concurrency", str(settings.workers)]])


def run_together(modules: Sequence[Sequence[str]]) -> int:
    """Run Python modules until one ends, and stop the others; return the exit status of that one.

    Each has a session of its own: Ctrl-C reaches only this program, which stops them in order.
    """
    processes = [
        subprocess.Popen([sys.executable, "-m", *module], start_new_session=True)
        for module in modules
    ]
    try:
        while True:
            for process in processes:
                if process.poll() is not None:
                    return process.returncode
            time.sleep(0.1)
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait()
