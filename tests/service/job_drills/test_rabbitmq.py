"""The drill with RabbitMQ as the broker: a killed worker, a rejected queue, a stopped broker."""

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dev.private_server import free_port, is_listening, temporary_folder
from kombu import Connection, Queue
from kombu.exceptions import OperationalError
from my_service.settings import Settings
from pydantic import SecretStr
from sqlalchemy import Engine

from tests.jobs.drill_tasks import touch
from tests.jobs.support.background import ask, idle, jobs_in
from tests.support.applications import MakeApp
from tests.support.concurrency import wait_until

from .test_drills import HOST, ask_for, done, drill_settings, worker_of

pytestmark = pytest.mark.slow

BOUND_SECONDS = 10
WITHOUT_OPTIONS = '{"imports": ["tests.jobs.drill_tasks"]}'


@contextmanager
def rabbitmq() -> Iterator[tuple[str, int]]:
    """The URL of a private RabbitMQ, and the id of its process."""
    port, folder = free_port(), temporary_folder(None)
    environment = {
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"drill{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": HOST,
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(folder),
        "RABBITMQ_LOG_BASE": str(folder),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_EPMD_ADDRESS": HOST,
        "ERL_EPMD_PORT": (names := str(free_port())),
    }
    [program] = Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server")
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            ["sh", "-c", 'exec "$0"', program],
            env=os.environ | environment,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        wait_until(lambda: is_listening((HOST, port)))
        yield f"amqp://guest:guest@{HOST}:{port}//", server.pid
    finally:
        os.killpg(server.pid, signal.SIGCONT)
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)
        # Erlang's directory of names, which the server has started.
        subprocess.run(["epmd", "-port", names, "-kill"], check=True, stdout=subprocess.DEVNULL)


def test_rabbitmq_is_a_broker_too(
    make_app: MakeApp, committed_db: Engine, settings: Settings, tmp_path: Path
) -> None:
    with rabbitmq() as (url, server):
        app = make_app(broker_url=SecretStr(url))
        chosen = drill_settings(settings, url, celery=WITHOUT_OPTIONS)
        with worker_of(chosen) as processes:
            touch.delay(str(tmp_path / "delayed"))
            wait_until((tmp_path / "delayed").exists)
            ask_for(app, "worker-killed", 30)
            wait_until(lambda: done(committed_db))
            processes.worker.kill()
        with Connection(url) as connection:  # the queue has an option there that tasks do not know
            Queue("other", max_priority=3, channel=connection.default_channel).declare()
        ask(app, idle.s().set(queue="other"))
        with worker_of(chosen):
            ask_for(app, "broker-stopped", 10)
            os.killpg(server, signal.SIGSTOP)
            began = time.monotonic()
            with pytest.raises(OperationalError):
                touch.delay(str(tmp_path / "never"))
            assert time.monotonic() - began < 3 * BOUND_SECONDS
            ask_for(app, "meanwhile", 10)
            os.killpg(server, signal.SIGCONT)
            wait_until(lambda: [job.queue for job in jobs_in(committed_db)] == ["other"])

    assert Counter(done(committed_db).values()) == {1: 50}
