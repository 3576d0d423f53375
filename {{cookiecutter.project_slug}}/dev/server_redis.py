"""A private Redis server, from the installed program or in a container. It stores nothing."""

import json
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
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

PROJECT = Path(__file__).resolve().parent.parent
DATA = PROJECT / ".data" / "redis"

INSTALL = (
    "Redis cannot be started here: install it (on Debian: apt-get install redis-server), or start"
    " Docker."
)
HOST = "127.0.0.1"
LOOPBACK = {"localhost", HOST}
DEFAULT_PORT = 6379
PASSWORD = "not-a-secret"  # noqa: S105  of private servers of tests
IMAGE = "redis:8"
PROGRAM_FOLDERS = ("/usr/local/bin", "/opt/homebrew/bin", "/usr/local/opt/redis/bin")
CONFIGURATION = PROJECT / "redis.conf"


@contextmanager
def development_broker(url: str) -> Iterator[None]:
    """Make a broker available while the block runs, on a private server if needed.

    One that runs already, one on another machine, or one that is not a Redis, is used as it is.
    Exits with a message when no server can be started.
    """
    parts = urlsplit(url)
    port = parts.port or DEFAULT_PORT
    is_other = parts.hostname not in LOOPBACK or not parts.scheme.startswith("redis")
    if is_other or is_listening((HOST, port)):
        yield
        return
    try:
        DATA.mkdir(mode=0o700, parents=True, exist_ok=True)
        server = start(port, DATA, password=parts.password or "")
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
    folder = temporary_folder(None)
    try:
        server = start(port, folder, password=PASSWORD, stop_signal=stop_signal, temporary=True)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return server, f"redis://:{PASSWORD}@{HOST}:{port}/0"


def start(
    port: int, folder: Path, *, password: str, stop_signal: str = "TERM", temporary: bool = False
) -> PrivateServer:
    """Start a server that keeps its data in the folder.

    Raises NoServerError if this machine cannot start one.
    """
    program = which("redis-server", path=os.pathsep.join([os.environ["PATH"], *PROGRAM_FOLDERS]))
    if program is None and not docker_is_available():
        raise NoServerError(INSTALL)
    configuration = folder / "private.conf"
    configuration.write_text(f"{CONFIGURATION.read_text()}\nrequirepass {json.dumps(password)}\n")
    if program is None:
        command = container(
            image=IMAGE, port=port, inner_port=DEFAULT_PORT, volume=f"{folder}:/data"
        )
        command += ["redis-server", "/data/private.conf"]
    else:
        options = ("--port", str(port), "--bind", HOST, "--dir", str(folder))
        command = [program, str(configuration), *options]
    server = PrivateServer(
        command, folder, account=None, stop_signal=stop_signal, temporary=temporary
    )
    server.wait_until(lambda: accepts_connections(port), SECONDS_TO_PULL)
    return server


def accepts_connections(port: int) -> bool:
    """Return whether Redis runs on this port; if it asks for a password, it does."""
    if not is_listening((HOST, port)):
        return False
    with socket.create_connection((HOST, port), timeout=0.5) as connection:
        try:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:  # the port of a container opens before its program does
            return False
