import json
from collections.abc import Callable, Iterator
from io import BytesIO
from itertools import product
from typing import Any

import pytest
from flask import Flask, Response, abort, redirect
from flask.testing import FlaskClient
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import (
    HTTPException,
    MethodNotAllowed,
    NotFound,
    RequestEntityTooLarge,
    TooManyRequests,
    Unauthorized,
)
from werkzeug.test import TestResponse
from werkzeug.wrappers.response import Response as AnyResponse

from {{ cookiecutter.__package }}.database import db
from {{ cookiecutter.__package }}.settings import Settings
from {{ cookiecutter.__package }}.web import error_handlers, validation
from {{ cookiecutter.__package }}.web.problems import TITLES, problem_type

from ..support.api import ANY, MISSING_URL, URL, create, new_body
from ..support.applications import MakeApp, new_app
from ..support.probe import Probe
from ..support.problems import problem
from ..support.programs import PROJECT

STATUSES = (400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 428, 429, 500, 503)
SECRET = "correct-horse-battery-staple"
SENTENCES = {
    400: "The body is not valid JSON in UTF-8.",
    413: RequestEntityTooLarge.description,
    415: "The body must be application/json.",
    422: "The request cannot be used as it is; see errors.",
}
UNKNOWN_ID = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """An application of the test's own, which handles errors as in production."""
    made = new_app(settings)
    yield made
    with made.app_context():
        db.engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def routes(app: Flask) -> Iterator[tuple[str, str]]:
    """All routes of the application: method and path."""
    for rule in app.url_map.iter_rules():
        path = rule.rule.replace("<uuid:id>", UNKNOWN_ID).replace("<path:filename>", "x")
        yield from product(sorted(rule.methods or ()), [path])


def failing(error: Exception) -> Callable[[], Response]:
    """A view that the project did not write, and that fails."""

    def fail() -> Response:
        raise error

    return fail


def api_routes(app: Flask) -> Iterator[tuple[str, str]]:
    for method, path in routes(app):
        if path.startswith("/api/") and method not in ("HEAD", "OPTIONS"):
            yield method, path


def routes_with_a_body(app: Flask) -> list[tuple[str, str]]:
    document = app.test_client().get("/openapi.json").get_json()
    found = [
        (method.upper(), path.replace("{id}", UNKNOWN_ID))
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if "requestBody" in operation
    ]
    assert found
    return found


@pytest.mark.parametrize("status", STATUSES)
def test_a_view_that_the_project_did_not_write_answers_with_problems(
    app: Flask, client: FlaskClient, status: int
) -> None:
    app.add_url_rule("/foreign", view_func=lambda: abort(status))

    document = problem(client.get("/foreign"), status)

    assert "errors" not in document


def test_all_kinds_of_problems_are_explained() -> None:
    assert set(TITLES) == set(STATUSES)
    page = (PROJECT / "docs" / "problems.md").read_text(encoding="utf-8")
    for status in STATUSES:
        assert f"\n## {problem_type(status)}\n\n{status}. " in page


def test_another_status_is_of_no_kind(app: Flask, client: FlaskClient) -> None:
    class Odd(HTTPException):
        code = 499
        description = "odd"

    app.add_url_rule("/teapot", view_func=lambda: abort(418))
    app.add_url_rule("/odd", "odd", failing(Odd()))

    teapot, odd = client.get("/teapot"), client.get("/odd")

    assert (teapot.status_code, odd.status_code) == (418, 499)
    assert teapot.get_json(force=True)["type"] == "about:blank"
    assert teapot.get_json(force=True)["title"] == "I'm a teapot"
    assert odd.get_json(force=True)["title"] == "Unknown"


@pytest.mark.parametrize("path", ["/", "/api", "/api/v1", "/%00", "/%ff%fe", "/é 😀", "/a/../b"])
def test_an_unknown_url_is_a_problem(app: Flask, path: str) -> None:
    problem(app.test_client().get(f"/nothing-here{path}"), 404)


def test_every_route_rejects_other_methods_and_names_its_own(
    app: Flask, client: FlaskClient
) -> None:
    for path in {path for _, path in routes(app)}:
        response = client.open(path, method="TRACE")
        problem(response, 405)
        assert set(response.headers["Allow"].split(", ")) == {
            method for method, other in routes(app) if other == path
        }


