"""The private database server of development: it runs with the service and keeps its data."""

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL

from .private_server import NoServerError, can_use, give, is_listening
from .server_{{ cookiecutter.database }} import (
    DEFAULT_PORT,
    create_database,
    server_account,
    start_development,
)

PROJECT = Path(__file__).resolve().parent.parent
LOOPBACK = {"localhost": "127.0.0.1", "127.0.0.1": "127.0.0.1"}


@contextmanager
def development_server(url: URL) -> Iterator[None]:
    """Make the database of `url` available while the block runs, on a private server if needed.

    A server that runs already, or one on another machine, is used as it is. Exits with a message
    when no server can be started.
    """
    host = LOOPBACK.get(url.host or "")
    if host is None or is_listening((host, url.port or DEFAULT_PORT)):
        yield
        return
    try:
        server = start_development(url.set(host=host), _data_folder())
    except NoServerError as error:
        sys.exit(str(error))
    try:
        create_database(url)
        yield
    finally:
        server.stop()


def _data_folder() -> Path:
    """Return `.data`, or a folder elsewhere if the server's account cannot enter the project."""
    folder = PROJECT / ".data"
    account = server_account()
    if account is not None and not can_use(PROJECT, account):
        digest = hashlib.sha256(os.fsencode(PROJECT)).hexdigest()
        folder = Path("/var/tmp", f"{PROJECT.name}-{digest[:16]}")  # noqa: S108 - see the owner below
        print(f"{account} cannot enter this folder, so the data are in {folder}.")
    if not folder.exists():
        folder.mkdir(mode=0o700)
        give(folder, account)
    elif account is not None and folder.owner() != account:
        raise NoServerError(f"{folder} should belong to {account}, not to {folder.owner()}.")
    return folder
