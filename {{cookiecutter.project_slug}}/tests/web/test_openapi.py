import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from flask import Flask, Response, jsonify
from flask.testing import FlaskClient
from pydantic import Field
from sqlalchemy import event

from {{ cookiecutter.__package }} import create_app
from {{ cookiecutter.__package }}.database import db
from {{ cookiecutter.__package }}.settings import Settings
from {{ cookiecutter.__package }}.web.app import ApiFlask
from {{ cookiecutter.__package }}.web.blueprints import resource_blueprint
from {{ cookiecutter.__package }}.web.health import PROBES
from {{ cookiecutter.__package }}.web.problems import problem_responses
from {{ cookiecutter.__package }}.web.schemas import (
    MODELS,
    Parameters,
    QueryParameters,
    RequestModel,
)

from ..support.api import URL, errors_of, new_body
from ..support.applications import new_app
from ..support.problems import problem

Document = dict[str, Any]
ONE = URL + "/{id}"
MATCHES = {"If-Match", "If-None-Match"}
BODY = re.compile(r"(Create|Patch)$")


class ThingQuery(QueryParameters):
    """Query parameters with a list."""

    tag: list[str] = Field(default=[])
    size: int = 1


class SpeedQuery(QueryParameters):
    """Query parameters with bounds."""

    speed: float = Field(ge=0.5, le=2.5)
    number: int = Field(ge=1, le=3)


class Note(RequestModel):
    """A body with a list."""

    lines: list[int]


class ThingPath(Parameters):
    """A path parameter that is a number."""

    number: int


@pytest.fixture
def document(app: Flask) -> Document:
    found: Document = app.test_client().get("/openapi.json").get_json()
    return found


@pytest.fixture
def things(settings: Settings) -> Iterator[FlaskClient]:
    """A client of an application with another resource, added as a team would add it."""
    app = new_app(settings)
    api = resource_blueprint("things")

    @api.get("")
    def search(query: ThingQuery) -> Response:
        return jsonify(query.model_dump())

    @api.post("/<number>/start")
    def start(path: ThingPath) -> Response:
        return jsonify(path.model_dump())

    @api.post("/<number>/notes")
    def note(path: ThingPath, body: Note) -> Response:
        return jsonify(path.number, body.lines)

    app.register_api(api)  # type: ignore[attr-defined]
    yield app.test_client()
    for model in (ThingQuery, Note, ThingPath):
        assert MODELS["tests", model.__name__] is model


def operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def references(part: Any) -> Iterator[str]:
    """Yield each `$ref` in a part of the document."""
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"]
        for each in part.values():
            yield from references(each)
    if isinstance(part, list):
        for each in part:
            yield from references(each)


def test_the_document_is_openapi_3_1(document: Document) -> None:
    assert document["openapi"] == "3.1.0"
    assert document["info"]["version"] == "1"


def test_the_document_says_whose_it_is_and_where_it_holds(document: Document) -> None:
    assert document["info"]["license"].keys() == {"name", "identifier"}
    assert document["info"]["contact"].keys() == {"name", "email"}
    assert document["servers"] == [{"url": "/"}]
    assert isinstance(document["security"], list)


def test_every_operation_and_tag_is_described(document: Document) -> None:
    assert all(tag["description"] for tag in document["tags"])
    for path, method, operation in operations(document):
        assert operation["description"].startswith(operation["summary"].rstrip(".")), path
        parameters = {parameter["name"] for parameter in operation["parameters"]}
        assert ("ETag" in operation["description"]) == bool(parameters & MATCHES), method


def test_every_api_route_is_documented(app: Flask, document: Document) -> None:
    routes = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/")
    }

    assert {(path, method) for path, method, _ in operations(document)} == routes


def test_an_operation_without_parameters_is_documented(settings: Settings) -> None:
    app = new_app(settings)
    assert isinstance(app, ApiFlask)
    api = resource_blueprint("clocks")
    api.post("/start")(Response)
    app.register_api(api)

    app.generate_spec_json()

    operation = app.spec_json["paths"]["/api/v1/clocks/start"]["post"]
    assert "parameters" not in operation
    assert operation["responses"].keys() >= {"400", "422", "500", "503"}