def test_every_route_of_the_api_rejects_unknown_parameters(app: Flask, client: FlaskClient) -> None:
    for method, path in api_routes(app):
        document = problem(
            client.open(f"{path}?colour=red", method=method, json=new_body(), headers=ANY), 422
        )
        assert [each["parameter"] for each in document["errors"] if "parameter" in each] == [
            "colour"
        ]


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"{}", None, 415),
        (b"{}", "text/plain", 415),
        (b"a=b", "application/x-www-form-urlencoded", 415),
        (b"{}", "application/jsonp", 415),
        (b"{}", "application/merge-patch+json", 415),
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"{'a': 1}", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"a":' * 100_000, "application/json; charset=utf-8", 400),
        (b"[]", "application/json", 422),
        (b'"{}"', "application/json", 422),
        (b"null", "application/json", 422),
        (b"5", "application/json", 422),
        (b"NaN", "application/json", 422),
        (b'{"\\ud800": 1}', "application/json", 422),
        (b'"' + b"a" * (1024 * 1024 - 2) + b'"', "application/json", 422),
        (b'"' + b"a" * (1024 * 1024 - 1) + b'"', "application/json", 413),
    ],
)
def test_every_route_with_a_body_rejects_what_is_not_an_object(
    app: Flask, client: FlaskClient, body: bytes, media_type: str | None, status: int
) -> None:
    for method, path in routes_with_a_body(app):
        response = client.open(path, method=method, data=body, content_type=media_type, headers=ANY)
        document = problem(response, status)
        assert document["detail"] == SENTENCES[status]
        if status == 422:
            assert document["errors"][0]["pointer"] == "#"


def test_what_a_body_should_be_is_said(client: FlaskClient) -> None:
    document = problem(client.post(URL, json=[]), 422)

    assert document["errors"] == [{"pointer": "#", "detail": "should be an object"}]


def test_a_query_that_is_not_encoded_is_rejected_in_a_sentence(client: FlaskClient) -> None:
    document = problem(client.get(URL, environ_overrides={"QUERY_STRING": "\xff"}), 400)

    assert document["detail"] == "The query must be percent-encoded."


def test_a_body_without_a_length_is_bounded_too(app: Flask, client: FlaskClient) -> None:
    for method, path in routes_with_a_body(app):
        response = client.open(
            path,
            method=method,
            input_stream=BytesIO(b"[" + b" " * 2 * 1024 * 1024 + b"]"),
            headers={"Transfer-Encoding": "chunked", **ANY},
            content_type="application/json",
            environ_overrides={"wsgi.input_terminated": True},
        )
        problem(response, 413)


class Cut(BytesIO):
    """A body that a server cannot read to its end."""

    def read(self, _size: int | None = -1) -> bytes:
        raise RuntimeError(f"chunk size {SECRET}")

    def readinto(self, _buffer: object) -> int:
        raise RuntimeError(f"chunk size {SECRET}")


def send_body(client: FlaskClient, body: Any, **environ: Any) -> TestResponse:
    """Send a body as a server gives it to an application."""
    return client.post(
        URL,
        input_stream=body,
        content_type="application/json",
        environ_overrides={"wsgi.input_terminated": True, **environ},
    )


def test_a_body_that_cannot_be_read_is_400(client: FlaskClient) -> None:
    document = problem(send_body(client, Cut(), HTTP_TRANSFER_ENCODING="chunked"), 400)

    assert document["detail"] == "The body is cut off, or badly chunked."


def test_a_body_shorter_than_its_length_is_400_and_not_stored(
    client: FlaskClient, session: Session
) -> None:
    whole = json.dumps(new_body()).encode()

    response = send_body(client, BytesIO(whole), CONTENT_LENGTH=str(len(whole) + 1))
    document = problem(response, 400)

    assert document["detail"] == "The body is shorter than its Content-Length."
    assert session.query(Probe).count() == 0


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig", "utf-16-le"])
def test_a_body_in_another_encoding_is_400(client: FlaskClient, encoding: str) -> None:
    body = json.dumps(new_body()).encode(encoding)

    problem(client.post(URL, data=body, content_type="application/json"), 400)


@pytest.mark.parametrize("coding", ["gzip", "br", "gzip, identity"])
def test_a_compressed_body_is_415(client: FlaskClient, coding: str) -> None:
    problem(client.post(URL, json=new_body(), headers={"Content-Encoding": coding}), 415)


MAX_RESPONSE_BYTES = 64 * 1024


@pytest.mark.parametrize("name", ["m{}", "\U0001f600" * 300 + "{}", "/~" * 300 + "{}"])
def test_a_response_lists_the_first_errors_only(client: FlaskClient, name: str) -> None:
    body = {name.format(number): 1 for number in range(200)}

    response = client.post(URL, json=body)

    document = problem(response, 422)
    assert 1 < len(document["errors"]) <= 100
    assert len(response.data) <= MAX_RESPONSE_BYTES
    assert {error["detail"] for error in document["errors"]} == {"is unknown"}


