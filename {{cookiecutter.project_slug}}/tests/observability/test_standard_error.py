"""A log that cannot be written costs lines, never a response."""

import errno
import io
import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TextIO

import pytest
from flask import Flask
from prometheus_client import CollectorRegistry

from {{ cookiecutter.__package }} import create_app
from {{ cookiecutter.__package }}.observability import logs, standard_error
from {{ cookiecutter.__package }}.settings import Settings

PATIENCE_SECONDS = 30


class FullDisk(io.StringIO):
    """A stream that fails as a file on a full disk does."""

    def write(self, _text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


class FullForOnce(io.StringIO):
    """A file on a disk that becomes full, and has space again after one failure."""

    def __init__(self, space: int) -> None:
        super().__init__()
        self.space = space

    def write(self, text: str) -> int:
        written = super().write(text[: self.space])
        self.space -= written
        if written < len(text):
            self.space = 1_000_000
            raise OSError(errno.ENOSPC, "No space left on device")
        return written


@pytest.fixture
def service(settings: Settings) -> Iterator[Flask]:
    """An application of the test's own."""
    yield create_app(settings)
    logs.configure(settings)


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    """A pipe: the descriptor of its reader, and a stream that writes to it."""
    reader, writer = os.pipe()
    stream = open(writer, "w", encoding="utf-8")  # noqa: SIM115
    yield reader, stream
    with suppress(OSError):
        os.close(reader)
    with suppress(OSError):
        stream.close()


def lost_lines(app: Flask) -> float | None:
    """How many lines of the application are lost."""
    registry: CollectorRegistry = app.extensions["metrics"]
    return registry.get_sample_value("log_lines_lost_total")


def assert_served_without_log(service: Flask) -> None:
    """Requests get responses, and their lines counted as lost."""
    client = service.test_client()
    assert [client.get("/livez").status_code for _ in range(3)] == [200] * 3
    assert client.get("/nowhere").status_code == 404
    logging.getLogger("library").error("This line is lost, too")
    assert lost_lines(service) == 5


def test_a_closed_stream_costs_no_response(service: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr(sys, "stderr", stream)

    assert_served_without_log(service)


@pytest.mark.parametrize("stream", [FullDisk(), None], ids=["full disk", "no standard error"])
def test_a_stream_that_fails_costs_no_response(
    service: Flask, monkeypatch: pytest.MonkeyPatch, stream: TextIO | None
) -> None:
    monkeypatch.setattr(sys, "stderr", stream)

    assert_served_without_log(service)


@pytest.mark.parametrize("space", [400, 1000])
def test_a_line_that_was_cut_off_is_a_line_of_its_own(
    monkeypatch: pytest.MonkeyPatch, space: int
) -> None:
    """Or the next one, which is written whole, could not be read."""
    stream, other = FullForOnce(space), io.StringIO()
    handler = standard_error.StandardErrorHandler()
    monkeypatch.setattr(sys, "stderr", stream)
    for line in ("x" * 2500, "second", "third"):
        handler.write_line(line)

    assert stream.getvalue() == "x" * space + "\nsecond\nthird\n"

    stream.space = 0
    handler.write_line("fourth")
    monkeypatch.setattr(sys, "stderr", other)
    handler.write_line("fifth")

    assert other.getvalue() == "fifth\n"


def test_a_line_that_no_reader_takes_leaves_no_trace(
    monkeypatch: pytest.MonkeyPatch, pipe: tuple[int, TextIO]
) -> None:
    reader, stream = pipe
    monkeypatch.setattr(standard_error, "MAX_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(sys, "stderr", stream)
    os.set_blocking(stream.fileno(), False)
    handler = standard_error.StandardErrorHandler()
    line = "x" * 4095
    written = 0
    with suppress(BlockingIOError):
        while True:
            written += os.write(stream.fileno(), f"{line}\n".encode())
    handler.write_line("lost")
    read = b""
    while len(read) < written:
        read += os.read(reader, 65536)
    handler.write_line("next")

    assert os.read(reader, 65536) == b"next\n"


def test_a_reader_that_has_ended_costs_no_response(
    service: Flask, monkeypatch: pytest.MonkeyPatch, pipe: tuple[int, TextIO]
) -> None:
    reader, stream = pipe
    os.close(reader)
    monkeypatch.setattr(sys, "stderr", stream)

    assert_served_without_log(service)


@pytest.mark.parametrize("length", [10, 100_000])
def test_a_reader_that_is_stuck_costs_one_wait(
    service: Flask, monkeypatch: pytest.MonkeyPatch, pipe: tuple[int, TextIO], length: int
) -> None:
    reader, stream = pipe
    monkeypatch.setattr(standard_error, "MAX_WAIT_SECONDS", 0.05)
    monkeypatch.setattr(sys, "stderr", stream)
    client = service.test_client()

    end = time.monotonic() + PATIENCE_SECONDS
    while not lost_lines(service):
        assert time.monotonic() < end
        assert client.get("/livez").status_code == 200
        logging.getLogger("library").error("x" * length)

    monkeypatch.setattr(standard_error, "MAX_WAIT_SECONDS", 2.0 * PATIENCE_SECONDS)
    assert client.get("/livez").status_code == 200
    assert time.monotonic() < end

    os.read(reader, 1_000_000)
    before = lost_lines(service)
    assert client.get("/livez").status_code == 200
    assert lost_lines(service) == before
    assert b'"route":"/livez"' in os.read(reader, 1_000_000)


def test_a_line_that_cannot_be_formatted_names_its_place(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    record = logging.LogRecord("library", logging.ERROR, "a.py", 7, "%d", ("hunter2",), None)
    logs.configure(settings).emit(record)

    line = json.loads(capsys.readouterr().err)
    assert line["event"] == "A log line of a.py:7 cannot be formatted: TypeError"
    assert "hunter2" not in str(line)


def test_a_hook_that_fails_costs_no_response(
    service: Flask, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_arguments: object) -> None:
        raise RuntimeError("a defect")

    service.extensions["response_hooks"].insert(0, fail)

    response = service.test_client().get("/livez", headers={"X-Request-ID": "mine"})

    assert response.status_code == 200
    assert response.headers["X-Request-ID"] == "mine"
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert lines[0]["event"] == "A response hook failed"
    assert "RuntimeError: a defect" in lines[0]["exception"]
