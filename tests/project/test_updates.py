"""A project of an older release follows the template and keeps the changes of its people."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.harness.baked import Bake, clean_environment
from tests.harness.releases import GIT, NEWEST, RELEASES, Edit, edit, git, make_repository
from tests.harness.report import Proved

pytestmark = pytest.mark.slow

OLDEST, SECOND, _ = RELEASES
PROGRAMS = Path(sys.executable).parent
SOURCE = "src/my_service"

# Edits that people make in the first week of a project.
ITEMS = f"{SOURCE}/resources/items"
FIELD = (
    Edit(
        f"{ITEMS}/models.py",
        "    description:",
        "    color: Mapped[str | None] = mapped_column(ExactString(200))\n    description:",
    ),
    Edit(
        f"{ITEMS}/schemas.py",
        "    description: LongString | None = None",
        "    color: NameValue | None = None\n    description: LongString | None = None",
    ),
    Edit(
        f"{ITEMS}/schemas.py",
        "    description: LongString | MISSING",
        "    color: NameValue | MISSING | None = MISSING\n    description: LongString | MISSING",
    ),
)
ROUTE = (
    Edit(
        f"{ITEMS}/schemas.py",
        "class ItemPath(",
        'class ItemCount(ResponseModel):\n    """How many items there are."""\n\n'
        "    count: int\n\n\nclass ItemPath(",
    ),
    Edit(
        f"{ITEMS}/routes.py",
        "from .schemas import ItemCreate,",
        "from .schemas import ItemCount, ItemCreate,",
    ),
    Edit(
        f"{ITEMS}/routes.py",
        "from sqlalchemy import select",
        "from sqlalchemy import func, select",
    ),
    Edit(
        f"{ITEMS}/routes.py",
        "def _get(",
        '@api.get("/count", responses={200: ItemCount})\n'
        "def count() -> Response:\n"
        '    """Count the items."""\n'
        "    number = db.session().scalar(select(func.count()).select_from(Item)) or 0\n"
        "    return json_response(ItemCount(count=number))\n\n\ndef _get(",
    ),
)
SETTING = (
    Edit(
        f"{SOURCE}/settings.py",
        'an environment variable of the same name."""\n',
        'an environment variable of the same name."""\n\n    greeting: str = "hello"\n',
    ),
    Edit(
        ".env.example",
        "# Threads of each process:",
        "# What /hello says.\n# GREETING=hello\n\n# Threads of each process:",
    ),
)
DEPENDENCY = (Edit("pyproject.toml", '    "pydantic>=', '    "packaging>=24.0",\n    "pydantic>='),)
EDITS = (*FIELD, *ROUTE, *SETTING, *DEPENDENCY)
README = "# Ours\n\nWritten by ourselves.\n"
MIGRATION = '''\
"""Add a color."""

import sqlalchemy as sa
from alembic import op

from my_service.database import column_types

revision = "0003_color"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    with op.batch_alter_table("items") as table:
        table.add_column(sa.Column("color", column_types.ExactString(200), nullable=True))


def downgrade() -> None:
    """Go back."""
    with op.batch_alter_table("items") as table:
        table.drop_column("color")
'''

# Stand-ins for uv and the environment, which record their arguments: installing takes long.
UV = '#!/bin/sh\necho "uv $@ in $PWD" >> "$CALLS"\n[ "$1" != workspace ] || pwd\n'
UVX = '#!/bin/sh\nexec "$@"\n'
PYTHON = '#!/bin/sh\necho "python $@" >> "$CALLS"\necho "3 passed in 0.10s"\n'


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository with three releases: do not change it."""
    return make_repository(tmp_path_factory.mktemp("template") / "repository")


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    """The environment variables of a person with git, cruft and a stand-in for uv."""
    programs = tmp_path / "programs"
    programs.mkdir()
    write_program(programs / "uv", UV)
    write_program(programs / "uvx", UVX)
    for program in ("cruft", "cookiecutter"):
        (programs / program).symlink_to(PROGRAMS / program)
    config = tmp_path / "cookiecutter.json"
    folders = {name: str(tmp_path / name) for name in ("cookiecutters_dir", "replay_dir")}
    config.write_text(json.dumps(folders), encoding="utf-8")
    calls = tmp_path / "calls"
    calls.touch()
    return clean_environment(
        {
            **GIT,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "COOKIECUTTER_CONFIG": str(config),
            "CALLS": str(calls),
        }
    )


def write_program(path: Path, text: str) -> None:
    """Write an executable script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(stat.S_IRWXU)


