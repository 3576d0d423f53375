"""Generated projects to measure: fresh from the template, everything on."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

TEMPLATE = Path(__file__).resolve().parent.parent
PACKAGE = "my_service"
FIELDS = (
    "code:string:64:unique name:string:200:index status:enum:draft:active:retired"
    " price:decimal:18:2:min=0 available_at:datetime:optional parent:ref:items:optional"
)
"""The table of the floors in `http/items.py`."""
BAKE_SECONDS = 60
COMMAND_SECONDS = 120


@dataclass(frozen=True)
class Project:
    """A generated project in a temporary folder."""

    path: Path
    database: str

    @property
    def source(self) -> Path:
        """The folder to import its package from."""
        return self.path / "src"

    def environment(self, **variables: str) -> dict[str, str]:
        """Return the environment for its programs: no settings of the caller, but these."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return {**kept, "PYTHONPATH": str(self.source), "TZ": "UTC", **variables}

    def environment_with_benchmarks(self) -> dict[str, str]:
        """Return the environment for a program of the benchmarks that imports the package."""
        path = os.pathsep.join([str(self.source), str(TEMPLATE)])
        return {**self.environment(), "PYTHONPATH": path}

    def measured_by(self, module: str, *arguments: object, seconds: float) -> Any:
        """Run a module of the benchmarks in a process of the project; return what it prints.

        That is JSON in its last line. Raises subprocess.TimeoutExpired after so many seconds.
        """
        done = subprocess.run(
            [sys.executable, "-m", module, *map(str, arguments)],
            env=self.environment_with_benchmarks(),
            cwd=self.path,
            stdout=subprocess.PIPE,
            check=True,
            timeout=seconds,
        )
        return json.loads(done.stdout.splitlines()[-1])

    def flask(self, *arguments: str, **variables: str) -> None:
        """Run a command of the service."""
        command = [sys.executable, "-m", "flask", "--app", PACKAGE, *arguments]
        environment = self.environment(**variables)
        subprocess.run(command, cwd=self.path, env=environment, check=True, timeout=COMMAND_SECONDS)


@contextmanager
def baked(database: str, fields: str = FIELDS, **answers: str) -> Iterator[Project]:
    """Yield a project for this engine with this table, and defaults but for these answers."""
    with TemporaryDirectory(prefix="benchmark-") as folder:
        command = [sys.executable, "-m", "cookiecutter", str(TEMPLATE), "--no-input"]
        given = {"database": database, "fields": fields, "setup": "no", **answers}
        subprocess.run(
            [*command, "--output-dir", folder, *(f"{name}={given[name]}" for name in given)],
            check=True,
            timeout=BAKE_SECONDS,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "HOME": folder},
        )
        (path,) = (child for child in Path(folder).iterdir() if (child / "src").is_dir())
        yield Project(path, database)
