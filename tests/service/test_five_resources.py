"""A service with five resources that refer to each other keeps its contract, on each engine.

Public tools find no error, and a client that is generated from the document uses each resource.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.harness.baked import Bake, BakedProject
from tests.harness.environments import Environment
from tests.harness.report import Proved
from tests.harness.resources import add_resources
from tests.harness.servers import HOST, Service
from tests.harness.variants import Variant

from .tools import fuzz, generate_client, run

pytestmark = [pytest.mark.slow, pytest.mark.one_for_each_engine, pytest.mark.open_to_all]

# All types; names of Python and SQL; references to others, to itself, and two to one table.
CUSTOMER = "name:string:80:unique born:date:optional:index code:uuid:index"
ORDER = (
    "customer:ref:customers item:ref:items:optional parent:ref:orders:optional"
    " total:decimal:12:2:min=0:index status:enum:draft:paid:index note:text:optional"
)
ORDER_LINE = "order:ref:orders count:integer:min=1:max=999:index data:json"
DATE = (
    "begin:datetime:index end:datetime:optional:unique active:boolean:index"
    " host:ref:customers guest:ref:customers:optional"
)
FURTHER = (
    ("customer", "customers", CUSTOMER),
    ("order", "orders", ORDER),
    ("order_line", "order_lines", ORDER_LINE),
    ("date", "dates", DATE),
)

# For each resource the members of a create, as the client writes them, and of a change;
# `@customers` is the id of a customer.
BODIES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "Item": ("items", {"name": "An item"}, {"description": "changed"}),
    "Customer": (
        "customers",
        {"name": "Ada", "born": "1990-12-31", "code": "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"},
        {"born": None},
    ),
    "Order": (
        "orders",
        {
            "customer_id": "@customers",
            "item_id": "@items",
            "total": "12.50",
            "status": "draft",
            "note": "A note",
        },
        {"status": "paid", "note": None},
    ),
    "OrderLine": (
        "order_lines",
        {"order_id": "@orders", "count": 999, "data": {"sizes": [1, 2.5, None]}},
        {"data": [True]},
    ),
    "Date": (
        "dates",
        {
            "begin": "2030-01-31T12:00:00+00:00",
            "active": True,
            "host_id": "@customers",
            "guest_id": "@customers",
        },
        {"end": "2030-02-01T09:30:00.500000+00:00", "active": False},
    ),
}
EXAMPLES = 20
CASES = 500
"""Of 25 operations; schemathesis makes some requests by itself."""

# Uses only the generated client; rows are deleted before those that they refer to.
USE_THE_CLIENT = """
import json, sys
from importlib import import_module

from client import Client, models

client = Client(base_url=sys.argv[1], raise_on_unexpected_status=True)
bodies = json.loads(sys.argv[2])
made = {}


def call(plural, name, *arguments, **options):
    module = import_module(f"client.api.{plural}.{plural}_{name}")
    return module.sync_detailed(*arguments, client=client, **options)


for name, (plural, given, change) in bodies.items():
    body = {
        member: made[value[1:]] if isinstance(value, str) and value.startswith("@") else value
        for member, value in given.items()
    }
    create, patch = (getattr(models, name + kind) for kind in ("Create", "Patch"))
    created = call(plural, "create", body=create.from_dict(body))
    made[plural] = str(created.parsed.id)
    shown = created.parsed.to_dict()
    assert {member: shown[member] for member in body} == body, (shown, body)

    read = call(plural, "read", created.parsed.id)
    assert read.parsed == created.parsed

    options = {"body": patch.from_dict(change), "if_match": read.headers["ETag"]}
    changed = call(plural, "patch", created.parsed.id, **options).parsed
    assert changed.to_dict() == shown | change | {
        "version": 2, "updated_at": changed.to_dict()["updated_at"]
    }
    page = call(plural, "list_page", limit=100).parsed
    assert changed in page.items

for plural, row_id in reversed(made.items()):
    assert call(plural, "delete", row_id, if_match="*").status_code == 204
    assert call(plural, "read", row_id).status_code == 404
print("used:", *made)
"""


@pytest.fixture(scope="module")
def project(variant: Variant, session_bake: Bake, environment: Environment) -> BakedProject:
    """The project of the variant with five resources."""
    made = session_bake(**variant.choices, project_slug=f"five-{variant.choices['database']}")
    add_resources(made, environment, FURTHER)
    return made


def test_schemathesis_finds_no_error_in_five_resources(
    service: Service, variant: Variant, tmp_path: Path, proved: Proved
) -> None:
    document = service.call("GET", "/openapi.json").json
    OpenAPIV31SpecValidator(document).validate()
    assert sum(path.startswith("/api/") for path in document["paths"]) == 2 * len(BODIES)

    generated, passed = fuzz(service, tmp_path, EXAMPLES)

    assert generated >= CASES
    proved("schemathesis", variant=f"{variant}, five resources", cases=generated, passed=passed)


def test_generated_client_uses_each_of_five_resources(service: Service, tmp_path: Path) -> None:
    generate_client(service, tmp_path)

    url = f"http://{HOST}:{service.port}"
    said = run(sys.executable, "-c", USE_THE_CLIENT, url, json.dumps(BODIES), folder=tmp_path)

    assert said.split() == ["used:", *(plural for plural, _, _ in BODIES.values())]
