"""One virtual environment per interpreter for all variants, created and compiled once.

Python and servers that the machine does not have come from tools/install_newer.sh. An environment
contains more than a single project declares. Therefore the checks of dependencies read the
imports, and tests/project/test_installation.py installs projects into environments of their own.
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

from .variants import MEASURED, ROOT, VERSIONS

TEMPLATE_PROJECT = ROOT / "{{cookiecutter.project_slug}}" / "pyproject.toml"

# What tools/install_newer.sh got because the machine does not have it.
NEWER = Path(os.environ.get("NEWER_FOLDER") or "/var/cache/flask-service-template/newer")

WHICH = "import sys; assert '%d.%d' % sys.version_info[:2] == '{version}'; print(sys.executable)"

MUTMUT = "mutmut>=3.8"

RECIPE_PACKAGES = ("sentry-sdk>=2.75", "--no-deps")
"""Its dependencies, certifi and urllib3, are there: those of schemathesis, as requests is."""

# A line of a list of requirements, in any `if` of the template.
REQUIREMENT = re.compile(
    r'^\s+"([a-z][\w.-]*(?:\[[\w,]+\])?[<>=!~][^"]*)",(?:  #.*)?$', re.MULTILINE
)


@dataclass(frozen=True)
class Environment:
    """A virtual environment."""

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
        """The variables with which a project runs from its own folder, without an installation."""
        return {
            "PATH": f"{self.path / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join([*checkout_of_flask(), "src"]),
            "VIRTUAL_ENV": str(self.path),
        }


def checkout_of_flask() -> list[str]:
    """Return the package folder of the checkout that FLASK_CHECKOUT names, if it is set.

    With it the suites run against a Flask that is not released. Raises FileNotFoundError if the
    folder is not a checkout of Flask: the suites would silently run against the installed one.
    """
    checkout = os.environ.get("FLASK_CHECKOUT")
    if not checkout:
        return []
    package = Path(checkout).resolve() / "src"
    if not (package / "flask" / "app.py").exists():
        raise FileNotFoundError(f"FLASK_CHECKOUT={checkout} holds no src/flask/app.py")
    return [str(package)]


def requirements() -> list[str]:
    """Return the requirements of all variants, those for development included."""
    return sorted(set(REQUIREMENT.findall(TEMPLATE_PROJECT.read_text(encoding="utf-8"))))


@cache
def interpreters() -> dict[str, str]:
    """Return the path of each supported interpreter by version, the running one first.

    The path of an interpreter that was not found is "".
    """
    found = {f"{sys.version_info.major}.{sys.version_info.minor}": sys.executable}
    return found | {version: _place_of(version) for version in VERSIONS if version not in found}


def found_versions() -> list[str]:
    """Return the versions of the interpreters that were found, the running one first."""
    return [version for version, place in interpreters().items() if place]


def measuring_version() -> str:
    """Return the version on which coverage is measured, the running one without `MEASURED`."""
    found = found_versions()
    return MEASURED if MEASURED in found else found[0]


def missing_versions() -> list[str]:
    """Return the versions of which no interpreter was found."""
    return [version for version, place in interpreters().items() if not place]


def _place_of(version: str) -> str:
    """Return the interpreter of this version: on the path, of a version manager, uv or `NEWER`."""
    managed = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    managed_ones = sorted(managed.glob(f"{version}.*/bin/python"))
    candidates: list[str | Path] = [f"python{version}", *managed_ones]
    for candidate in candidates:
        with suppress(OSError, subprocess.CalledProcessError):
            return _said(candidate, "-c", WHICH.format(version=version))
    with suppress(OSError, subprocess.CalledProcessError):
        uv = Path(sys.executable).with_name("uv")
        return _said(uv, "python", "find", "--offline", "--no-python-downloads", version)
    newer = NEWER / "python" / f"python{version}"
    return str(newer) if newer.exists() else ""


def _said(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def shared_environment(folder: Path, version: str = "") -> Environment:
    """Return the environment in `folder` for a version of Python, by default the running one.

    Several processes may call this at once: one creates the environment if it is out of date, the
    others wait. If the folder is a symbolic link, this is a changed copy of another checkout: its
    environments are used as they are, and none is created.
    """
    version = version or next(iter(interpreters()))
    return _environment(folder / f"python-{version}", interpreters()[version])


def lowest_environment(folder: Path) -> Environment:
    """Return the environment of the running Python with the lowest declared versions."""
    return _environment(folder / "python-lowest", sys.executable, "--resolution", "lowest-direct")


def mutation_environment(folder: Path) -> Environment:
    """Return the environment that also contains mutmut."""
    return _environment(folder / "python-mutation", sys.executable, MUTMUT)


def recipe_packages(folder: Path) -> Path:
    """Return a folder with the packages that recipes of a project add and the service has not.

    In a changed copy of this checkout they are used as they are, as environments are.
    """
    packages = folder / f"recipes-{next(iter(interpreters()))}"
    if folder.is_symlink():
        return packages
    with locked(folder / f"{packages.name}.lock"):
        if not (packages / "installed").exists():
            uv = Path(sys.executable).with_name("uv")
            _run(uv, "pip", "install", "--quiet", "--target", packages, *RECIPE_PACKAGES)
            (packages / "installed").touch()
    return packages


def benchmark_environment(path: Path) -> Environment:
    """Return the environment at this path with the group `bench` of pyproject.toml."""
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
    install = ("pip", "install", "--quiet", *how, "--python")  # compiled when it is imported
    _run(uv, *install, environment.python, *requirements())


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold an exclusive lock on this file; its folder is created if it is missing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
