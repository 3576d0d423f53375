"""Python in the documents of a project passes the project's own formatter, linter and type checker.

A block may leave out imports that the project's own modules have. A block that uses other names,
too, is a part of something larger: it is formatted and linted, but its types are not checked.
"""

import ast
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.baked import Bake, BakedProject
from tests.harness.environments import Environment
from tests.harness.variants import Variant

pytestmark = [pytest.mark.slow, pytest.mark.most_options]

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FRAGMENTS = "ARG001,F821,F841"
"""Rules about names, which hold only for a whole module."""
MIN_TYPED = 6
APPLIED = "recipes.md"
"""Another test applies its blocks to a project and checks the result."""


def blocks(project: BakedProject) -> Iterator[tuple[str, str]]:
    """Yield a name for each block of the documents, and its code."""
    for path in project.named("*.md"):
        if path.name != APPLIED:
            for number, code in enumerate(BLOCK.findall(path.read_text(encoding="utf-8")), 1):
                yield f"{path.stem.lower()}_{number}", code


def known_imports(project: BakedProject) -> dict[str, str]:
    """Return a line that imports it, for each name that means one thing in all modules."""
    lines: dict[str, set[str]] = {}
    for path in project.named("*.py"):
        module = path.relative_to(project.path).with_suffix("").parts
        package = (module[1:] if module[0] == "src" else module)[:-1]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                above = package[: len(package) - node.level + 1] if node.level else ()
                source = ".".join([*above, *([node.module] if node.module else [])])
                for alias in node.names:
                    name = alias.asname or alias.name
                    line = f"from {source} import {alias.name} as {name}"
                    lines.setdefault(name, set()).add(line)
    modules = {path.stem for path in project.named("*.py")}
    return {
        name: found.pop()
        for name, found in lines.items()
        if len(found) == 1 and name not in modules
    }


def undefined_names(
    project: BakedProject, environment: Environment, folder: Path
) -> dict[str, set[str]]:
    """Return the names that each file of the folder uses and does not define."""
    ruff = (environment.program("ruff"), "check", "--no-cache", "--isolated", "--select", "F821")
    said = project.run(*ruff, "--output-format", "json", folder, status=None).stdout
    found: dict[str, set[str]] = {}
    for error in json.loads(said):
        [name] = re.findall("`(.+)`", error["message"])
        found.setdefault(Path(error["filename"]).stem, set()).add(name)
    return found


def test_code_of_the_documents_is_formatted_linted_and_typed(
    variant: Variant, bake: Bake, environment: Environment, mypy_cache: Path, tmp_path: Path
) -> None:
    made = bake(**variant.choices)
    project = BakedProject(tmp_path / made.path.name, made.answers)
    shutil.copytree(made.path, project.path)
    folder = project.path / "tests" / "blocks"
    folder.mkdir()
    code = dict(blocks(project))
    for name, text in code.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    ruff = environment.program("ruff")

    project.run(ruff, "format", "--no-cache", "--check", "--diff", folder)
    project.run(ruff, "check", "--no-cache", "--no-fix", "--ignore", FRAGMENTS, folder)

    imports = known_imports(project)
    missing = undefined_names(project, environment, folder)
    typed = []
    for name, text in code.items():
        wanted = missing.get(name, set())
        (folder / f"{name}.py").unlink()
        if wanted <= imports.keys():
            head = "".join(f"{imports[each]}\n" for each in sorted(wanted))
            (folder / f"{name}.py").write_text(f"{head}\n\n{text}", encoding="utf-8")
            typed.append(name)
    assert len(typed) >= MIN_TYPED, typed
    mypy = (environment.program("mypy"), "--strict", "--cache-dir", mypy_cache)
    project.run(*mypy, variables=environment.variables)