def test_a_response_lists_a_hundred_errors(client: FlaskClient) -> None:
    body = {f"m{number}": 1 for number in range(90)}

    assert len(problem(client.post(URL, json={**new_body(), **body}), 422)["errors"]) == 90
    many = {f"m{number}": 1 for number in range(101)}
    assert len(problem(client.post(URL, json={**new_body(), **many}), 422)["errors"]) == 100


def test_a_response_lists_the_first_unknown_parameters_only(client: FlaskClient) -> None:
    query = "&".join(f"{'p' * 300}{number}=1" for number in range(500))

    response = client.get(f"{URL}?{query}")

    errors = problem(response, 422)["errors"]
    assert 1 < len(errors) <= 100
    assert {len(error["parameter"]) for error in errors} == {200}
    assert len(response.data) <= MAX_RESPONSE_BYTES


def test_too_many_members_are_not_validated(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """100,000 errors of pydantic would take hundreds of megabytes."""
    body = {f"m{number}": 1 for number in range(1_000)}

    def validate(_model: object, values: object, _place: object) -> list[dict[str, str]]:
        assert values != body
        return []

    monkeypatch.setattr(validation, "_validation_errors", validate)

    problem(client.post(URL, json=body), 422)


def test_every_route_of_the_api_says_that_the_database_is_unreachable(make_app: MakeApp) -> None:
    app = make_app()
    with app.app_context():
        engine = db.engine

    def fail(*_arguments: object) -> Any:
        raise engine.dialect.loaded_dbapi.OperationalError(f"cannot connect with {SECRET}")

    event.listen(engine, "do_connect", fail)
    for method, path in api_routes(app):
        response = app.test_client().open(path, method=method, json=_body(method), headers=ANY)
        document = problem(response, 503)
        assert response.headers["Retry-After"] == "1"
        assert SECRET not in str(document)


def test_what_is_not_caught_is_a_problem_that_tells_nothing(
    app: Flask, client: FlaskClient
) -> None:
    app.add_url_rule("/foreign", view_func=failing(RuntimeError(SECRET)))

    response = client.get("/foreign")

    problem(response, 500)
    assert SECRET not in response.text + str(response.headers)
    assert "Traceback" not in response.text


@pytest.mark.usefixtures("committed_db")
def test_a_statement_that_is_wrong_is_a_problem_that_tells_nothing(
    app: Flask, client: FlaskClient
) -> None:
    def fail() -> Response:
        db.session.execute(text("SELECT secret FROM no_such_table"))
        return Response()

    app.add_url_rule("/foreign", view_func=fail)

    response = client.get("/foreign")

    problem(response, 500)
    assert "no_such_table" not in response.text
    assert "SELECT" not in response.text


@pytest.mark.usefixtures("committed_db")
def test_the_values_of_a_statement_are_not_logged(
    app: Flask, client: FlaskClient, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> Response:
        db.session.execute(text("SELECT :value FROM no_such_table"), {"value": SECRET})
        return Response()

    app.add_url_rule("/foreign", view_func=fail)

    problem(client.get("/foreign"), 500)

    logged = capsys.readouterr().err
    assert "no_such_table" in logged
    assert SECRET not in logged


def test_after_an_error_of_the_database_the_session_can_be_used(make_app: MakeApp) -> None:
    app = make_app()
    client = app.test_client()
    found: list[object] = []

    def use(response: Response) -> Response:
        found.append(db.session.scalar(text("SELECT 1")))
        return response

    app.after_request(use)
    create(client, code="taken")
    location = create(client).headers["Location"]
    problem(client.post(URL, json=new_body()), 409)
    problem(client.patch(location, json={"code": "taken"}, headers=ANY), 409)
    assert found == [1, 1, 1, 1]


def test_an_answer_that_cannot_be_finished_is_a_problem(app: Flask, client: FlaskClient) -> None:
    def fail(_response: Response) -> Response:
        raise RuntimeError(SECRET)

    app.after_request_funcs[None].insert(0, fail)

    response = client.get("/livez")

    assert response.status_code == 500
    assert response.content_type == "application/problem+json"
    assert SECRET not in response.text


def test_headers_of_an_error_are_kept(app: Flask, client: FlaskClient) -> None:
    errors: dict[str, HTTPException] = {
        "WWW-Authenticate": Unauthorized(www_authenticate=WWWAuthenticate("bearer")),
        "Retry-After": TooManyRequests(retry_after=7),
        "Allow": MethodNotAllowed(["PUT"]),
    }
    for name, error in errors.items():
        app.add_url_rule(f"/{name}", name, failing(error))

    assert client.get("/WWW-Authenticate").headers["WWW-Authenticate"] == "Bearer"
    assert client.get("/Retry-After").headers["Retry-After"] == "7"
    assert client.get("/Allow").headers["Allow"] == "PUT"


def test_503_always_says_when_to_come_back(app: Flask, client: FlaskClient) -> None:
    app.add_url_rule("/foreign", view_func=lambda: abort(503))

    assert client.get("/foreign").headers["Retry-After"] == "1"


def test_what_is_an_answer_already_is_left_alone(app: Flask, client: FlaskClient) -> None:
    def moved() -> AnyResponse:
        return redirect("/livez", code=303)

    app.add_url_rule("/moved", view_func=moved)
    app.add_url_rule("/aborted", "aborted", lambda: abort(Response("as it is", 409)))
    app.add_url_rule("/raised", "raised", failing(NotFound(response=Response("so is this", 404))))
    app.add_url_rule("/slash/", "slash", Response)

    assert client.get("/moved").status_code == 303
    assert client.get("/aborted").text == "as it is"
    assert client.get("/raised").text == "so is this"
    assert client.get("/slash").status_code == 308


@pytest.mark.parametrize(
    ("error", "status", "detail"),
    [
        (StaleDataError(), 412, "Somebody else changed this in the meantime."),
        (OperationalError(None, {}, Exception(SECRET)), 503, "The database cannot be reached."),
        (PoolTimeout(SECRET), 503, "The service is busy."),
        (NotFound(""), 404, ""),
    ],
    ids=["stale", "unreachable", "busy", "nothing"],
)
def test_what_went_wrong_is_said_in_a_sentence(
    app: Flask, client: FlaskClient, error: Exception, status: int, detail: str
) -> None:
    app.add_url_rule("/foreign", view_func=failing(error))

    assert problem(client.get("/foreign"), status)["detail"] == detail


def test_a_conflict_and_a_row_that_is_not_there_are_said_in_a_sentence(
    make_app: MakeApp,
) -> None:
    client = make_app().test_client()
    create(client)

    conflict = problem(client.post(URL, json=new_body()), 409)
    nothing = [
        problem(client.open(MISSING_URL, method=method, json={}, headers=ANY), 404)["detail"]
        for method in ("GET", "PATCH", "DELETE")
    ]

    assert conflict["detail"] == (
        "The change conflicts with data that exists, or that it refers to."
    )
    assert nothing == ["There is nothing with this id."] * 3


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OperationalError(None, {}, OSError(SECRET)), "The database cannot be used: OSError"),
        (
            PoolTimeout(SECRET),
            "No database connection became free in time: either there are more threads than"
            " connections, or a request took two; it may take one connection at most"
            " (docs/sessions.md)",
        ),
    ],
    ids=["unreachable", "exhausted"],
)
def test_what_went_wrong_is_logged(
    app: Flask,
    client: FlaskClient,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    line: str,
) -> None:
    app.add_url_rule("/foreign", view_func=failing(error))

    client.get("/foreign")

    assert line in caplog.messages
    assert SECRET not in caplog.text


