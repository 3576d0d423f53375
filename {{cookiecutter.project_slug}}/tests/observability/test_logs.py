import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from flask import Flask
from sqlalchemy.exc import OperationalError

from {{ cookiecutter.__package }} import create_app
from {{ cookiecutter.__package }}.observability import logs
from {{ cookiecutter.__package }}.observability.standard_error import (
    StandardErrorHandler,
)
from {{ cookiecutter.__package }}.settings import Settings

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SECRET = "hunter2"

Lines = Callable[[], list[dict[str, Any]]]

library = logging.getLogger("library")


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """The lines that were logged since the last look; each has to be one JSON object."""
    return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]


@pytest.fixture
def service(settings: Settings) -> Flask:
    """An application of the test's own, to which it may add views."""
    return create_app(settings)


@pytest.fixture(autouse=True)
def _format_of_the_tests(settings: Settings) -> Iterator[None]:
    logs.configure(settings)
    yield
    logs.configure(settings)


def test_each_request_is_one_line(service: Flask, lines: Lines) -> None:
    headers = {"X-Request-ID": "mine", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}

    service.test_client().get("/livez?token=hunter2", headers=headers)

    (line,) = lines()
    assert line.pop("duration_ms") > 0
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "request",
        "level": "info",
        "method": "GET",
        "route": "/livez",
        "path": "/livez",
        "status": 200,
        "request_id": "mine",
        "trace_id": TRACE,
        "client": "127.0.0.1",
    }


def test_a_view_adds_fields_to_the_line_of_its_request(service: Flask, lines: Lines) -> None:
    def work() -> str:
        logs.add_request_fields(rows=3)
        logs.add_request_fields(note=f"password={SECRET}")
        return ""

    service.add_url_rule("/work", view_func=work)

    service.test_client().get("/work")
    service.test_client().get("/livez")

    first, second = lines()
    assert (first["rows"], first["note"]) == (3, "password=[redacted]")
    assert not {"rows", "note"} & set(second)


def test_the_time_of_a_request_is_logged_in_milliseconds(service: Flask, lines: Lines) -> None:
    def work() -> str:
        time.sleep(0.005)
        return ""

    service.add_url_rule("/work", view_func=work)

    began = time.perf_counter()
    service.test_client().get("/work")
    took = time.perf_counter() - began

    (line,) = lines()
    assert 5 <= line["duration_ms"] <= took * 1000
    assert line["duration_ms"] == round(line["duration_ms"], 3)


def test_a_request_is_logged_by_its_rule(service: Flask, lines: Lines) -> None:
    service.add_url_rule("/things/<int:number>", view_func=lambda number: str(number))

    service.test_client().get("/things/7")

    (line,) = lines()
    assert (line["route"], line["path"]) == ("/things/<int:number>", "/things/7")


def test_what_no_rule_fits_is_logged_too(service: Flask, lines: Lines) -> None:
    service.test_client().get("/no%0Awhere")

    (line,) = lines()
    assert (line["route"], line["path"], line["status"]) == (None, "/no\nwhere", 404)


def test_an_unhandled_exception_is_one_line_with_its_traceback(
    service: Flask, lines: Lines
) -> None:
    def fail() -> str:
        raise ValueError(f"password={SECRET}")

    service.add_url_rule("/fail", view_func=fail)

    response = service.test_client().get("/fail", headers={"X-Request-ID": "mine"})

    assert response.status_code == 500
    failure, request = lines()
    assert failure["level"] == request["level"] == "error"
    assert failure["request_id"] == request["request_id"] == "mine"
    assert failure["trace_id"] == request["trace_id"]
    assert failure["exception"].startswith("Traceback (most recent call last):")
    assert "ValueError: password=[redacted]" in failure["exception"]
    assert request["status"] == 500
    assert SECRET not in response.text


def test_an_unreachable_database_is_an_error(service: Flask, lines: Lines) -> None:
    def fail() -> str:
        raise OperationalError(None, None, ConnectionError())

    service.add_url_rule("/failing", view_func=fail)

    assert service.test_client().get("/failing").status_code == 503
    assert [line["level"] for line in lines()] == ["error", "error"]


def test_lines_of_libraries_have_the_same_format(service: Flask, lines: Lines) -> None:
    def work() -> str:
        library.warning("half of %d", 10, extra={"done": 5})
        structlog.get_logger("own").info("structured", done=6)
        return ""

    service.add_url_rule("/work", view_func=work)

    service.test_client().get("/work", headers={"X-Request-ID": "mine"})
    library.warning("outside")

    first, second, _request, outside = lines()
    assert (first["event"], first["level"], first["logger"]) == ("half of 10", "warning", "library")
    assert (first["done"], first["request_id"]) == (5, "mine")
    assert (second["event"], second["level"], second["done"]) == ("structured", "info", 6)
    assert second["request_id"] == "mine"
    assert "request_id" not in outside


