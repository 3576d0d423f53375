"""A project of an older release follows the template and keeps the changes of its people."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

from tests.harness.baked import Bake, BakedProject, clean_environment
from tests.harness.environments import Environment
from tests.harness.releases import (
    FIRST,
    GIT,
    LATER,
    NEWEST,
    Edit,
    edit,
    git,
    make_repository,
    prompt_of,
)
from tests.harness.report import Proved
from tests.harness.resources import add_resources
from tests.harness.variants import CHOICES

pytestmark = pytest.mark.slow

PROGRAMS = Path(sys.executable).parent
SOURCE = "src/my_service"
ITEMS = f"{SOURCE}/resources/items"
VERSIONS = f"{SOURCE}/migrations/versions"

# Edits that people make in the first weeks of a project: of what is theirs, ...
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
    Edit(
        f"{SOURCE}/settings.py",
        'an environment variable of the same name."""\n',
        'an environment variable of the same name."""\n\n    greeting: str = "hello"\n',
    ),
)
# ... and of files of the kit, each of which a later release changes in another place.
OF_THE_KIT = (
    Edit("Makefile", "## Show these commands", "## Show our commands"),
    Edit("pyproject.toml", '    "pydantic>=', '    "packaging>=24.0",\n    "pydantic>='),
    Edit(
        ".env.example",
        "# Threads of each process:",
        "# What /hello says.\n# GREETING=hello\n\n# Threads of each process:",
    ),
)
ADDED_AT_THE_END = {
    f"{SOURCE}/web/health.py": "\n# Our load balancer asks every second.\n",
    "docs/testing.md": "\n## Our tests\n\nWe write some.\n",
    "docs/sessions.md": "\nWe have read this.\n",
    "tests/test_cli.py": "\n\ndef test_of_ours() -> None:\n    pass\n",
    "tests/web/test_docs_page.py": "\n\ndef test_of_ours() -> None:\n    pass\n",
}
RENAMED = ("docs/recipes.md", "docs/our_recipes.md")
README = "# Ours\n\nWritten by ourselves.\n"
RESOURCES = (("order", "orders", "number:string:40:unique"), ("tag", "tags", "name:string"))
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

# What the later releases moved.
MOVED = {
    LATER[0]: ("docs/testing.md", "docs/tests.md"),
    LATER[1]: ("tests/web/test_docs_page.py", "tests/web/test_page.py"),
    LATER[2]: ("docs/sessions.md", "docs/the_session.md"),
    LATER[3]: ("tests/test_cli.py", "tests/test_commands.py"),
}
# A line of each in a file that people changed elsewhere.
CHANGED = {
    LATER[0]: ("Makefile", "Run the quick tests"),
    LATER[1]: ("pyproject.toml", '"structlog>=26.1,<99"'),
    LATER[2]: (".env.example", "# The settings of it:"),
    LATER[3]: (f"{SOURCE}/web/health.py", '"""Health. '),
}
YOURS = (f"{SOURCE}/resources", "tests/resources", f"{SOURCE}/settings.py", "README.md")

