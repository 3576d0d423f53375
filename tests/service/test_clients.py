"""Tools from npm read the API document: linters find nothing, and a TypeScript client works.

docs/clients.md of a project has the commands; those for the client are run from the page.
"""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.harness.api_document import write_api_document
from tests.harness.baked import Bake, BakedProject
from tests.harness.environments import Environment
from tests.harness.node import NODE, npm_packages
from tests.harness.servers import HOST, Service, database, production
from tests.harness.variants import CHOICES

from .tools import run

pytestmark = [pytest.mark.slow, pytest.mark.about("auth", "license")]

# Each type of field, and each thing that a field can be.
FIELDS = (
    "number:string:40:unique,total:decimal:12:2:min=0:index,status:enum:draft:paid:index,"
    "note:text:optional,count:integer:min=1:max=9:index,due:date:index:optional,"
    "at:datetime:optional,paid:boolean,code:uuid:index,data:json:optional,"
    "parent:ref:orders:optional"
)
PACKAGES = (
    "@redocly/cli@2.77.0",
    "@stoplight/spectral-cli@6.16.3",
    "openapi-fetch@0.17.0",
    "openapi-typescript@7.13.0",
    "typescript@5.9.3",
)
STRICT = {
    "compilerOptions": {
        "strict": True,
        "module": "nodenext",
        "target": "es2023",
        "lib": ["es2023", "dom"],
        "noEmitOnError": True,
        "types": [],
    },
    "files": ["main.ts"],
}

USE_THE_CLIENT = """
import { change, connect, create, list } from "./client.js";

const api = connect(process.argv[2]!);
for (const name of ["Ada", "Grace", "Mary"]) await create(api, { name });
const found = [];
for await (const each of list(api, 2)) found.push(each);
const grace = await change(api, found[1]!.id, { description: "an admiral" });
const rejected = await create(api, { name: "Ada" }).catch((error: Error) => error.message);
console.log(found.map((each) => each.name).join(), grace.name, grace.description, grace.version);
console.log(rejected);
"""
PROCESS = "declare const process: { argv: string[] };\n"


@pytest.fixture(scope="module")
def packages() -> Path:
    """The folder with the tools."""
    return npm_packages("api-tools", *PACKAGES)


def bake_orders(bake: Bake, environment: Environment, **answers: str) -> BakedProject:
    """Generate a project with a field of each type, and its openapi.json."""
    project = bake(resource="order", fields=FIELDS, project_slug="orders-api", **answers)
    write_api_document(project, environment)
    return project


def problems_of(document: Path, packages: Path) -> list[str]:
    """Return what the recommended rules of Redocly and Spectral find, warnings as well."""
    folder = document.parent
    quiet = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
    redocly = lint(
        *(packages / ".bin" / "redocly", "lint", "--extends", "recommended", "--format", "json"),
        document.name,
        folder=folder,
        **quiet,
    )
    (folder / "spectral.yaml").write_text("extends: ['spectral:oas']\n", encoding="utf-8")
    spectral = lint(
        *(packages / ".bin" / "spectral", "lint", "--quiet", "--format", "json"),
        *("--ruleset", "spectral.yaml", document.name),
        folder=folder,
    )
    found = [each["ruleId"] for each in json.loads(redocly)["problems"]]
    return found + [each["code"] for each in json.loads(spectral or "[]")]


def lint(*command: str | Path, folder: Path, **variables: str) -> str:
    """Return the findings of a linter, whose exit status depends on them."""
    done = subprocess.run(
        [NODE, *command],
        cwd=folder,
        env={"PATH": str(NODE.parent), "HOME": str(folder), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    return done.stdout


def broken(document: Any, name: str) -> Any:
    """Return the document without a part that the rules want."""
    if name == "license":
        del document["info"]["license"]
    elif name == "servers":
        document["servers"] = []
    elif name == "description of a tag":
        del document["tags"][0]["description"]
    else:
        del document["paths"]["/api/v1/orders"]["get"]["description"]
    return document


@pytest.mark.parametrize("auth", CHOICES["auth"])
def test_linters_find_nothing_in_a_document_with_each_type(
    session_bake: Bake, environment: Environment, packages: Path, tmp_path: Path, auth: str
) -> None:
    licence = CHOICES["license"][CHOICES["auth"].index(auth) - 1]  # Proprietary is one of them
    project = bake_orders(session_bake, environment, auth=auth, license=licence)
    document = tmp_path / "openapi.json"
    document.write_text(project.text("openapi.json"), encoding="utf-8")

    assert problems_of(document, packages) == []


def test_linters_find_what_is_missing(
    session_bake: Bake, environment: Environment, packages: Path, tmp_path: Path
) -> None:
    project = bake_orders(session_bake, environment, auth="none")
    document = json.loads(project.text("openapi.json"))
    for part in ("license", "servers", "description of a tag", "description of an operation"):
        document = broken(document, part)
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(document), encoding="utf-8")

    found = set(problems_of(path, packages))

    wanted = {"info-license", "no-empty-servers", "tag-description", "operation-description"}
    assert wanted <= found, found


def blocks(project: BakedProject, language: str) -> list[str]:
    """Return the blocks of a language in the page about clients."""
    text = project.text("docs/clients.md")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_typescript_client_creates_pages_and_patches(
    session_bake: Bake, environment: Environment, packages: Path, tmp_path: Path
) -> None:
    """The client is that of the page, which uses the resource of the defaults."""
    project = session_bake(auth="none", database="sqlite")
    write_api_document(project, environment)
    [code] = blocks(project, "ts")
    folder = tmp_path / "client"
    folder.mkdir()
    (folder / "node_modules").symlink_to(packages)
    (folder / "openapi.json").write_text(project.text("openapi.json"), encoding="utf-8")
    (folder / "client.ts").write_text(code, encoding="utf-8")
    (folder / "main.ts").write_text(PROCESS + USE_THE_CLIENT, encoding="utf-8")
    (folder / "tsconfig.json").write_text(json.dumps(STRICT), encoding="utf-8")
    (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    tool = packages / ".bin"
    run(NODE, tool / "openapi-typescript", "openapi.json", "-o", "schema.d.ts", folder=folder)
    run(NODE, tool / "tsc", folder=folder)

    with database(project, environment, tmp_path) as url:
        settings = production(url)
        flask = environment.program("flask")
        variables = {**environment.variables, **settings}
        project.run(flask, "--app", project.package, "db", "upgrade", variables=variables)
        with Service(project, environment, settings, tmp_path / "log") as service:
            said = run(NODE, "main.js", f"http://{HOST}:{service.port}", folder=folder)

    assert said.splitlines()[0] == "Ada,Grace,Mary Grace an admiral 2"
    assert said.splitlines()[1].startswith("The change conflicts with data that exists")
