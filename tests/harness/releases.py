"""Creates a repository of the template with three releases; the last one is this checkout."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from .variants import PROMPTS, ROOT

NEWEST: str = PROMPTS["__version"]
RELEASES = ("0.0.1", "0.0.2", NEWEST)

NOT_OF_THE_TEMPLATE = {".git", ".venv", "build", "__pycache__", ".hypothesis", "benchmarks"}
PROJECT = "{{cookiecutter.project_slug}}"
PACKAGE = f"{PROJECT}/src/{{{{cookiecutter.__package}}}}"
RESOURCE = f"{PROJECT}/dev/resource/templates"

# Ignores the settings of git on this machine and sets a name.
GIT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    **{f"GIT_{who}_NAME": "A Person" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "person@example.com" for who in ("AUTHOR", "COMMITTER")},
}


class Edit(NamedTuple):
    """A text in a file and its replacement."""

    file: str
    old: str
    new: str


# Reverts the newest release, in files that users edit and in others.
BEFORE_THE_NEWEST = (
    Edit(f"{PROJECT}/README.md", "## Run it", "## Running"),
    Edit(f"{PROJECT}/Makefile", "Run all tests except slow ones", "Run quick tests"),
    Edit(f"{PROJECT}/pyproject.toml", '"structlog>=26.1"', '"structlog>=25.5"'),
    Edit(f"{PROJECT}/.env.example", "# Settings of the service:", "# Settings:"),
    Edit(
        f"{PACKAGE}/base_settings.py", "all errors at once, no secret in a message", "all at once"
    ),
    Edit(f"{RESOURCE}/models.py.jinja", "the rules that the database itself enforces", "its rules"),
    Edit(f"{RESOURCE}/schemas.py.jinja", "of requests and of responses", "of requests, responses"),
    Edit(f"{RESOURCE}/routes.py.jinja", "Each view commits by itself", "Views commit"),
    Edit(f"{PROJECT}/docs/sessions.md", "#", "##"),
)
NEW_IN_THE_NEWEST = (f"{PROJECT}/docs/problems.md",)
GONE_IN_THE_NEWEST = (f"{PROJECT}/docs/old.md",)

# The first release had no prompt for the licence, and one filter less.
BEFORE_THE_SECOND = (
    Edit(f"{PROJECT}/Makefile", "Set the project up and test it", "Set up"),
    Edit(f"{PROJECT}/pyproject.toml", '"click>=8.5"', '"click>=8.4"'),
    Edit(f"{PACKAGE}/web/health.py", '"""', '"""Health. '),
    Edit(f"{PROJECT}/docs/template.yaml", "yaml_string", "json_string"),
    Edit("local_extensions.py", "            yaml_string=yaml_string,\n", ""),
    Edit(
        "hooks/pre_gen_project.py",
        '    "license": ("MIT", "Apache-2.0", "BSD-3-Clause", "Proprietary"),\n',
        "",
    ),
)
ASKED_SINCE_THE_SECOND = "license"


def edit(folder: Path, edits: Iterable[Edit]) -> None:
    """Apply the edits, each at its first match; a missing text is an error."""
    for file, old, new in edits:
        text = (folder / file).read_text(encoding="utf-8")
        if old not in text:
            raise ValueError(f"{file} does not hold {old!r} (any more): change the edit")
        (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")


def git(folder: Path, *command: str) -> str:
    """Run git in the folder and return its output."""
    done = subprocess.run(
        ["git", *command],
        cwd=folder,
        env={**os.environ, **GIT},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def make_repository(folder: Path) -> Path:
    """Write the releases into a new repository in the folder, oldest first."""
    ignore = shutil.ignore_patterns(*NOT_OF_THE_TEMPLATE)
    releases = folder.parent / "releases"
    for version in RELEASES:
        shutil.copytree(ROOT, releases / version, ignore=ignore)
    for version in RELEASES[:2]:
        _make_older(releases / version, version)
    _make_first(releases / RELEASES[0])
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch", "main")
    for version in RELEASES:
        tree = ("--git-dir", str(folder / ".git"), "--work-tree", ".")
        git(releases / version, *tree, "add", "--all")
        git(releases / version, *tree, "commit", "--quiet", "--message", f"Release {version}")
        git(releases / version, *tree, "tag", version)
    git(folder, "reset", "--quiet", "--hard")
    return folder


def _make_older(template: Path, version: str) -> None:
    edit(template, BEFORE_THE_NEWEST)
    old, new = (f'"__version": "{number}"' for number in (NEWEST, version))
    edit(template, [Edit("cookiecutter.json", old, new)])
    old, new = (f'VERSION = "{number}"' for number in (NEWEST, version))
    edit(template, [Edit("hooks/pre_gen_project.py", old, new)])
    for path in NEW_IN_THE_NEWEST:
        (template / path).unlink()
    for path in GONE_IN_THE_NEWEST:
        (template / path).write_text("# Old\n\nNobody needs this any more.\n", encoding="utf-8")


def _make_first(template: Path) -> None:
    edit(template, BEFORE_THE_SECOND)
    file = template / "cookiecutter.json"
    prompts = json.loads(file.read_text(encoding="utf-8"))
    [fixed, *_] = prompts.pop(ASKED_SINCE_THE_SECOND)
    del prompts["__prompts__"][ASKED_SINCE_THE_SECOND]
    # Still rendered, but no longer a prompt.
    prompts[f"__{ASKED_SINCE_THE_SECOND}"] = fixed
    file.write_text(json.dumps(prompts, indent=2), encoding="utf-8")
    for path in (template / PROJECT).rglob("*"):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            asked = f"cookiecutter.{ASKED_SINCE_THE_SECOND}"
            if asked in text:
                path.write_text(
                    text.replace(asked, f"cookiecutter.__{ASKED_SINCE_THE_SECOND}"), "utf-8"
                )
