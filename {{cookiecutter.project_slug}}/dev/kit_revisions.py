"""Put the migrations that a release of the template brings on top of the project's own ones."""

import ast
import hashlib
import re
from collections.abc import Mapping

from .setup import StepError

REVISION = re.compile(r'^revision = "([^"]+)"$', re.MULTILINE)
PARENT = re.compile(r"^down_revision = .*$", re.MULTILINE)


def place(
    delivered: Mapping[str, str], known: Mapping[str, str], own: Mapping[str, str]
) -> dict[str, str]:
    """Return the new migrations of a release, by the names of their files in the project.

    `delivered` are the migrations of the release, `known` those of the release before, `own` those
    of the project. Each one that is new follows the newest of the project, under an id of its own.
    Raises `StepError` if the project has several newest migrations.
    """
    placed: dict[str, str] = {}
    for name in sorted(delivered.keys() - known.keys()):
        text = delivered[name]
        found = REVISION.search(text)
        if not found:
            continue
        parent = head({**own, **placed})
        revision = _next(parent, text)
        text = REVISION.sub(f'revision = "{revision}"', text, count=1)
        text = PARENT.sub(f'down_revision = "{parent}"', text, count=1)
        rest = name.removeprefix(found[1]).lstrip("_")
        placed[f"{revision}_{rest}"] = text
    return placed


def head(migrations: Mapping[str, str]) -> str:
    """Return the newest revision. Raises `StepError` if there is not exactly one."""
    parents: dict[str, set[str]] = {}
    for name, text in migrations.items():
        found = _constants(name, text)
        if "revision" in found:
            down = found.get("down_revision")
            above = {down} if isinstance(down, str) else set(down or ())
            parents[str(found["revision"])] = above
    heads = sorted(parents.keys() - set().union(*parents.values()))
    if len(heads) != 1:
        raise StepError(
            f"the migrations of the project have {len(heads)} newest revisions "
            f"({', '.join(heads)}), and the release brings one that follows the newest: join them "
            "by `make merge-migrations` and commit"
        )
    return heads[0]


def _constants(name: str, text: str) -> dict[str, str | tuple[str, ...] | None]:
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise StepError(f"the migration {name} is not Python: {error}") from None
    found = {}
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        target = node.target if isinstance(node, ast.AnnAssign) else target
        if isinstance(target, ast.Name) and target.id in ("revision", "down_revision"):
            assert isinstance(node, (ast.Assign, ast.AnnAssign))  # noqa: S101
            found[target.id] = ast.literal_eval(node.value) if node.value else None
    return found


def _next(parent: str, text: str) -> str:
    """Return an id that no other branch gives to another migration, as for those of resources."""
    number = re.match(r"\d+", parent)
    digest = hashlib.sha256(f"{parent}\n{text}".encode()).hexdigest()
    return f"{int(number[0]) + 1 if number else 1:04d}_{digest[:8]}"
