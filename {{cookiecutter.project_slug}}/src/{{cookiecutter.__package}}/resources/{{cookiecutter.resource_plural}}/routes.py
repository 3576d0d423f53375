"""The routes. Each view commits by itself, before it makes its answer."""

from datetime import datetime

from flask import Response
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from ..conditional import ReadConditions, WriteConditions, entity_tag, is_current, require_match
from ..database import db
from ..idempotency import CreateHeaders, claim_key
from ..openapi import answer, no_content, problems, resource_api
from ..pagination import SortOrder, read_page
from ..rows import NOT_THERE, insert_row, read_row
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

api = resource_api("{{ cookiecutter.resource_plural }}")

ORDERS = {
    "created_at": SortOrder("created_at", datetime.fromisoformat),
    "created_at_desc": SortOrder("created_at", datetime.fromisoformat, descending=True),
    "name": SortOrder("name"),
    "name_desc": SortOrder("name", descending=True),
}


@api.get("", responses={200: {{ cookiecutter.__class }}Page})
def list_page(query: {{ cookiecutter.__class }}Query) -> Response:
    """List the {{ cookiecutter.__label_plural }}."""
    page = read_page(db.session(), {{ cookiecutter.__class }}, query, ORDERS[query.sort])
    return answer({{ cookiecutter.__class }}Page.of(page), headers=page.headers)


@api.post(
    "",
    responses={201: {{ cookiecutter.__class }}Read, **problems(409)},
)
def create(body: {{ cookiecutter.__class }}Create, header: CreateHeaders) -> Response:
    """Create one {{ cookiecutter.__label }}; with an Idempotency-Key it may be sent again."""
    session = db.session()
    claim = claim_key(session, header)
    if claim.first_answer is not None:
        return claim.first_answer
    row = insert_row(session, {{ cookiecutter.__class }}, body.model_dump())
    created = {{ cookiecutter.__class }}Read.of(row)
    headers = {"Location": f"{api.url_prefix}/{created.id}", "ETag": entity_tag(created)}
    response = answer(created, 201, headers)
    claim.keep(response)
{% if cookiecutter.background_jobs == "celery" %}
    activate_when_available(session, created)
{% endif %}
    session.commit()
    return response


@api.get(
    "/<uuid:id>",
    responses={200: {{ cookiecutter.__class }}Read, 304: None, **problems(404)},
)
def read(path: {{ cookiecutter.__class }}Path, header: ReadConditions) -> Response:
    """Read one {{ cookiecutter.__label }}."""
    row = read_row(db.session(), {{ cookiecutter.__class }}, path.id)
    headers = {"ETag": entity_tag(row)}
    if is_current(row, header):
        return no_content(304, headers)
    return answer({{ cookiecutter.__class }}Read.of(row), headers=headers)


@api.patch(
    "/<uuid:id>",
    responses={200: {{ cookiecutter.__class }}Read, **problems(404, 409, 412, 428)},
)
def patch(
    path: {{ cookiecutter.__class }}Path,
    body: {{ cookiecutter.__class }}Patch,
    header: WriteConditions,
) -> Response:
    """Change the members that are given."""
    session = db.session()
    row = _find(session, path)
    require_match(row, header)
    for name, value in body.model_dump().items():
        setattr(row, name, value)
{% if cookiecutter.background_jobs == "celery" %}
    if body.model_fields_set & {"available_at", "status"}:
        activate_when_available(session, row)
{% endif %}
    session.commit()
    return answer({{ cookiecutter.__class }}Read.of(row), headers={"ETag": entity_tag(row)})


@api.delete(
    "/<uuid:id>",
    responses={204: None, **problems(404, 409, 412, 428)},
)
def delete(path: {{ cookiecutter.__class }}Path, header: WriteConditions) -> Response:
    """Delete one {{ cookiecutter.__label }} that no other belongs to."""
    session = db.session()
    row = _find(session, path)
    require_match(row, header)
    session.delete(row)
    session.commit()
    return no_content(204)


def _find(
    session: Session,
    path: {{ cookiecutter.__class }}Path,
) -> {{ cookiecutter.__class }}:
    row = session.get({{ cookiecutter.__class }}, path.id)
    if row is None:
        raise NotFound(NOT_THERE)
    return row
