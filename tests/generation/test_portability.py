"""Files and hooks are valid on every system, as far as static rules can tell."""

import ast
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import pytest

from hooks.pre_gen_project import MAX_SLUG_LENGTH, WINDOWS_DEVICES
from local_extensions import load_generator
from tests.harness.baked import Bake, BakedProject
from tests.harness.releases import PROJECT, git
from tests.harness.variants import CHOICES, ROOT, VARIANTS, one_for_each

pytestmark = pytest.mark.xdist_group("portability")  # to generate its projects only once

FORBIDDEN = re.compile(r'[<>:"|?*\\\x00-\x1f]|[ .]$')

# Windows allows 259 characters, which include the folders before: a home folder, .cookiecutters and
# the repository's name; for a project, any folder in which a person works.
MAX_LENGTH_IN_THE_TEMPLATE = 160
MAX_LENGTH_IN_A_PROJECT = 180

# Modules of the standard library that are missing on Windows.
ONLY_ELSEWHERE = {"crypt", "curses", "fcntl", "grp", "nis", "pty", "pwd", "readline", "resource"}
ONLY_ELSEWHERE |= {"spwd", "syslog", "termios", "tty"}

# These run first, wherever a project is generated or set up.
RUN_EVERYWHERE = [
    *sorted((ROOT / "hooks").glob("*.py")),
    ROOT / "local_extensions.py",
    ROOT / PROJECT / "dev/env_file.py",
    ROOT / PROJECT / "dev/setup.py",
    ROOT / PROJECT / "dev/update.py",
]
READS_OR_WRITES = {"open", "fdopen", "read_text", "write_text"}


@pytest.fixture(scope="session")
def tracked() -> list[str]:
    """The files of the template."""
    listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return [name for name in listed.split("\0") if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def projects(session_bake: Bake) -> list[BakedProject]:
    """Projects that cover each choice, with names of the maximum length."""
    names = {
        "project_slug": "s" * MAX_SLUG_LENGTH,
        "resource_plural": "p" * load_generator().names.MAX_PLURAL,
    }
    chosen = {variant for prompt in CHOICES for variant in one_for_each(prompt, VARIANTS)}
    return [session_bake(**names, **variant.choices) for variant in sorted(chosen)]


def unusable_names(names: Iterable[str], maximum: int) -> list[str]:
    """Return the names that Windows or a case-insensitive file system would reject."""
    names = list(names)
    errors = [f"{name}: is longer than {maximum}" for name in names if len(name) > maximum]
    for name in names:
        for part in PurePosixPath(name).parts:
            if FORBIDDEN.search(part):
                errors.append(f"{name}: {part} has a character that cannot be in a name")
            if part.split(".")[0].lower() in WINDOWS_DEVICES:
                errors.append(f"{name}: {part} is a device")
    folders = {str(folder) for name in names for folder in PurePosixPath(name).parents}
    twice = Counter(name.lower() for name in {*names, *folders})
    return errors + [f"{name}: differs by case only" for name, count in twice.items() if count > 1]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("docs/what?.md", "has a character"),
        ("docs/C:.md", "has a character"),
        ("docs/end.", "has a character"),
        ("docs /x.md", "has a character"),
        ("src/aux.py", "is a device"),
        ("src/COM1/x", "is a device"),
        ("a" * 161, "is longer"),
        ("SRC/y.py", "differs by case"),
        ("src/X.py", "differs by case"),
    ],
)
def test_an_unusable_file_name_is_found(name: str, error: str) -> None:
    assert unusable_names(["src/x.py"], MAX_LENGTH_IN_THE_TEMPLATE) == []
    assert error in unusable_names(["src/x.py", name], MAX_LENGTH_IN_THE_TEMPLATE)[0]


def test_file_names_of_the_template_are_usable(tracked: list[str]) -> None:
    assert len(tracked) > 200
    assert unusable_names(tracked, MAX_LENGTH_IN_THE_TEMPLATE) == []


