"""A private MySQL server, from an installed program or in a container."""

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from sqlalchemy import URL

from .private_server import (
    SECONDS_TO_PULL,
    NoServerError,
    PrivateServer,
    container,
    docker_is_available,
    free_port,
    run,
    temporary_folder,
    unprivileged_account,
)
from .server_innodb import DEFAULT_PORT as DEFAULT_PORT
from .server_innodb import NO_TLS, accepts_connections, quoted
from .server_innodb import create_database as create_database
from .server_innodb import drop_database as drop_database

INSTALL = (
    "MySQL cannot be started here: install MySQL 8.4 or newer (its program mysqld on PATH, or named"
    " by the variable MYSQLD), or start Docker."
)
VARIABLE = "MYSQLD"
IMAGE = "mysql:8.4"
OLDEST = (8, 4)
VERSION = re.compile(r"Ver ([0-9]+)\.([0-9]+)\.[0-9]+(?:-[0-9.]+)? ")
"""That of another engine has words behind the numbers."""

PROGRAM_FOLDERS = (
    "/usr/sbin",
    "/usr/local/sbin",
    "/usr/local/mysql/bin",
    "/opt/homebrew/opt/mysql/bin",
    "/usr/local/opt/mysql/bin",
)

# These turn off what keeps data over a power cut, which a test run does not need, and what takes
# long to begin.
NOT_DURABLE = (
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--innodb-flush-method=nosync",
    "--performance-schema=OFF",
)

OWN_TEMPORARY_FILES = "--tmpdir=."

OPTIONS = (
    "--skip-log-bin",
    "--skip-name-resolve",
    "--character-set-server=utf8mb4",
    "--mysqlx=OFF",
    "--secure-file-priv=NULL",
)


def start_temporary() -> tuple[PrivateServer, URL]:
    """Start a server for one run of tests and return it with the URL of a superuser.

    Raises NoServerError if this machine cannot start one.
    """
    account = server_account()
    folder = temporary_folder(account)
    try:
        mysqld = program()
        if mysqld is None:
            return _start_container(folder)
        data = folder / "data"
        run(_command(mysqld, data, "--initialize-insecure", *NOT_DURABLE), folder, account)
        socket = folder / "socket"
        server = PrivateServer(
            _command(
                mysqld,
                data,
                f"--socket={socket}",
                "--skip-networking",
                "--max-connections=200",
                *NOT_DURABLE,
            ),
            folder,
            account=account,
            stop_signal="TERM",
            temporary=True,
        )
        url = URL.create("mysql+pymysql", "root", query={"unix_socket": str(socket), **NO_TLS})
        server.wait_until(lambda: accepts_connections(url))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return server, url


def start_development(url: URL, folder: Path) -> PrivateServer:
    """Start the server of `url` with its data in `folder`, which can be new.

    Raises NoServerError if this machine cannot start one.
    """
    mysqld = program()
    if mysqld is None:
        return _start_development_container(url, folder)
    account = server_account()
    data = folder / "data"
    if not data.exists():  # with a password for root that nobody reads
        run(_command(mysqld, data, "--initialize"), folder, account)
    accounts = folder / "accounts.sql"
    accounts.touch(mode=0o600)
    accounts.write_text(_grant_all(url))
    if account is not None:
        shutil.chown(accounts, account)
    server = PrivateServer(
        _command(
            mysqld,
            data,
            f"--bind-address={url.host}",
            f"--port={url.port or DEFAULT_PORT}",
            "--socket=socket",  # in the data; an absolute path may be too long for a socket
            f"--init-file={accounts}",
        ),
        folder,
        account=account,
        stop_signal="TERM",
        temporary=False,
    )
    server.wait_until(lambda: accepts_connections(url.set(database="")))
    return server


def server_account() -> str | None:
    """Return the account that the server runs as; None for the current one."""
    return unprivileged_account("mysql")


@cache
def program() -> str | None:
    """Return the first mysqld that is MySQL's: other engines have a program of that name."""
    folders = [*os.environ["PATH"].split(os.pathsep), *PROGRAM_FOLDERS]
    paths = [os.environ.get(VARIABLE), *(f"{folder}/mysqld" for folder in folders)]
    return next((path for path in paths if path and _is_usable(path)), None)


def _is_usable(path: str) -> bool:
    if not os.access(path, os.X_OK):
        return False
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    version = VERSION.search(done.stdout)
    return version is not None and (int(version[1]), int(version[2])) >= OLDEST


def _command(mysqld: str, data: Path, *options: str) -> list[str | Path]:
    own = ("--no-defaults", f"--datadir={data}", OWN_TEMPORARY_FILES)
    return [mysqld, *own, *OPTIONS, *options]


def _grant_all(url: URL) -> str:
    """Return the statements that create the user of `url` with all rights, one on each line."""
    user, password = quoted(url.username), quoted(url.password)
    return (
        f"CREATE USER IF NOT EXISTS {user}@'%';\n"
        f"ALTER USER {user}@'%' IDENTIFIED BY {password};\n"
        f"GRANT ALL ON *.* TO {user}@'%' WITH GRANT OPTION;\n"
    )


def _start_container(folder: Path) -> tuple[PrivateServer, URL]:
    if not docker_is_available():
        raise NoServerError(INSTALL)
    port = free_port()
    no_password = "MYSQL_ALLOW_EMPTY_PASSWORD=1"  # noqa: S105
    command = container(no_password, image=IMAGE, port=port, inner_port=DEFAULT_PORT)
    server = PrivateServer(
        [*command, *OPTIONS, *NOT_DURABLE],
        folder,
        account=None,
        stop_signal="TERM",
        temporary=True,
    )
    url = URL.create("mysql+pymysql", "root", host="127.0.0.1", port=port)
    server.wait_until(lambda: accepts_connections(url), SECONDS_TO_PULL)
    return server, url


def _start_development_container(url: URL, folder: Path) -> PrivateServer:
    if not docker_is_available():
        raise NoServerError(INSTALL)
    data = folder / "container"
    data.mkdir(exist_ok=True)
    command = container(
        "MYSQL_RANDOM_ROOT_PASSWORD=1",
        f"MYSQL_USER={url.username}",
        f"MYSQL_PASSWORD={url.password}",
        f"MYSQL_DATABASE={url.database}",
        image=IMAGE,
        port=url.port or DEFAULT_PORT,
        inner_port=DEFAULT_PORT,
        volume=f"{data}:/var/lib/mysql",
    )
    server = PrivateServer(
        [*command, *OPTIONS], folder, account=None, stop_signal="TERM", temporary=False
    )
    server.wait_until(lambda: accepts_connections(url), SECONDS_TO_PULL)
    return server