@pytest.mark.parametrize(
    "extra",
    [
        {"password": SECRET},
        {"Authorization": f"Bearer {SECRET}"},
        {"db_secret_key": SECRET},
        {"access_token": SECRET},
        {"apiKey": SECRET},
        {"api-key": SECRET},
        {"headers": {"Cookie": SECRET, "deep": [{"token": SECRET}]}},
        {"tried": ("a", f"token={SECRET}")},
    ],
)
def test_secrets_are_taken_out_by_name(lines: Lines, extra: dict[str, object]) -> None:
    library.warning("text", extra={"kept": 1, **extra})

    (line,) = lines()
    assert line["kept"] == 1
    assert SECRET not in str(line)
    assert "[redacted]" in str(line)


def test_what_is_beside_a_secret_is_kept(lines: Lines) -> None:
    library.warning("text", extra={"headers": {"Cookie": SECRET, "Accept": "*/*", "parts": [1]}})

    (line,) = lines()
    assert line["headers"] == {"Cookie": "[redacted]", "Accept": "*/*", "parts": [1]}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"connecting to db://user:{SECRET}@host:1234/name", "db://user:[redacted]@host:1234/name"),
        (f"db://user:p@{SECRET}@host/name", "@host/name"),
        (f"Authorization: Bearer {SECRET}", "Authorization: "),
        (str({"api_key": SECRET, "a": 1}), "'a': 1"),
        (f"password={SECRET}&next=1", "&next=1"),
    ],
)
def test_secrets_are_taken_out_of_texts(lines: Lines, text: str, kept: str) -> None:
    library.warning("%s", text)

    (line,) = lines()
    assert SECRET not in line["event"]
    assert kept in line["event"]


@pytest.mark.parametrize("terminal", [True, False])
def test_people_get_text(
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    terminal: bool,
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    service = create_app(settings.model_copy(update={"log_format": "text"}))

    service.test_client().get("/livez")
    try:
        raise ValueError("wrong")
    except ValueError:
        library.exception("failed")

    text = capsys.readouterr().err
    assert "/livez" in text
    assert text.count("Traceback (most recent call last)") == 1
    assert "ValueError: wrong" in text
    assert ("\x1b[" in text) == terminal


def test_lines_below_the_level_are_left_out(settings: Settings, lines: Lines) -> None:
    service = create_app(settings.model_copy(update={"log_level": "error"}))
    service.add_url_rule("/fail", view_func=lambda: ("", 500))

    service.test_client().get("/livez")
    library.warning("not this")
    structlog.get_logger("own").warning("nor this")
    service.test_client().get("/fail")

    assert [line["status"] for line in lines()] == [500]


@pytest.mark.parametrize(
    ("logger", "chatter", "news"),
    [
        ("werkzeug", '127.0.0.1 - - [22/Nov/2026 15:00:00] "GET / HTTP/1.1" 200 -', "Running on"),
        ("alembic.runtime.migration", "Context impl AnyImpl.", "Running upgrade"),
    ],
)
def test_chatter_of_libraries_is_left_out(
    lines: Lines, logger: str, chatter: str, news: str
) -> None:
    logging.getLogger(logger).info(chatter)
    logging.getLogger(logger).info(news)

    assert [line["event"] for line in lines()] == [news]


def test_a_long_text_is_cut_in_its_middle(lines: Lines) -> None:
    """At its end a traceback says what happened."""
    library.info("begin %s end", "x" * 100_000)

    [line] = lines()
    assert len(line["event"]) < logs.MAX_TEXT_LENGTH + 50
    assert line["event"].startswith("begin x")
    assert line["event"].endswith("x end")
    assert f"[{100_010 - logs.MAX_TEXT_LENGTH} characters cut]" in line["event"]


def test_a_secret_at_the_cut_is_removed(lines: Lines) -> None:
    half = logs.MAX_TEXT_LENGTH // 2
    library.info("%s db://user:%s@host %s", "x" * (half - 15), SECRET, "x" * half)

    [line] = lines()
    assert "cut]" in line["event"]
    assert SECRET[:3] not in line["event"]


def test_configuring_again_keeps_the_handlers_of_others(settings: Settings) -> None:
    root = logging.getLogger()
    other = logging.NullHandler()
    root.addHandler(other)
    try:
        logs.configure(settings)

        assert other in root.handlers
        assert sum(isinstance(handler, StandardErrorHandler) for handler in root.handlers) == 1
    finally:
        root.removeHandler(other)
