"""Checks that documents, comments and the Makefile name only what exists."""

import re
from functools import cache
from pathlib import Path

from tests.harness.baked import BakedProject

LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)")
# A path that begins in the project's folder, in any text: docs/sessions.md, src/x/y.py, tests/z.
PATH = re.compile(
    r"(?<![\w./<*-])((?:docs|src|tests|dev|deploy|\.github)/[\w./-]*\w|[\w.-]+\.(?:md|toml|conf\.py))(?![\w*<{(=\\])"
)
MODULE_RUN = re.compile(r"-m (dev(?:\.\w+)+)")
# `make x` is a command only inside code or a recipe; elsewhere it may be English.
MAKE = re.compile(
    r"`(?:[A-Z_]+=\S+ )?make ([a-z][\w-]*)|^\s*(?:\$ |@?\$\(MAKE\) )?make ([a-z][\w-]*)",
    re.MULTILINE,
)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
TARGET = re.compile(r"^([a-z][\w-]*(?: [a-z][\w-]*)*)\s*:(?!=)([^\n#]*)", re.MULTILINE)

# A target with the text that `make help` shows.
LISTED = re.compile(r"^([a-z][\w-]*):.*## ", re.MULTILINE)

# Paths that are examples or that exist only later: the path and the reason.
NOT_IN_A_FRESH_PROJECT = (
    (r"src/\w+/migrations/versions/0002_\w+\.py", "the file that the README's reader will make"),
    (r"(src/\w+|tests)/resources/shipments", "a resource that the README's reader will make"),
    (
        r"(src/\w+|tests)/resources/(customers|orders)/\w+\.py",
        "of the resources that the reader of docs/recipes.md makes",
    ),
    (r"src/\w+/sentry\.py|tests/test_sentry\.py", "what recipes add"),
    (r"src/\w+/resources/__init__\.py\.bak", "what sed leaves there for a moment"),
    (r"uv\.lock|\.venv|\.env", "made by the set-up"),
    (r"pyvenv\.cfg", "made by the set-up"),
    (r"services\.py", "a module that AGENTS.md advises to add"),
    (r"docs/[\w-]+\.(js|css)", "a link of the page at /docs"),
)

# Files with prose or code about the project itself.
SPEAKING = ("*.md", "*.py", "*.toml", "*.yml", "*.yaml", "Makefile", "Dockerfile", ".env.example")


def dead_references(project: BakedProject) -> list[str]:
    """Return the links, paths and modules that a file names and that do not exist."""
    errors = []
    for path in project.named(*SPEAKING):
        name = project.name_of(path)
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".md":
            errors += [
                f"{name}: links to {target}, which is not there"
                for target in LINK.findall(text)
                if not (path.parent / target).exists()
            ]
        errors += [
            f"{name}: names {target}, which is not there"
            for target in sorted(_paths_named(text))
            if not _exists(project, path, target)
        ]
    return errors


def _exists(project: BakedProject, path: Path, target: str) -> bool:
    """Return whether a named file exists; a name without a folder may be in any folder."""
    if "/" not in target and any(file.name == target for file in project.files):
        return True
    if (project.path / f"{target}.py").exists():  # a module that is run
        return True
    return (project.path / target).exists() or (path.parent / target).exists()


@cache  # most files are the same in most variants
def _paths_named(text: str) -> set[str]:
    found = {path.rstrip("/") for path in PATH.findall(text)}
    modules = {module.replace(".", "/") for module in MODULE_RUN.findall(text)}
    excused = [re.compile(pattern) for pattern, _why in NOT_IN_A_FRESH_PROJECT]
    return {
        path for path in found | modules if not any(pattern.fullmatch(path) for pattern in excused)
    }


def unknown_make_targets(project: BakedProject) -> list[str]:
    """Return targets named in texts and prerequisites that the Makefile does not have."""
    targets = targets_of(project.text("Makefile"))
    errors = []
    for path in project.named(*SPEAKING):
        name = project.name_of(path)
        errors += [
            f"{name}: says `make {target}`, which the Makefile does not have"
            for target in sorted(_targets_named(path.read_text(encoding="utf-8")))
            if target not in targets
        ]
    known = {*targets, *(project.name_of(path) for path in project.files)}
    for target, needed in targets.items():
        errors += [
            f"Makefile: {target} needs {name}, which is not there"
            for name in needed
            if re.fullmatch(r"[a-z][\w-]*", name) and name not in known
        ]
    return errors


@cache
def _targets_named(text: str) -> set[str]:
    named = {inline for inline, _ in MAKE.findall(text) if inline}
    blocks = FENCE.findall(text)
    return named | {target for block in blocks for _, target in MAKE.findall(block) if target}


def commands_missing_in_agents_page(project: BakedProject) -> list[str]:
    """Return the commands that `make help` lists and AGENTS.md does not name."""
    named = _targets_named(project.text("AGENTS.md"))
    listed = LISTED.findall(project.text("Makefile"))
    return [f"AGENTS.md: lacks `make {target}`" for target in listed if target not in named]


def targets_of(makefile: str) -> dict[str, list[str]]:
    """Return the targets of a Makefile with their prerequisites."""
    targets: dict[str, list[str]] = {}
    for names, needed in TARGET.findall(makefile):
        for name in names.split():
            # With an equals sign it is a target-specific variable, not a list of prerequisites.
            targets.setdefault(name, []).extend([] if "=" in needed else needed.split())
    return targets
