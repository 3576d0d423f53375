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
