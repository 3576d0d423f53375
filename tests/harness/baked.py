"""A project generated from the template, and the function that generates it."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from types import CodeType
from typing import Protocol
from unittest.mock import patch

from cookiecutter import generate
from jinja2 import Environment
from pytest_cookies.plugin import Cookies

import local_extensions

from . import memory
from .variants import PROMPTS, ROOT

# Files that a run of a project leaves behind; they are not part of the project.
NOT_OF_THE_PROJECT = {
    *("__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"),
    *(".git", ".venv", ".data", "build"),
}

# Neither this test run nor the settings of the machine may change how a project runs.
MISLEADING = (
    *("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE"),
    *("DATABASE_URL", "TEST_DATABASE_URL", "SECRET_KEY", "ENVIRONMENT"),
    *("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "COVERAGE_PROCESS_START"),
)


# After so many seconds a command hangs. A suite takes 220 s of CPU, on a slow machine three times
# that, and shares two cores with three others.
HANGS_SECONDS = 1800


class CommandFailedError(AssertionError):
    """A command exited with an unexpected status; the message shows its output."""


@dataclass(frozen=True)
class BakedProject:
    """A generated project and the answers it was generated from."""

    path: Path
    answers: Mapping[str, str]

    @property
    def package(self) -> str:
        """The name of its Python package."""
        return self.answers["__package"]

    @property
    def source(self) -> Path:
        """The folder of its Python package."""
        return self.path / "src" / self.package

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """Its files in sorted order, without those that a run leaves behind."""
        return tuple(self.walk())

    def walk(self, folder: Path | None = None) -> Iterator[Path]:
        """Yield the files that a folder has now, by default the project's own."""
        for path in sorted((folder or self.path).iterdir()):
            if path.name in NOT_OF_THE_PROJECT:
                continue
            if path.is_dir():
                yield from self.walk(path)
            else:
                yield path

    def named(self, *patterns: str) -> list[Path]:
        """Its files whose names match one of the patterns."""
        return [path for path in self.files if any(path.match(pattern) for pattern in patterns)]

    def name_of(self, path: Path) -> str:
        """Return the path of the file relative to the project, for messages."""
        return str(path).removeprefix(f"{self.path}{os.sep}")

    def text(self, name: str) -> str:
        """The content of a file."""
        return (self.path / name).read_text(encoding="utf-8")

    def run(
        self,
        *command: str | Path,
        variables: Mapping[str, str] | None = None,
        timeout: float = HANGS_SECONDS,
        status: int | None = 0,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in its folder with these additional environment variables.

        Raises `CommandFailedError` if it exits with another status; None accepts any.
        """
        done = subprocess.run(
            [str(part) for part in command],
            cwd=self.path,
            env=clean_environment(variables or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
        if status is not None and done.returncode != status:
            said = (done.stdout + done.stderr)[-6000:]
            shown = " ".join(str(part) for part in command)
            raise CommandFailedError(f"`{shown}` ended with {done.returncode}:\n{said}")
        return done


def clean_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment without misleading variables, plus `variables`."""
    kept = {name: value for name, value in os.environ.items() if name not in MISLEADING}
    return {**kept, "PYTHONUTF8": "1", **memory.variables(), **variables}


class Bake(Protocol):
    """Generates a project from answers; the test fails if that fails."""

    def __call__(self, **answers: str) -> BakedProject:
        """Generate a project. Defaults fill in missing answers; `setup` is `no` by default."""


# By options, text, name and file.
COMPILED: dict[tuple[object, ...], CodeType] = {}

compile_by_jinja = Environment.compile


def compile_once(
    environment: Environment, source: str, name: str | None = None, filename: str | None = None
) -> CodeType:
    """Replace `Environment.compile`: compile each text once for all projects of a run.

    Compiling is half of a generation, and cookiecutter compiles all files and their names again for
    each project, as the generator of resources does with its templates.
    """
    options = (environment.trim_blocks, environment.lstrip_blocks, environment.undefined)
    key = (*options, environment.keep_trailing_newline, source, name, filename)
    if key not in COMPILED:
        COMPILED[key] = compile_by_jinja(environment, source, name, filename)
    return COMPILED[key]


# The template does not change while tests run, so each file is examined once...
is_binary_once = cache(generate.is_binary)


@contextmanager
def extension_imported_once() -> Iterator[None]:
    """...and its extension is imported once, though it leaves the table of modules."""
    init = local_extensions.TemplateExtension.__init__

    def stay(extension: local_extensions.TemplateExtension, environment: Environment) -> None:
        init(extension, environment)
        sys.modules[local_extensions.__name__] = local_extensions

    sys.modules[local_extensions.__name__] = local_extensions
    try:
        with patch.object(local_extensions.TemplateExtension, "__init__", stay):
            yield
    finally:
        sys.modules.pop(local_extensions.__name__, None)


def make_bake(cookies: Cookies) -> Bake:
    """Return a `Bake` that uses pytest-cookies; pytest shows the hooks' output on a failure."""

    def bake(**answers: str) -> BakedProject:
        unknown = answers.keys() - PROMPTS.keys()
        if unknown:
            raise ValueError(f"cookiecutter.json has no prompt of the name {unknown}")
        with (
            patch.object(Environment, "compile", compile_once),
            patch.object(generate, "is_binary", is_binary_once),
            extension_imported_once(),
        ):
            result = cookies.bake(extra_context={"setup": "no", **answers}, template=str(ROOT))
        if result.exit_code != 0 or result.exception is not None:
            raise AssertionError(
                f"The template did not generate a project from {answers}: {result.exception!r}"
            )
        return BakedProject(Path(result.project_path), result.context)

    return bake
