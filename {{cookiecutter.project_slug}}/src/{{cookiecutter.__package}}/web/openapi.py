"""The glue over flask-openapi: checks before the views, problems for faults, and the document.

Each piece mends a behaviour of flask-openapi 5.0, and says which.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from flask import Flask, Request, Response, current_app, json, request
from flask.json.provider import DefaultJSONProvider
from flask.sessions import SessionInterface
from flask_openapi import APIBlueprint, Info, OpenAPI, Tag
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

from .problems import MEDIA_TYPE, TITLES, Problem, problem
from .settings import Settings

PREFIX = "/api/v1"
PROBLEMS_OF_ANY_REQUEST = (400, 422, 500, 503)
{% if cookiecutter.auth != "none" %}
PROBLEMS_OF_CALLERS = (401, 403)
{% endif %}
PROBLEMS_OF_A_BODY = (413, 415)
LONGEST_INTEGER = 400
"""Digits; a longer one is infinite for a float too, and Python refuses it beyond 4300."""

SUCCESSES = {"200": "OK", "201": "Created", "204": "No Content", "304": "Not Modified"}
HEADERS = {
    "ETag": "entity tag of this state, for If-Match and If-None-Match",
    "Link": 'the next page, as rel="next"; absent on the last one',
    "Location": "path of what was created",
    "Retry-After": "seconds to wait before the request is sent again",
{% if cookiecutter.auth != "none" %}
    "WWW-Authenticate": "what the credential lacks (RFC 6750)",
{% endif %}
    "X-Request-ID": "id of the request, as in the log; a well-formed one of the caller is kept",
}
HEADERS_OF_STATUSES = {
    "201": {"ETag", "Location"},
    "304": {"ETag"},
{% if cookiecutter.auth != "none" %}
    "401": {"WWW-Authenticate"},
    "403": {"WWW-Authenticate"},
{% endif %}
    "503": {"Retry-After"},
}
HEADERS_BY_PARAMETER = {"cursor": "Link", "If-Match": "ETag", "If-None-Match": "ETag"}
"""What a 200 has when its operation takes this parameter."""


class NoCookies(SessionInterface):
    """No `flask.session`: nothing here uses cookies, and opening one takes time in each request."""

    def open_session(self, app: Flask, request: Request) -> None:
        """Open nothing."""


class BoundedJson(DefaultJSONProvider):
    """JSON whose integers may be of any length: 1 and 5000 zeros is read as 1e5000 is."""

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """The value of a JSON text."""
        return super().loads(s, parse_int=_bounded_integer, **kwargs)


def _bounded_integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= LONGEST_INTEGER else float(digits)


class Service(OpenAPI):
    """The Flask application together with its API document."""

    def __init__(self, import_name: str, settings: Settings) -> None:
        super().__init__(
            import_name,
            info=Info(
                title={{ cookiecutter.project_name | python_string }},
                description={{ cookiecutter.description | python_string }},
                version="1",
            ),
            doc_ui=False,
            static_folder=None,
            validation_error_model=Problem,
            validation_error_callback=refuse,
        )
        self.json = BoundedJson(self)
        self.openapi_version = "3.1.0"  # client generators refuse 3.2
        self.session_interface = NoCookies()
        self.secret_key = settings.secret_key.get_secret_value()
        self.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes + 1  # see read_json

    def serve_document(self) -> None:
        """Serve the document at `/openapi.json`; built now, as two first requests would race."""
        document = json.dumps(self.api_doc)

        @self.get("/openapi.json", doc_ui=False)
        def openapi_document() -> Response:
            return Response(document, content_type="application/json")

    def generate_spec_json(self) -> None:
        """Let every operation list all its problems, and every answer its headers."""
        super().generate_spec_json()  # type: ignore[no-untyped-call]
        self.spec_json["components"]["headers"] = {
            name: {"description": description, "schema": {"type": "string"}}
            for name, description in HEADERS.items()
        }
{% if cookiecutter.auth != "none" %}
        public = {
            name.replace(".", "_")
            for name, view in self.view_functions.items()
            if getattr(view, "is_public", False)
        }
{% endif %}
        for path in self.spec_json["paths"].values():
            for operation in path.values():
{% if cookiecutter.auth != "none" %}
                _guard(operation, operation["operationId"] in public)
{% endif %}
                _complete(operation)


{% if cookiecutter.auth != "none" %}
def _guard(operation: dict[str, Any], is_public: bool) -> None:
    """Say what callers without the right credential get, or that this needs none."""
    if is_public:
        operation["security"] = []
    else:
        operation["responses"] |= problems(*PROBLEMS_OF_CALLERS)


{% endif %}
def _complete(operation: dict[str, Any]) -> None:
    """Add what flask-openapi cannot know of an operation's answers."""
    of_body = PROBLEMS_OF_A_BODY if "requestBody" in operation else ()
    documented = operation["responses"] | problems(*PROBLEMS_OF_ANY_REQUEST, *of_body)
    operation["responses"] = dict(sorted(documented.items()))
    taken = {parameter["name"] for parameter in operation.get("parameters", ())}
    of_success = {header for name, header in HEADERS_BY_PARAMETER.items() if name in taken}
    for status, response in operation["responses"].items():
        response["description"] = SUCCESSES.get(status) or TITLES[int(status)]
        names = {"X-Request-ID"} | HEADERS_OF_STATUSES.get(status, set())
        if status == "200":
            names |= of_success
        response["headers"] = {
            name: {"$ref": f"#/components/headers/{name}"} for name in sorted(names)
        }


