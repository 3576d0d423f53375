"""What of a project its tests can see: variants in which that is the same share one run of them."""

import contextlib
import hashlib
import tomllib
from pathlib import Path
from typing import NamedTuple

from .baked import BakedProject
from .variants import Variant

# Everything else is for people and for other programs, and is checked where it stands.
RUN_BY_TESTS = ("src/", "tests/", "dev/", "gunicorn.conf.py", "Makefile")


class Tree(NamedTuple):
    """A variant, and the one whose run proves the same bytes."""

    project: BakedProject
    variant: Variant
    proved_by: str

    @property
    def is_ours(self) -> bool:
        """Whether it is this variant that has to run."""
        return str(self.variant) == self.proved_by


def claim(claims: Path, project: BakedProject, variant: Variant) -> Tree:
    """Find out which variant proves this tree: the first that asks with this folder of claims."""
    claims.mkdir(exist_ok=True)
    file = claims / key_of(project)
    mine = claims / hashlib.sha256(str(variant).encode()).hexdigest()
    mine.write_text(str(variant), encoding="utf-8")
    with contextlib.suppress(FileExistsError):
        file.hardlink_to(mine)  # as a whole or not at all, whoever else does so now
    return Tree(project, variant, file.read_text(encoding="utf-8"))


def key_of(project: BakedProject) -> str:
    """The same for two projects whose tests would see the same."""
    found = hashlib.sha256(repr(_configuration(project)).encode())
    for path in project.files:
        name = project.name_of(path)
        if name.startswith(RUN_BY_TESTS):
            found.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def _configuration(project: BakedProject) -> object:
    """What pyproject.toml says to tools and installers; its author and terms change nothing."""
    table = tomllib.loads(project.text("pyproject.toml"))
    names = ("dependencies", "optional-dependencies", "requires-python", "scripts")
    described = {name: table["project"].get(name) for name in names}
    return [described, table.get("dependency-groups"), table["tool"]]
