"""openapi.json and docs/problems.md agree with the service."""

import json
import re

import pytest
from flask import Flask

from {{ cookiecutter.__package }}.web.problems import TITLES, problem_type

from ..support.api import URL
from ..support.programs import PROJECT

PROBLEM_HEADING = re.compile(r"^## (/problems/\S+)\n\n(\d{3})\.", re.MULTILINE)


def test_openapi_json_is_up_to_date(service: Flask) -> None:
    printed = service.test_cli_runner().invoke(args=["openapi", "--indent", "2"]).output

    committed = (PROJECT / "openapi.json").read_text(encoding="utf-8")
    assert committed == printed, "run `make openapi` and review what changes for callers"
    assert json.loads(committed) == service.test_client().get("/openapi.json").get_json()


def test_operation_ids_are_unique(app: Flask) -> None:
    document = app.test_client().get("/openapi.json").get_json()

    assert document["openapi"].startswith("3.1.")
    ids = [
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
    ]
    assert len(set(ids)) == len(ids) > 0


@pytest.mark.parametrize(
    ("method", "path", "status", "headers"),
    [
        ("get", "", "200", {"Link", "X-Request-ID"}),
        ("post", "", "201", {"ETag", "Location", "X-Request-ID"}),
        ("get", "/{id}", "200", {"ETag", "X-Request-ID"}),
        ("get", "/{id}", "304", {"ETag", "X-Request-ID"}),
        ("patch", "/{id}", "200", {"ETag", "X-Request-ID"}),
        ("patch", "/{id}", "412", {"X-Request-ID"}),
        ("delete", "/{id}", "204", {"X-Request-ID"}),
        ("delete", "/{id}", "503", {"Retry-After", "X-Request-ID"}),
    ],
)
def test_responses_list_their_headers(
    app: Flask, method: str, path: str, status: str, headers: set[str]
) -> None:
    document = app.test_client().get("/openapi.json").get_json()

    response = document["paths"][f"{URL}{path}"][method]["responses"][status]
    assert response["headers"].keys() == headers
    assert headers <= document["components"]["headers"].keys()


def test_every_operation_lists_the_common_problems(app: Flask) -> None:
    document = app.test_client().get("/openapi.json").get_json()

    for path in document["paths"].values():
        for operation in path.values():
            assert {"400", "422", "500", "503"} <= operation["responses"].keys()
            if "requestBody" in operation:
                assert {"413", "415"} <= operation["responses"].keys()


def test_every_problem_type_is_documented() -> None:
    page = (PROJECT / "docs" / "problems.md").read_text(encoding="utf-8")

    documented = {(name, int(status)) for name, status in PROBLEM_HEADING.findall(page)}
    assert documented == {(problem_type(status), status) for status in TITLES}
    assert len(re.findall("^## ", page, re.MULTILINE)) == len(documented)
