"""Fetches JSON documents of an OpenID provider, whose time is bounded as a whole.

Timeouts of sockets bound one read: a provider that sends a byte now and then would hold a request
for ever. So the fetch runs in a thread, which is waited for only so long.
"""

import json
from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection, HTTPSConnection
from socket import SHUT_RDWR
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.request import (
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    Request,
    build_opener,
)

MAX_DOCUMENT_BYTES = 1024 * 1024


class NoRedirects(HTTPRedirectHandler):
    """Follows no redirect: it could leave HTTPS."""

    def redirect_request(self, *_: Any) -> None:
        """Return no further request, so that the redirect is an error."""


class Fetch(Thread):
    """Calls a function with a way to get documents; `result` waits for it."""

    def __init__(self, read: Callable[["Fetch"], Any], timeout_seconds: float) -> None:
        super().__init__(daemon=True)
        self._read = read
        self._timeout_seconds = timeout_seconds
        self._is_given_up = False
        self._connections: list[HTTPConnection] = []
        self._result: Any = None
        self._error: Exception | None = None

    def run(self) -> None:
        """Do the work of the thread."""
        try:
            self._result = self._read(self)
        except Exception as error:  # whatever somebody else's server sends
            self._error = error

    def result(self) -> Any:
        """Return what the function returned. Raises its error, or TimeoutError."""
        self.start()
        self.join(self._timeout_seconds)
        if self.is_alive():
            self._close()
            raise TimeoutError("no whole response in time")
        if self._error is not None:
            raise self._error
        return self._result

    def get(self, url: str) -> Any:
        """Return the JSON document at a URL; only for the function that the thread calls."""
        opener = build_opener(NoRedirects, _HTTP(self._open), _HTTPS(self._open))
        opener.addheaders = [("Accept", "application/json")]
        try:
            with opener.open(url, timeout=self._timeout_seconds) as response:
                return json.loads(response.read(MAX_DOCUMENT_BYTES))
        except HTTPError as error:
            with error:  # it holds the connection
                raise OSError(f"status {error.code}") from None

    def _open(self, kind: type[HTTPConnection], host: str, **options: Any) -> HTTPConnection:
        connection = kind(host, **options)
        connection.connect = partial(self._connect, connection.connect)  # type: ignore[method-assign]
        self._connections.append(connection)
        return connection

    def _connect(self, connect: Callable[[], None]) -> None:
        """Connect, unless the fetch was given up meanwhile: `_close` has not seen the socket."""
        connect()
        if self._is_given_up:
            raise TimeoutError("given up")

    def _close(self) -> None:
        """End the reads of the thread, and so the thread."""
        self._is_given_up = True
        for connection in self._connections:
            if connection.sock is not None:
                try:
                    connection.sock.shutdown(SHUT_RDWR)
                except OSError:
                    continue  # it is closed


class _HTTP(HTTPHandler):
    def __init__(self, open_connection: Callable[..., HTTPConnection]) -> None:
        super().__init__()
        self._open_connection = open_connection

    def http_open(self, request: Request) -> Any:
        return self.do_open(partial(self._open_connection, HTTPConnection), request)


class _HTTPS(HTTPSHandler):
    def __init__(self, open_connection: Callable[..., HTTPConnection]) -> None:
        super().__init__()
        self._open_connection = open_connection

    def https_open(self, request: Request) -> Any:
        return self.do_open(partial(self._open_connection, HTTPSConnection), request)
