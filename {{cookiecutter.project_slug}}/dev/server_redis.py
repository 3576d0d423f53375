"""A private Redis server, from the installed program or in a container. It stores nothing."""

import os
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from shutil import which
from urllib.parse import urlsplit

from .private_server import (
    SECONDS_TO_PULL,
    NoServerError,
    PrivateServer,
    container,
    docker_is_available,
    free_port,
    is_listening,
    temporary_folder,
)

INSTALL = (
    "Redis cannot be started here: install it (on Debian: apt-get install redis-server), or start"
    " Docker."
)
HOST = "127.0.0.1"
LOOPBACK = {"localhost", HOST}
DEFAULT_PORT = 6379
IMAGE = "redis:8"
PROGRAM_FOLDERS = ("/usr/local/bin", "/opt/homebrew/bin", "/usr/local/opt/redis/bin")
NOT_DURABLE = ("--save", "", "--appendonly", "no")


@contextmanager
def development_broker(url: str) -> Iterator[None]:
    """Make a broker available while the block runs, on a private server if needed.

    One that runs already, or one on another machine, is used as it is. Exits with a message when
    no server can be started.
    """
    parts = urlsplit(url)
    port = parts.port or DEFAULT_PORT
    if parts.hostname not in LOOPBACK or is_listening((HOST, port)):
        yield
        return
    try:
        server = start(port)
    except NoServerError as error:
        sys.exit(str(error))
    try:
        yield
    finally:
        server.stop()


def start_temporary(stop_signal: str = "TERM") -> tuple[PrivateServer, str]:
    """Start a server for one run of tests and return it with its URL; KILL simulates a crash.

    Raises NoServerError if this machine cannot start one.
    """
    port = free_port()
    return start(port, stop_signal), f"redis://{HOST}:{port}/0"


def start(port: int, stop_signal: str = "TERM") -> PrivateServer:
    """Start a server on this port. Raises NoServerError if this machine cannot start one."""
    program = which("redis-server", path=os.pathsep.join([os.environ["PATH"], *PROGRAM_FOLDERS]))
    if program is None and not docker_is_available():
        raise NoServerError(INSTALL)
    folder = temporary_folder(None)
    try:
        if program is None:
            command = container(image=IMAGE, port=port, inner_port=DEFAULT_PORT)
        else:
            command = [program, "--port", str(port), "--bind", HOST, *NOT_DURABLE]
        server = PrivateServer(
            command, folder, account=None, stop_signal=stop_signal, temporary=True
        )
        server.wait_until(lambda: accepts_connections(port), SECONDS_TO_PULL)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return server


def accepts_connections(port: int) -> bool:
    """Whether Redis runs on this port."""
    if not is_listening((HOST, port)):
        return False
    with socket.create_connection((HOST, port), timeout=0.5) as connection:
        try:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
        except OSError:  # the port of a container opens before its program does
            return False