def test_an_operation_without_a_docstring_is_described_by_its_id(settings: Settings) -> None:
    app = new_app(settings)
    assert isinstance(app, ApiFlask)
    api = resource_blueprint("clocks")

    @api.post("/stop")
    def stop() -> Response:
        return Response()

    app.register_api(api)

    app.generate_spec_json()

    operation = app.spec_json["paths"]["/api/v1/clocks/stop"]["post"]
    assert (operation["summary"], operation["description"]) == ("clocks_stop", "clocks_stop.")


def test_a_response_with_any_status_is_described(settings: Settings) -> None:
    app = new_app(settings)
    assert isinstance(app, ApiFlask)
    api = resource_blueprint("clocks")
    statuses = {202: Note, 303: None, **problem_responses(410, 499)}
    api.post("", responses=statuses)(Response)
    app.register_api(api)

    app.generate_spec_json()

    responses = app.spec_json["paths"]["/api/v1/clocks"]["post"]["responses"]
    assert {status: responses[status]["description"] for status in map(str, statuses)} == {
        "202": "Accepted",
        "303": "See Other",
        "410": "Gone",
        "499": "Unknown",
    }


def test_the_bounds_of_numbers_are_documented_as_they_are(settings: Settings) -> None:
    app = new_app(settings)
    assert isinstance(app, ApiFlask)
    api = resource_blueprint("clocks")

    @api.get("")
    def search(query: SpeedQuery) -> Response:
        return jsonify(query.speed, query.number)

    app.register_api(api)

    app.generate_spec_json()

    parameters = app.spec_json["paths"]["/api/v1/clocks"]["get"]["parameters"]
    bounds = {each["name"]: each["schema"] for each in parameters}
    assert (bounds["speed"]["minimum"], bounds["speed"]["maximum"]) == (0.5, 2.5)
    assert (bounds["number"]["minimum"], bounds["number"]["maximum"]) == (1, 3)


def test_a_later_version_has_a_path_and_names_of_its_own(settings: Settings) -> None:
    app = new_app(settings)
    assert isinstance(app, ApiFlask)
    for version in (1, 2):
        api = resource_blueprint("clocks", version=version)
        api.get("")(Response)
        app.register_api(api)

    app.generate_spec_json()

    paths = app.spec_json["paths"]
    first, second = (paths[f"/api/v{version}/clocks"]["get"] for version in (1, 2))
    assert (first["operationId"], first["tags"]) == ("clocks_Response", ["clocks"])
    assert (second["operationId"], second["tags"]) == ("clocks_v2_Response", ["clocks_v2"])


def test_operation_ids_are_unique(document: Document) -> None:
    ids = Counter(operation["operationId"] for _, _, operation in operations(document))

    assert set(ids.values()) == {1}


def test_every_operation_lists_all_its_responses(document: Document) -> None:
{% if cookiecutter.auth == "none" %}
    common = {"400", "422", "500", "503"}
{% else %}
    common = {"400", "401", "403", "422", "500", "503"}
{% endif %}
    for _, _, operation in operations(document):
        assert operation["responses"].keys() >= common
        if "requestBody" in operation:
            assert operation["responses"].keys() >= {"413", "415"}
    own = {
        ("get", URL): {"200"},
        ("post", URL): {"201", "409"},
        ("get", ONE): {"200", "304", "404"},
        ("patch", ONE): {"200", "404", "409", "412", "428"},
        ("delete", ONE): {"204", "404", "409", "412", "428"},
    }
    for (method, path), statuses in own.items():
        assert document["paths"][path][method]["responses"].keys() >= statuses


def test_every_error_response_is_documented_as_a_problem(document: Document) -> None:
    for _, _, operation in operations(document):
        for status, response in operation["responses"].items():
            assert response["description"]
            assert "X-Request-ID" in response["headers"]
            if int(status) >= 400:
                content = response["content"]
                assert list(content) == ["application/problem+json"]
                schema = content["application/problem+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Problem"}


def test_all_references_resolve(document: Document) -> None:
    found = set(references(document))

    assert found
    for reference in found:
        part = document
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]


def test_schemas_have_the_names_of_their_models(document: Document) -> None:
    schemas = set(document["components"]["schemas"])

    assert {"Problem", "ErrorItem"} <= schemas
    models = {name for _, name in MODELS}
    for name in schemas - {"Problem", "ErrorItem"}:
        assert name in models or "enum" in document["components"]["schemas"][name]


