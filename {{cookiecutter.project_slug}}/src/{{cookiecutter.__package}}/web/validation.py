"""Validates requests against the models of their view; a 422 lists every error at once.

flask-openapi 5.0 accepts unknown parameters, any media type and a JSON string that holds an
object, and reports the errors of one model only: this module covers these gaps.
"""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any
from urllib.parse import quote

from flask import Response, current_app, json, request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    RequestEntityTooLarge,
    UnsupportedMediaType,
)

from .problems import problem

MAX_ERRORS = 100
MAX_ERRORS_LENGTH = 32_768
MAX_NAME_LENGTH = 200
MAX_ERROR_LENGTH = 4_000
"""The most errors in a 422: a response is bounded, however many errors a request has."""


def validate_request() -> Response | None:
    """Reject what flask-openapi accepts by mistake: unknown parameters, and unusable bodies."""
    if request.method == "OPTIONS":  # asks about the URL, not for this view
        return None
    if not request.query_string.isascii():
        raise BadRequest("The query must be percent-encoded.")
    view = current_app.view_functions[request.endpoint or ""]
    if "body" in view.__annotations__:
        body = read_json()
        model = view.__annotations__["body"]
        if not isinstance(body, dict) or _has_too_many_members(body, model):
            return validation_error_response()
    if request.args and _query_errors(view):
        return validation_error_response()
    return None


def validation_error_response(_error: ValidationError | None = None) -> Response:
    """Return the problem with all errors of a request that does not fit its models.

    It holds none of the values. A `ValidationError` knows one model only, so the whole request is
    validated again.
    """
    view = current_app.view_functions[request.endpoint or ""]
    errors = [{**_parameter((name,)), "detail": why} for name, why in _query_errors(view).items()]
    for part, model in view.__annotations__.items():
        if part in ("path", "query", "header"):
            errors += _validation_errors(model, _parameters(part, model), _parameter)
    if "body" in view.__annotations__:
        errors += _body_errors(view.__annotations__["body"])
    return unprocessable(errors)


def unprocessable(errors: Iterable[dict[str, str]]) -> Response:
    """Return the problem for a request that is well formed and cannot be used.

    It lists the first errors, at most `MAX_ERRORS`, and cuts long names.
    """
    detail = "The request cannot be used as it is; see errors."
    return problem(422, detail, errors=_first_errors(errors))


def _first_errors(errors: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    first: list[dict[str, str]] = []
    length = 0
    for error in islice(errors, MAX_ERRORS):
        item = {name: text[:MAX_ERROR_LENGTH] for name, text in error.items()}
        length += len(json.dumps(item))
        if length > MAX_ERRORS_LENGTH:
            break
        first.append(item)
    return first


def read_json() -> Any:
    """Return the request's JSON value. Raises the HTTP errors 400, 413 and 415."""
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("The body must be application/json.")
    if request.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
        raise UnsupportedMediaType("The body must not be compressed.")
    read_body()
    try:
        return request.get_json()
    except (BadRequest, RecursionError):
        raise BadRequest("The body is not valid JSON in UTF-8.") from None


def read_body() -> bytes:
    """Return the whole body of any media type, which the request keeps.

    Raises the HTTP errors 400 if it is cut off, and 413 if it is longer than `MAX_BODY_BYTES`.

    Werkzeug cuts a chunked body silently where `MAX_CONTENT_LENGTH` ends, one byte beyond the
    allowed length; a server may end a body early where its client does.
    """
    try:
        body = request.get_data()
    except HTTPException:
        raise
    except Exception:  # each server has errors of its own
        raise BadRequest("The body is cut off, or badly chunked.") from None
    if len(body) >= current_app.config["MAX_CONTENT_LENGTH"]:
        raise RequestEntityTooLarge
    if request.content_length is not None and len(body) != request.content_length:
        raise BadRequest("The body is shorter than its Content-Length.")
    return body


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
    if _has_too_many_members(body, model):
        unknown = (name for name in body if name not in _known_members(model))
        return [
            {**_pointer((name,)), "detail": "is unknown"} for name in islice(unknown, MAX_ERRORS)
        ]
    return _validation_errors(model, body, _pointer)


def _has_too_many_members(body: dict[str, Any], model: type[BaseModel]) -> bool:
    """Return whether more members are unknown than a response lists: they are not validated."""
    if model.model_config.get("extra") != "forbid":
        return False
    return len(body) > MAX_ERRORS + len(_known_members(model))


def _known_members(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def _parameter(place: tuple[int | str, ...]) -> dict[str, str]:
    return {"parameter": str(place[0])[:MAX_NAME_LENGTH]}


def _pointer(place: tuple[int | str, ...]) -> dict[str, str]:
    """Return a JSON pointer (RFC 6901) as a URI fragment; each name is cut."""
    names = [str(part)[:MAX_NAME_LENGTH] for part in place]
    escaped = [quote(name.replace("~", "~0").replace("/", "~1")) for name in names]
    return {"pointer": "/".join(["#", *escaped])}
