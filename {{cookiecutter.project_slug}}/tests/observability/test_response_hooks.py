import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask, Response

from {{ cookiecutter.__package }} import create_app
from {{ cookiecutter.__package }}.observability.response_hooks import (
    Headers,
    add_response_hook,
)
from {{ cookiecutter.__package }}.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def test_hooks_see_the_answer_as_it_is_sent_one_after_the_other(settings: Settings) -> None:
    service = create_app(settings)
    seen: list[object] = []

    def first(_environ: dict[str, object], status: int, headers: Headers) -> None:
        seen.append(status)
        headers.append(("X-First", "1"))

    def second(_environ: dict[str, object], _status: int, headers: Headers) -> None:
        seen.append([value for name, value in headers if name in {"X-First", "Location"}])

    add_response_hook(service, first)
    add_response_hook(service, second)
    service.after_request(lambda _response: Response(status=302, headers={"Location": "/changed"}))

    response = service.test_client().get("/livez")

    assert seen == [302, ["/changed", "1"]]
    assert response.headers["X-First"] == "1"


def test_hooks_of_one_application_are_its_own() -> None:
    first, second = Flask("first"), Flask("second")
    add_response_hook(first, lambda _environ, _status, headers: headers.append(("X-First", "1")))
    add_response_hook(second, lambda _environ, _status, headers: headers.append(("X-Second", "1")))

    headers = second.test_client().get("/").headers

    assert "X-Second" in headers
    assert "X-First" not in headers


def test_an_answer_to_an_error_is_sent_with_it() -> None:
    """So that a server which has begun another response knows: PEP 3333."""
    service = Flask(__name__)
    sent: list[object] = []

    def respond(_environ: "WSGIEnvironment", start_response: "StartResponse") -> list[bytes]:
        try:
            raise ValueError("wrong")
        except ValueError:
            start_response("500 Internal Server Error", [], sys.exc_info())
        return []

    service.wsgi_app = respond  # type: ignore[method-assign, assignment]
    add_response_hook(service, lambda _environ, status, _headers: sent.append(status))

    def begin(_status: str, _headers: Headers, error: Any = None, /) -> Callable[[bytes], object]:
        sent.append(error[0])
        return sent.append

    service.wsgi_app({}, begin)

    assert sent == [500, ValueError]


def test_answers_to_errors_are_seen_too(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    service = create_app(settings)
    service.add_url_rule("/fail", view_func=lambda: 1 / 0)  # type: ignore[arg-type]

    response = service.test_client().get("/fail")

    assert response.headers["X-Content-Type-Options"] == "nosniff"
    *_, line = capsys.readouterr().err.splitlines()
    assert json.loads(line)["status"] == 500