def test_a_statement_that_was_cancelled_is_logged(
    app: Flask,
    client: FlaskClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(error_handlers, "is_conflict", lambda _error: False)
    monkeypatch.setattr(error_handlers, "is_retryable", lambda _error: True)
    error = OperationalError("UPDATE", {}, OSError(SECRET))
    app.add_url_rule("/foreign", view_func=failing(error))

    assert problem(client.get("/foreign"), 503)["detail"] == "The service is busy."

    assert "A statement was cancelled: OSError" in caplog.messages
    assert SECRET not in caplog.text


def test_a_pool_that_is_exhausted_is_a_problem(app: Flask, client: FlaskClient) -> None:
    app.add_url_rule("/foreign", view_func=failing(PoolTimeout(SECRET)))

    response = client.get("/foreign")

    document = problem(response, 503)
    assert response.headers["Retry-After"] == "1"
    assert SECRET not in str(document)


def test_a_rollback_that_fails_does_not_change_the_answer(
    app: Flask,
    client: FlaskClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_arguments: object) -> None:
        raise OperationalError("ROLLBACK", {}, Exception("server gone"))

    app.add_url_rule("/foreign", view_func=failing(PoolTimeout()))
    monkeypatch.setattr(db.session, "rollback", fail)

    problem(client.get("/foreign"), 503)

    [record] = [each for each in caplog.records if each.levelname == "WARNING"]
    assert record.getMessage() == "The rollback after an error failed"
    assert record.exc_info


def _body(method: str) -> dict[str, Any]:
    return {} if method == "PATCH" else new_body()