def test_schemas_are_valid_and_their_examples_match(document: Document) -> None:
    components = document["components"]
    for schema in components["schemas"].values():
        jsonschema_rs.meta.validate({**schema, "components": components})
        for member in schema.get("properties", {}).values():
            validator = jsonschema_rs.validator_for({**member, "components": components})
            alternatives = [member, *member.get("anyOf", [])]
            for example in [each for part in alternatives for each in part.get("examples", [])]:
                validator.validate(example)


def test_bodies_forbid_unknown_members_and_patches_require_none(
    document: Document,
) -> None:
    bodies = {
        name: schema
        for name, schema in document["components"]["schemas"].items()
        if BODY.search(name)
    }
    assert bodies
    for name, schema in bodies.items():
        assert schema["additionalProperties"] is False
        assert ("required" in schema) == name.endswith("Create")


def test_if_match_is_documented_as_required(document: Document) -> None:
    for method in ("patch", "delete"):
        parameters = document["paths"][ONE][method]["parameters"]
        assert {p["name"]: p["required"] for p in parameters} == {"If-Match": True, "id": True}


def test_parameters_are_never_null(document: Document) -> None:
    for _, _, operation in operations(document):
        for parameter in operation.get("parameters", []):
            assert '"null"' not in str(parameter["schema"]).replace("'", '"')


def test_another_application_does_not_change_the_document(
    settings: Settings, things: FlaskClient, document: Document
) -> None:
    assert things.get("/api/v1/things").status_code == 200
    assert new_app(settings).test_client().get("/openapi.json").json == document


def test_the_document_needs_no_database(settings: Settings) -> None:
    app = create_app(settings)
    with app.app_context():
        event.listen(db.engine, "do_connect", lambda *_arguments: pytest.fail("connects"))

    assert app.test_client().get("/openapi.json").status_code == 200


def test_flask_openapi_serves_no_pages_of_its_own(app: Flask) -> None:
    documents = {"/openapi.json", "/", "/docs", "/docs/start.js", "/docs/<name>"}

    rules = {rule.rule for rule in app.url_map.iter_rules()}
    assert {rule for rule in rules if not rule.startswith("/api/")} == PROBES | documents


def test_a_large_integer_keeps_its_digits(things: FlaskClient) -> None:
    number = 2**60 + 1

    assert things.post("/api/v1/things/7/notes", json={"lines": [number]}).json == [7, [number]]


def test_an_integer_with_more_than_400_digits_becomes_infinity(app: Flask) -> None:
    assert app.json.loads("1" + "0" * 399) == 10**399
    assert app.json.loads("1" + "0" * 400) == float("inf")


def test_a_query_parameter_can_be_a_list(things: FlaskClient) -> None:
    response = things.get("/api/v1/things?tag=a&tag=b&size=2")

    assert response.json == {"tag": ["a", "b"], "size": 2}


def test_errors_beside_a_list_parameter_are_reported(things: FlaskClient) -> None:
    document = problem(things.get("/api/v1/things?tag=a&tag=b&size=x&size=2"), 422)

    assert [(error["parameter"], error["detail"][:8]) for error in document["errors"]] == [
        ("size", "is given"),
        ("size", "Input sh"),
    ]


def test_a_post_route_can_have_no_body(things: FlaskClient) -> None:
    assert things.post("/api/v1/things/7/start").json == {"number": 7}


def test_errors_of_path_and_body_are_reported_together(things: FlaskClient) -> None:
    document = problem(things.post("/api/v1/things/x/notes", json={"lines": [1, "x", {}]}), 422)

    assert errors_of(document).keys() == {"number", "#/lines/1", "#/lines/2"}


@pytest.mark.parametrize("size", [1024 * 1024, 1024 * 1024 + 1])
def test_the_size_limit_of_a_body_is_exact(client: FlaskClient, size: int) -> None:
    body = b'{"unknown": "' + b"a" * (size - 15) + b'"}'
    assert len(body) == size

    response = client.post(URL, data=body, content_type="application/json")

    problem(response, 422 if size == 1024 * 1024 else 413)


def test_media_type_parameters_are_accepted(client: FlaskClient) -> None:
    response = client.post(
        URL, json=new_body(), headers={"Content-Type": "Application/JSON; charset=utf-8"}
    )

    assert response.status_code == 201
