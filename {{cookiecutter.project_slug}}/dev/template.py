"""Read what the project was made from, and render releases of its template.

Only the standard library is used: cookiecutter runs as a program of its own.
"""

import json
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from .env_file import PROJECT
from .setup import Progress, StepError, call

RECORD = PROJECT / "docs" / "template.yaml"
"""The address of the template, the release, its commit, and the answers to its prompts."""

LINK = PROJECT / ".cruft.json"
"""The same, in a project that cruft made or updated; its commit is the one that counts."""

COOKIECUTTER = "cookiecutter>=2.7.1,<3"
RUNNERS = (
    ("cookiecutter",),
    ("uvx", "--quiet", "--python", sys.executable, "--from", COOKIECUTTER, "cookiecutter"),
    ("pipx", "run", "--quiet", "--python", sys.executable, "--spec", COOKIECUTTER, "cookiecutter"),
)

# As cookiecutter knows it; a project records the whole address.
ABBREVIATION, MEANING = "gh:", "https://github.com/{}.git"
ARCHIVE = re.compile(r"(https?://.+?)/(?:-/)?archive/.+\.zip")

ENTRY = re.compile(r'^  (\w+): ("(?:[^"\\\n]|\\.)*")', re.MULTILINE)
VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")


class Origin(NamedTuple):
    """The template, release and answers that a project was made from."""

    address: str
    release: str
    commit: str
    answers: Mapping[str, str]


class Release(NamedTuple):
    """A state of the template: its name, its commit if it has one, and what cookiecutter reads."""

    name: str
    commit: str
    source: str


def read_record(text: str) -> Origin:
    """Read docs/template.yaml. Raises `StepError` if it was not written by the template."""
    head, _, tail = text.partition("default_context:\n")
    noted = {name: json.loads(value) for name, value in ENTRY.findall(head)}
    answers = {name: json.loads(value) for name, value in ENTRY.findall(tail)}
    if not answers:
        raise StepError(
            "docs/template.yaml has no answers below `default_context:`: restore it from an older "
            "commit, because an update renders the template with them"
        )
    address, release, commit = (noted.get(name, "") for name in ("address", "release", "commit"))
    return Origin(address, release, commit, answers)


def read_origin() -> Origin:
    """Return what the project was made from. Raises `StepError` if that is not recorded."""
    if LINK.exists():
        return _read_link()
    try:
        text = RECORD.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise StepError(
            "docs/template.yaml does not exist, so the template of this project is unknown: "
            "restore it from an older commit"
        ) from None
    return read_record(text)


def _read_link() -> Origin:
    link = json.loads(LINK.read_text(encoding="utf-8"))
    given = link["context"]["cookiecutter"].items()
    answers = {name: value for name, value in given if name[0] != "_"}
    return Origin(link["template"], link.get("checkout") or "", link["commit"], answers)


def updated_link(release: Release, answers: Mapping[str, str]) -> str:
    """Return the text of .cruft.json after an update, with the answers to new prompts."""
    link = json.loads(LINK.read_text(encoding="utf-8"))
    # What begins with two underscores follows from the answers, such as the version.
    given = {k: v for k, v in link["context"]["cookiecutter"].items() if k[:2] != "__"}
    link |= {"commit": release.commit, "checkout": release.name}
    link["context"]["cookiecutter"] = {**answers, **given}
    return json.dumps(link, indent=2) + "\n"


def updated_record(text: str, address: str) -> str:
    """Return the record of a new release with the address that the project has recorded."""
    if not address:
        return text
    line = f"  address: {json.dumps(address, ensure_ascii=False)}"
    return re.sub(r"^  address: .*$", lambda _: line, text, count=1, flags=re.MULTILINE)


def find_releases(
    progress: Progress, origin: Origin, wanted: str, folder: Path
) -> tuple[Release, Release] | None:
    """Return the project's release and the wanted or newest one; None if there is nothing new.

    The folder is for a clone of the template. Raises `StepError` if one cannot be found.
    """
    address = repository_of(origin.address)
    if not address:
        raise StepError(
            "docs/template.yaml has no address of the template: give that of its repository, as in "
            "`make update template=../template`"
        )
    if address.endswith(".zip"):
        return _archives(address, origin.release, wanted)
    clone = folder / "template.git"
    call(progress, "git", "clone", "--quiet", "--bare", "--", address, clone, **QUIET)
    old = _commit(progress, clone, origin.commit, origin.release, f"v{origin.release}")
    if not old:
        raise StepError(
            f"{address} has neither the commit {origin.commit or '(none recorded)'} nor the tag "
            f"{origin.release}, from which the project was made: give the repository that has it "
            "by `template=`"
        )
    name = wanted or newest(call(progress, "git", "--git-dir", clone, "tag"))
    new = _commit(progress, clone, name or "HEAD")
    if not new:
        raise StepError(f"{address} has no tag, branch or commit {name!r}: `to=` takes one of them")
    if _contains(progress, clone, old, new):
        return None
    return (
        Release(origin.release or old[:7], old, _check_out(progress, clone, old, folder / "old")),
        Release(name or new[:7], new, _check_out(progress, clone, new, folder / "new")),
    )


