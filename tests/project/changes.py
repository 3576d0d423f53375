"""Changes that a team makes to its resources, by the commands and steps of its README."""

import ast
import itertools
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.harness.baked import BakedProject
from tests.harness.environments import Environment

Rows = Mapping[str, list[dict[str, str]]]
"""The rows of each table of the resources, by column."""

SECTION = re.MULTILINE | re.DOTALL

IMPORTS = ast.Import | ast.ImportFrom

PROGRAMS = ("celery", "flask", "lint-imports", "mypy", "ruff")

WRITE_ROWS = """
import sys
from importlib import import_module
from {package} import create_app
from {package}.database import db
from tests.support.factories import ModelFactory, factory_session

first, *names = sys.argv[1:]
factories = [
    getattr(import_module(f"tests.resources.{{plural}}.factories"), name)
    for plural, name in (each.split(":") for each in names)
]
for factory in ModelFactory.__subclasses__():
    factory.reset_sequence(int(first))
with create_app().app_context(), factory_session(db.session()):
    for factory in factories:
        factory.create_batch(2)
    db.session.commit()
"""
READ_ROWS = """
import json, sys
from sqlalchemy import text
from {package} import create_app
from {package}.database import db

with create_app().app_context():
    quote = db.engine.dialect.identifier_preparer.quote
    found = {{}}
    for name in sys.argv[1:]:
        rows = db.session.execute(text(f"SELECT * FROM {{quote(name)}} ORDER BY id")).mappings()
        found[name] = [{{key: str(value) for key, value in row.items()}} for row in rows]
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Team:
    """A team at work in its project, which is set up and has a development database."""

    project: BakedProject
    original: BakedProject
    mypy_cache: Path
    sequence: Iterator[int] = field(default_factory=lambda: itertools.count(0, 100))
    """The first number that the factories of a process use: no two rows are the same."""

    @classmethod
    def of(
        cls,
        original: BakedProject,
        environment: Environment,
        folder: Path,
        url: str,
        mypy_cache: Path,
    ) -> "Team":
        """Give a team a copy of the project, set up, with `url` as its development database."""
        path = folder / original.path.name
        shutil.copytree(original.path, path)
        project = BakedProject(path, original.answers)
        make_environment(path, environment)
        dotenv = path / ".env"
        lines = dotenv.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if not line.startswith("DATABASE_URL=")]
        dotenv.write_text("".join([*kept, f"DATABASE_URL={url}\n"]), encoding="utf-8")
        return cls(project, original, mypy_cache)

    @property
    def resources(self) -> Path:
        """The folder of its resources."""
        return self.project.source / "resources"

    def make(self, *targets: str, **variables: str) -> str:
        """Run `make` with these targets and variables, and return the output."""
        values = [f"{name}={value}" for name, value in variables.items()]
        return self.run("make", *targets, *values)

    def run(self, *command: str | Path) -> str:
        """Run a command in the project, which has to succeed, and return its output."""
        variables = {"MYPY_CACHE_DIR": str(self.mypy_cache)}
        return self.project.run(*command, variables=variables).stdout

    def python(self, *arguments: str) -> str:
        """Run the Python of the project."""
        return self.run(".venv/bin/python", *arguments)

    def database(self, *arguments: str) -> str:
        """Run a command of `flask db` on the development database."""
        return self.run(".venv/bin/flask", "--app", self.project.package, "db", *arguments)

    def write_rows(self, *factories: str) -> None:
        """Write two rows of each `plural:factory` and of what they refer to."""
        script = WRITE_ROWS.format(package=self.project.package)
        self.python("-c", script, str(next(self.sequence)), *factories)

    def read_rows(self, *tables: str) -> Rows:
        """Return the rows of these tables in the development database."""
        script = READ_ROWS.format(package=self.project.package)
        found: dict[str, list[dict[str, str]]] = json.loads(self.python("-c", script, *tables))
        return found

    def remove_resource(self, plural: str) -> None:
        """Follow the first step of "Remove a resource" in the README."""
        shutil.rmtree(self.resources / plural)
        shutil.rmtree(self.project.path / "tests" / "resources" / plural)
        registration = self.resources / "__init__.py"
        lines = registration.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if f"{plural}_api" not in line]
        assert len(lines) - len(kept) == 2
        registration.write_text("".join(kept), encoding="utf-8")

    def rename_resource(self, name: str, plural: str, new: str, new_plural: str) -> None:
        """Give a resource another name in its own files and in the list of resources."""
        # Pages keep their member `items`, whatever they hold.
        names = {
            rf"{plural}(?<!\[\"{plural})(?<!\{{\"{plural})(?![a-z:(])": new_plural,
            rf"{name}(?![a-z])": new,
            rf"{name.capitalize()}(?![a-z])": new.capitalize(),
        }
        tests = self.project.path / "tests" / "resources"
        for folder in (self.resources, tests):
            (folder / plural).rename(folder / new_plural)
        files = [
            self.resources / "__init__.py",
            *(self.resources / new_plural).glob("*.py"),
            *(tests / new_plural).glob("*.py"),
        ]
        for path in files:
            text = path.read_text(encoding="utf-8")
            for old, each in names.items():
                text = re.sub(rf"(?<![a-zA-Z]){old}", each, text)
            path.write_text(text, encoding="utf-8")


def edit(path: Path, *replacements: tuple[str, str]) -> None:
    """Replace what these patterns match in a file; each has to match once."""
    text = path.read_text(encoding="utf-8")
    for pattern, new in replacements:
        text, times = re.subn(pattern, new, text)
        assert times == 1, f"{path} has {pattern!r} {times} times"
    path.write_text(text, encoding="utf-8")


def make_environment(project: Path, environment: Environment) -> None:
    """Make a .venv as `make setup` does, which borrows the packages of the shared environment."""
    made = project / ".venv"
    (made / "bin").mkdir(parents=True)
    [packages] = (environment.path / "lib").glob("python*/site-packages")
    own = made / packages.relative_to(environment.path)
    own.mkdir(parents=True)
    (own / "borrowed.pth").write_text(f"{packages}\n{project / 'src'}\n", encoding="utf-8")
    shutil.copy(environment.path / "pyvenv.cfg", made)
    python = made / "bin" / "python"
    python.symlink_to(environment.python.resolve())
    for name in PROGRAMS:
        program = environment.program(name)
        with suppress(UnicodeDecodeError):
            text = program.read_text(encoding="utf-8")
            _, _, rest = text.partition("\n")
            (made / "bin" / name).write_text(f"#!{python}\n{rest}", encoding="utf-8")
            (made / "bin" / name).chmod(0o755)
            continue
        (made / "bin" / name).symlink_to(program)
    (made / "installed").touch()


def insert_fields(project: Path, printed: str) -> None:
    """Insert the lines that `make field` prints where it says; `make format` lays them out."""
    for file, place, lines in re.findall(r"^# (\S+), ([^\n]+)\n(.*?)\n(?=\n# )", printed, SECTION):
        path = project / file
        path.write_text(_inserted(path.read_text(encoding="utf-8"), place, lines), encoding="utf-8")


def _inserted(source: str, place: str, new: str) -> str:
    """Return a module with lines at `at the top`, `at the end`, `above NAME` or `in NAME`.

    In a function is in the list that parametrizes it.
    """
    lines = source.splitlines(keepends=True)
    if place == "at the end":
        return f"{source}\n\n{new}\n"
    if place == "at the top":
        [*_, last] = [each for each in ast.parse(source).body if isinstance(each, IMPORTS)]
        lines.insert(last.end_lineno or 0, f"{new}\n")
        return "".join(lines)
    where, name = place.split()
    found = [node for node in ast.walk(ast.parse(source)) if name in names_bound_by(node)]
    assert len(found) == 1, f"{name} is there {len(found)} times"
    [node] = found
    assert isinstance(node, ast.stmt)
    assert node.end_lineno is not None
    if where == "above":
        lines.insert(node.lineno - 1, f"{new}\n\n")
        return "".join(lines)
    last_line = lines[node.end_lineno - 1]
    if isinstance(node, ast.ClassDef):
        lines[node.end_lineno - 1] = f"{last_line}{new}\n"
    elif isinstance(node, ast.FunctionDef):
        [listed] = [each for each in ast.walk(node.decorator_list[0]) if isinstance(each, ast.List)]
        assert listed.end_lineno is not None
        assert listed.end_col_offset is not None
        line, end = lines[listed.end_lineno - 1], listed.end_col_offset - 1
        comma = "" if line[:end].strip() in {"", "["} or line[:end].endswith(",") else ","
        lines[listed.end_lineno - 1] = f"{line[:end]}{comma}\n{new}\n{line[end:]}"
    else:  # before its closing bracket
        before = last_line[:-2]
        comma = "," if before.strip() and before[-1] not in ",[({" else ""
        lines[node.end_lineno - 1] = f"{before}{comma}\n{new}\n{last_line[-2:]}"
    return "".join(lines)


def names_bound_by(node: ast.AST) -> list[str]:
    """Return the names that a class, a function or an assignment binds."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return []


def rename_in_lines(team: Team, shown: str, old: str, new: str) -> None:
    """Change a name in the lines that `grep -n` shows, and the names made of it."""
    for path, number in lines_shown(team, shown):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        line = lines[number].replace(old, new).replace(old.capitalize(), new.capitalize())
        lines[number] = line
        path.write_text("".join(lines), encoding="utf-8")


def delete_lines(team: Team, shown: str) -> None:
    """Delete the lines that `grep -n` shows."""
    for path, number in reversed(lines_shown(team, shown)):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        del lines[number]
        path.write_text("".join(lines), encoding="utf-8")


def lines_shown(team: Team, shown: str) -> list[tuple[Path, int]]:
    """Return the file of each line that `grep -n` shows, and its index, in order."""
    found = re.findall(r"^(\S+\.py):(\d+):", shown, re.MULTILINE)
    assert found, shown
    return sorted((team.project.path / name, int(number) - 1) for name, number in found)