def run(
    folder: Path, variables: dict[str, str], *command: str | Path, status: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run a command in the folder; it has to exit with this status."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done


def create(template: Path, folder: Path, variables: dict[str, str], release: str) -> Path:
    """Return a project created by cruft from the release, with a stand-in for its environment."""
    answers = json.dumps({"setup": "no", "author_name": "Jörg 'Q' O\"Neil"})
    options = ("--no-input", "--extra-context", answers, "--checkout", release)
    run(folder, variables, "cruft", "create", template, *options)
    project = folder / "my-service"
    write_program(project / ".venv/bin/python", PYTHON)
    return project


def commit_all(project: Path) -> None:
    """Commit all files, in a new repository if there is none."""
    if not (project / ".git").exists():
        git(project, "init", "--quiet", "--initial-branch", "main")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "Go on")


def work_on(project: Path) -> None:
    """Edit the project as people do, and commit the edits."""
    edit(project, EDITS)
    (project / "README.md").write_text(README, encoding="utf-8")
    name = f"{SOURCE}/migrations/versions/0003_add_a_color.py"
    (project / name).write_text(MIGRATION, encoding="utf-8")
    commit_all(project)


def assert_work_is_kept(project: Path) -> None:
    """Check that every edit is kept and that there is no conflict."""
    for file, _, new in EDITS:
        assert new in (project / file).read_text(encoding="utf-8"), file
    assert (project / "README.md").read_text(encoding="utf-8") == README
    assert not list(project.rglob("*.rej"))
    assert git(project, "diff", "--name-only", "--diff-filter=U") == ""


def assert_is_release(project: Path, release: str) -> None:
    """Check that the project has the changes of this release."""
    newest, first = release == NEWEST, release == OLDEST
    assert (project / "docs/problems.md").exists() == newest
    assert (project / "docs/old.md").exists() != newest
    makefile = (project / "Makefile").read_text(encoding="utf-8")
    assert ("Run quick tests" in makefile) != newest
    assert ("Set the project up" in makefile) != first
    answers = (project / "docs/template.yaml").read_text(encoding="utf-8")
    assert f"version {release} of" in answers
    assert ("license:" in answers) != first


def update(
    project: Path, variables: dict[str, str], *release: str, status: int = 0
) -> tuple[str, list[str]]:
    """Run what `make update` runs; return its output and the calls of uv and Python."""
    calls = Path(variables["CALLS"])
    calls.write_text("", encoding="utf-8")
    done = run(project, variables, sys.executable, "-m", "dev.update", *release, status=status)
    assert done.stderr == ""
    return done.stdout, calls.read_text(encoding="utf-8").splitlines()


def contents(project: Path) -> dict[str, bytes]:
    """Return its files, except those of git and of the environment."""
    return {
        path.relative_to(project).as_posix(): path.read_bytes()
        for path in project.rglob("*")
        if path.is_file() and not {".git", ".venv", "__pycache__"} & set(path.parts)
    }


def test_two_updates_keep_the_changes_of_people(
    template: Path, tmp_path: Path, variables: dict[str, str]
) -> None:
    project = create(template, tmp_path, variables, OLDEST)
    commit_all(project)
    assert_is_release(project, OLDEST)
    work_on(project)

    said, _ = update(project, variables, f"{SECOND}")
    assert_is_release(project, SECOND)
    assert_work_is_kept(project)
    assert f"my-service is updated from {OLDEST} to {SECOND}: 3 tests passed on SQLite" in said
    commit_all(project)

    said, calls = update(project, variables)
    assert_is_release(project, NEWEST)
    assert_work_is_kept(project)
    assert re.search(rf"  \+ template +\d+\.\d s  from {SECOND} to {NEWEST}\n", said)
    assert re.search(r"  \+ tests +\d+\.\d s  3 tests passed on SQLite\n", said)
    assert calls[-1] == "python -m pytest -q"


def test_an_update_runs_no_set_up_and_keeps_env(
    template: Path, tmp_path: Path, variables: dict[str, str]
) -> None:
    project = create(template, tmp_path, variables, OLDEST)
    link = project / ".cruft.json"
    text = link.read_text(encoding="utf-8")
    link.write_text(text.replace('"setup": "no"', '"setup": "yes"'), encoding="utf-8")
    commit_all(project)
    before = (project / ".env").read_bytes(), (project / ".env").stat().st_mtime_ns
    commits = git(project, "rev-list", "--count", "HEAD")

    _, calls = update(project, variables)

    assert ((project / ".env").read_bytes(), (project / ".env").stat().st_mtime_ns) == before
    assert git(project, "rev-list", "--count", "HEAD") == commits
    assert [call for call in calls if call.startswith("uv")]
    assert all(call.endswith(f" in {project}") for call in calls if call.startswith("uv"))
    assert '"setup": "yes"' in link.read_text(encoding="utf-8")


