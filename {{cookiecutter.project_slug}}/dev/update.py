"""Update the project to the newest release of its template, and test it: `make update`.

It uses only the standard library: cruft, which compares the releases, runs in an environment of its
own. docs/updates.md says what to do where your changes and those of the template conflict.
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
"""The template of the project, its commit, and the answers to its prompts."""

CRUFT = "cruft>=2.16,<3"
RUNNERS = (
    ("cruft",),
    ("uvx", "--quiet", "--python", sys.executable, "--from", CRUFT, "cruft"),
    ("pipx", "run", "--quiet", "--python", sys.executable, "--spec", CRUFT, "cruft"),
)

# Without prompts; a project that is ahead of the release is not changed.
UPDATE = ("update", "--skip-apply-ask", "--not-strict", "--allow-untracked-files")

RELEASE = re.compile(r"\trefs/tags/(v?(\d+)\.(\d+)\.(\d+))$", re.MULTILINE)
LEFT_OUT = re.compile(
    r"^error: (.+): (?:already exists in working directory|patch does not apply)$", re.MULTILINE
)

# Folders without files of the template.
NOT_SEARCHED = {".git", ".venv", "build", "dist"}

NOTHING_NEW = "nothing new"


class Conflicts(NamedTuple):
    """Files in which changes of the template and of the project conflict."""

    unmerged: Sequence[str]
    """Files that contain both versions."""

    rejected: Sequence[str]
    """Files with changes that could not be applied."""

    left_out: Sequence[str]
    """Files that the template adds or removes, left as they are in the project."""


def read_link() -> dict[str, str]:
    """Read .cruft.json. Raises `StepError` if the project is not linked to a template."""
    try:
        found = json.loads(LINK.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StepError(
            f"{LINK.name} does not exist, so the template of this project is unknown; "
            "docs/updates.md shows the command that links the project to it"
        ) from None
    return {name: str(found.get(name) or "") for name in ("template", "commit", "checkout")}


def check_that_all_is_committed(progress: Progress) -> None:
    """Raise `StepError` if an update could not be separated from other changes, or undone."""
    try:
        changed = call(progress, "git", "status", "--porcelain", "--untracked-files=no")
    except StepError as error:
        raise StepError(f"the project has to be in a git repository ({error})") from error
    if changed:
        raise StepError("there are changes that are not committed: commit them, or `git stash`")


def newest_release(progress: Progress, template: str) -> str:
    """Return the newest version among the template's tags, or an empty string without one."""
    tags = RELEASE.findall(call(progress, "git", "ls-remote", "--tags", "--refs", template))
    newest = max(tags, key=lambda tag: [int(number) for number in tag[1:]], default=("",))
    return str(newest[0])


def cruft() -> Sequence[str]:
    """Return the command that runs cruft. Raises `StepError` if there is none."""
    for program, *options in RUNNERS:
        if path := shutil.which(program):
            return (path, *options)
    raise StepError("no program that can run cruft is installed: install uv, pipx or cruft")


def update_files(wanted: str, output: list[str], progress: Progress) -> str:
    """Update the files to the wanted or the newest release, and return a remark about both.

    Adds the output of cruft to `output`: it names files that were left out, which is not an error.
    """
    before = read_link()
    check_that_all_is_committed(progress)
    release = wanted or newest_release(progress, before["template"])
    command = [*cruft(), *UPDATE, *(["--checkout", release] if release else [])]
    try:
        output += [call(progress, *command, TYPER_STANDARD_TRACEBACK="1")]
    except StepError as error:  # the rest of what it printed is a traceback
        raise StepError(str(error)) from None
    after = read_link()
    if after["commit"] == before["commit"]:
        return NOTHING_NEW
    return f"from {before['checkout'] or before['commit'][:7]} to {release or after['commit'][:7]}"


def find_conflicts(output: str) -> Conflicts:
    """Find the changes that the update could not merge."""
    listed = call(Progress(), "git", "diff", "--name-only", "--relative", "--diff-filter=U")
    unmerged, rejected = set(listed.splitlines()), set(_rejected())
    left_out = {
        name
        for name in LEFT_OUT.findall(output)
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
    """Say how to resolve the conflicts."""
    sentences = []
    if names := ", ".join(conflicts.unmerged):
        sentences.append(
            f"Both your version and the template's are in {names}, between <<<<<<< and >>>>>>>: "
            "keep what is right and `git add` the file."
        )
    if names := ", ".join(conflicts.rejected):
        sentences.append(
            f"Changes that could not be applied are in {names}: make them by hand in the file of "
            "the same name without .rej, and delete the .rej file."
        )
    if names := ", ".join(conflicts.left_out):
        sentences.append(
            f"The template adds or removes {names}, which you have made or changed: your version "
            "was kept."
        )
    return " ".join([*sentences, "Then check the project and commit:"])


CHECKS = (
    Step("packages", install_packages, "The files are updated."),
    Step("tests", run_all_tests, "The files and the packages are updated."),
)


def main() -> int:
    """Update, print the result, and return 0 only if the update can be committed as it is."""
    accept_any_text()
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    print(f"\nUpdating {PROJECT.name} from its template:\n", flush=True)
    output: list[str] = []
    step = Step("template", partial(update_files, wanted, output), "Your commits are unchanged.")
    updated = carry_out([step], "make update")
    if updated.status != 0:
        return updated.status
    if updated.remark == NOTHING_NEW:
        print()
        return 0
    conflicts = find_conflicts(*output)
    if conflicts.unmerged:  # no program can read those files
        report(explain(conflicts), "make check")
        return 1
    checked = carry_out(CHECKS, "make check")
    if conflicts.rejected or conflicts.left_out:
        report(explain(conflicts), "make check")
        return 1
    if checked.status == 0:
        report(
            f"{PROJECT.name} is updated {updated.remark}: {checked.remark}. Next:",
            "git diff HEAD    # show the changes",
            "git add --all && git commit --message 'Update from the template'",
        )
    return checked.status


if __name__ == "__main__":
    sys.exit(main())
