"""Set the project up and test it: `make setup`. Running it again keeps what is done.

It uses only the standard library, because it runs before anything is installed.
"""

import contextlib
import io
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from .env_file import PROJECT, make_env_file

ENVIRONMENT = PROJECT / ".venv"
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
INSTALLED = ENVIRONMENT / "installed"
"""Newer than pyproject.toml if nothing has to be installed; the Makefile compares them."""

PACKAGE = "{{ cookiecutter.__package }}"
DATABASE = "{{ cookiecutter.__engine }}"

OLDEST_PYTHON = (3, 11)
NEWER_PYTHONS = ("python3.15", "python3.14", "python3.13", "python3.12", "python3.11")
PIP_WITH_GROUPS = "pip>=25.1"
SECONDS_TO_STOP = 10

# These would make a program use another project or database, or colour its output.
MISLEADING = {
    *("DATABASE_URL", "ENVIRONMENT", "SECRET_KEY"),
    *("VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH", "UV_PYTHON", "FORCE_COLOR"),
    *("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"),
}

# Output of programs when something outside of the project is missing, and its cause.
CAUSES = (
    (r"No space left on device|Disk quota exceeded", "the disk is full"),
    (
        r"[Nn]ame resolution|Name or service not known|dns error|[Cc]onnection refused"
        r"|Network is unreachable|[Tt]imed out|NewConnectionError|ConnectTimeout",
        "there is no connection",
    ),
    (r"ensurepip is not available", "this Python cannot make environments: install python3-venv"),
)

# A prompt for a passphrase, or a hook meant for other projects, would end the set-up.
FIRST_COMMIT = (
    *("-c", "commit.gpgSign=false"),
    *("commit", "--quiet", "--no-verify", "--message", "Start the service from its template"),
)

# Yours, and of the kit what shows that the service works with this machine and its packages: the
# HTTP contract, settings, authentication, jobs. The rest takes several times as long, as do, the
# first time, the plugins of slow tests and the rewriting of assertions.
QUICK = (
    *("-m", "not slow", "--assert", "plain", "-p", "no:schemathesis", "-p", "no:hypothesispytest"),
    *("--ignore", "tests/database", "--ignore", "tests/observability"),
    *("--ignore", "tests/test_layers.py", "--ignore-glob", "tests/web/test_*.py"),
)

NOISE = re.compile(r"\W*$|\[notice\]|\(Background on this error|hint:|=+ ")


class StepError(Exception):
    """A step failed; the message says why, `output` is that of its program."""

    def __init__(self, why: str, output: str = "") -> None:
        super().__init__(why)
        self.output = output


class Step(NamedTuple):
    """A part of the set-up: `run` does it, unless it is already done, and returns a remark."""

    name: str
    run: Callable[["Progress"], str]
    remains: str
    """A sentence that says what is done even if this step fails."""


class Progress:
    """Show a line for each step: with a spinner while it runs on a terminal, else at its end."""

    def __init__(self) -> None:
        self.on_terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self.step = ""
        self.started = 0.0
        self.program: subprocess.Popen[bytes] | None = None

    @property
    def seconds(self) -> float:
        """How long the step has been running."""
        return time.monotonic() - self.started

    def begin(self, step: str) -> None:
        """Start the line and the timer of a step."""
        self.step, self.started = step, time.monotonic()
        self.tick()

    def tick(self) -> None:
        """Show that the step still runs."""
        if self.on_terminal:
            spinner = "|/-\\"[int(self.seconds * 8) % 4]
            self._write(f"\r  {spinner} {self.step:<12} {self.seconds:4.0f} s")

    def end(self, sign: str, remark: str) -> None:
        """Finish the line of the step."""
        start = "\r" if self.on_terminal else ""
        self._write(f"{start}  {sign} {self.step:<12} {self.seconds:6.1f} s  {remark}\n")

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


def call(progress: Progress, *command: str | Path, **variables: str) -> str:
    """Run a program in the project, with these environment `variables`, and return its output.

    Raises `StepError` if it is missing or fails.
    """
    environment = {name: value for name, value in os.environ.items() if name not in MISLEADING}
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                [str(part) for part in command],
                cwd=PROJECT,
                env=environment | variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise StepError(f"{command[0]} cannot be run: {error.strerror}") from error
        progress.program = process
        while process.poll() is None:
            progress.tick()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
        output.seek(0)
        text = output.read().decode(errors="replace")
    if process.returncode != 0:
        raise StepError(explain(text), text)
    return text


def interrupt(process: subprocess.Popen[bytes]) -> None:
    """Pass Ctrl-C on once, so that the program can clean up, and wait for its end.

    The program has a session of its own: a second signal would interrupt the cleanup of a test run,
    and a program without a terminal does not prompt.
    """
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(SECONDS_TO_STOP)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()
        process.wait()


