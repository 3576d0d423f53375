"""The steps of docs/releasing.md make a release: they are followed in a copy of this repository."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.baked import BakedProject, clean_environment
from tests.harness.releases import FIRST, GIT, NOT_OF_THE_TEMPLATE, git
from tests.harness.variants import ROOT

PROGRAMS = Path(sys.executable).parent
VERSION = "99.1.0"
PROJECTS = "Projects: an update changes nothing else than the version in docs/template.yaml."
MAKE = '#!/bin/sh\necho "make $*" >> "$CALLS"\n'


def steps() -> dict[str, str]:
    """Return the commands of each step by its title."""
    document = (ROOT / "docs/releasing.md").read_text(encoding="utf-8")
    sections = re.split(r"^## \d\. (.+)\n", document, flags=re.MULTILINE)[1:]
    found = {}
    for title, text in zip(sections[::2], sections[1::2], strict=True):
        [found[title]] = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return found


@pytest.mark.slow
def test_the_steps_make_a_release(tmp_path: Path) -> None:
    """All but the proof and the update, which other tests run, are run as they are written."""
    copy, remote, calls = (tmp_path / name for name in ("copy", "remote.git", "calls"))
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*NOT_OF_THE_TEMPLATE))
    (copy / ".venv").symlink_to(PROGRAMS.parent)
    git(tmp_path, "init", "--quiet", "--bare", str(remote))
    git(copy, "init", "--quiet", "--initial-branch", "main")
    git(copy, "remote", "add", "origin", f"file://{remote}")
    git(copy, "config", "core.excludesFile", str(tmp_path / "ignored"))
    (tmp_path / "ignored").write_text(".venv\n", encoding="utf-8")
    git(copy, "add", "--all")
    git(copy, "commit", "--quiet", "--message", "Go on")
    program = tmp_path / "programs/make"
    program.parent.mkdir()
    program.write_text(MAKE, encoding="utf-8")
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    variables = clean_environment({**GIT, "PATH": path, "CALLS": str(calls), "VERSION": VERSION})

    for title, commands in steps().items():
        if title == "Say what changes":
            changes = copy / "CHANGELOG.md"
            text = changes.read_text(encoding="utf-8")
            section = f"## {VERSION}\n\n{PROJECTS}\n\n## {FIRST}\n"
            changes.write_text(text.replace(f"## {FIRST}\n", section, 1), encoding="utf-8")
        done = subprocess.run(
            ["sh", "-ec", commands],
            cwd=copy,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{title}: {done.stdout}{done.stderr}"

    made = ["make matrix", "make pictures", "make test", "make update"]
    assert calls.read_text(encoding="utf-8").splitlines() == made
    assert git(remote, "cat-file", "-t", VERSION) == "tag\n"
    assert git(remote, "rev-parse", f"{VERSION}^{{commit}}") == git(remote, "rev-parse", "main")
    changed = git(remote, "show", "--name-only", "--format=", "main").splitlines()
    assert changed == ["CHANGELOG.md", "cookiecutter.json"]
    assert_a_project_records_it(tmp_path, f"file://{remote}")


def assert_a_project_records_it(folder: Path, address: str) -> None:
    """Generate a project from the release; `make update` begins at what it records."""
    settings = folder / "settings.json"
    settings.write_text(
        f'{{"replay_dir": "{folder / "replay"}", "cookiecutters_dir": "{folder / "templates"}"}}',
        encoding="utf-8",
    )
    options = ("--no-input", "--checkout", VERSION, "--config-file", settings, "setup=no")
    subprocess.run(
        [PROGRAMS / "cookiecutter", address, *options], cwd=folder, check=True, capture_output=True
    )
    record = BakedProject(folder / "my-service", {}).text("docs/template.yaml")
    assert f'  address: "{address}"\n  release: "{VERSION}"\n  commit: "' in record