QUIET = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def repository_of(address: str) -> str:
    """Return what git can clone for an address as cookiecutter takes it; else that of an archive.

    Hosts of code offer an archive beside the repository itself, which has all releases.
    """
    if found := ARCHIVE.fullmatch(address):
        return f"{found[1]}.git"
    if address.startswith(ABBREVIATION):
        return MEANING.format(address.removeprefix(ABBREVIATION))
    return address.removeprefix("git+")


def _archives(address: str, release: str, wanted: str) -> tuple[Release, Release] | None:
    if wanted == release:
        return None
    if not wanted or not release or release not in address:
        raise StepError(
            f"{address} is an archive of one release: name another by `to=` if its address differs "
            "only in the version, or give a repository with all releases by `template=`"
        )
    newer = wanted.join(address.rsplit(release, 1))
    return Release(release, "", address), Release(wanted, "", newer)


def _commit(progress: Progress, clone: Path, *names: str) -> str:
    """Return the id of the first of the names that is a commit of the clone, or an empty text."""
    verify = ("rev-parse", "--verify", "--quiet")
    for name in filter(None, names):
        try:
            found = call(progress, "git", "--git-dir", clone, *verify, f"{name}^{{commit}}")
        except StepError:
            continue
        return found.strip()
    return ""


def _contains(progress: Progress, clone: Path, commit: str, other: str) -> bool:
    """Return true if a commit is the other one or comes after it."""
    try:
        call(progress, "git", "--git-dir", clone, "merge-base", "--is-ancestor", other, commit)
    except StepError:
        return False
    return True


def _check_out(progress: Progress, clone: Path, commit: str, folder: Path) -> str:
    add = ("worktree", "add", "--quiet", "--detach")
    call(progress, "git", "--git-dir", clone, *add, folder, commit, **QUIET)
    return str(folder)


def newest(tags: str) -> str:
    """Return the greatest version of a list of tags, or an empty text without one."""
    versions = [found for tag in tags.splitlines() if (found := VERSION.fullmatch(tag))]
    latest = max(versions, key=lambda each: [int(part) for part in each.groups()], default=None)
    return latest[0] if latest else ""


def cookiecutter() -> Sequence[str]:
    """Return the command that runs cookiecutter: as it is installed, or by uv or pipx.

    Raises `StepError` if there is none.
    """
    for program, *options in RUNNERS:
        if path := shutil.which(program):
            return (path, *options)
    if find_spec("cookiecutter"):
        return (sys.executable, "-m", "cookiecutter")
    raise StepError("no program that can run cookiecutter is installed: install uv or pipx")


def render(progress: Progress, release: Release, answers: Mapping[str, str], folder: Path) -> Path:
    """Render a release with these answers, without set-up, and return the folder of the project.

    Prompts that are new take their defaults. Neither the settings of cookiecutter on this machine
    nor the answers that it keeps for the next generation are read or written.
    """
    folder.mkdir()
    settings = folder / "settings.json"
    content = {
        "default_context": {**answers, "setup": "no"},
        "cookiecutters_dir": str(folder / "templates"),
        "replay_dir": str(folder / "replay"),
    }
    settings.write_text(json.dumps(content), encoding="utf-8")
    made = folder / "project"
    options = ("--no-input", "--config-file", settings, "--output-dir", made)
    call(progress, *cookiecutter(), release.source, *options, PYTHONUTF8="1")
    [project] = made.iterdir()
    return project


def check_answers(release: Release, before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Raise `StepError` if a release does not know an answer, and would take another one."""
    for name in before.keys() & now.keys() - {"setup"}:
        if now[name] != before[name]:
            raise StepError(
                f"release {release.name} has no choice {before[name]!r} for {name}, and would take "
                f"{now[name]!r}: its changelog says what to do"
            )


def rendered_record(project: Path) -> str:
    """Return the text of the record of a rendered project."""
    return (project / RECORD.relative_to(PROJECT)).read_text(encoding="utf-8")


def own_files() -> tuple[str, str]:
    """Return the paths of the files that record what the project was made from."""
    return RECORD.relative_to(PROJECT).as_posix(), LINK.name
