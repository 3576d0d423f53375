"""Validates requests against the models of their view; a 422 lists every error at once.

flask-openapi 5.0 accepts unknown parameters, any media type and a JSON string that holds an
object, and reports the errors of one model only: this module covers these gaps.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from flask import Response, current_app, request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

from .problems import problem


def validate_request() -> Response | None:
    """Reject what flask-openapi accepts by mistake: unknown parameters, and unusable bodies."""
    if request.method == "OPTIONS":  # asks about the URL, not for this view
        return None
    if not request.query_string.isascii():
        raise BadRequest("The query must be percent-encoded.")
    view = current_app.view_functions[request.endpoint or ""]
    not_an_object = "body" in view.__annotations__ and not isinstance(read_json(), dict)
    if not_an_object or (request.args and _query_errors(view)):
        return validation_error_response()
    return None


def validation_error_response(_error: ValidationError | None = None) -> Response:
    """Return the problem with all errors of a request that does not fit its models.

    It holds none of the values. A `ValidationError` knows one model only, so the whole request is
    validated again.
    """
    view = current_app.view_functions[request.endpoint or ""]
    errors = [{"parameter": name, "detail": why} for name, why in _query_errors(view).items()]
    for part, model in view.__annotations__.items():
        if part in ("path", "query", "header"):
            errors += _validation_errors(model, _parameters(part, model), _parameter)
    if "body" in view.__annotations__:
        errors += _body_errors(view.__annotations__["body"])
    return unprocessable(errors)


def unprocessable(errors: list[dict[str, str]]) -> Response:
    """Return the problem for a request that is well formed and cannot be used, with its errors."""
    return problem(422, "The request cannot be used as it is; see errors.", errors=errors)


def read_json() -> Any:
    """Return the request's JSON value. Raises the HTTP errors 400, 413 and 415.

    Werkzeug cuts a chunked body silently where `MAX_CONTENT_LENGTH` ends, one byte beyond the
    allowed length: so the length is checked again after reading.
    """
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("The body must be application/json.")
    if len(request.get_data()) >= current_app.config["MAX_CONTENT_LENGTH"]:
        raise RequestEntityTooLarge
    try:
        return request.get_json()
    except (BadRequest, RecursionError):
        raise BadRequest("The body is not valid JSON.") from None


def _query_errors(view: Callable[..., Any]) -> dict[str, str]:
    """Return what is wrong with query parameters that no model sees."""
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


def _validation_errors(
    model: type[BaseModel], values: Any, place: Callable[[tuple[int | str, ...]], dict[str, str]]
) -> list[dict[str, str]]:
    try:
        model.model_validate(values)
    except ValidationError as error:
        return [
            {**place(each["loc"]), "detail": each["msg"].removeprefix("Value error, ")}
            for each in error.errors(include_url=False, include_input=False, include_context=False)
        ]
    return []


def _body_errors(model: type[BaseModel]) -> list[dict[str, str]]:
    body = request.get_json()
    if not isinstance(body, dict):
        return [{"pointer": "#", "detail": "should be an object"}]
    return _validation_errors(model, body, _pointer)


def _parameter(place: tuple[int | str, ...]) -> dict[str, str]:
    return {"parameter": str(place[0])}


def _pointer(place: tuple[int | str, ...]) -> dict[str, str]:
    parts = [str(part).replace("~", "~0").replace("/", "~1") for part in place]
    encoded = [quote(part) for part in parts]
    return {"pointer": "/".join(["#", *encoded])}
