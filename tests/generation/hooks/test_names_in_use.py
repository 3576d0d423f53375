"""The lists of names that the first hook rejects agree with the template's files."""

import importlib.metadata
import re

import pytest

from hooks.pre_gen_project import DEPENDENCIES, PROJECT_FOLDERS
from local_extensions import load_generator, plural
from tests.generation.hooks.test_pre_gen_project import errors_of
from tests.harness.minimal_template import TEMPLATE

PACKAGE = TEMPLATE / "src" / "{{cookiecutter.__package}}"

# Resources of many services: no name inside the service may forbid them.
COMMON_RESOURCES = """
account address answer appointment article asset author book booking brand campaign car category
city client comment company contact contract course customer delivery department device document
email employee event file group hotel image invoice job_offer lesson location match_result member
message movie note notification offer order order_line patient payment person photo plan player
post product project rating recipe report reservation review room school shipment shop song
stock store student subscription supplier tag task team ticket tool transaction trip user vehicle
vendor voucher warehouse
""".split()


# Names that no release of the kit has to forbid: they are parts of the service, but not beside a
# resource.
PARTS_OF_THE_SERVICE = "auth database health logs metrics sessions settings support web".split()

TABLE = re.compile(r'(?:__tablename__|^[A-Z]+_TABLE) = "(\w+)"', re.MULTILINE)


def kit_tables() -> set[str]:
    """Return the names of all tables in the package that do not belong to a resource."""
    modules = (path for path in PACKAGE.rglob("*.py") if "resources" not in path.parts)
    return {name for path in modules for name in TABLE.findall(path.read_text(encoding="utf-8"))}


def modules_beside_tests_of_resources() -> set[str]:
    """Return the modules in tests/resources/, where each resource has a folder."""
    return {path.stem for path in (TEMPLATE / "tests" / "resources").glob("[!_]*.py")}


def declared_dependencies() -> set[str]:
    """Return the distributions that the service's pyproject.toml names, for all choices."""
    text = (TEMPLATE / "pyproject.toml").read_text(encoding="utf-8")
    return set(re.findall(r'^ +"([A-Za-z][A-Za-z0-9-]*)[\[<>=~][^"]*",$', text, re.MULTILINE)) - {
        "flask"
    }


def with_their_own(names: set[str]) -> set[str]:
    """Return the distributions with their own dependencies, as far as they are installed."""
    known: set[str] = set()
    while names:
        name = names.pop()
        known.add(name)
        try:
            needed = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        plain = (line for line in needed if "extra ==" not in line and "win32" not in line)
        found = (re.match(r"[A-Za-z0-9._-]+", line) for line in plain)
        names |= {match[0] for match in found if match} - known
    return known


def test_names_of_the_kit_are_rejected_and_no_others() -> None:
    names = load_generator().names
    assert kit_tables() == names.KIT_TABLES
    assert modules_beside_tests_of_resources() == names.KIT_FOLDERS


def test_folders_of_the_project_are_rejected_and_no_others() -> None:
    folders = {path.name for path in TEMPLATE.iterdir() if path.is_dir()}
    assert {name for name in folders if name.isidentifier()} - {"deploy"} == PROJECT_FOLDERS


@pytest.mark.parametrize("plural_name", PARTS_OF_THE_SERVICE)
def test_parts_of_the_service_do_not_forbid_a_resource(plural_name: str) -> None:
    assert errors_of(resource="thing", resource_plural=plural_name) == []


def test_libraries_are_rejected() -> None:
    names = {re.sub(r"[-.]", "_", name).lower() for name in with_their_own(declared_dependencies())}
    assert "sqlalchemy" in names
    assert names <= DEPENDENCIES


@pytest.mark.parametrize("resource", COMMON_RESOURCES)
def test_common_resources_are_allowed(resource: str) -> None:
    assert errors_of(resource=resource, resource_plural=plural(resource)) == []