def explain(output: str) -> str:
    """Return why a program failed, from its output: a known cause and the last line with text."""
    lines = [line.strip() for line in output.splitlines()]
    last = next((line for line in reversed(lines) if not NOISE.match(line)), "it printed nothing")
    for sign, cause in CAUSES:
        if re.search(sign, output):
            return f"{cause} ({last})"
    return last


def make_settings(_: Progress) -> str:
    """Write `.env`, which is not under version control."""
    return ".env with a secret of its own" if make_env_file() else "kept"


def make_environment(progress: Progress) -> str:
    """Make `.venv` with the Python that runs this program."""
    uv = shutil.which("uv")
    try:
        call(progress, PYTHON, *(["--version"] if uv else ["-m", "pip", "--version"]))
    except StepError:
        pass
    else:
        return "kept"
    if uv:
        call(progress, uv, "venv", "--python", sys.executable, ENVIRONMENT, UV_VENV_CLEAR="1")
    else:
        call(progress, sys.executable, "-m", "venv", "--clear", ENVIRONMENT)
    return f"Python {sys.version.split()[0]} in {ENVIRONMENT.name}"


def install_packages(progress: Progress) -> str:
    """Install the service, editable, and its development tools; with uv from its lock file."""
    uv = shutil.which("uv")
    if not uv:
        # Python compiles what is imported, which is a part; pip would compile all, for longer.
        install = (PYTHON, "-m", "pip", "install", "--no-compile")
        call(progress, *install, PIP_WITH_GROUPS)
        call(progress, *install, "--editable", ".", "--group", "dev")
        INSTALLED.touch()
        return "by pip"
    remark = lock_packages(progress, uv)
    call(
        progress,
        *(uv, "sync", "--frozen", "--python", PYTHON),
        UV_PROJECT_ENVIRONMENT=str(ENVIRONMENT),
    )
    INSTALLED.touch()
    return f"by uv, {remark}"


def lock_packages(progress: Progress, uv: str) -> str:
    """Write the lock file; in a workspace, whose root has it, also one of the project alone.

    The image is built from this folder, so its packages are locked here, in the same versions.
    """
    call(progress, uv, "lock")
    try:
        root = Path(call(progress, uv, "workspace", "dir").splitlines()[-1])
    except StepError:  # an older uv
        root = PROJECT
    if root.resolve() == PROJECT:
        return "locked in uv.lock"
    with tempfile.TemporaryDirectory() as alone:
        for path in (PROJECT / "pyproject.toml", root / "uv.lock"):
            shutil.copy(path, alone)
        call(progress, uv, "lock", "--project", alone)
        shutil.copy(Path(alone, "uv.lock"), PROJECT)
    return f"locked in {root.name}/uv.lock for the workspace, and in uv.lock for the image"


def write_document(progress: Progress) -> str:
    """Write openapi.json, the API document, unless it is there."""
    target = PROJECT / "openapi.json"
    if target.exists():
        return "kept"
    command = ("-m", "flask", "--app", PACKAGE, "openapi", "--indent", "2")
    target.write_text(call(progress, PYTHON, *command), encoding="utf-8")
    return target.name


def make_repository(progress: Progress) -> str:
    """Make a git repository with a first commit, unless the project is in a repository."""
    if any((folder / ".git").exists() for folder in PROJECT.parents):
        return "none made: this folder is inside a repository"
    git = shutil.which("git")
    if not git:
        return "none made: git is not installed"
    if not (PROJECT / ".git").exists():
        call(progress, git, "init", "--quiet")
    try:
        call(progress, git, "rev-parse", "--verify", "--quiet", "HEAD")
    except StepError:
        pass
    else:
        return "kept"
    call(progress, git, "add", "--all")
    call(progress, git, *_identity(progress, git), *FIRST_COMMIT)
    return "first commit made"


def _identity(progress: Progress, git: str) -> Sequence[str]:
    """Return options with the author of pyproject.toml, if git knows no author."""
    try:
        call(progress, git, "var", "GIT_AUTHOR_IDENT")
        call(progress, git, "var", "GIT_COMMITTER_IDENT")
    except StepError:
        import tomllib

        text = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
        author = tomllib.loads(text)["project"]["authors"][0]
        name = author["name"] if re.search(r"\w", author["name"]) else "author"  # git needs letters
        return ("-c", f"user.name={name}", "-c", f"user.email={author['email']}")
    return ()


def migrate(progress: Progress) -> str:
    """Upgrade the development database, which `.env` names, to the newest schema."""
    call(progress, PYTHON, "-m", "dev.run", "--migrate-only")
    return DATABASE


