"""The HTTP contract of each engine's service, tested with public tools."""

import sys
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.harness.baked import BakedProject
from tests.harness.report import Proved
from tests.harness.servers import HOST, Service
from tests.harness.variants import Variant

from .tools import fuzz, generate_client, run

pytestmark = [pytest.mark.slow, pytest.mark.one_for_each_engine, pytest.mark.open_to_all]

FUZZ_CASES = 2000
FUZZ_EXAMPLES = 420
"""For each of the five operations; schemathesis gives up some that repeat others.

test_five_resources.py does so with fewer on each engine.
"""

# Uses only the generated client, which knows nothing of the service but the document.
USE_THE_CLIENT = """
from uuid import uuid4

from client import Client
from client.api.{plural} import {plural}_create, {plural}_delete, {plural}_list_page
from client.api.{plural} import {plural}_patch, {plural}_read
from client.models import {name}Create, {name}Patch

client = Client(base_url={url!r}, raise_on_unexpected_status=True)
made = []
for number in range(5):
    body = {name}Create(name=f"client {{number}} {{uuid4()}}")
    made.append({plural}_create.sync(client=client, body=body))
assert [row.version for row in made] == [1] * 5

ids = [row.id for row in made]

read = {plural}_read.sync_detailed(made[0].id, client=client)
assert read.parsed == made[0]

tag = read.headers["ETag"]
changed = {plural}_patch.sync(
    made[0].id, client=client, body={name}Patch(description="changed"), if_match=tag
)
assert (changed.description, changed.name, changed.version) == ("changed", made[0].name, 2)

seen, cursor = [], None
while True:
    rest = {{"cursor": cursor}} if cursor else {{}}
    page = {plural}_list_page.sync(client=client, limit=2, **rest)
    seen += [row.id for row in page.items]
    cursor = page.next_
    if cursor is None:
        break
assert [row_id for row_id in seen if row_id in ids] == ids, (seen, ids)
assert len(seen) == len(set(seen))

for row_id in ids:
    assert {plural}_delete.sync_detailed(row_id, client=client, if_match="*").status_code == 204
    assert {plural}_read.sync_detailed(row_id, client=client).status_code == 404
print("made, read, changed, listed to the end, deleted")
"""


def test_document_is_valid_openapi(service: Service) -> None:
    document = service.call("GET", "/openapi.json").json

    assert document["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(document).validate()


@pytest.mark.once
def test_schemathesis_finds_no_error(
    service: Service, variant: Variant, tmp_path: Path, proved: Proved
) -> None:
    generated, passed = fuzz(service, tmp_path, FUZZ_EXAMPLES)

    assert generated >= FUZZ_CASES
    proved("schemathesis", variant=str(variant), cases=generated, passed=passed)


def test_generated_client_uses_the_service(
    service: Service, project: BakedProject, tmp_path: Path
) -> None:
    generate_client(service, tmp_path)

    script = USE_THE_CLIENT.format(
        plural=project.answers["resource_plural"],
        name=project.answers["__class"],
        url=f"http://{HOST}:{service.port}",
    )
    said = run(sys.executable, "-c", script, folder=tmp_path)

    assert "deleted" in said
