"""Reads and changes the project that resources are added to."""

import ast
import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .clashes import bound_classes
from .formatting import natural
from .grammar import FieldError
from .render import Context, Resource, render_resource

ENGINES = ("sqlite", "postgresql", "mariadb", "mysql")


class ProjectError(Exception):
    """The project is not as a command expects it; the message says what to do."""


class Change(NamedTuple):
    """The effect of a new resource on the project: new files, and the new text of one file."""

    new_files: Mapping[Path, str]
    registration: Path
    registration_text: str


class Project:
    """A project on disk."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.package = self._package()
        self.source = root / "src" / self.package
        self.registration = self.source / "resources" / "__init__.py"

    def _package(self) -> str:
        found = sorted(self.root.glob("src/*/resources/__init__.py"))
        if len(found) != 1:
            raise ProjectError("There is not one package in src/ that has resources/__init__.py.")
        return found[0].parts[-3]

    @property
    def database(self) -> str:
        """The engine, as the prompts of the template call it."""
        return next(name for name in ENGINES if (self.source / "database" / f"{name}.py").exists())

    def context(self) -> Context:
        """Return what is known of the project. Raises ProjectError."""
        return Context(
            package=self.package,
            database=self.database,
            jobs=(self.source / "jobs").exists(),
            resources=dict(self._resources()),
            classes=self.classes("*"),
            down_revision=self.head(),
        )

    def _resources(self) -> Iterator[tuple[str, str]]:
        """Yield the folder and the class of each resource."""
        for path in sorted(self.source.glob("resources/*/models.py")):
            plural = path.parent.name
            tables = dict(_tables(path))
            if tables:
                yield plural, tables.get(plural) or next(iter(tables.values()))

    def classes(self, plural: str) -> frozenset[str]:
        """Return the classes in the modules of a resource, or of all with `*`."""
        return frozenset(
            name
            for path in self.source.glob(f"resources/{plural}/*.py")
            for name in bound_classes(path.read_text(encoding="utf-8"))
        )

    def columns(self, plural: str) -> set[str]:
        """Return the attributes of a resource's class."""
        tree = _parsed(self.source / "resources" / plural / "models.py")
        return {
            statement.target.id
            for node in tree.body
            if isinstance(node, ast.ClassDef)
            for statement in node.body
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
        }

    def head(self) -> str:
        """Return the newest revision. Raises ProjectError if there is not exactly one."""
        parents: dict[str, set[str]] = {}
        for path in sorted(self.source.glob("migrations/versions/*.py")):
            names = _constants(path)
            down = names.get("down_revision")
            above = {down} if isinstance(down, str) else set(down or ())
            parents[str(names["revision"])] = above
        heads = parents.keys() - set().union(*parents.values())
        if len(heads) != 1:
            raise ProjectError(
                f"The migrations have {len(heads)} newest revisions ({', '.join(sorted(heads))})."
                " Join them first: `make merge-migrations`."
            )
        return heads.pop()

    def errors(self, resource: Resource, context: Context) -> list[FieldError]:
        """Return what keeps the project from getting this resource."""
        found = [
            FieldError(str(path.relative_to(self.root)), "exists already", "move it, or remove it")
            for path in self._targets(resource, context)
            if path.exists()
        ]
        for field in resource.fields:
            if field.target and field.target != resource.plural:
                factory = f"{context.resources[field.target]}Factory"
                path = self.root / "tests" / "resources" / field.target / "factories.py"
                known = bound_classes(path.read_text(encoding="utf-8")) if path.exists() else ()
                if factory not in known:
                    rule = f"{path.relative_to(self.root)} has no {factory}, which the tests need"
                    found.append(FieldError(field.name, rule, "write it"))
        return found

    def _targets(self, resource: Resource, context: Context) -> list[Path]:
        """Return the folders and files that must not exist; files in them go without saying."""
        revision = f"*_create_{resource.plural}.py"
        return [
            self.source / "resources" / resource.plural,
            self.root / "tests" / "resources" / resource.plural,
            *self.source.glob(f"migrations/versions/{revision}"),
        ]

    def change(self, resource: Resource, context: Context) -> Change:
        """Return what adding the resource changes. Raises ProjectError."""
        context = context._replace(revision=_next_revision(resource, context))
        files = render_resource(resource, context)
        return Change(
            {self.root / path: text for path, text in files.items()},
            self.registration,
            registered(self.registration.read_text(encoding="utf-8"), resource.plural),
        )