def run_quick_tests(progress: Progress) -> str:
    """Run the tests of the project that show that it works on this machine."""
    output = call(progress, PYTHON, "-m", "pytest", "-q", *QUICK)
    return f"{_passed(output)}; `make test` runs all"


def run_all_tests(progress: Progress) -> str:
    """Run all of the project's tests."""
    return _passed(call(progress, PYTHON, "-m", "pytest", "-q"))


def _passed(output: str) -> str:
    passed = re.findall(r"(\d+) passed", output)
    return f"{passed[-1] if passed else 'no'} tests passed on {DATABASE}"


STEPS = (
    Step("settings", make_settings, "All other files are written."),
    Step("environment", make_environment, "All files are written."),
    Step("packages", install_packages, "All files are written."),
    Step("document", write_document, "Everything is installed: `make run` serves it."),
    Step("repository", make_repository, "Everything is installed: `make run` serves it."),
    Step("migration", migrate, "Everything is installed: `make check` and `make test` work."),
    Step("tests", run_quick_tests, "Everything is installed and migrated: `make run` serves it."),
)

ONLY_INSTALL = "--only-install"
"""The argument of other targets of the Makefile, which need the packages."""


def set_up(steps: Sequence[Step], progress: Progress) -> str:
    """Run the steps in order and return the last remark. Raises the first `StepError`."""
    remark = ""
    for step in steps:
        progress.begin(step.name)
        try:
            remark = step.run(progress)
        except (StepError, OSError) as error:
            progress.end("x", "failed")
            output = error.output if isinstance(error, StepError) else ""
            raise StepError(_failure(step, error), output) from error
        except KeyboardInterrupt:
            progress.end("x", "stopped")
            raise
        progress.end("+", remark)
    return remark


def _failure(step: Step, error: Exception) -> str:
    why = (str(error) if isinstance(error, StepError) else explain(str(error))).rstrip(".")
    return f"The step {step.name!r} failed: {why}. {step.remains}"


def enter() -> list[str]:
    """Return the `cd` command from the folder of the user's shell to the project, if needed."""
    shell = os.environ.get("PWD", "")
    if not shell or not PROJECT.is_relative_to(shell):
        return [f"cd {shlex.quote(str(PROJECT))}"]
    folder = os.path.relpath(PROJECT, shell)
    return [] if folder == "." else [f"cd {shlex.quote(folder)}"]


class Outcome(NamedTuple):
    """The result of steps: an exit status, and the last remark if all of them succeeded."""

    status: int
    remark: str = ""


def carry_out(steps: Sequence[Step], command: str) -> Outcome:
    """Run the steps in order; if one fails, print the reason and the `command` that continues."""
    progress = Progress()
    try:
        return Outcome(0, set_up(steps, progress))
    except StepError as error:
        if error.output:
            print("", *error.output.splitlines()[-15:], sep="\n    ")
        report(f"{error} When that is fixed, continue with:", command)
        return Outcome(1)
    except KeyboardInterrupt:
        report("Stopped; no file is half written. Continue with:", command)
        if progress.program and progress.program.poll() is None:
            interrupt(progress.program)
        return Outcome(130)


def report(text: str, *commands: str) -> None:
    """Print the result of the set-up and the commands to run next."""
    print("\n".join(["", text, "", *(f"  {command}" for command in (*enter(), *commands)), ""]))


def main() -> int:
    """Set up, print the result, and return 0 only if everything succeeded."""
    accept_any_text()
    if sys.version_info[:2] < OLDEST_PYTHON:
        return run_with_newer_python()
    started = time.monotonic()
    print(f"\nSetting up {PROJECT.name}:\n", flush=True)
    only_install = ONLY_INSTALL in sys.argv[1:]
    outcome = carry_out(STEPS[:4] if only_install else STEPS, "make setup")
    if outcome.status == 0 and only_install:
        print()
    elif outcome.status == 0:
        seconds = time.monotonic() - started
        report(
            f"{PROJECT.name} is ready: {outcome.remark}; {seconds:.1f} s in all. Next:",
            "make run     # serve it on http://127.0.0.1:5000",
            "make test    # run its tests",
        )
    return outcome.status


def accept_any_text() -> None:
    """Escape characters that the terminal cannot show."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def run_with_newer_python() -> int:
    """Run this program with a Python that is new enough, if there is one."""
    for name in NEWER_PYTHONS:
        if newer := shutil.which(name):
            return subprocess.call([newer, "-m", "dev.setup", *sys.argv[1:]], cwd=PROJECT)
    this = ".".join(map(str, sys.version_info[:3]))
    report(f"Python 3.11 or newer is required, but this is {this}. With one, run:", "make setup")
    return 1


if __name__ == "__main__":
    sys.exit(main())
