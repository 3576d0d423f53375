"""A load generator: a number of requests over keep-alive connections to loopback."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

TIMEOUT_SECONDS = 10.0


class Connection:
    """A keep-alive connection that sends a request and waits for the response."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def send(self, request: bytes) -> tuple[int, bytes]:
        """Send the request and return the status and the body of the response."""
        head, body = self._exchange(request)
        return int(head[9:12]), body

    def response(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send the request and return status, headers by their lower-case names, and body."""
        head, body = self._exchange(request)
        lines = head.decode("latin-1").split("\r\n")[1:]
        headers = {name.lower(): value.strip() for name, _, value in map(_partition, lines)}
        return int(head[9:12]), headers, body

    def _exchange(self, request: bytes) -> tuple[bytes, bytes]:
        self._socket.sendall(request)
        received = self._socket.recv(65536)
        while b"\r\n\r\n" not in received:
            received += self._more()
        head, _, body = received.partition(b"\r\n\r\n")
        length = _content_length(head)
        while len(body) < length:
            body += self._more()
        return head, body

    def _more(self) -> bytes:
        received = self._socket.recv(65536)
        if not received:
            raise ConnectionError("The server closed the connection during a response.")
        return received


def _partition(line: str) -> tuple[str, str, str]:
    return line.partition(":")


def _content_length(head: bytes) -> int:
    if head[9:12] in (b"204", b"304"):
        return 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise ValueError("The response has no Content-Length.")


def get(path: str, **headers: str) -> bytes:
    """Return a GET request; `_` in the name of a header stands for `-`."""
    more = _lines(headers)
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n{more}\r\n".encode()


def post(path: str, body: bytes, method: str = "POST", **headers: str) -> bytes:
    """Return a request with a JSON body, unless `Content_Type` is another."""
    more = _lines({"Content_Type": "application/json", **headers})
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n"
        f"{more}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def delete(path: str, **headers: str) -> bytes:
    """Return a DELETE request."""
    return get(path, **headers).replace(b"GET", b"DELETE", 1)


def _lines(headers: dict[str, str]) -> str:
    return "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())


@contextmanager
def connected(port: int, count: int) -> Iterator[list[Connection]]:
    """Open new keep-alive connections; a server closes those that were idle for seconds."""
    with ExitStack() as stack:
        connections = [Connection(port) for _ in range(count)]
        for connection in connections:
            stack.callback(connection.close)
        yield connections


def run(connections: list[Connection], requests: list[bytes], status: int) -> None:
    """Send the requests over all connections at once.

    Raises RuntimeError if a response has an unexpected status.
    """

    def work(first: int) -> None:
        connection = connections[first]
        for request in requests[first :: len(connections)]:
            received, body = connection.send(request)
            if received != status:
                raise RuntimeError(f"Expected {status}, not {received}: {body[:300]!r}")

    with ThreadPoolExecutor(len(connections)) as pool:
        list(pool.map(work, range(len(connections))))