def resource_api(name: str) -> APIBlueprint:
    """The blueprint of a resource: routes under `/api/v1/<name>`, whose requests are checked."""
    api = APIBlueprint(
        name,
        __name__,
        url_prefix=f"{PREFIX}/{name}",
        abp_tags=[Tag(name=name)],
        operation_id_callback=_operation_id,
    )
    api.before_request(check_request)
    return api


def problems(*statuses: int) -> dict[str | int | HTTPStatus, Any]:
    """The entries of these problems among the responses of an operation."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {str(status): {"description": TITLES[status], "content": content} for status in statuses}


def answer(
    model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """The answer that shows `model`: straight to bytes, and not by way of a dictionary."""
    body = model.__pydantic_serializer__.to_json(model)
    return Response(body, status, headers, content_type="application/json")


def no_content(status: int, headers: Mapping[str, str] | None = None) -> Response:
    """An answer without a body, which has no media type either."""
    response = Response(status=status, headers=headers)
    del response.headers["Content-Type"]
    return response


def check_request() -> Response | None:
    """Refuse what flask-openapi lets through: needless parameters, and unusable bodies."""
    if request.method == "OPTIONS":  # asks about the URL, not for this view
        return None
    if not request.query_string.isascii():
        raise BadRequest("The query must be percent-encoded.")
    view = current_app.view_functions[request.endpoint or ""]
    no_object = "body" in view.__annotations__ and not isinstance(read_json(), dict)
    if no_object or (request.args and _odd_parameters(view)):
        return refuse()
    return None


def refuse(_error: ValidationError | None = None) -> Response:
    """The problem for a request that does not fit its models: all faults, and none of its values.

    An error knows of one model only, so the whole request is looked at again.
    """
    view = current_app.view_functions[request.endpoint or ""]
    faults = [{"parameter": name, "detail": why} for name, why in _odd_parameters(view).items()]
    for part, model in view.__annotations__.items():
        if part in ("path", "query", "header"):
            faults += _misfits(model, _parameters(part, model), _parameter)
    if "body" in view.__annotations__:
        faults += _misfits_of_body(view.__annotations__["body"])
    return unprocessable(faults)


def unprocessable(faults: list[dict[str, str]]) -> Response:
    """The problem for a request that is well formed and cannot be used, with all its faults."""
    return problem(422, "The request cannot be used as it is; see errors.", errors=faults)


def _odd_parameters(view: Callable[..., Any]) -> dict[str, str]:
    """What is wrong with query parameters that no model sees."""
    model = view.__annotations__.get("query")
    if model is None:
        return dict.fromkeys(request.args, "is unknown")
    return {
        name: "is given more than once"
        for name, values in request.args.lists()
        if len(values) > 1 and not _is_list(model, name)
    }


def _is_list(model: type[BaseModel], parameter: str) -> bool:
    schema = model.model_json_schema()["properties"]
    return bool(schema.get(parameter, {}).get("type") == "array")


def _parameters(part: str, model: type[BaseModel]) -> dict[str, Any]:
    if part == "path":
        return request.view_args or {}
    if part == "header":
        return dict(request.headers)
    return {
        name: values if _is_list(model, name) else values[0]
        for name, values in request.args.lists()
    }


def _misfits(
    model: type[BaseModel], values: Any, place: Callable[[tuple[int | str, ...]], dict[str, str]]
) -> list[dict[str, str]]:
    try:
        model.model_validate(values)
    except ValidationError as error:
        return [
            {**place(fault["loc"]), "detail": fault["msg"].removeprefix("Value error, ")}
            for fault in error.errors(include_url=False, include_input=False, include_context=False)
        ]
    return []


def _misfits_of_body(model: type[BaseModel]) -> list[dict[str, str]]:
    body = request.get_json()
    if not isinstance(body, dict):
        return [{"pointer": "#", "detail": "should be an object"}]
    return _misfits(model, body, _pointer)


def _parameter(place: tuple[int | str, ...]) -> dict[str, str]:
    return {"parameter": str(place[0])}


def _pointer(place: tuple[int | str, ...]) -> dict[str, str]:
    parts = [str(part).replace("~", "~0").replace("/", "~1") for part in place]
    encoded = [quote(part) for part in parts]
    return {"pointer": "/".join(["#", *encoded])}


def read_json() -> Any:
    """The request's JSON value. Raises the HTTP errors 400, 413 and 415.

    Werkzeug cuts a chunked body silently where `MAX_CONTENT_LENGTH` ends, one byte beyond what is
    allowed: so the length is looked at again after reading.
    """
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("The body must be application/json.")
    if len(request.get_data()) >= current_app.config["MAX_CONTENT_LENGTH"]:
        raise RequestEntityTooLarge
    try:
        return request.get_json()
    except (BadRequest, RecursionError):
        raise BadRequest("The body is not valid JSON.") from None


def _operation_id(*, bp_name: str, name: str, **_rule: str) -> str:
    return f"{bp_name}_{name}"
