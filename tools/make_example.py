"""Writes docs/example.md: the files of a project with the defaults, and its resource as it is.

`make matrix` runs it; tests/repository/test_example.py shows that the page is up to date.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from cookiecutter.main import cookiecutter

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docs" / "example.md"
HEAD = """# What the defaults generate

Written by `make matrix` from a project that it generates; a test keeps it up to date.

## The resource

This is all that is specific to a resource. What each route shares, such as validation, problem
documents, ETag, paging and idempotency, is in `web/`. `make resource` writes the same for a further
one.
"""
TESTS = """## Its tests

Two of its {number} modules; the others are of the same kind.
"""
FILES = """## All files

By folder. The services of other variants have more: `auth/`, `jobs/`, `deploy/`.
"""
SHOWN_TESTS = ("factories.py", "test_create.py")
NO_CODE = {".git", "__pycache__"}


def text(project: Path) -> str:
    """Return the page about a generated project."""
    return "\n".join(lines(project)).rstrip() + "\n"


def lines(project: Path) -> Iterator[str]:
    """Yield the lines of the page."""
    [package] = (project / "src").iterdir()
    resource = package / "resources"
    yield HEAD
    [plural] = [path for path in resource.iterdir() if path.is_dir() and path.name not in NO_CODE]
    for name in ("models.py", "schemas.py", "routes.py", "__init__.py"):
        yield from code(project, plural / name)
    yield from code(project, resource / "__init__.py")
    [revision] = package.glob(f"migrations/versions/*_create_{plural.name}.py")
    yield from code(project, revision)
    tests = project / "tests" / "resources" / plural.name
    yield TESTS.format(number=len(list(tests.glob("[!_]*.py"))))
    for name in SHOWN_TESTS:
        yield from code(project, tests / name)
    yield FILES
    yield from ("| folder | files |", "| --- | --- |")
    for folder in sorted([project, *(path for path in project.rglob("*") if path.is_dir())]):
        names = sorted(path.name for path in folder.iterdir() if path.is_file())
        if names and not NO_CODE & set(folder.parts):
            place = folder.relative_to(project)
            yield f"| `{place}/` | {' '.join(f'`{name}`' for name in names)} |".replace("`./`", "")


def code(project: Path, path: Path) -> Iterator[str]:
    """Yield a module below its name."""
    yield f"`{path.relative_to(project)}`:"
    yield ""
    yield f"```python\n{path.read_text(encoding='utf-8').rstrip()}\n```"
    yield ""


def generate(folder: Path) -> Path:
    """Generate the project with the defaults in a folder, and return its path."""
    answers = {"setup": "no"}
    made = cookiecutter(str(ROOT), no_input=True, extra_context=answers, output_dir=str(folder))
    return Path(made)


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        page = text(generate(Path(folder)))
    Path(sys.argv[1] if sys.argv[1:] else FILE).write_text(page, encoding="utf-8")
