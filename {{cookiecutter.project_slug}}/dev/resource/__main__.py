"""Adds a resource, or prints what a further field needs: `make resource` and `make field`.

What the user writes comes by the environment, never by way of a shell.
"""

import difflib
import os
import shutil
import signal
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn

from ..env_file import PROJECT, make_env_file
from ..setup import Progress, StepError, accept_any_text, call, interrupt
from .field_lines import field_lines
from .grammar import FieldError
from .names import plural as plural_of
from .project import Change, Project, ProjectError
from .render import Resource, SpecificationError, specify

USAGE = """\
Say what to add, for example:

  make resource name=order fields="number:string:40:unique total:decimal:12:2"

docs/resources.md explains the types and modifiers of fields."""

# What takes long to be imported, and what the tests of a resource do not need.
QUICK = ("-q", "-p", "no:schemathesis", "-p", "no:hypothesispytest")


def main(mode: str) -> int:
    """Do what the environment asks for and return the exit status."""
    accept_any_text()
    name = os.environ.get("RESOURCE_NAME", "").strip()
    fields = os.environ.get("RESOURCE_FIELDS", "").strip()
    plural = os.environ.get("RESOURCE_PLURAL", "").strip() or plural_of(name)
    if not name or not fields:
        print(USAGE, file=sys.stderr)
        return 2
    try:
        project = Project(PROJECT)
        if mode == "field":
            print(field_lines(project, name, plural, fields))
            return 0
        resource, change = _planned(project, name, plural, fields)
    except SpecificationError as error:
        return _refuse(error.errors)
    except ProjectError as error:
        print(f"\n{error}\n", file=sys.stderr)
        return 1
    if os.environ.get("DRY_RUN", "").strip() in ("yes", "1", "true"):
        sys.stdout.writelines(_diff(change))
        return 0
    return _add(project, resource, change)


def _planned(project: Project, name: str, plural: str, fields: str) -> tuple[Resource, Change]:
    """Return the resource and what adding it changes.

    Raises SpecificationError or ProjectError; nothing is written.
    """
    context = project.context()
    resource = specify(name, plural, fields, context)
    if errors := project.errors(resource, context):
        raise SpecificationError(errors)
    return resource, project.change(resource, context)


def _refuse(errors: Iterable[FieldError]) -> int:
    lines = ["", "Nothing was written, because of:", ""]
    for error in errors:
        end = "" if error.remedy.endswith("?") else "."
        lines += [f"  {error.subject}", f"    {error.rule}: {error.remedy}{end}", ""]
    print("\n".join(lines), file=sys.stderr)
    return 1


def _diff(change: Change) -> Iterable[str]:
    texts = {change.registration: change.registration_text, **change.new_files}
    for path, text in texts.items():
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        name = path.relative_to(PROJECT)
        source = f"a/{name}" if before else "/dev/null"
        yield from difflib.unified_diff(
            before.splitlines(keepends=True), text.splitlines(keepends=True), source, f"b/{name}"
        )


class Additions:
    """Writes files, and takes back what it wrote."""

    def __init__(self) -> None:
        self.made: list[Path] = []
        self.before: dict[Path, bytes | None] = {}

    def create(self, path: Path, text: str) -> None:
        """Write a file that does not exist."""
        self._make_folder(path.parent)
        with path.open("x", encoding="utf-8") as file:
            self.made.append(path)
            file.write(text)

    def replace(self, path: Path, text: str) -> None:
        """Write a file that can exist."""
        self.before.setdefault(path, path.read_bytes() if path.exists() else None)
        path.write_text(text, encoding="utf-8")

    def _make_folder(self, folder: Path) -> None:
        if not folder.exists():
            self._make_folder(folder.parent)
            folder.mkdir()
            self.made.append(folder)

    def undo(self) -> None:
        """Leave the project as it was."""
        for path, content in self.before.items():
            if content is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(content)
        for path in reversed(self.made):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _add(project: Project, resource: Resource, change: Change) -> int:
    """Write the resource, check it and run its tests; only red tests leave files and fail."""
    signal.signal(signal.SIGTERM, _stop)
    make_env_file()
    progress, additions = Progress(), Additions()
    files = [str(path.relative_to(PROJECT)) for path in change.new_files]
    tests = f"tests/resources/{resource.plural}"
    try:
        print(f"\nAdding the resource {resource.plural}:\n", flush=True)
        progress.begin("files")
        for path, text in change.new_files.items():
            additions.create(path, text)
        additions.replace(change.registration, change.registration_text)
        progress.end("+", f"{len(files)} written")
        _check(progress, additions, project, files)
        remark, output = _test(progress, tests)
    except BaseException as error:
        if progress.program and progress.program.poll() is None:
            interrupt(progress.program)
        additions.undo()
        if isinstance(error, StepError):
            progress.end("x", "failed")
            print(f"\n{error.output}\n{error} The project is as it was.\n", file=sys.stderr)
            return 1
        if isinstance(error, KeyboardInterrupt):
            print("\nStopped; the project is as it was.\n", file=sys.stderr)
            return 130
        raise
    progress.end("x" if output else "+", remark)
    print(output)
    _tell(resource, change, is_red=bool(output))
    return 1 if output else 0


def _stop(*_signal: object) -> NoReturn:
    raise KeyboardInterrupt


def _check(
    progress: Progress, additions: Additions, project: Project, files: Sequence[str]
) -> None:
    """Check the new code and write the API document. Raises StepError."""
    progress.begin("code")
    _run(progress, "ruff", "format", "--check", "--quiet", *files)
    _run(progress, "ruff", "check", "--quiet", *files)
    progress.end("+", "format and lint")
    progress.begin("types")
    _run(progress, "mypy", "--no-error-summary")
    progress.end("+", "mypy")
    progress.begin("document")
    document = _run(progress, "flask", "--app", project.package, "openapi", "--indent", "2")
    additions.replace(PROJECT / "openapi.json", document)
    progress.end("+", "openapi.json")


def _run(progress: Progress, module: str, *arguments: str) -> str:
    """Run a module as a program, with the project's own code, and return what it prints."""
    return call(progress, sys.executable, "-m", module, *arguments, PYTHONPATH="src")


def _test(progress: Progress, tests: str) -> tuple[str, str]:
    """Run the new tests; return a remark, and their output if they failed."""
    progress.begin("tests")
    try:
        output = _run(progress, "pytest", *QUICK, tests)
    except StepError as error:
        return "failed", error.output
    return output.strip().splitlines()[-1].strip("= "), ""


def _tell(resource: Resource, change: Change, *, is_red: bool) -> None:
    """Print what was written and what comes next, or how to undo it."""
    plural = resource.plural
    [revision] = [path for path in change.new_files if path.parent.name == "versions"]
    folders = [f"{change.registration.parent.relative_to(PROJECT)}/{plural}"]
    folders += [f"tests/resources/{plural}", str(revision.relative_to(PROJECT))]
    registration = change.registration.relative_to(PROJECT)
    if is_red:
        print(
            "The tests of the new resource fail; its files stay. To undo it:\n\n"
            f"  rm -r {' '.join(folders)}\n"
            f"  sed -i.bak '/ {plural}_api/d' {registration} && rm {registration}.bak\n"
            "  make openapi\n"
        )
        return
    lines = "\n".join(f"  {each}" for each in [*folders, str(registration), "openapi.json"])
    print(
        f"Written:\n\n{lines}\n\nNext:\n\n"
        f"  make run     # migrate the development database, and serve /api/v1/{plural}\n"
        "  make check   # everything, before you commit\n"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "resource"))
