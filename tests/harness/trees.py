"""What of a project its tests can see: variants in which that is the same share one run of them."""

import contextlib
import hashlib
import tomllib
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import NamedTuple

from .baked import BakedProject
from .variants import RUN_BY_TESTS, Variant, tree_of


class Tree(NamedTuple):
    """A variant, the one whose run proves the same bytes, and what is wrong with that."""

    project: BakedProject
    variant: Variant
    proved_by: str
    errors: list[str]

    @property
    def is_ours(self) -> bool:
        """Whether it is this variant that has to run."""
        return str(self.variant) == self.proved_by


def claim(claims: Path, project: BakedProject, variant: Variant) -> Tree:
    """Find out which variant proves this tree: the first that asks with this folder of claims.

    It is an error if the tree has another key than the one that variants with the same choices at
    the prompts in `SEEN_BY_TESTS` have, or if variants with other choices there have this key.
    """
    key, nearest = key_of(project), str(tree_of(variant))
    proved_by, theirs = first_to_say(claims / key, f"{variant}\n{nearest}").split("\n")
    keys = {key, first_to_say(claims / hashlib.sha256(nearest.encode()).hexdigest(), key)}
    errors = [] if len(keys) == 1 else [f"its tests see other bytes than those of {nearest}"]
    errors += [] if theirs == nearest else [f"its tests see the same bytes as those of {theirs}"]
    return Tree(project, variant, proved_by, errors)


def first_to_say(file: Path, text: str) -> str:
    """What is in the file, by whoever comes first; as a whole, whoever else does so now."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        with NamedTemporaryFile("w", dir=file.parent, encoding="utf-8") as mine:
            mine.write(text)
            mine.flush()
            with contextlib.suppress(FileExistsError):
                file.hardlink_to(mine.name)
    return file.read_text(encoding="utf-8")


def is_of_tree(name: str) -> bool:
    """Whether tests, types and linters see the file of this name."""
    return name.startswith(RUN_BY_TESTS)


def key_of(project: BakedProject) -> str:
    """The same for two projects whose tests would see the same."""
    found = hashlib.sha256(repr(_configuration(project)).encode())
    for path in project.files:
        name = project.name_of(path)
        if is_of_tree(name):
            found.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def _configuration(project: BakedProject) -> object:
    """What pyproject.toml says to tools and installers; its author and terms change nothing."""
    table = tomllib.loads(project.text("pyproject.toml"))
    names = ("dependencies", "optional-dependencies", "requires-python", "scripts")
    described = {name: table["project"].get(name) for name in names}
    return [described, table.get("dependency-groups"), table["tool"]]
