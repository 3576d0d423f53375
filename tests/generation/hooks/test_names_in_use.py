"""The lists of names that the first hook rejects agree with the template's files."""

import ast
import builtins
import importlib.metadata
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_cookies.plugin import Cookies

from hooks.pre_gen_project import (
    CLASS_NAMES,
    DEPENDENCIES,
    KIT_NAMES,
    PROJECT_FOLDERS,
    find_errors,
)
from local_extensions import plural
from tests.generation.hooks.test_pre_gen_project import GOOD
from tests.harness.minimal_template import TEMPLATE

CLASS = re.compile(r"^class (\w+)", re.MULTILINE)
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

TABLE = re.compile(r'(?:__tablename__|VERSION_TABLE) = "(\w+)"')


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
    return set(re.findall(r'^ +"([A-Za-z][A-Za-z0-9-]*)[^"]*",$', text, re.MULTILINE)) - {"flask"}


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
    assert kit_tables() | modules_beside_tests_of_resources() == KIT_NAMES


def test_folders_of_the_project_are_rejected_and_no_others() -> None:
    folders = {path.name for path in TEMPLATE.iterdir() if path.is_dir()}
    assert {name for name in folders if name.isidentifier()} - {"deploy"} == PROJECT_FOLDERS


@pytest.mark.parametrize("plural_name", PARTS_OF_THE_SERVICE)
def test_parts_of_the_service_do_not_forbid_a_resource(plural_name: str) -> None:
    assert find_errors({**GOOD, "resource": "thing", "resource_plural": plural_name}) == []


def test_libraries_are_rejected() -> None:
    names = {re.sub(r"[-.]", "_", name).lower() for name in with_their_own(declared_dependencies())}
    assert "sqlalchemy" in names
    assert names <= DEPENDENCIES


@pytest.mark.parametrize("resource", COMMON_RESOURCES)
def test_common_resources_are_allowed(resource: str) -> None:
    assert find_errors({**GOOD, "resource": resource, "resource_plural": plural(resource)}) == []


def test_classes_of_the_service_are_rejected(cookies: Cookies) -> None:
    """A class with the resource's name must not exist in its module already."""
    answers = {"resource": "zzz", "setup": "no"}
    result = cookies.bake(extra_context=answers)
    assert result.exit_code == 0, result.exception
    paths = list((result.project_path / "src").rglob("*.py"))
    modules = [set(names_of(path)) for path in paths]
    classes = {match[1] for path in paths for match in CLASS.finditer(path.read_text("utf-8"))}
    hidden = set()
    for names in modules:
        for before, after in (name.split("Zzz", 1) for name in names if "Zzz" in name):
            # Documents have unique names in the whole service, other classes in their module.
            others = names | classes if before + after else names
            hidden |= {
                name[len(before) : len(name) - len(after)]
                for name in others
                if name.startswith(before) and name.endswith(after) and "Zzz" not in name
            }
    derived = {name for name in hidden if re.fullmatch(r"[A-Z][A-Za-z0-9]*", name)}
    assert {name for name in derived if not hasattr(builtins, name)} <= CLASS_NAMES


def names_of(path: Path) -> Iterator[str]:
    """Return the names that a module binds: imports, classes, functions and constants."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
