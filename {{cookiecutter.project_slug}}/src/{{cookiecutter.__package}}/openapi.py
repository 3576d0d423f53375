"""The glue over flask-openapi: checks before the views, problems for faults, and the document.

Each piece mends a behaviour of flask-openapi 5.0 that docs/decisions.md names.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Response, current_app, json, request
from flask_openapi import APIBlueprint, Info, OpenAPI, Tag
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

from .api_types import MODELS, ApiModel, Parameters
from .problems import MEDIA_TYPE, Problem, problem
from .settings import Settings

PREFIX = "/api/v1"
BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
PROBLEMS_OF_ANY_REQUEST = (422, 500, 503)
PROBLEMS_OF_A_BODY = (400, 413, 415)


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
            validation_error_model=Problem,
            validation_error_callback=refuse,
        )
        self.openapi_version = "3.1.0"  # client generators refuse 3.2
        self.secret_key = settings.secret_key.get_secret_value()
        self.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes + 1  # see read_json

    def serve_document(self) -> None:
        """Serve the document at `/openapi.json`; built now, as two first requests would race."""
        document = json.dumps(self.api_doc)

        @self.get("/openapi.json", doc_ui=False)
        def openapi_document() -> Response:
            return Response(document, content_type="application/json")

    def generate_spec_json(self) -> None:
        """Let every operation list all its problems, as `application/problem+json`."""
        super().generate_spec_json()  # type: ignore[no-untyped-call]
        for path in self.spec_json["paths"].values():
            for operation in path.values():
                of_body = PROBLEMS_OF_A_BODY if "requestBody" in operation else ()
                documented = {
                    **operation["responses"],
                    **problems(*PROBLEMS_OF_ANY_REQUEST, *of_body),
                }
                operation["responses"] = dict(sorted(documented.items()))


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
    return {
        str(status): {"description": HTTPStatus(status).phrase, "content": content}
        for status in statuses
    }


def answer(
    model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """The answer that shows `model`: straight to bytes, and not by way of a dictionary."""
    body = model.__pydantic_serializer__.to_json(model)
    return Response(body, status, headers, content_type="application/json")


def refuse(error: ValidationError) -> Response:
    """The problem for a request that does not fit its model: all faults, and none of its values."""
    of_parameters = issubclass(MODELS.get(error.title, ApiModel), Parameters)
    faults = []
    for fault in error.errors(include_url=False, include_input=False, include_context=False):
        place = "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in fault["loc"])
        where = {"parameter": place} if of_parameters else {"pointer": f"#/{place}"}
        faults.append({**where, "detail": fault["msg"].removeprefix("Value error, ")})
    return unprocessable(faults)


def unprocessable(faults: list[dict[str, str]]) -> Response:
    """The problem for a request that is well formed and cannot be used, with all its faults."""
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return problem(status, "The request cannot be used as it is; see errors.", errors=faults)


def check_request() -> Response | None:
    """Refuse what flask-openapi lets through: needless parameters, and unusable bodies."""
    view = current_app.view_functions[request.endpoint or ""]
    if request.args and "query" not in view.__annotations__:
        return unprocessable([{"parameter": name, "detail": "is unknown"} for name in request.args])
    if request.method in BODY_METHODS and not isinstance(read_json(), dict):
        return unprocessable([{"pointer": "#", "detail": "should be an object"}])
    return None


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
