"""A relay between an application and a server, which can hang as a server does."""

import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread
from typing import Self


class Relay:
    """Passes bytes between clients of its port and a server on the loopback interface.

    While it hangs, it takes connections and passes nothing on.
    """

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._passing = Event()
        self._passing.set()
        self._sockets: list[socket.socket] = []
        self._threads: list[Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.go_on()
        for each in [self._listener, *self._sockets]:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join()

    def hang(self) -> None:
        """Pass nothing on until `go_on`."""
        self._passing.clear()

    def go_on(self) -> None:
        """Pass on what was held back, and all else."""
        self._passing.set()

    def _start(self, work: Callable[..., None], *arguments: socket.socket) -> None:
        thread = Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):  # the listener is closed
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server_port))
                self._sockets += [client, server]
                self._start(self._pass, client, server)
                self._start(self._pass, server, client)

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._passing.wait()
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
