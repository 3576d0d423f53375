"""Successful responses: JSON of a model, or no body."""

from collections.abc import Mapping

from flask import Response
from pydantic import BaseModel


def json_response(
    model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return the response that shows `model`: straight to bytes, without a dictionary between."""
    return Response(model.model_dump_json(), status, headers, content_type="application/json")


def empty_response(status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response without a body, which has no media type either."""
    response = Response(status=status, headers=headers)
    del response.headers["Content-Type"]
    return response
