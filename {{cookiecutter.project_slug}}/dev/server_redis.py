"""A private Redis, from what the machine has: the program or a container. It keeps nothing."""

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
    docker_answers,
    free_port,
    is_listening,
    temporary_folder,
)

INSTALL = (
    "No Redis can be started here: install it (on Debian: apt-get install redis-server), or start"
    " Docker."
)
HOST = "127.0.0.1"
LOOPBACK = {"localhost", HOST}
DEFAULT_PORT = 6379
IMAGE = "redis:8"
PROGRAM_FOLDERS = ("/usr/local/bin", "/opt/homebrew/bin", "/usr/local/opt/redis/bin")
NOT_KEPT = ("--save", "", "--appendonly", "no")


@contextmanager
def development_broker(url: str) -> Iterator[None]:
    """See that a broker is there while the block runs, on a private server if needed.

    One that answers already, or one on another machine, is used as it is. Ends the program with a
    sentence when there is none and none can be started.
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
    """Start a server for one run of tests, and return its URL, too; KILL is a crash.

    Raises NoServerError when the machine has nothing to start it with.
    """
    port = free_port()
    return start(port, stop_signal), f"redis://{HOST}:{port}/0"


def start(port: int, stop_signal: str = "TERM") -> PrivateServer:
    """Start a server on this port. Raises NoServerError when there is nothing to start it with."""
    program = which("redis-server", path=os.pathsep.join([os.environ["PATH"], *PROGRAM_FOLDERS]))
    if program is None and not docker_answers():
        raise NoServerError(INSTALL)
    folder = temporary_folder(None)
    try:
        if program is None:
            command = container(image=IMAGE, port=port, inner_port=DEFAULT_PORT)
        else:
            command = [program, "--port", str(port), "--bind", HOST, *NOT_KEPT]
        server = PrivateServer(
            command, folder, account=None, stop_signal=stop_signal, temporary=True
        )
        server.wait_until(lambda: answers(port), SECONDS_TO_PULL)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return server


def answers(port: int) -> bool:
    """Whether a Redis answers there."""
    if not is_listening((HOST, port)):
        return False
    with socket.create_connection((HOST, port), timeout=0.5) as connection:
        try:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
        except OSError:  # the port of a container opens before its program does
            return False
