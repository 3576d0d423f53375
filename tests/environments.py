"""One virtual environment for all variants, made once and compiled.

It holds more than a single project declares; so the checks of dependencies look at the imports, and
tests/test_installation.py installs projects for real.
"""

import fcntl
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .variants import ROOT

TEMPLATE_PROJECT = ROOT / "{{cookiecutter.project_slug}}" / "pyproject.toml"

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


def shared_environment(folder: Path) -> Environment:
    """The environment in `folder` for the running version of Python; made if it is not up to date.

    Several processes may ask at once: one makes it, the others wait.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder.mkdir(parents=True, exist_ok=True)
    environment = Environment(folder / f"python-{version}")
    wanted = "\n".join([sys.version, *requirements()])
    stamp = environment.path / hashlib.sha256(wanted.encode()).hexdigest()
    with locked(folder / f"python-{version}.lock"):
        if not stamp.exists():
            _make(environment)
            stamp.touch()
    return environment


def _make(environment: Environment) -> None:
    uv = Path(sys.executable).with_name("uv")
    _run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, environment.path)
    install = ("pip", "install", "--quiet", "--compile-bytecode", "--python")
    _run(uv, *install, environment.python, *requirements())


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Only one process at a time is in here with this file."""
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
