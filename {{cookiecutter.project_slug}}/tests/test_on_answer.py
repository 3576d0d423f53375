import json

import pytest
from flask import Flask, Response

from {{ cookiecutter.__package }} import create_app
from {{ cookiecutter.__package }}.on_answer import Headers, on_answer
from {{ cookiecutter.__package }}.settings import Settings


def test_hooks_see_the_answer_as_it_is_sent_one_after_the_other(settings: Settings) -> None:
    service = create_app(settings)
    seen: list[object] = []

    def first(_environ: dict[str, object], status: int, headers: Headers) -> None:
        seen.append(status)
        headers.append(("X-First", "1"))

    def second(_environ: dict[str, object], _status: int, headers: Headers) -> None:
        seen.append([value for name, value in headers if name in {"X-First", "Location"}])

    on_answer(service, first)
    on_answer(service, second)
    service.after_request(lambda _response: Response(status=302, headers={"Location": "/changed"}))

    response = service.test_client().get("/livez")

    assert seen == [302, ["/changed", "1"]]
    assert response.headers["X-First"] == "1"


def test_hooks_of_one_application_are_its_own() -> None:
    first, second = Flask("first"), Flask("second")
    on_answer(first, lambda _environ, _status, headers: headers.append(("X-First", "1")))
    on_answer(second, lambda _environ, _status, headers: headers.append(("X-Second", "1")))

    headers = second.test_client().get("/").headers

    assert "X-Second" in headers
    assert "X-First" not in headers


def test_answers_to_errors_are_seen_too(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    service = create_app(settings)
    service.add_url_rule("/fail", view_func=lambda: 1 / 0)  # type: ignore[arg-type]

    response = service.test_client().get("/fail")

    assert response.headers["X-Content-Type-Options"] == "nosniff"
    *_, line = capsys.readouterr().err.splitlines()
    assert json.loads(line)["status"] == 500
