"""Trees: the files of a project that its tests see. Variants with equal trees share a run."""

import contextlib
import hashlib
import tomllib
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import NamedTuple

from .baked import BakedProject
from .variants import RUN_BY_TESTS, Variant, tree_of

ABOUT = "/web/about.py"
"""Names the licence and the author in the API document; no test depends on what it says."""


class Tree(NamedTuple):
    """The project of a variant, the variant that proves its tree, and errors found on the way."""

    project: BakedProject
    variant: Variant
    proved_by: str
    errors: list[str]

    @property
    def is_ours(self) -> bool:
        """True if this variant has to run its tests."""
        return str(self.variant) == self.proved_by


def claim(claims: Path, project: BakedProject, variant: Variant) -> Tree:
    """Return which variant proves this tree: the first that claims it in this folder.

    Variants with the same choices at the prompts in `SEEN_BY_TESTS` have to have the same tree, and
    variants with different choices different trees; anything else is reported as an error.
    """
    key, nearest = key_of(project), str(tree_of(variant))
    proved_by, theirs = first_to_say(claims / key, f"{variant}\n{nearest}").split("\n")
    keys = {key, first_to_say(claims / hashlib.sha256(nearest.encode()).hexdigest(), key)}
    errors = [] if len(keys) == 1 else [f"its tests see other bytes than those of {nearest}"]
    errors += [] if theirs == nearest else [f"its tests see the same bytes as those of {theirs}"]
    return Tree(project, variant, proved_by, errors)


def first_to_say(file: Path, text: str) -> str:
    """Return the content of the file; the first caller writes its text, atomically."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        with NamedTemporaryFile("w", dir=file.parent, encoding="utf-8") as mine:
            mine.write(text)
            mine.flush()
            with contextlib.suppress(FileExistsError):
                file.hardlink_to(mine.name)
    return file.read_text(encoding="utf-8")


def is_of_tree(name: str) -> bool:
    """Return whether tests, type checker and linters see the file of this name."""
    return name.startswith(RUN_BY_TESTS)


def key_of(project: BakedProject) -> str:
    """Return a key that is equal for projects with the same tree."""
    found = hashlib.sha256(repr(_configuration(project)).encode())
    for path in project.files:
        name = project.name_of(path)
        if is_of_tree(name) and not name.endswith(ABOUT):
            found.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def _configuration(project: BakedProject) -> object:
    """Return the part of pyproject.toml that tools and installers read."""
    table = tomllib.loads(project.text("pyproject.toml"))
    names = ("dependencies", "optional-dependencies", "requires-python", "scripts")
    described = {name: table["project"].get(name) for name in names}
    return [described, table.get("dependency-groups"), table["tool"]]
