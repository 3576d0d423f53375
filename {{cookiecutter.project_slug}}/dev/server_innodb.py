"""Databases and logins of a private server that PyMySQL reaches."""

from typing import cast

from sqlalchemy import URL, Engine, NullPool, create_engine, text
from sqlalchemy.exc import OperationalError

from .private_server import is_listening

DEFAULT_PORT = 3306

# To be ready for TLS, PyMySQL reads all certificates of the machine at every connection: that takes
# longer than most tests, and a Unix socket needs no TLS.
NO_TLS = {"ssl_disabled": "true"}


def create_database(url: URL) -> None:
    """Create the database that `url` names, unless it exists."""
    with _maintenance(url).connect() as connection:
        name = _quoted(connection.engine, url)
        connection.execute(text(f"CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4"))


def drop_database(url: URL) -> None:
    """Drop the database that `url` names, if it exists."""
    with _maintenance(url).connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {_quoted(connection.engine, url)}"))


def accepts_connections(url: URL) -> bool:
    """Return whether the server accepts a login; try a socket first: the driver leaks one."""
    address = url.query.get("unix_socket") or (url.host or "", url.port or DEFAULT_PORT)
    if not is_listening(cast("tuple[str, int] | str", address)):
        return False
    try:
        with create_engine(url, poolclass=NullPool).connect():
            return True
    except OperationalError:
        return False


def quoted(value: str | None) -> str:
    """Return the string as a literal of SQL."""
    escaped = (value or "").replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _maintenance(url: URL) -> Engine:
    return create_engine(url.set(database=""), poolclass=NullPool)


def _quoted(engine: Engine, url: URL) -> str:
    return engine.dialect.identifier_preparer.quote_identifier(url.database or "")
