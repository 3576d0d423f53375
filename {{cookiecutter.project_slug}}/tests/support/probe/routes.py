"""The routes of the kit's own tests, as those of a resource are."""

from flask import Response, request
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from {{ cookiecutter.__package }}.database import db
from {{ cookiecutter.__package }}.web.blueprints import resource_blueprint
from {{ cookiecutter.__package }}.web.etags import (
    IfMatchHeader,
    IfNoneMatchHeader,
    check_if_match,
    entity_tag,
    matches_if_none_match,
)
from {{ cookiecutter.__package }}.web.idempotency import (
    CreateHeaders,
    claim_idempotency_key,
)
from {{ cookiecutter.__package }}.web.pagination import (
    SortKey,
    conditions,
    equals,
    paginate,
)
from {{ cookiecutter.__package }}.web.problems import problem_responses
from {{ cookiecutter.__package }}.web.responses import empty_response, json_response

{% if cookiecutter.background_jobs == "celery" %}
from ...jobs.support.probe_tasks import activate_when_available
{% endif %}
from .models import Probe
from .schemas import ProbeCreate, ProbePage, ProbePatch, ProbePath, ProbeQuery, ProbeRead

api = resource_blueprint("probes")

SORT_KEYS = {
    "created_at": SortKey(Probe.created_at),
    "created_at_desc": SortKey(Probe.created_at, descending=True),
    "name": SortKey(Probe.name),
    "name_desc": SortKey(Probe.name, descending=True),
}
FILTERS = {"status": equals(Probe.status), "parent_id": equals(Probe.parent_id)}


@api.get("", responses={200: ProbePage})
def list_page(query: ProbeQuery) -> Response:
    """List the probes."""
    statement = select(Probe).where(*conditions(query, FILTERS))
    page = paginate(db.session(), statement, query, SORT_KEYS[query.sort])
    return json_response(ProbePage.from_row(page), headers=page.headers)


@api.post(
    "",
    responses={201: ProbeRead, **problem_responses(409)},
)
def create(body: ProbeCreate, header: CreateHeaders) -> Response:
    """Create one probe; with an Idempotency-Key it may be sent again."""
    session = db.session()
    claim = claim_idempotency_key(session, header)
    if claim.stored_response is not None:
        return claim.stored_response
    row = Probe(**body.model_dump())
    session.add(row)
    session.flush()
    location = f"{request.script_root}{api.url_prefix}/{row.id}"
    headers = {"Location": location, "ETag": entity_tag(row)}
    response = json_response(ProbeRead.from_row(row), 201, headers)
    claim.store_response(response)
{% if cookiecutter.background_jobs == "celery" %}
    activate_when_available(session, row)
{% endif %}
    session.commit()
    return response


@api.get(
    "/<uuid:id>",
    responses={200: ProbeRead, 304: None, **problem_responses(404)},
)
def read(path: ProbePath, header: IfNoneMatchHeader) -> Response:
    """Read one probe."""
    row = _find(db.session(), path)
    headers = {"ETag": entity_tag(row)}
    if matches_if_none_match(row, header):
        return empty_response(304, headers)
    return json_response(ProbeRead.from_row(row), headers=headers)


@api.patch(
    "/<uuid:id>",
    responses={200: ProbeRead, **problem_responses(404, 409, 412, 428)},
)
def patch(
    path: ProbePath,
    body: ProbePatch,
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
    return json_response(ProbeRead.from_row(row), headers={"ETag": entity_tag(row)})


@api.delete(
    "/<uuid:id>",
    responses={204: None, **problem_responses(404, 409, 412, 428)},
)
def delete(path: ProbePath, header: IfMatchHeader) -> Response:
    """Delete one probe that no other belongs to."""
    session = db.session()
    row = _find(session, path)
    check_if_match(row, header)
    session.delete(row)
    session.commit()
    return empty_response(204)


def _find(
    session: Session,
    path: ProbePath,
) -> Probe:
    row = session.get(Probe, path.id)
    if row is None:
        raise NotFound("There is nothing with this id.")
    return row
