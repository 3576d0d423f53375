"""The API document: completes what flask-openapi generates, and serves it.

flask-openapi 5.0 documents neither the problems that every operation can return nor the headers of
responses.
"""

from threading import Lock
from typing import Any

from flask import Response, json, request
from flask_openapi import OpenAPI

from .problems import problem_responses, title_of
from .schemas import MAX_INTEGER

COMMON_PROBLEMS = (400, 422, 500, 503)
BODY_PROBLEMS = (413, 415)

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
HEADERS_BY_STATUS = {
    "201": {"ETag", "Location"},
    "304": {"ETag"},
{% if cookiecutter.auth != "none" %}
    "401": {"WWW-Authenticate"},
    "403": {"WWW-Authenticate"},
{% endif %}
    "503": {"Retry-After"},
}
HEADERS_BY_PARAMETER = {"cursor": "Link", "If-Match": "ETag", "If-None-Match": "ETag"}
"""The header in a 200 response of an operation with this parameter."""

DESCRIPTIONS_BY_PARAMETER = {
    "cursor": "`next` of a page is the `cursor` of the one that follows; it is null on the last.",
    "Idempotency-Key": "An Idempotency-Key is kept for 24 hours, with the first response.",
    "If-Match": "If-Match takes the ETag of the state that you know, or `*` for any.",
    "If-None-Match": "If-None-Match takes the ETag that you know: 304 if it is still the same.",
}
"""A sentence for the description of an operation with this parameter."""


def serve_document(app: OpenAPI) -> None:
    """Serve the document at `/openapi.json`; the first request for it builds it."""
    building = Lock()

    @app.get("/openapi.json", doc_ui=False)
    def openapi_document() -> Response:
        with building:  # two first requests would build it at once, each over that of the other
            document = app.api_doc
        if prefix := request.script_root:
            document = {**document, "servers": [{"url": prefix}]}
        return Response(json.dumps(document), content_type="application/json")


def complete_document(document: dict[str, Any]) -> None:
    """Describe every operation, add the common problems to it and the headers to its responses."""
    document["components"]["headers"] = {
        name: {"description": description, "schema": {"type": "string"}}
        for name, description in HEADERS.items()
    }
    for path in document["paths"].values():
        for operation in path.values():
            _complete_description(operation)
            _complete_responses(operation)
    _restore_integers(document)


def _restore_integers(part: Any) -> None:
    """Make bounds of integers integers again: flask-openapi makes them floats, which round."""
    if isinstance(part, dict):
        for name in ("minimum", "maximum"):
            if isinstance(part.get(name), float) and part[name].is_integer():
                part[name] = min(int(part[name]), MAX_INTEGER)
    for each in part.values() if isinstance(part, dict) else part:
        if isinstance(each, dict | list):
            _restore_integers(each)


def _complete_description(operation: dict[str, Any]) -> None:
    """Add what its parameters mean; an operation without a docstring is described by its id."""
    own = operation.get("description") or operation.setdefault("summary", operation["operationId"])
    names = [parameter["name"] for parameter in operation.get("parameters", ())]
    added = [text for name, text in DESCRIPTIONS_BY_PARAMETER.items() if name in names]
    operation["description"] = " ".join([f"{own.rstrip('.')}.", *added])


def _complete_responses(operation: dict[str, Any]) -> None:
    body_problems = BODY_PROBLEMS if "requestBody" in operation else ()
    documented = operation["responses"] | problem_responses(*COMMON_PROBLEMS, *body_problems)
    operation["responses"] = dict(sorted(documented.items()))
    parameters = {parameter["name"] for parameter in operation.get("parameters", ())}
    success_headers = {
        header for name, header in HEADERS_BY_PARAMETER.items() if name in parameters
    }
    for status, response in operation["responses"].items():
        response["description"] = title_of(int(status))
        names = {"X-Request-ID"} | HEADERS_BY_STATUS.get(status, set())
        if status == "200":
            names |= success_headers
        response["headers"] = {
            name: {"$ref": f"#/components/headers/{name}"} for name in sorted(names)
        }
