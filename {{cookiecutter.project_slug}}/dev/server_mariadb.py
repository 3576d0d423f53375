"""A private MariaDB server, from installed programs or in a container."""

import os
import shutil
from pathlib import Path
from shutil import which

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
    "MariaDB cannot be started here: install it (on Debian: apt-get install mariadb-server), or"
    " start Docker."
)
IMAGE = "mariadb:11.8"
PROGRAM_FOLDERS = (
    "/usr/sbin",
    "/usr/local/sbin",
    "/opt/homebrew/opt/mariadb/bin",
    "/usr/local/opt/mariadb/bin",
)

# These turn off what keeps data over a power cut, which a test run does not need. An unknown
# `loose` option is not an error: some exist only in some versions.
NOT_DURABLE = (
    "--loose-innodb-flush-log-at-trx-commit=0",
    "--loose-innodb-doublewrite=0",
    "--loose-innodb-flush-method=nosync",
    "--loose-innodb-fast-shutdown=2",
)

# In the folder of the data: a starting server removes all temporary tables that it finds, and in
# the machine's temporary folder it would find those of another running server.
OWN_TEMPORARY_FILES = "--tmpdir=."

OPTIONS = ("--skip-log-bin", "--skip-name-resolve", "--character-set-server=utf8mb4")


def start_temporary() -> tuple[PrivateServer, URL]:
    """Start a server for one run of tests and return it with the URL of a superuser.

    Raises NoServerError if this machine cannot start one.
    """
    account = server_account()
    folder = temporary_folder(account)
    try:
        if not _find("mariadbd") or not _find("mariadb-install-db"):
            return _start_container(folder)
        run(_install(folder / "data", "normal"), folder, account)
        socket = folder / "socket"
        server = PrivateServer(
            _mariadbd(
                folder / "data",
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
        query = {"unix_socket": str(socket), **NO_TLS}
        url = URL.create("mariadb+pymysql", "root", query=query)
        server.wait_until(lambda: accepts_connections(url))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return server, url


def start_development(url: URL, folder: Path) -> PrivateServer:
    """Start the server of `url` with its data in `folder`, which can be new.

    Raises NoServerError if this machine cannot start one.
    """
    if not _find("mariadbd") or not _find("mariadb-install-db"):
        return _start_development_container(url, folder)
    account = server_account()
    data = folder / "data"
    if not data.exists():
        run(_install(data, "socket"), folder, account)
    accounts = folder / "accounts.sql"
    accounts.touch(mode=0o600)
    accounts.write_text(_grant_all(url))
    if account is not None:
        shutil.chown(accounts, account)
    server = PrivateServer(
        _mariadbd(
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


def _find(program: str) -> str | None:
    return which(program, path=os.pathsep.join([os.environ["PATH"], *PROGRAM_FOLDERS]))


def _install(data: Path, authentication: str) -> list[str | Path]:
    return [
        _find("mariadb-install-db") or "",
        "--no-defaults",
        f"--datadir={data}",
        f"--auth-root-authentication-method={authentication}",
        "--skip-test-db",
        OWN_TEMPORARY_FILES,
    ]


def _mariadbd(data: Path, *options: str) -> list[str | Path]:
    program = _find("mariadbd") or ""
    own = ("--no-defaults", f"--datadir={data}", OWN_TEMPORARY_FILES)
    return [program, *own, *OPTIONS, *options]


def _grant_all(url: URL) -> str:
    """Return the statements that create the user of `url` with all rights, one on each line."""
    user, password = quoted(url.username), quoted(url.password)
    return (
        f"CREATE OR REPLACE USER {user}@'%' IDENTIFIED BY {password};\n"
        f"GRANT ALL ON *.* TO {user}@'%' WITH GRANT OPTION;\n"
    )


def _start_container(folder: Path) -> tuple[PrivateServer, URL]:
    if not docker_is_available():
        raise NoServerError(INSTALL)
    port = free_port()
    no_password = "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD=1"  # noqa: S105
    command = container(no_password, image=IMAGE, port=port, inner_port=DEFAULT_PORT)
    server = PrivateServer(
        [*command, *OPTIONS, *NOT_DURABLE],
        folder,
        account=None,
        stop_signal="TERM",
        temporary=True,
    )
    url = URL.create("mariadb+pymysql", "root", host="127.0.0.1", port=port)
    server.wait_until(lambda: accepts_connections(url), SECONDS_TO_PULL)
    return server, url


def _start_development_container(url: URL, folder: Path) -> PrivateServer:
    if not docker_is_available():
        raise NoServerError(INSTALL)
    data = folder / "container"
    data.mkdir(exist_ok=True)
    command = container(
        "MARIADB_RANDOM_ROOT_PASSWORD=1",
        f"MARIADB_USER={url.username}",
        f"MARIADB_PASSWORD={url.password}",
        f"MARIADB_DATABASE={url.database}",
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
