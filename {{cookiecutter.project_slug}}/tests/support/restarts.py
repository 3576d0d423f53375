"""A private server of {{ cookiecutter.__engine }} that a test may stop and start again."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from dev.private_server import PrivateServer, free_port, temporary_folder
from dev.server_{{ cookiecutter.database }} import server_account, start_development

from .engine import make_empty_database


class RestartableServer:
    """A server with data that survive a restart; other tests do not use it."""

    def __init__(self, drivername: str, folder: Path) -> None:
        self.folder = folder
        self.url = URL.create(
            drivername, "restarts", "a-password", "127.0.0.1", free_port(), "restarts_test"
        )
        self.running: PrivateServer | None = None

    def start(self) -> None:
        """Start it, unless it runs, and wait until it accepts connections."""
        if self.running is None:
            self.running = start_development(self.url, self.folder)

    def stop(self) -> None:
        """Stop it, if it runs, and wait for its end."""
        if self.running is not None:
            self.running.stop()
        self.running = None


@pytest.fixture(scope="session")
def server_with_data(worker_url: URL) -> Iterator[RestartableServer]:
    """A server that does not run yet; its data, which take seconds to make, are made once."""
    folder = temporary_folder(server_account())
    server = RestartableServer(worker_url.drivername, folder)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture
def restartable_server(server_with_data: RestartableServer) -> RestartableServer:
    """A running server for this test, with an empty database."""
    server_with_data.start()
    make_empty_database(server_with_data.url)
    return server_with_data