# Stand-ins for uv and the environment, which record their arguments: installing takes long.
UV = '#!/bin/sh\necho "uv $@ in $PWD" >> "$CALLS"\n[ "$1" != workspace ] || pwd\n'
PYTHON = f"""\
#!/bin/sh
case "$*" in "-m dev."*) exec "{sys.executable}" "$@";; esac
echo "python $@" >> "$CALLS"
echo "3 passed in 0.10s"
"""


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository with all releases: do not change it."""
    return make_repository(tmp_path_factory.mktemp("template") / "repository")


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    """The environment variables of a person with git, cookiecutter and a stand-in for uv."""
    programs = tmp_path / "programs"
    write_program(programs / "uv", UV)
    (programs / "cookiecutter").symlink_to(PROGRAMS / "cookiecutter")
    config = tmp_path / "settings.json"
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


def create(
    template: Path, folder: Path, variables: dict[str, str], release: str = FIRST, **answers: str
) -> Path:
    """Return a project of a release, as cookiecutter generates it, with a stand-in for Python."""
    given = {"setup": "no", "author_name": "Jörg 'Q' O\"Neil", **answers}
    options = ("--no-input", "--checkout", release, *(f"{name}={given[name]}" for name in given))
    run(folder, variables, "cookiecutter", f"git+file://{template}", *options)
    project = folder / "my-service"
    prepare(project)
    return project


def prepare(project: Path) -> None:
    """Give a project a stand-in for its environment."""
    write_program(project / ".venv/bin/python", PYTHON)
    (project / ".venv/installed").touch()


def commit_all(project: Path) -> None:
    """Commit all files, in a new repository if there is none."""
    if not any((folder / ".git").exists() for folder in (project, project.parent)):
        git(project, "init", "--quiet", "--initial-branch", "main")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "Go on")
    (project / ".venv/installed").touch()


def work_on(project: Path, environment: Environment) -> None:
    """Edit the project as people do, and commit the edits."""
    edit(project, (*FIELD, *OF_THE_KIT))
    for name, text in ADDED_AT_THE_END.items():
        path = project / name
        path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")
    (project / "README.md").write_text(README, encoding="utf-8")
    (project / RENAMED[0]).rename(project / RENAMED[1])
    (project / VERSIONS / "0003_color_add_a_color.py").write_text(MIGRATION, encoding="utf-8")
    add_resources(BakedProject(project, {}), environment, RESOURCES)
    commit_all(project)


def update(
    project: Path, variables: dict[str, str], *arguments: str, status: int = 0
) -> tuple[str, list[str]]:
    """Run `make update`; return its output and the calls of uv and Python."""
    calls = Path(variables["CALLS"])
    calls.write_text("", encoding="utf-8")
    done = run(project, variables, "make", "update", *arguments, status=2 if status else 0)
    return done.stdout, calls.read_text(encoding="utf-8").splitlines()


def contents(project: Path, *names: str) -> dict[str, bytes]:
    """Return its files, or some of them, except those of git and of the environment."""
    found = (path for name in names or (".",) for path in (project / name, *walk(project / name)))
    return {
        path.relative_to(project).as_posix(): path.read_bytes() for path in found if path.is_file()
    }


def walk(folder: Path) -> Iterable[Path]:
    """Return the paths of a folder, except those of git and of the environment."""
    ignored = {".git", ".venv", "__pycache__"}
    return (path for path in folder.rglob("*") if not ignored & set(path.parts))


def recorded(project: Path) -> dict[str, dict[str, str]]:
    """Return what docs/template.yaml says."""
    text = (project / "docs/template.yaml").read_text(encoding="utf-8")
    read: dict[str, dict[str, str]] = yaml.safe_load(text)
    return read


def assert_work_is_kept(project: Path, releases: Iterable[str]) -> None:
    """Check that every edit is kept where its file is now, and that there is no conflict."""
    moved = dict(MOVED[release] for release in releases)
    for file, _, new in (*FIELD, *OF_THE_KIT):
        assert new in (project / file).read_text(encoding="utf-8"), file
    for file, added in ADDED_AT_THE_END.items():
        assert (project / moved.get(file, file)).read_text(encoding="utf-8").endswith(added), file
    assert not (project / RENAMED[0]).exists()
    assert git(project, "diff", "--name-only", "--diff-filter=U") == ""


def assert_is_release(project: Path, template: Path, releases: Iterable[str]) -> None:
    """Check that the project has the changes of these releases, and its record those answers."""
    releases = list(releases)
    for release, (old, new) in MOVED.items():
        assert (project / new).exists() == (release in releases), new
        assert (project / old).exists() == (release not in releases), old
    for release, (file, line) in CHANGED.items():
        found = line in (project / file).read_text(encoding="utf-8")
        assert found == (release in releases), file
    record = recorded(project)
    newest = (FIRST, *releases)[-1]
    assert record["template"] == {
        "address": f"file://{template}",
        "release": newest,
        "commit": git(template, "rev-parse", f"{newest}^{{commit}}").strip(),
    }
    answers = record["default_context"]
    assert {name for name in answers if name.startswith("option_")} == set(map(prompt_of, releases))


@pytest.mark.about("database")
@pytest.mark.parametrize("engine", CHOICES["database"])
def test_four_updates_keep_the_changes_of_people(
    engine: str,
    template: Path,
    variables: dict[str, str],
    environment: Environment,
    proved: Proved,
) -> None:
    """A conflict would be an error: both sides changed the same files, but in no case a line."""
    folder = Path(variables["CALLS"]).parent
    project = create(template, folder, variables, database=engine)
    work_on(project, environment)
    yours = contents(project, *YOURS)
    migrations = contents(project, VERSIONS)
    before = FIRST

    for number, release in enumerate(LATER, 1):
        done = LATER[:number]
        if release == NEWEST:
            use_environment(project, environment)
            variables["PYTEST_ADDOPTS"] = (
                "-m 'not slow' tests/resources/items/test_create.py tests/test_commands.py"
                " tests/database/test_migrations.py tests/web/test_openapi_file.py"
            )
        began = time.monotonic()
        said, calls = update(project, variables, *([] if release == NEWEST else [f"to={release}"]))
        seconds = round(time.monotonic() - began, 1)

        assert re.search(rf"  \+ template +\d+\.\d s  from {before} to {release}\n", said), said
        assert_is_release(project, template, done)
        assert_work_is_kept(project, done)
        assert contents(project, *YOURS) == yours
        assert contents(project, VERSIONS).items() >= migrations.items()
        if release != NEWEST:
            assert calls[-1] == "python -m pytest -q"
        commit_all(project)
        before = release

    assert "# All " in (project / RENAMED[1]).read_text(encoding="utf-8")
    assert (project / "docs/new.md").exists()
    [new] = contents(project, VERSIONS).keys() - migrations.keys()
    head = max(name for name in migrations if name.startswith(f"{VERSIONS}/0005_"))
    parent = re.search(r'^revision = "(.+)"$', (project / head).read_text("utf-8"), re.MULTILINE)
    assert parent
    assert re.search(r"/0006_[0-9a-f]{8}_index_the_keys_by_status\.py$", new)
    assert f'\ndown_revision = "{parent[1]}"\n' in (project / new).read_text(encoding="utf-8")
    paths = json.loads((project / "openapi.json").read_text(encoding="utf-8"))["paths"]
    assert {"/api/v1/items", "/api/v1/orders", "/api/v1/tags"} <= paths.keys()
    found = re.search(rf"updated from {LATER[2]} to {NEWEST}: (\d+) tests passed on", said)
    assert found, said
    name, how = f"database={engine}", "make update"
    proved("suite", variant=name, how=how, tests=int(found[1]), seconds=seconds)

    at_rest = contents(project)
    update(project, variables)
    assert contents(project) == at_rest


def use_environment(project: Path, environment: Environment) -> None:
    """Link the project to the shared environment, without an installation."""
    text = f'#!/bin/sh\nPYTHONPATH=src exec "{environment.python}" "$@"\n'
    write_program(project / ".venv/bin/python", text)


def test_only_lines_that_both_changed_are_in_conflict(
    template: Path, tmp_path: Path, variables: dict[str, str]
) -> None:
    """They are listed here; all else is merged, and `git reset --hard` undoes everything."""
    project = create(template, tmp_path, variables)
    same_line = Edit("Makefile", "Run all tests except slow ones", "Run our quick tests")
    adjacent = Edit(".env.example", "# control. A commented", "# control, ever. A commented")
    edit(project, [same_line, adjacent, OF_THE_KIT[1]])
    (project / "docs/sessions.md").unlink()
    (project / "docs/new.md").write_text("# Ours\n", encoding="utf-8")
    commit_all(project)
    before = contents(project)

    said, calls = update(project, variables, status=1)

    expected = [".env.example", "Makefile", "docs/new.md", "docs/the_session.md"]
    unmerged = git(project, "diff", "--name-only", "--diff-filter=U").splitlines()
    assert sorted(unmerged) == expected
    assert f"changed the same lines of {', '.join(expected)}." in said
    assert calls == []
    text = (project / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"<<<<<<< .*\n.*our quick tests\n=======\n.*the quick tests\n>>>>>>> ", text)
    assert CHANGED[LATER[1]][1] in (project / "pyproject.toml").read_text(encoding="utf-8")
    assert (project / "docs/tests.md").exists()
    assert "both modified:   Makefile" in git(project, "status")

    git(project, "reset", "--quiet", "--hard")
    assert contents(project) == before
    assert git(project, "status", "--porcelain") == ""


@pytest.mark.parametrize("arguments", [(), (f"to={NEWEST}",), (f"to={FIRST}",), ("to=main",)])
def test_an_update_without_a_new_release_changes_nothing(
    template: Path, tmp_path: Path, variables: dict[str, str], arguments: tuple[str, ...]
) -> None:
    project = create(template, tmp_path, variables, NEWEST)
    edit(project, OF_THE_KIT)
    commit_all(project)
    before = contents(project)

    said, calls = update(project, variables, *arguments)

    assert contents(project) == before
    assert git(project, "status", "--porcelain") == ""
    assert calls == []
    assert said.endswith("  nothing new\n\n")


def test_a_project_in_a_folder_of_a_repository_is_updated(
    template: Path, tmp_path: Path, variables: dict[str, str]
) -> None:
    """Files of other folders are not touched, whatever they are called."""
    root = tmp_path / "all"
    root.mkdir()
    git(root, "init", "--quiet", "--initial-branch", "main")
    (root / "Makefile").write_text("# of all\n", encoding="utf-8")
    project = create(template, root, variables)
    edit(project, OF_THE_KIT)
    project = project.rename(root / "service")
    commit_all(project)

    update(project, variables)

    assert_is_release(project, template, LATER)
    assert (root / "Makefile").read_text(encoding="utf-8") == "# of all\n"
    changed = git(root, "status", "--porcelain").splitlines()
    assert changed
    assert all(" service/" in line for line in changed)


def test_an_update_runs_no_set_up_and_keeps_env(
    template: Path, tmp_path: Path, variables: dict[str, str]
) -> None:
    project = create(template, tmp_path, variables)
    commit_all(project)
    before = (project / ".env").read_bytes(), (project / ".env").stat().st_mtime_ns
    commits = git(project, "rev-list", "--count", "HEAD")
    replays = contents(tmp_path / "replay_dir")

    _, calls = update(project, variables)

    assert ((project / ".env").read_bytes(), (project / ".env").stat().st_mtime_ns) == before
    assert git(project, "rev-list", "--count", "HEAD") == commits
    assert [call for call in calls if call.startswith("uv")]
    assert all(call.endswith(f" in {project}") for call in calls if call.startswith("uv"))
    assert contents(tmp_path / "replay_dir") == replays


def test_a_project_of_cruft_is_updated_and_its_link_too(
    template: Path, tmp_path: Path, variables: dict[str, str]
) -> None:
    """The commit in .cruft.json counts: cruft may have updated the project, too."""
    project = create(template, tmp_path, variables)
    answers = {**recorded(project)["default_context"], "_template": "x", "setup": "yes"}
    commit = git(template, "rev-parse", f"{FIRST}^{{commit}}").strip()
    link = {"template": str(template), "commit": commit, "checkout": None, "directory": None}
    derived = {"__version": FIRST, "__package": "my_service"}
    link["context"] = {"cookiecutter": {**answers, **derived}}  # type: ignore[assignment]
    (project / ".cruft.json").write_text(json.dumps(link, indent=2) + "\n", encoding="utf-8")
    commit_all(project)

    update(project, variables)

    after = json.loads((project / ".cruft.json").read_text(encoding="utf-8"))
    newest = git(template, "rev-parse", f"{NEWEST}^{{commit}}").strip()
    assert (after["commit"], after["checkout"]) == (newest, NEWEST)
    options = {prompt_of(release): "no" for release in LATER}
    assert after["context"]["cookiecutter"] == {**answers, **options}
    assert recorded(project)["template"]["commit"] == newest


def test_a_release_that_cannot_be_applied_changes_nothing(
    template: Path, tmp_path: Path, variables: dict[str, str]
) -> None:
    project = create(template, tmp_path, variables)
    said, _ = update(project, variables, status=1)
    assert "the project has to be in a git repository" in said

    commit_all(project)
    edit(project, OF_THE_KIT[:1])
    said, _ = update(project, variables, status=1)
    assert "there are changes that are not committed: commit them" in said
    git(project, "checkout", "--quiet", "Makefile")

    (project / "docs/new.md").write_text("# Ours\n", encoding="utf-8")
    before = contents(project)
    said, _ = update(project, variables, status=1)
    assert "the release adds docs/new.md, which you have made and not committed" in said
    assert contents(project) == before

    said, _ = update(project, variables, "to=99.0.0", status=1)
    assert "has no tag, branch or commit '99.0.0'" in said

    said, _ = update(project, variables, "template=/nowhere", status=1)
    assert "repository '/nowhere' does not exist" in said
    assert "make update" in said

    other = tmp_path / "other"
    git(tmp_path, "init", "--quiet", str(other))
    git(other, "commit", "--quiet", "--allow-empty", "--message", "Empty")
    said, _ = update(project, variables, f"template={other}", status=1)
    assert f"{other} has neither the commit " in said
    assert contents(project) == before
    assert git(project, "status", "--porcelain") == "?? docs/new.md\n"


def test_a_clone_serves_for_an_update_and_is_not_recorded(
    template: Path, tmp_path: Path, variables: dict[str, str]
) -> None:
    """As without a network; words of the user are never part of a command of a shell."""
    clone = tmp_path / "a 'clone' $(touch made)"
    git(tmp_path, "clone", "--quiet", str(template), str(clone))
    project = create(template, tmp_path, variables)
    commit_all(project)
    moved = template.rename(template.with_name("moved"))
    try:
        run(project, variables, "make", "update", status=2)
        update(project, variables, f"template={clone}")
    finally:
        moved.rename(template)

    assert_is_release(project, template, LATER)
    assert not (project / "made").exists()


def test_an_answer_that_a_release_does_not_know_stops_the_update(
    template: Path, tmp_path: Path, variables: dict[str, str]
) -> None:
    project = create(template, tmp_path, variables)
    record = project / "docs/template.yaml"
    text = record.read_text(encoding="utf-8")
    record.write_text(text.replace('license: "MIT"', 'license: "Ours"'), encoding="utf-8")
    commit_all(project)
    before = contents(project)

    said, _ = update(project, variables, status=1)

    assert f"release {NEWEST} has no choice 'Ours' for license" in said
    assert contents(project) == before


def test_an_archive_names_the_next_one_by_its_version(
    template: Path, tmp_path: Path, variables: dict[str, str]
) -> None:
    for release in (FIRST, LATER[0]):
        file = tmp_path / f"template-{release}.zip"
        git(template, "archive", "--prefix=template/", "--output", str(file), release)
    answers = ("--no-input", "setup=no")
    run(tmp_path, variables, "cookiecutter", f"template-{FIRST}.zip", *answers)
    project = tmp_path / "my-service"
    prepare(project)
    commit_all(project)
    address = str(tmp_path / f"template-{FIRST}.zip")
    assert recorded(project)["template"] == {"address": address, "release": FIRST, "commit": ""}

    said, _ = update(project, variables, status=1)
    assert "is an archive of one release: name another by `to=`" in said

    update(project, variables, f"to={LATER[0]}")
    assert recorded(project)["template"] == {
        "address": str(tmp_path / f"template-{LATER[0]}.zip"),
        "release": LATER[0],
        "commit": "",
    }
    assert (project / MOVED[LATER[0]][1]).exists()


@pytest.fixture(scope="module")
def plain(session_bake: Bake) -> BakedProject:
    """A project as it was generated: do not change it."""
    return session_bake()


def call_in(project: BakedProject, code: str, *arguments: str) -> str:
    """Run code in a project with the running Python, and return what it prints."""
    return project.run(sys.executable, "-Bc", code, *arguments).stdout


def test_new_migrations_follow_those_of_the_project(plain: BakedProject) -> None:
    """One of a branch of its own and one that is known already; two new ones become a chain."""
    code = """
