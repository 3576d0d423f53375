"""Checks that every setting is documented and read, and that only settings are documented."""

import ast
import re
from functools import cache

from tests.harness.baked import BakedProject

# .env.example shows a setting with a default as a comment with that default.
DOCUMENTED = re.compile(r"^(?:# ?)?([A-Z][A-Z0-9_]+)=", re.MULTILINE)


def undocumented_settings(project: BakedProject) -> list[str]:
    """Return settings that .env.example does not show, and those it shows that do not exist."""
    settings = settings_of(project)
    documented = {name.lower() for name in DOCUMENTED.findall(project.text(".env.example"))}
    documented -= _read_by_compose(project) - set(settings)
    missing = [f"{name.upper()}: a setting that .env.example lacks" for name in settings]
    return [
        *(error for name, error in zip(settings, missing, strict=True) if name not in documented),
        *(
            f"{name.upper()}: in .env.example, and no setting"
            for name in sorted(documented - set(settings))
        ),
    ]


def _read_by_compose(project: BakedProject) -> set[str]:
    """Return the variables that compose.yaml takes from .env."""
    path = project.path / "compose.yaml"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return {name.lower() for name in re.findall(r"\$\{([A-Z_]+)", text)}


def unread_settings(project: BakedProject) -> list[str]:
    """Return settings that neither the service nor a rule for another setting reads."""
    readers = [path for path in project.source.rglob("*.py") if "settings.py" not in path.name]
    readers.append(project.path / "gunicorn.conf.py")
    text = "\n".join(path.read_text(encoding="utf-8") for path in readers if path.exists())
    rules = project.text(f"src/{project.package}/base_settings.py")
    return [
        f"{name}: a setting that nothing reads"
        for name in settings_of(project)
        if not _occurs(rf"\b\w*settings\.{name}\b|environ\S*{name.upper()}\b", text)
        and not _occurs(rf"\bdata\S*\"{name}\"|\bself\.{name}\b", rules)
    ]


@cache  # the code is the same in most variants
def _occurs(pattern: str, text: str) -> bool:
    return re.search(pattern, text) is not None


def settings_of(project: BakedProject) -> list[str]:
    """Return the fields of `ServiceSettings` and `Settings`."""
    trees = [
        ast.parse((project.source / name).read_text(encoding="utf-8"))
        for name in ("base_settings.py", "settings.py")
    ]
    classes = [node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)]
    return [
        line.target.id
        for each in classes
        if each.name in ("ServiceSettings", "Settings")
        for line in each.body
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
    ]
