"""Creates a repository of the template with later releases than this checkout, the first one.

Each later release changes files that teams change elsewhere, moves a file that they may have
changed, and adds a prompt; one changes a table of the kit.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from .variants import PROMPTS, ROOT

FIRST: str = PROMPTS["__version"]
LATER = ("90.1.0", "90.2.0", "90.3.0", "90.4.0")
NEWEST = LATER[-1]

NOT_OF_THE_TEMPLATE = {".git", ".venv", "build", "__pycache__", ".hypothesis", "benchmarks"}
PROJECT = "{{cookiecutter.project_slug}}"
PACKAGE = f"{PROJECT}/src/{{{{cookiecutter.__package}}}}"
VERSIONS = f"{PACKAGE}/migrations/versions"
REVISION = "0003_index_the_keys_by_status.py"

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


class Later(NamedTuple):
    """A later release: edits, files that move, and texts of new files."""

    edits: tuple[Edit, ...]
    moves: tuple[tuple[str, str], ...]
    files: tuple[tuple[str, str], ...] = ()


MIGRATION = '''\
"""Index the keys by their status."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_index(op.f("ix_idempotency_keys_status"), "idempotency_keys", ["status"])


def downgrade() -> None:
    """Go back."""
    op.drop_index(op.f("ix_idempotency_keys_status"), "idempotency_keys")
'''

# What a release says in its files. The tests look for it in updated projects.
CHANGES = (
    Later(
        edits=(
            Edit(f"{PROJECT}/Makefile", "Run all tests except slow ones", "Run the quick tests"),
            Edit(f"{PROJECT}/docs/testing.md", "# Tests", "# The tests"),
            Edit(f"{PROJECT}/README.md", "## Run it", "## Running"),
        ),
        moves=((f"{PROJECT}/docs/testing.md", f"{PROJECT}/docs/tests.md"),),
    ),
    Later(
        edits=(
            Edit(f"{PROJECT}/pyproject.toml", '"structlog>=26.1"', '"structlog>=26.1,<99"'),
            Edit(f"{PROJECT}/docs/recipes.md", "# ", "# All "),
            Edit(f"{PACKAGE}/resources/__init__.py", '"""', '"""Note. '),
            Edit(f"{PACKAGE}/settings.py", '"""', '"""Note. '),
        ),
        moves=((f"{PROJECT}/tests/web/test_docs_page.py", f"{PROJECT}/tests/web/test_page.py"),),
        files=((f"{PROJECT}/docs/new.md", "# New\n"),),
    ),
    Later(
        edits=(
            Edit(f"{PROJECT}/.env.example", "# Settings of the service:", "# The settings of it:"),
            Edit(
                f"{PACKAGE}/web/idempotency.py",
                "status: Mapped[int] = mapped_column(default=0)",
                "status: Mapped[int] = mapped_column(default=0, index=True)",
            ),
        ),
        moves=((f"{PROJECT}/docs/sessions.md", f"{PROJECT}/docs/the_session.md"),),
        files=((f"{VERSIONS}/{REVISION}", MIGRATION),),
    ),
    Later(
        edits=(
            Edit(f"{PACKAGE}/web/health.py", '"""', '"""Health. '),
            Edit(f"{PROJECT}/tests/test_cli.py", "import ", "import os  # noqa: F401\nimport "),
        ),
        moves=((f"{PROJECT}/tests/test_cli.py", f"{PROJECT}/tests/test_commands.py"),),
    ),
)


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
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*NOT_OF_THE_TEMPLATE))
    git(folder, "init", "--quiet", "--initial-branch", "main")
    _release(folder, FIRST)
    for version, later in zip(LATER, CHANGES, strict=True):
        _change(folder, version, later)
        _release(folder, version)
    return folder


def prompt_of(version: str) -> str:
    """Return the name of the prompt that a later release adds."""
    return f"option_{LATER.index(version)}"


def _release(folder: Path, version: str) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", f"Release {version}")
    git(folder, "tag", version)


def _change(folder: Path, version: str, later: Later) -> None:
    edit(folder, later.edits)
    for old, new in later.moves:
        (folder / old).rename(folder / new)
    for name, text in later.files:
        (folder / name).write_text(text, encoding="utf-8")
    file = folder / "cookiecutter.json"
    prompts = json.loads(file.read_text(encoding="utf-8"))
    prompts |= {"__version": version, prompt_of(version): ["no", "yes"]}
    if any(name.startswith(VERSIONS) for name, _ in later.files):
        prompts["_copy_without_render"].append("src/*/migrations/versions/0003_*")
    file.write_text(json.dumps(prompts, indent=2), encoding="utf-8")
    option = f'{{% if cookiecutter.{prompt_of(version)} == "yes" %}}\noption\n{{% endif %}}\n'
    docs = folder / PROJECT / "docs/operations.md"
    docs.write_text(docs.read_text(encoding="utf-8") + option, encoding="utf-8")
