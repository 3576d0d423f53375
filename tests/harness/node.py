"""Programs from npm, in pinned versions; each set of packages is installed once into build/."""

import subprocess
import sys
from pathlib import Path

from .environments import locked
from .variants import ROOT

PROGRAMS = Path(sys.executable).parent
NODE = PROGRAMS / "node"


def npm_packages(name: str, *packages: str) -> Path:
    """Return the folder `node_modules` with these packages, such as `typescript@5.9.3`.

    `name` is that of its folder in build/. Raises AssertionError with npm's output if it fails.
    """
    folder = ROOT / "build" / name
    wanted, installed = " ".join(packages), folder / "installed"
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_suffix(".lock")):
        if not installed.exists() or installed.read_text(encoding="utf-8") != wanted:
            options = ("--silent", "--no-fund", "--no-audit", "--prefix", str(folder))
            done = subprocess.run(
                [PROGRAMS / "npm", "install", *options, *packages],
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            installed.write_text(wanted, encoding="utf-8")
    return folder / "node_modules"