@pytest.mark.parametrize("release", [(), (NEWEST,), (OLDEST,)])
def test_an_update_without_a_new_release_changes_nothing(
    template: Path, tmp_path: Path, variables: dict[str, str], release: tuple[str, ...]
) -> None:
    project = create(template, tmp_path, variables, NEWEST)
    work_on(project)
    before = contents(project)

    said, calls = update(project, variables, *release)

    assert contents(project) == before
    assert git(project, "status", "--porcelain") == ""
    assert calls == []
    assert said.endswith("  nothing new\n\n")


def test_conflicts_are_named_and_left_to_resolve(
    template: Path, tmp_path: Path, variables: dict[str, str]
) -> None:
    project = create(template, tmp_path, variables, OLDEST)
    commit_all(project)
    edit(project, [Edit("Makefile", "Run quick tests", "Run our quick tests")])
    commit_all(project)

    said, calls = update(project, variables, status=1)

    assert "template's are in Makefile, between <<<<<<< and >>>>>>>" in said
    assert "make check" in said
    text = (project / "Makefile").read_text(encoding="utf-8")
    assert "Run our quick tests" in text
    assert "Run all tests except slow ones" in text
    assert calls == []
    assert_is_release_but_for_the_makefile(project)


def assert_is_release_but_for_the_makefile(project: Path) -> None:
    """Check that the project has all other changes of the newest release."""
    assert (project / "docs/problems.md").exists()
    assert not (project / "docs/old.md").exists()


def test_a_rejected_change_is_named_and_the_tests_run(
    template: Path, tmp_path: Path, variables: dict[str, str]
) -> None:
    """Git has no base for a merge: the first commit already contains the edited file."""
    project = create(template, tmp_path, variables, OLDEST)
    edit(project, [Edit("Makefile", "Run quick tests", "Run our quick tests")])
    commit_all(project)

    said, calls = update(project, variables, status=1)

    assert "Changes that could not be applied are in Makefile.rej: make them by hand" in said
    assert "Run all tests except" in (project / "Makefile.rej").read_text(encoding="utf-8")
    assert calls[-1] == "python -m pytest -q"
    assert_is_release_but_for_the_makefile(project)


def test_a_skipped_file_is_named(template: Path, tmp_path: Path, variables: dict[str, str]) -> None:
    """Cruft reports success: both added one file, and only the template removed another."""
    project = create(template, tmp_path, variables, OLDEST)
    edit(project, [Edit("Makefile", "Run quick tests", "Run our quick tests")])
    (project / "docs/problems.md").write_text("# Ours\n", encoding="utf-8")
    (project / "docs/old.md").write_text("# Old, and needed\n", encoding="utf-8")
    commit_all(project)

    said, _ = update(project, variables, status=1)

    assert "The template adds or removes docs/old.md, docs/problems.md, which you" in said
    assert "are in Makefile.rej:" in said
    assert (project / "docs/problems.md").read_text(encoding="utf-8") == "# Ours\n"
    assert (project / "docs/old.md").read_text(encoding="utf-8") == "# Old, and needed\n"


def create_by_cookiecutter(
    template: Path, folder: Path, variables: dict[str, str], release: str
) -> Path:
    """Return a project that plain cookiecutter generated from the release, committed unchanged."""
    answers = ("setup=no", "resource=order_line", 'description=It\'s "ours" & 100 % {{ näht }}')
    options = ("--checkout", release, "--no-input")
    run(folder, variables, "cookiecutter", f"git+file://{template}", *options, *answers)
    project = folder / "my-service"
    write_program(project / ".venv/bin/python", PYTHON)
    commit_all(project)
    return project


