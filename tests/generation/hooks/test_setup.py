"""`dev/setup.py` of a generated project, with stand-ins for the slow programs."""

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.minimal_template import TEMPLATE

GIT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "user.useConfigOnly",
    "GIT_CONFIG_VALUE_0": "true",
}
PYPROJECT = """\
[project]
name = "my-service"
authors = [{ name = "Your \\"N.\\" Name", email = "you@example.com" }]
"""
FAKE_UV = """\
#!/bin/sh
echo "$@" >> uv-calls
case "$1" in
venv)
    . ./venv.sh
    for last; do :; done
    test "$UV_VENV_CLEAR" = 1 && rm -rf "$last"
    mkdir -p "$last/bin"
    printf '#!/bin/sh\\nexec {python} "$@"\\n' > "$last/bin/python"
    chmod +x "$last/bin/python" ;;
lock)
    case "$2" in
    --project) grep --quiet my-service "$3/pyproject.toml" && echo its own > "$3/uv.lock" ;;
    *) echo all > "$(cat workspace 2>/dev/null || pwd)/uv.lock" ;;
    esac ;;
workspace) cat workspace 2>/dev/null || pwd ;;
sync) . ./sync.sh ;;
esac
"""

SLOW_TEST = """\
import pathlib, time, pytest

@pytest.fixture
def server():
    yield
    pathlib.Path("cleared").touch()

def test_slow(server):
    pathlib.Path("began").touch()
    time.sleep(60)
"""

QUICK = "2 tests passed on SQLite; `make test` runs all"

