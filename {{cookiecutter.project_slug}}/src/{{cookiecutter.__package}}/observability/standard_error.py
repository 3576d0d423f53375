"""Writes log lines to standard error; one that cannot be written is lost, and counted.

The reader of a pipe may have ended, or may hang; a disk may be full; a descriptor may be closed.
"""

import json
import logging
import os
import select
import stat
import sys
from collections.abc import Callable
from typing import TextIO

MAX_WAIT_SECONDS = 1.0
"""How long a line waits for a slow reader; while that one stays stuck, no other line waits."""

CHUNK_LENGTH = 1000
"""In characters: one chunk fits where a pipe says that it can be written to (4096 bytes)."""


class StandardErrorHandler(logging.Handler):
    """Writes to what `sys.stderr` is now, not to what it was when the service began."""

    def __init__(self) -> None:
        super().__init__()
        self.count_lost_line: Callable[[], object] = lambda: None
        self._stream: TextIO | None = None
        self._poll: select.poll | None = None
        self._is_stuck = False
        self._is_cut_off = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line of a record."""
        try:
            line = self.format(record)
        except Exception as error:  # a wrong call of the logger, such as `log.info("%d", "x")`
            where = f"{record.pathname}:{record.lineno}"
            event = f"A log line of {where} cannot be formatted: {type(error).__name__}"
            line = json.dumps({"event": event, "level": "error", "logger": record.name})
        self.write_line(line)

    def write_line(self, line: str) -> None:
        """Write one line, or count it as lost. Raises nothing."""
        self.acquire()
        try:
            self._write(line + "\n")
        except (OSError, ValueError):  # ValueError: the stream is closed
            self.count_lost_line()
        finally:
            self.release()

    def _write(self, text: str) -> None:
        stream: TextIO | None = sys.stderr
        if stream is None:
            raise ValueError("There is no standard error.")
        if stream is not self._stream:
            self._stream, self._poll = stream, _poll_of_pipe(stream)
            self._is_cut_off = False
        if self._is_cut_off:  # the line before has no end
            text = "\n" + text
        for start in range(0, len(text), CHUNK_LENGTH):
            if self._poll is not None:
                self._wait_for_reader(self._poll)
            self._is_cut_off = True
            stream.write(text[start : start + CHUNK_LENGTH])
            stream.flush()
        self._is_cut_off = False

    def _wait_for_reader(self, poll: "select.poll") -> None:
        """Return when the pipe can take a chunk. Raises BlockingIOError if it takes too long."""
        seconds = 0.0 if self._is_stuck else MAX_WAIT_SECONDS
        self._is_stuck = not poll.poll(seconds * 1000)
        if self._is_stuck:
            raise BlockingIOError


def _poll_of_pipe(stream: TextIO) -> "select.poll | None":
    """Return what waits for the reader of a pipe or a socket, None for a file or a terminal."""
    try:
        descriptor = stream.fileno()
        mode = os.fstat(descriptor).st_mode
    except (OSError, ValueError):  # a stream of a test
        return None
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return None
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return poll
