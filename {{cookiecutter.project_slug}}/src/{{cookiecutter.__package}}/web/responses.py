"""Successful responses: JSON of a model, or no body."""

from collections.abc import Mapping

from flask import Response
from pydantic import BaseModel


def json_response(
    model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return `model` as JSON, without building a dictionary first."""
    return Response(model.model_dump_json(), status, headers, content_type="application/json")


def empty_response(status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response without a body and without a media type."""
    response = Response(status=status, headers=headers)
    del response.headers["Content-Type"]
    return response