SLOW_PROGRAM = """\
import pathlib, time
pathlib.Path("began").touch()
time.sleep(60)
"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with passing tests, whose packages a stand-in for uv installs."""
    folder = tmp_path / "my service"
    files = {
        "dev/__init__.py": "",
        "dev/setup.py": (TEMPLATE / "dev" / "setup.py")
        .read_text(encoding="utf-8")
        .replace("{{ cookiecutter.__engine }}", "SQLite")
        .replace("{{ cookiecutter.__package }}", "my_service"),
        "flask/__init__.py": "",
        "flask/__main__.py": "print('{}')\n",
        "dev/run.py": "from pathlib import Path\nPath('migrated').touch()\n",
        "venv.sh": "true\n",
        "sync.sh": "true\n",
        "pyproject.toml": PYPROJECT,
        ".gitignore": ".venv/\n.env\n__pycache__/\nmigrated\nuv-calls\n",
        "dev/env_file.py": re.sub(
            r"{%.*?{% endif %}\n",
            "",
            (TEMPLATE / "dev" / "env_file.py").read_text("utf-8"),
            flags=re.DOTALL,
        ),
        ".env.example": "SECRET_KEY=\n",
        "tests/test_all.py": "def test_one(): pass\ndef test_two(): pass\n",
    }
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content, encoding="utf-8")
    return folder


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment variables of a person with uv and git, but without an identity in git."""
    programs = tmp_path / "programs"
    programs.mkdir()
    uv = programs / "uv"
    uv.write_text(FAKE_UV.format(python=sys.executable), encoding="utf-8")
    uv.chmod(uv.stat().st_mode | stat.S_IXUSR)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    return {
        **kept,
        **GIT,
        "PATH": path,
        "PWD": str(tmp_path),
        "PYTEST_ADDOPTS": "-p no:cacheprovider",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }


@pytest.fixture
def run(project: Path, environment: dict[str, str]) -> Run:
    """Run the set-up as `make setup` and the hook do."""

    def run(**variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "dev.setup"],
            cwd=project,
            env={**environment, **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def git(project: Path, *command: str) -> str:
    done = subprocess.run(
        ["git", *command], cwd=project, capture_output=True, text=True, check=True
    )
    return done.stdout


def lines_of_steps(output: str) -> list[tuple[str, str, str]]:
    return re.findall(r"^  ([+x]) (\w+) +\d+\.\d s  (.*)$", output, re.MULTILINE)


def test_each_step_has_a_line_and_the_next_commands_follow(run: Run, project: Path) -> None:
    done = run()

    assert done.returncode == 0, done.stdout
    version = sys.version.split()[0]
    assert lines_of_steps(done.stdout) == [
        ("+", "settings", ".env with a secret of its own"),
        ("+", "environment", f"Python {version} in .venv"),
        ("+", "packages", "by uv, locked in uv.lock"),
        ("+", "document", "openapi.json"),
        ("+", "repository", "first commit made"),
        ("+", "migration", "SQLite"),
        ("+", "tests", QUICK),
    ]
    assert re.search(rf"my service is ready: {QUICK}; \d+\.\d s in all", done.stdout)
    assert re.search(r"\n\n  cd 'my service'\n  make run .*\n  make test .*\n", done.stdout)
    assert "\r" not in done.stdout
    assert (project / "migrated").exists()


def test_a_project_in_a_workspace_has_a_lock_file_for_its_image(run: Run, project: Path) -> None:
    (project / "workspace").write_text(str(project.parent), encoding="utf-8")
    (project / ".gitignore").write_text("workspace\n", encoding="utf-8")

    done = run()

    [remark] = [line[2] for line in lines_of_steps(done.stdout) if line[1] == "packages"]
    where = f"{project.parent.name}/uv.lock for the workspace, and in uv.lock for the image"
    assert remark == f"by uv, locked in {where}"
    assert (project / "uv.lock").read_text() == "its own\n"
    assert (project.parent / "uv.lock").read_text() == "all\n"


def test_the_set_up_skips_slow_tests(run: Run, project: Path) -> None:
    slow = "import pytest\n\n@pytest.mark.slow\ndef test_three(): assert 0\n"
    (project / "tests/test_slow.py").write_text(slow, encoding="utf-8")

    done = run()

    assert lines_of_steps(done.stdout)[-1] == ("+", "tests", QUICK)
    assert f"my service is ready: {QUICK}; " in done.stdout


def test_the_first_commit_contains_all_files_that_are_not_ignored_for_any_author(
    run: Run, project: Path
) -> None:
    run()

    assert git(project, "log", "--format=%an <%ae>") == 'Your "N." Name <you@example.com>\n'
    assert git(project, "status", "--porcelain") == ""
    tracked = git(project, "ls-files").splitlines()
    assert "uv.lock" in tracked
    assert ".env" not in tracked


def test_the_second_set_up_keeps_what_exists(run: Run, project: Path) -> None:
    run()
    (project / "note.txt").touch()

    done = run(PWD=str(project))

    assert done.returncode == 0
    remarks = {step: remark for _, step, remark in lines_of_steps(done.stdout)}
    assert remarks["settings"] == remarks["environment"] == remarks["repository"] == "kept"
    assert git(project, "status", "--porcelain") == "?? note.txt\n"
    assert "cd " not in done.stdout


def test_no_repository_is_created_inside_another(run: Run, project: Path) -> None:
    git(project.parent, "init", "--quiet")

    done = run()

    assert ("+", "repository", "none made: this folder is inside a repository") in lines_of_steps(
        done.stdout
    )
    assert not (project / ".git").exists()


def test_without_git_all_other_steps_run(run: Run, tmp_path: Path) -> None:
    programs = tmp_path / "few"
    programs.mkdir()
    for program in ("sh", "mkdir", "chmod", "touch", "rm"):
        found = shutil.which(program)
        assert found
        (programs / program).symlink_to(found)

    done = run(PATH=f"{tmp_path / 'programs'}{os.pathsep}{programs}")

    assert done.returncode == 0, done.stdout
    assert ("+", "repository", "none made: git is not installed") in lines_of_steps(done.stdout)


@pytest.mark.parametrize(
    ("error", "step", "sentence"),
    [
        (
            ("sync.sh", "echo 'error: no such package: flusk'; echo; exit 2\n"),
            "packages",
            "The step 'packages' failed: error: no such package: flusk. All files are written.",
        ),
        (
            ("sync.sh", "echo 'error: fetching'; echo '  Caused by: dns error'; exit 2\n"),
            "packages",
            "The step 'packages' failed: there is no connection (Caused by: dns error).",
        ),
        (
            ("sync.sh", "echo 'write: No space left on device (os error 28)' >&2; exit 1\n"),
            "packages",
            "The step 'packages' failed: the disk is full (write: No space left on device",
        ),
        (
            ("dev/run.py", "raise SystemExit('MariaDB is not installed: apt install mariadb')\n"),
            "migration",
            "The step 'migration' failed: MariaDB is not installed: apt install mariadb.",
        ),
        (
            ("tests/test_all.py", "def test_one(): pass\ndef test_two(): assert 0\n"),
            "tests",
            "The step 'tests' failed: 1 failed, 1 passed in",
        ),
    ],
)
def test_a_failed_step_prints_the_reason_and_how_to_continue(
    error: tuple[str, str], step: str, sentence: str, run: Run, project: Path
) -> None:
    path, content = error
    whole = (project / path).read_text(encoding="utf-8")
    (project / path).write_text(content, encoding="utf-8")

    done = run()

    assert done.returncode == 1
    assert lines_of_steps(done.stdout)[-1] == ("x", step, "failed")
    assert sentence in done.stdout
    assert done.stdout.endswith(
        "When that is fixed, continue with:\n\n  cd 'my service'\n  make setup\n\n"
    )
    assert "Traceback" not in done.stdout + done.stderr

    (project / path).write_text(whole, encoding="utf-8")
    again = run()
    assert again.returncode == 0, again.stdout
    assert "2 tests passed on SQLite" in again.stdout


def test_an_author_that_git_rejects_does_not_fail_the_set_up(run: Run, project: Path) -> None:
    pyproject = PYPROJECT.replace('Your \\"N.\\" Name', ".,;")
    (project / "pyproject.toml").write_text(pyproject, encoding="utf-8")

    assert run().returncode == 0
    assert git(project, "log", "--format=%an <%ae>") == "author <you@example.com>\n"


def test_a_broken_environment_is_created_again(run: Run, project: Path) -> None:
    (project / ".venv/bin").mkdir(parents=True)
    (project / ".venv/bin/python").symlink_to("/nowhere/python")

    done = run()

    assert done.returncode == 0, done.stdout
    assert re.search(r"environment .* in \.venv", done.stdout)


@pytest.mark.parametrize(
    "slow",
    [
        ("environment", "venv.sh", "touch began; sleep 60\n"),
        ("packages", "sync.sh", "touch began; sleep 60\n"),
        ("migration", "dev/run.py", SLOW_PROGRAM),
        ("tests", "tests/test_all.py", SLOW_TEST),
    ],
    ids=lambda slow: slow[0],
)
def test_ctrl_c_stops_the_program_and_prints_how_to_continue(
    slow: tuple[str, str, str], project: Path, environment: dict[str, str], run: Run
) -> None:
    step, file, content = slow
    whole = (project / file).read_text(encoding="utf-8")
    (project / file).write_text(content, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "dev.setup"],
        cwd=project,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (project / "began").exists() and time.monotonic() < deadline:
        time.sleep(0.05)

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)

    assert process.returncode == 130
    assert lines_of_steps(out)[-1] == ("x", step, "stopped")
    assert out.endswith(
        "\nStopped; no file is half written. Continue with:\n\n  cd 'my service'\n  make setup\n\n"
    )
    assert "Traceback" not in out + err
    if step == "tests":
        assert (project / "cleared").exists(), "the test run was killed before it had cleared up"

    (project / file).write_text(whole, encoding="utf-8")
    again = run()
    assert again.returncode == 0, again.stdout
    assert "2 tests passed on SQLite" in again.stdout


def test_an_unusable_file_is_named(run: Run, project: Path) -> None:
    """The error comes from the operating system, not from a program."""
    (project / ".env.example").unlink()
    (project / ".env.example").mkdir()

    done = run()

    assert done.returncode == 1
    assert lines_of_steps(done.stdout) == [("x", "settings", "failed")]
    assert re.search(r"The step 'settings' failed: .*Is a directory: .*\.env\.example", done.stdout)
    assert "Traceback" not in done.stdout + done.stderr


def test_environments_of_other_projects_are_ignored(run: Run, project: Path) -> None:
    (project / "sync.sh").write_text(
        'test -z "$VIRTUAL_ENV$PYTHONPATH$UV_PYTHON$DATABASE_URL" && '
        'test -n "$UV_PROJECT_ENVIRONMENT"\n',
        encoding="utf-8",
    )
    misleading = ("VIRTUAL_ENV", "PYTHONPATH", "UV_PYTHON", "DATABASE_URL")
    assert run(**dict.fromkeys(misleading, "/other")).returncode == 0


def test_a_terminal_shows_a_counter(project: Path, environment: dict[str, str]) -> None:
    pty = pytest.importorskip("pty")
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "dev.setup"],
        cwd=project,
        env={**environment, "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    printed = b""
    try:
        while chunk := os.read(controller, 4096):
            printed += chunk
    except OSError:  # on Linux this error means that the other side is closed
        pass
    finally:
        os.close(controller)

    assert process.wait(60) == 0
    assert re.search(rb"\r  [|/\\-] tests +\d s", printed)
    assert re.search(rb"\r  \+ tests +\d+\.\d s  2 tests passed on SQLite; .*\r\n", printed)


def test_an_old_python_starts_a_newer_one_or_names_the_required_version(
    run: Run, project: Path
) -> None:
    source = (project / "dev/setup.py").read_text(encoding="utf-8")
    (project / "dev/setup.py").write_text(source.replace("(3, 11)", "(99, 0)"), encoding="utf-8")

    done = run(PATH=str(project))

    assert done.returncode == 1
    assert "3.11 or newer is required, but this is" in done.stdout
