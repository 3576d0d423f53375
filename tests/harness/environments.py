"""One virtual environment for all variants and each interpreter, made once and compiled.

It holds more than a single project declares; so the checks of dependencies look at the imports, and
tests/project/test_installation.py installs projects for real.
"""

import fcntl
import hashlib
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .variants import ROOT

TEMPLATE_PROJECT = ROOT / "{{cookiecutter.project_slug}}" / "pyproject.toml"

# The versions that the service is for; those that are not found are named in the report.
VERSIONS = ("3.11", "3.12", "3.13", "3.14")
WHICH = "import sys; assert '%d.%d' % sys.version_info[:2] == '{version}'; print(sys.executable)"

MUTMUT = "mutmut>=3.8"

# A line of a list of requirements, whichever `if` of the template it stands in.
REQUIREMENT = re.compile(r'^\s+"([a-z][\w.-]*(?:\[[\w,]+\])?[<>=!~][^"]*)",$', re.MULTILINE)


@dataclass(frozen=True)
class Environment:
    """A virtual environment, and where a project in it keeps what can be used again."""

    path: Path

    def program(self, name: str) -> Path:
        """A program of the environment."""
        return self.path / "bin" / name

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.program("python")

    @property
    def variables(self) -> dict[str, str]:
        """What makes a project that is not installed run in it, from its own folder."""
        return {
            "PATH": f"{self.path / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": "src",
            "VIRTUAL_ENV": str(self.path),
        }


def requirements() -> list[str]:
    """What any variant declares, for running and for developing."""
    return sorted(set(REQUIREMENT.findall(TEMPLATE_PROJECT.read_text(encoding="utf-8"))))


@cache
def interpreters() -> dict[str, str]:
    """Where the interpreters are that the service is for, by version: the running one, and others.

    Those that cannot be found have no place: "".
    """
    found = {f"{sys.version_info.major}.{sys.version_info.minor}": sys.executable}
    return found | {version: _place_of(version) for version in VERSIONS if version not in found}


def found_versions() -> list[str]:
    """The versions of the other interpreters that are there."""
    return [version for version, place in interpreters().items() if place][1:]


def missing_versions() -> list[str]:
    """The versions that no interpreter was found of."""
    return [version for version, place in interpreters().items() if not place]


def _place_of(version: str) -> str:
    """The interpreter of this version: on the path, of a version manager or of uv."""
    managed = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    managed_ones = sorted(managed.glob(f"{version}.*/bin/python"))
    candidates: list[str | Path] = [f"python{version}", *managed_ones]
    for candidate in candidates:
        with suppress(OSError, subprocess.CalledProcessError):
            return _said(candidate, "-c", WHICH.format(version=version))
    with suppress(OSError, subprocess.CalledProcessError):
        uv = Path(sys.executable).with_name("uv")
        return _said(uv, "python", "find", "--offline", "--no-python-downloads", version)
    return ""


def _said(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def shared_environment(folder: Path, version: str = "") -> Environment:
    """The environment in `folder` for a version of Python, or for the running one.

    Several processes may ask at once: one makes it, if it is not up to date, the others wait. A
    folder that is a link belongs to the checkout that this is a changed copy of, whose tests need
    the environments as they are: what is there is used, and nothing made.
    """
    version = version or next(iter(interpreters()))
    return _environment(folder / f"python-{version}", interpreters()[version])


def lowest_environment(folder: Path) -> Environment:
    """The same for the running Python, with the lowest versions that are declared."""
    return _environment(folder / "python-lowest", sys.executable, "--resolution", "lowest-direct")


def mutation_environment(folder: Path) -> Environment:
    """The same with what changes the service to see its tests fail."""
    return _environment(folder / "python-mutation", sys.executable, MUTMUT)


def benchmark_environment(path: Path) -> Environment:
    """The same, at this path, with the group `bench` of pyproject.toml."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return _environment(path, sys.executable, *groups["dependency-groups"]["bench"])


def _environment(path: Path, python: str, *how: str) -> Environment:
    environment = Environment(path)
    if path.parent.is_symlink():
        return environment
    wanted = "\n".join([str(Path(python).resolve()), *how, *requirements()])
    stamp = path / hashlib.sha256(wanted.encode()).hexdigest()
    with locked(path.with_name(f"{path.name}.lock")):
        if not stamp.exists():
            _make(environment, python, *how)
            stamp.touch()
    return environment


def _make(environment: Environment, python: str, *how: str) -> None:
    uv = Path(sys.executable).with_name("uv")
    _run(uv, "venv", "--quiet", "--clear", "--python", python, environment.path)
    install = ("pip", "install", "--quiet", "--compile-bytecode", *how, "--python")
    _run(uv, *install, environment.python, *requirements())


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Only one process at a time is in here with this file, whose folder may be new."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
