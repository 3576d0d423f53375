"""Follows the template to its newest release, and proves the result: `make update`.

Only the standard library: cruft, which compares the releases, runs in an environment of its own.
docs/updates.md tells what to do where your changes and those of the template meet.
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from .env_file import PROJECT
from .setup import (
    Progress,
    Step,
    StepError,
    accept_any_text,
    call,
    carry_out,
    install_packages,
    report,
    run_all_tests,
)

LINK = PROJECT / ".cruft.json"
"""Which template the project follows, at which commit, and by which answers."""

CRUFT = "cruft>=2.16,<3"
RUNNERS = (
    ("cruft",),
    ("uvx", "--quiet", "--python", sys.executable, "--from", CRUFT, "cruft"),
    ("pipx", "run", "--quiet", "--python", sys.executable, "--spec", CRUFT, "cruft"),
)

# Nothing is asked, and a project that is ahead of the release stays where it is.
UPDATE = ("update", "--skip-apply-ask", "--not-strict", "--allow-untracked-files")

RELEASE = re.compile(r"\trefs/tags/(v?(\d+)\.(\d+)\.(\d+))$", re.MULTILINE)
LEFT_OUT = re.compile(
    r"^error: (.+): (?:already exists in working directory|patch does not apply)$", re.MULTILINE
)

# Folders in which nothing is the template's.
NOT_SEARCHED = {".git", ".venv", "build", "dist"}

NOTHING_NEW = "nothing new"


class Conflicts(NamedTuple):
    """Where changes of the template and of the project meet."""

    unmerged: Sequence[str]
    """Files that hold both versions."""

    rejected: Sequence[str]
    """Files with changes that found no place."""

    left_out: Sequence[str]
    """Files that the template adds or removes, and that the project keeps as they are."""


def read_link() -> dict[str, str]:
    """What cruft noted of the template. Raises `StepError` if the project is linked to none."""
    try:
        found = json.loads(LINK.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StepError(
            f"{LINK.name} is not there, so nothing says which template to follow; "
            "docs/updates.md shows the command that links the project to it"
        ) from None
    return {name: str(found.get(name) or "") for name in ("template", "commit", "checkout")}


def check_that_all_is_committed(progress: Progress) -> None:
    """Raise `StepError` if an update could not be told from other changes, or not be undone."""
    try:
        changed = call(progress, "git", "status", "--porcelain", "--untracked-files=no")
    except StepError as error:
        raise StepError(f"the project has to be in a git repository ({error})") from error
    if changed:
        raise StepError("there are changes that are not committed: commit them, or `git stash`")


def newest_release(progress: Progress, template: str) -> str:
    """The template's newest tag that is a version, or an empty text if it has none."""
    tags = RELEASE.findall(call(progress, "git", "ls-remote", "--tags", "--refs", template))
    newest = max(tags, key=lambda tag: [int(number) for number in tag[1:]], default=("",))
    return str(newest[0])


def cruft() -> Sequence[str]:
    """The command that runs cruft. Raises `StepError` if there is none."""
    for program, *options in RUNNERS:
        if path := shutil.which(program):
            return (path, *options)
    raise StepError("nothing is installed that runs cruft: install uv or pipx, or cruft itself")


def follow(wanted: str, said: list[str], progress: Progress) -> str:
    """Update the files to the wanted or the newest release; returns from what to what.

    What cruft has `said` tells of files that it left out; it counts that as a success.
    """
    before = read_link()
    check_that_all_is_committed(progress)
    release = wanted or newest_release(progress, before["template"])
    command = [*cruft(), *UPDATE, *(["--checkout", release] if release else [])]
    try:
        said += [call(progress, *command, TYPER_STANDARD_TRACEBACK="1")]
    except StepError as error:  # the rest of what it printed is a traceback
        raise StepError(str(error)) from None
    after = read_link()
    if after["commit"] == before["commit"]:
        return NOTHING_NEW
    return f"from {before['checkout'] or before['commit'][:7]} to {release or after['commit'][:7]}"


def find_conflicts(said: str) -> Conflicts:
    """What the update left to be decided by a person."""
    listed = call(Progress(), "git", "diff", "--name-only", "--relative", "--diff-filter=U")
    unmerged, rejected = set(listed.splitlines()), set(_rejected())
    left_out = {
        name
        for name in LEFT_OUT.findall(said)
        if name not in unmerged and f"{name}.rej" not in rejected
    }
    return Conflicts(sorted(unmerged), sorted(rejected), sorted(left_out))


def _rejected() -> Iterator[str]:
    for folder, folders, files in os.walk(PROJECT):
        folders[:] = [name for name in folders if name not in NOT_SEARCHED]
        for name in files:
            if name.endswith(".rej"):
                yield (Path(folder) / name).relative_to(PROJECT).as_posix()


def explain(conflicts: Conflicts) -> str:
    """What a person has to do about the conflicts."""
    sentences = []
    if names := ", ".join(conflicts.unmerged):
        sentences.append(
            f"Both your version and the template's stand in {names}, between <<<<<<< and >>>>>>>: "
            "keep what is right and `git add` it."
        )
    if names := ", ".join(conflicts.rejected):
        sentences.append(
            f"Changes that found no place are in {names}: make them by hand in the file of the "
            "same name without .rej, and delete the .rej file."
        )
    if names := ", ".join(conflicts.left_out):
        sentences.append(
            f"The template adds or removes {names}, which you have made or changed: that was left "
            "as it is."
        )
    return " ".join([*sentences, "Then prove the project and commit:"])


PROOF = (
    Step("packages", install_packages, "The files are updated."),
    Step("tests", run_all_tests, "The files and the packages are updated."),
)


def main() -> int:
    """Update, say how it went, and return 0 only if nothing is left to do but to commit it."""
    accept_any_text()
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    print(f"\nUpdating {PROJECT.name} from its template:\n", flush=True)
    said: list[str] = []
    step = Step("template", partial(follow, wanted, said), "What is committed is safe.")
    updated = carry_out([step], "make update")
    if updated.status != 0:
        return updated.status
    if updated.remark == NOTHING_NEW:
        print()
        return 0
    conflicts = find_conflicts(*said)
    if conflicts.unmerged:  # no program could read those files
        report(explain(conflicts), "make check")
        return 1
    proved = carry_out(PROOF, "make check")
    if conflicts.rejected or conflicts.left_out:
        report(explain(conflicts), "make check")
        return 1
    if proved.status == 0:
        report(
            f"{PROJECT.name} is updated {updated.remark}: {proved.remark}. Next:",
            "git diff HEAD    # what is new",
            "git add --all && git commit --message 'Update from the template'",
        )
    return proved.status


if __name__ == "__main__":
    sys.exit(main())
