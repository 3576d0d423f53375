"""The routes. Each view commits by itself, before it makes its response."""

from datetime import datetime

from flask import Response
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from ...database import db
from ...database.rows import NOT_FOUND, insert_row, read_row
from ...web.blueprints import resource_blueprint
from ...web.etags import (
    IfMatchHeader,
    IfNoneMatchHeader,
    check_if_match,
    entity_tag,
    matches_if_none_match,
)
from ...web.idempotency import CreateHeaders, claim_idempotency_key
from ...web.pagination import SortKey, read_page
from ...web.problems import problem_responses
from ...web.responses import empty_response, json_response
from .models import {{ cookiecutter.__class }}
from .schemas import (
    {{ cookiecutter.__class }}Create,
    {{ cookiecutter.__class }}Page,
    {{ cookiecutter.__class }}Patch,
    {{ cookiecutter.__class }}Path,
    {{ cookiecutter.__class }}Query,
    {{ cookiecutter.__class }}Read,
)
{% if cookiecutter.background_jobs == "celery" %}
from .tasks import activate_when_available
{% endif %}

api = resource_blueprint("{{ cookiecutter.resource_plural }}")

SORT_KEYS = {
    "created_at": SortKey("created_at", datetime.fromisoformat),
    "created_at_desc": SortKey("created_at", datetime.fromisoformat, descending=True),
    "name": SortKey("name"),
    "name_desc": SortKey("name", descending=True),
}


@api.get("", responses={200: {{ cookiecutter.__class }}Page})
def list_page(query: {{ cookiecutter.__class }}Query) -> Response:
    """List the {{ cookiecutter.__label_plural }}."""
    page = read_page(db.session(), {{ cookiecutter.__class }}, query, SORT_KEYS[query.sort])
    return json_response({{ cookiecutter.__class }}Page.from_row(page), headers=page.headers)


@api.post(
    "",
    responses={201: {{ cookiecutter.__class }}Read, **problem_responses(409)},
)
def create(body: {{ cookiecutter.__class }}Create, header: CreateHeaders) -> Response:
    """Create one {{ cookiecutter.__label }}; with an Idempotency-Key it may be sent again."""
    session = db.session()
    claim = claim_idempotency_key(session, header)
    if claim.stored_response is not None:
        return claim.stored_response
    row = insert_row(session, {{ cookiecutter.__class }}, body.model_dump())
    created = {{ cookiecutter.__class }}Read.from_row(row)
    headers = {"Location": f"{api.url_prefix}/{created.id}", "ETag": entity_tag(created)}
    response = json_response(created, 201, headers)
    claim.store_response(response)
{% if cookiecutter.background_jobs == "celery" %}
    activate_when_available(session, created)
{% endif %}
    session.commit()
    return response


@api.get(
    "/<uuid:id>",
    responses={200: {{ cookiecutter.__class }}Read, 304: None, **problem_responses(404)},
)
def read(path: {{ cookiecutter.__class }}Path, header: IfNoneMatchHeader) -> Response:
    """Read one {{ cookiecutter.__label }}."""
    row = read_row(db.session(), {{ cookiecutter.__class }}, path.id)
    headers = {"ETag": entity_tag(row)}
    if matches_if_none_match(row, header):
        return empty_response(304, headers)
    return json_response({{ cookiecutter.__class }}Read.from_row(row), headers=headers)


@api.patch(
    "/<uuid:id>",
    responses={200: {{ cookiecutter.__class }}Read, **problem_responses(404, 409, 412, 428)},
)
def patch(
    path: {{ cookiecutter.__class }}Path,
    body: {{ cookiecutter.__class }}Patch,
    header: IfMatchHeader,
) -> Response:
    """Change the members that are given."""
    session = db.session()
    row = _find(session, path)
    check_if_match(row, header)
    for name, value in body.model_dump().items():
        setattr(row, name, value)
{% if cookiecutter.background_jobs == "celery" %}
    if body.model_fields_set & {"available_at", "status"}:
        activate_when_available(session, row)
{% endif %}
    session.commit()
    return json_response({{ cookiecutter.__class }}Read.from_row(row), headers={"ETag": entity_tag(row)})


@api.delete(
    "/<uuid:id>",
    responses={204: None, **problem_responses(404, 409, 412, 428)},
)
def delete(path: {{ cookiecutter.__class }}Path, header: IfMatchHeader) -> Response:
    """Delete one {{ cookiecutter.__label }} that no other belongs to."""
    session = db.session()
    row = _find(session, path)
    check_if_match(row, header)
    session.delete(row)
    session.commit()
    return empty_response(204)


def _find(
    session: Session,
    path: {{ cookiecutter.__class }}Path,
) -> {{ cookiecutter.__class }}:
    row = session.get({{ cookiecutter.__class }}, path.id)
    if row is None:
        raise NotFound(NOT_FOUND)
    return row