def commands_of_the_page(project: Path, heading: str) -> list[str]:
    """Return the blocks of commands under a heading of the page on updates."""
    text = (project / "docs/updates.md").read_text(encoding="utf-8")
    [part] = re.findall(rf"^#+ {heading}\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    return re.findall(r"^```sh\n(.*?)^```", part, re.MULTILINE | re.DOTALL)


def test_a_project_without_a_link_is_linked_as_documented(
    template: Path, tmp_path: Path, variables: dict[str, str]
) -> None:
    project = create_by_cookiecutter(template, tmp_path, variables, SECOND)
    said, _ = update(project, variables, status=1)
    assert ".cruft.json does not exist" in said
    assert "docs/updates.md shows the command" in said

    [link] = commands_of_the_page(project, r"If there is no \.cruft\.json")
    run(project, {**variables, "TEMPLATE": str(template)}, "sh", "-ec", link)
    assert git(project, "status", "--porcelain") == ""
    update(project, variables)

    assert_is_release(project, NEWEST)
    assert "OrderLine" in (project / f"{SOURCE}/resources/order_lines/models.py").read_text("utf-8")
    assert not (project / f"{SOURCE}/items").exists()


def test_git_alone_updates_a_project_as_documented(
    template: Path, tmp_path: Path, variables: dict[str, str]
) -> None:
    project = create_by_cookiecutter(template, tmp_path, variables, OLDEST)
    (project / "uv.lock").write_text("locked\n", encoding="utf-8")
    git(project, "add", "uv.lock")
    git(project, "commit", "--quiet", "--amend", "--no-edit")
    secret = (project / ".env").read_bytes()
    edit(project, DEPENDENCY + SETTING)
    commit_all(project)
    begin, follow = commands_of_the_page(project, "With git alone")
    run(project, variables, "sh", "-ec", begin)

    for release in (SECOND, NEWEST):
        given = {"TEMPLATE": f"git+file://{template}", "RELEASE": release}
        run(project, {**variables, **given}, "sh", "-ec", follow)

        assert_is_release(project, release)
        assert git(project, "status", "--porcelain") == ""
        for file, _, new in DEPENDENCY + SETTING:
            assert new in (project / file).read_text(encoding="utf-8")
    assert (project / "uv.lock").exists()
    assert (project / ".env").read_bytes() == secret
    made = git(project, "log", "--format=%s", "template").splitlines()
    assert made == [f"Template {NEWEST}", f"Template {SECOND}", "Go on"]


def without(variables: dict[str, str], *programs: str) -> dict[str, str]:
    """Return the environment variables of a person with git and all stand-ins except these."""
    folder = Path(variables["PATH"].split(os.pathsep)[0])
    for program in programs:
        (folder / program).unlink()
    (folder / "git").symlink_to(shutil.which("git") or "")
    return {**variables, "PATH": str(folder)}


def test_a_missing_requirement_of_an_update_is_named(
    template: Path, tmp_path: Path, variables: dict[str, str]
) -> None:
    project = create(template, tmp_path, variables, OLDEST)

    said, _ = update(project, variables, status=1)
    assert "the project has to be in a git repository" in said

    commit_all(project)
    edit(project, [Edit("Makefile", "Run quick tests", "Run our quick tests")])
    said, _ = update(project, variables, status=1)
    assert "there are changes that are not committed: commit them" in said

    git(project, "checkout", "--quiet", "Makefile")
    before = contents(project)
    said, _ = update(project, variables, "9.9.9", status=1)
    assert "Failed to check out the reference 9.9.9" in said

    template.rename(template.with_name("moved"))
    try:
        said, _ = update(project, variables, status=1)
    finally:
        template.with_name("moved").rename(template)
    assert "does not appear to be a git repository" in said
    assert "make update" in said

    said, _ = update(project, without(variables, "cruft", "uvx"), status=1)
    assert "install uv, pipx or cruft" in said
    assert contents(project) == before


@pytest.mark.parametrize(
    ("tags", "newest"),
    [
        (["0.9.0", "0.10.0", "0.2.11"], "0.10.0"),
        (["v1.0.0", "v0.9.9"], "v1.0.0"),
        (["1.0.0", "2.0.0-beta", "release-3.0.0"], "1.0.0"),
        (["latest"], ""),
        ([], ""),
    ],
)
def test_the_newest_release_is_the_greatest_version(
    template: Path, tmp_path: Path, tags: list[str], newest: str, session_bake: Bake
) -> None:
    folder = tmp_path / "repository"
    git(tmp_path, "clone", "--quiet", "--no-tags", str(template), str(folder))
    for tag in tags:
        git(folder, "tag", tag)
    code = "import sys; from dev.update import *; print(newest_release(Progress(), sys.argv[1]))"
    done = session_bake().run(sys.executable, "-Bc", code, folder)
    assert done.stdout == f"{newest}\n"


def test_the_suite_of_an_updated_project_passes(
    template: Path, tmp_path: Path, variables: dict[str, str], proved: Proved
) -> None:
    """As a person does it, with a real environment that uv installs, cruft included."""
    project = create(template, tmp_path, variables, OLDEST)
    shutil.rmtree(project / ".venv")
    variables = only_uv(variables) | {"PYTEST_ADDOPTS": "-m 'not slow'"}
    commit_all(project)
    work_on(project)
    run(project, variables, "make", "openapi")
    commit_all(project)

    began = time.monotonic()
    said = run(project, variables, "make", "update").stdout

    assert_is_release(project, NEWEST)
    assert_work_is_kept(project)
    found = re.search(rf"updated from {OLDEST} to {NEWEST}: (\d+) tests passed on SQLite", said)
    assert found, said
    seconds = round(time.monotonic() - began, 1)
    proved("suite", variant="the defaults", how="make update", tests=int(found[1]), seconds=seconds)


def only_uv(variables: dict[str, str]) -> dict[str, str]:
    """Return the environment variables of a person with uv but without cruft."""
    folder = Path(variables["PATH"].split(os.pathsep)[0])
    for program in folder.iterdir():
        program.unlink()
    for name in ("uv", "uvx"):
        (folder / name).symlink_to(PROGRAMS / name)
    return variables