@pytest.mark.slow
def test_file_names_of_a_project_are_usable(projects: list[BakedProject]) -> None:
    assert len(projects) > 5
    for project in projects:
        names = [project.name_of(path) for path in project.files]
        assert unusable_names(names, MAX_LENGTH_IN_A_PROJECT - MAX_SLUG_LENGTH) == []


def test_no_file_is_a_link_or_executable(tracked: list[str], projects: list[BakedProject]) -> None:
    ours = [ROOT / name for name in tracked]
    rendered = [path for project in projects for path in project.files]
    assert [path for path in (*ours, *rendered) if path.is_symlink()] == []
    of_the_template = [path for path in ours if PROJECT in path.parts]
    modes = [path for path in (*of_the_template, *rendered) if path.stat().st_mode & stat.S_IXUSR]
    assert modes == []


def test_all_files_have_the_same_line_ends(
    tracked: list[str], projects: list[BakedProject]
) -> None:
    rendered = [path for project in projects for path in project.files]
    texts = [ROOT / name for name in tracked if not name.endswith(".png")]
    assert [path for path in (*texts, *rendered) if b"\r" in path.read_bytes()] == []
    for project in projects:
        assert "* text=auto eol=lf\n" in project.text(".gitattributes")


@pytest.mark.parametrize("autocrlf", ["true", "input", "false"])
def test_a_checkout_with_other_line_ends_generates_the_same_project(
    autocrlf: str, tracked: list[str], tmp_path: Path, session_bake: Bake
) -> None:
    """As on Windows, where git is installed with `core.autocrlf=true`."""
    source, checkout = tmp_path / "source", tmp_path / "checkout"
    for name in tracked:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    git(source, "init", "--quiet")
    git(source, "add", "--all")
    git(source, "commit", "--quiet", "--message", "All")
    option = f"core.autocrlf={autocrlf}"
    git(tmp_path, "clone", "--quiet", "--config", option, str(source), str(checkout))

    for name in tracked:
        assert (checkout / name).read_bytes() == (ROOT / name).read_bytes(), name

    # A project keeps its line ends in the same way.
    project = session_bake()
    copy = tmp_path / "project"
    git(tmp_path, "init", "--quiet", str(copy))
    for path in project.files:
        (copy / project.name_of(path)).parent.mkdir(parents=True, exist_ok=True)
        (copy / project.name_of(path)).write_bytes(path.read_bytes())
    git(copy, "add", "--all")
    git(copy, "commit", "--quiet", "--message", "All")
    cloned = tmp_path / "cloned"
    git(tmp_path, "clone", "--quiet", "--config", option, str(copy), str(cloned))
    for name in git(copy, "ls-files").splitlines():
        assert (cloned / name).read_bytes() == (project.path / name).read_bytes(), name


def unix_only(source: str) -> Iterator[str]:
    """Return imports that fail on Windows, and files that are opened without an encoding."""
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        yield from (f"imports {name}" for name in names if name.split(".")[0] in ONLY_ELSEWHERE)
        if isinstance(node, ast.Call):
            called = node.func
            name = getattr(called, "attr", getattr(called, "id", ""))
            owner = getattr(getattr(called, "value", None), "id", "")
            given = {keyword.arg for keyword in node.keywords}
            as_text = name in READS_OR_WRITES and (owner, name) != ("os", "open")
            if as_text and "encoding" not in given:
                yield f"line {node.lineno}: {name} without an encoding"


@pytest.mark.parametrize(
    "source", ["import fcntl", "from pty import spawn", "open('x')", "path.read_text()"]
)
def test_code_for_unix_only_is_found(source: str) -> None:
    assert list(unix_only(source))


@pytest.mark.parametrize("path", RUN_EVERYWHERE, ids=lambda path: path.name)
def test_hooks_and_set_up_run_on_every_system(path: Path) -> None:
    source = re.sub(r"{%.*?%}\n", "", path.read_text(encoding="utf-8"))
    assert list(unix_only(source)) == []


def test_hooks_are_started_by_python() -> None:
    """Windows looks at the file extension and ignores shebangs and modes."""
    hooks = [path.name for path in (ROOT / "hooks").iterdir() if path.is_file()]
    assert sorted(hooks) == ["post_gen_project.py", "pre_gen_project.py"]