def registered(source: str, plural: str) -> str:
    """Return the text of the list of resources with one more, in its place by name.

    Raises ProjectError, with the two lines to add, if the list has another shape than the
    generator writes.
    """
    line, entry = f"from .{plural}.routes import api as {plural}_api", f"    {plural}_api,"
    tree = ast.parse(source)
    lists = [value for node in tree.body for value in _values_of("RESOURCES", node)]
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    own = [node for node in imports if node.level == 1]
    listed = lists[0] if len(lists) == 1 else None
    if not isinstance(listed, ast.List) or not _is_exploded(listed) or not imports:
        raise ProjectError(
            "The list RESOURCES in resources/__init__.py has a shape that this command does not"
            f" know: names, one on each line. Bring it into that shape, or add these two lines"
            f" yourself:\n\n  {line}\n{entry}"
        )
    lines = source.splitlines()
    if listed.elts:
        place = natural(f"{plural}_api")
        before = [each for each in listed.elts if natural(ast.unparse(each)) < place]
        lines.insert(before[-1].lineno if before else listed.lineno, entry)
    else:
        opened = lines[listed.lineno - 1][: listed.col_offset + 1]
        lines[listed.lineno - 1 : listed.end_lineno] = [opened, entry, "]"]
    place = natural(f"{plural}.routes")
    above = [node for node in own if natural(node.module or "") < place]
    if above:
        lines.insert(above[-1].end_lineno or 0, line)
    elif own:
        lines.insert(own[0].lineno - 1, line)
    else:
        lines[imports[-1].end_lineno : imports[-1].end_lineno] = ["", line]
    return "\n".join(lines) + "\n"


def _values_of(name: str, node: ast.stmt) -> list[ast.expr | None]:
    """Return what a statement assigns to a name, with or without a type, if it does."""
    if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == name:
        return [node.value]
    if isinstance(node, ast.Assign) and [ast.unparse(each) for each in node.targets] == [name]:
        return [node.value]
    return []


def _is_exploded(listed: ast.List) -> bool:
    """Return true if each entry is a name on a line of its own, between those of the brackets.

    A list without entries may be on one line.
    """
    if not listed.elts:
        return True
    lines = [each.lineno for each in listed.elts]
    return (
        all(isinstance(each, ast.Name) for each in listed.elts)
        and len({*lines, listed.lineno, listed.end_lineno}) == len(lines) + 2
    )


def _next_revision(resource: Resource, context: Context) -> str:
    """Return the id of a revision after the newest: a number, and a digest for its content."""
    parent = context.down_revision or ""
    number = re.match(r"\d+", parent)
    content = f"create {resource.plural} {resource.fields}"
    digest = hashlib.sha256(f"{parent}\n{content}".encode()).hexdigest()
    return f"{int(number[0]) + 1 if number else 1:04d}_{digest[:8]}"


def _tables(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the table and the name of each class of a module that is mapped to one."""
    for node in _parsed(path).body:
        if isinstance(node, ast.ClassDef):
            for statement in node.body:
                if (
                    isinstance(statement, ast.Assign)
                    and ast.unparse(statement.targets[0]) == "__tablename__"
                    and isinstance(statement.value, ast.Constant)
                ):
                    yield str(statement.value.value), node.name


def _constants(path: Path) -> dict[str, Any]:
    """Return the names that a module binds to literals."""
    found: dict[str, Any] = {}
    for node in _parsed(path).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            try:
                found[node.target.id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    return found


def _parsed(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError as error:
        raise ProjectError(f"{path} is not Python: {error}.") from None
