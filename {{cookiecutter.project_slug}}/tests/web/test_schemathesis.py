"""Check the application against its own document with requests that schemathesis generates.

`SCHEMATHESIS_EXAMPLES=500 pytest tests/web/test_schemathesis.py` generates more of them.
"""

import os
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck
from hypothesis import settings as limits
from pydantic import SecretStr
from sqlalchemy.orm import Session

from {{ cookiecutter.__package }} import create_app
from {{ cookiecutter.__package }}.base_settings import EXAMPLE_URL
from {{ cookiecutter.__package }}.settings import Settings

{% if cookiecutter.auth != "none" %}
from ..support.credentials import CREDENTIAL
{% endif %}
from ..support.probe import PROBES, Probe, ProbeFactory

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "20"))

pytestmark = pytest.mark.slow

# Made when tests are collected, as schemathesis requires: this does not touch a database.
application = create_app(Settings(database_url=SecretStr(EXAMPLE_URL)), resources=PROBES)
document = schemathesis.openapi.from_wsgi("/openapi.json", application)
checks = document.config.checks
checks.positive_data_acceptance.expected_statuses = ["2xx", "304", "404", "409", "412"]
checks.missing_required_header.expected_statuses = ["422", "428"]


@document.parametrize()
@limits(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_the_application_conforms_to_its_document(
    case: "schemathesis.Case[Any]", app: Flask, session: Session
) -> None:
    if case.meta is None or case.meta.generation.mode.is_positive:
        refer_to_rows(case, session)

{% if cookiecutter.auth == "none" %}
    response = case.call_and_validate(app=app)
{% else %}
    response = case.call_and_validate(app=app, headers=CREDENTIAL)
{% endif %}

    assert response.status_code < 500


def refer_to_rows(case: "schemathesis.Case[Any]", session: Session) -> None:
    """Make a valid request refer to rows that exist, so that most of them succeed.

    It sends no cursor: cursors are signed, so none can be made up.
    """
    row = ProbeFactory.create()
    case.query.pop("cursor", None)
    if "id" in case.path_parameters:
        case.path_parameters["id"] = str(row.id)
    if "If-Match" in case.headers:
        case.headers["If-Match"] = "*"
    if "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(row.id)
    if isinstance(case.body, dict):
        if case.body.get("parent_id"):
            case.body["parent_id"] = str(ProbeFactory.create().id)
        if session.query(Probe).filter_by(code=case.body.get("code")).count():
            case.body["code"] = ProbeFactory.build().code
    session.commit()
