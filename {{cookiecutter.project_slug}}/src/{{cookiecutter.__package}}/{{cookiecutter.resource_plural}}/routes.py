"""The routes. Each view commits by itself, before it makes its answer."""

from datetime import datetime

from flask import Response
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from ..conditional import ReadConditions, WriteConditions, entity_tag, is_current, require_match
from ..database import db
from ..idempotency import CreateHeaders, claim_key
from ..openapi import answer, problems, resource_api
from ..pagination import Order, read_page
from .models import {{ cookiecutter.__class }}
from .schemas import (
    {{ cookiecutter.__class }}Create,
    {{ cookiecutter.__class }}Page,
    {{ cookiecutter.__class }}Patch,
    {{ cookiecutter.__class }}Path,
    {{ cookiecutter.__class }}Query,
    {{ cookiecutter.__class }}Read,
)

api = resource_api("{{ cookiecutter.resource_plural }}")

ORDERS = {
    "created_at": Order({{ cookiecutter.__class }}.created_at, datetime.fromisoformat),
    "created_at_desc": Order(
        {{ cookiecutter.__class }}.created_at,
        datetime.fromisoformat,
        descending=True,
    ),
    "name": Order({{ cookiecutter.__class }}.name),
    "name_desc": Order({{ cookiecutter.__class }}.name, descending=True),
}


@api.get("", responses={200: {{ cookiecutter.__class }}Page})
def list_page(query: {{ cookiecutter.__class }}Query) -> Response:
    """List the {{ cookiecutter.__label_plural }}."""
    statement = select({{ cookiecutter.__class }}).filter_by(**query.filters)
    order = ORDERS[query.sort]
    page = read_page(db.session(), statement, query, order, {{ cookiecutter.__class }}.id)
    return answer({{ cookiecutter.__class }}Page.of(page), headers=page.headers)


@api.post(
    "",
    responses={201: {{ cookiecutter.__class }}Read, **problems(409)},
)
def create(body: {{ cookiecutter.__class }}Create, header: CreateHeaders) -> Response:
    """Create a {{ cookiecutter.__label }}; with an Idempotency-Key it may be sent again."""
    session = db.session()
    claim = claim_key(session, header)
    if claim.first_answer is not None:
        return claim.first_answer
    row = {{ cookiecutter.__class }}(**body.model_dump())
    session.add(row)
    session.flush()
    headers = {"Location": f"{api.url_prefix}/{row.id}", "ETag": entity_tag(row)}
    created = answer({{ cookiecutter.__class }}Read.of(row), 201, headers)
    claim.keep(created)
    session.commit()
    return created


@api.get(
    "/<uuid:id>",
    responses={200: {{ cookiecutter.__class }}Read, 304: None, **problems(404)},
)
def read(path: {{ cookiecutter.__class }}Path, header: ReadConditions) -> Response:
    """Read one {{ cookiecutter.__label }}."""
    row = _find(db.session(), path)
    headers = {"ETag": entity_tag(row)}
    if is_current(row, header):
        return Response(status=304, headers=headers)
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
    return Response(status=204)


def _find(session: Session, path: {{ cookiecutter.__class }}Path) -> {{ cookiecutter.__class }}:
    row = session.get({{ cookiecutter.__class }}, path.id)
    if row is None:
        raise NotFound("There is nothing with this id.")
    return row