from dev.kit_revisions import place
from dev.setup import StepError

def migration(revision, parent):
    return f'revision = "{revision}"\\ndown_revision = {parent!r}\\nbranch_labels = None\\n'

known = {"0001_kit.py": migration("0001", None), "0002_items.py": migration("0002", "0001")}
own = {**known, "0003_ours.py": migration("0003_ours", "0002")}
new = {"0003_a.py": migration("0003", "0002"), "0004_b.py": migration("0004", "0003")}
for name, text in place({**known, **new}, known, own).items():
    print(name, *text.splitlines()[:2], sep="|")
print(place(known, known, own))
try:
    place({**known, **new}, known, {**own, "0003_x.py": migration("0003_x", "0002")})
except StepError as error:
    print(error)
"""
    first, second, none, error = call_in(plain, code).splitlines()

    found = re.fullmatch(
        r'0004_(\w{8})_a\.py\|revision = "0004_\1"\|down_revision = "0003_ours"', first
    )
    assert found, first
    assert re.fullmatch(
        rf'0005_(\w{{8}})_b\.py\|revision = "0005_\1"\|down_revision = "0004_{found[1]}"', second
    )
    assert none == "{}"
    assert "have 2 newest revisions (0003_ours, 0003_x)" in error


def test_files_of_the_team_are_known(plain: BakedProject) -> None:
    """As docs/updates.md lists them."""
    code = "import sys; from dev.merge import is_yours; print(*map(is_yours, sys.argv[1:]))"
    package = f"src/{plain.package}"
    yours = ["README.md", "SECURITY.md", "dev/seed.py", "openapi.json", f"{package}/settings.py"]
    folders = [f"{package}/resources", "tests/resources", f"{package}/migrations/versions"]
    yours += [f"{folder}/__init__.py" for folder in folders]
    the_kit = [f"{package}/migrations/env.py", f"{package}/base_settings.py", "docs/README.md"]
    the_kit += ["pyproject.toml", f"{package}/web/resources/x.py", "tests/resources.py"]

    said = call_in(plain, code, *yours, *the_kit)

    assert said.split() == ["True"] * len(yours) + ["False"] * len(the_kit)


@pytest.mark.parametrize(
    ("tags", "newest"),
    [
        ("0.9.0 0.10.0 0.2.11", "0.10.0"),
        ("v1.0.0 v0.9.9", "v1.0.0"),
        ("1.0.0 2.0.0-beta release-3.0.0", "1.0.0"),
        ("latest", ""),
    ],
)
def test_the_newest_release_is_the_greatest_version(
    tags: str, newest: str, plain: BakedProject
) -> None:
    listed = tags.replace(" ", "\n")
    code = f"from dev.template import newest; print(newest({listed!r}))"
    assert call_in(plain, code) == f"{newest}\n"


@pytest.mark.parametrize(
    ("address", "repository"),
    [
        ("gh:org/template", "https://github.com/org/template.git"),
        ("https://h.example/org/t/archive/refs/tags/1.0.0.zip", "https://h.example/org/t.git"),
        ("https://h.example/a/b/t/-/archive/1.0.0/t-1.0.0.zip", "https://h.example/a/b/t.git"),
        ("git+file:///here/t", "file:///here/t"),
        ("git@h.example:org/t.git", "git@h.example:org/t.git"),
        ("https://h.example/t-1.0.0.zip", "https://h.example/t-1.0.0.zip"),
    ],
)
def test_each_address_of_cookiecutter_has_a_repository(
    address: str, repository: str, plain: BakedProject
) -> None:
    code = f"from dev.template import repository_of; print(repository_of({address!r}))"
    assert call_in(plain, code) == f"{repository}\n"


def test_a_missing_program_is_named(
    template: Path, tmp_path: Path, variables: dict[str, str]
) -> None:
    project = create(template, tmp_path, variables)
    commit_all(project)
    folder = tmp_path / "few"
    folder.mkdir()
    for program in ("git", "make", "sh", "uv"):
        (folder / program).symlink_to(shutil.which(program, path=variables["PATH"]) or "")
    without_packages = f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n'
    write_program(project / ".venv/bin/python", without_packages)

    said, _ = update(project, {**variables, "PATH": str(folder)}, status=1)

    assert "no program that can run cookiecutter is installed: install uv or pipx" in said
