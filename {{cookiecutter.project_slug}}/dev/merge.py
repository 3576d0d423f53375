"""Merge two renderings of the template into the project: by git, as it merges branches.

Git gets two commits that no branch has: the project with the kit of its old release, and the same
with that of the new one. The change between them is applied to the project like any commit
(`git cherry-pick`), so it follows files that were moved on either side. Files of the team are the
same in both, so nothing of theirs changes.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from .env_file import PROJECT
from .setup import MISLEADING, PACKAGE, StepError, explain

VERSIONS = f"src/{PACKAGE}/migrations/versions/"
YOURS = (
    f"src/{PACKAGE}/resources/",
    "tests/resources/",
    VERSIONS,
    f"src/{PACKAGE}/settings.py",
    "README.md",
    "SECURITY.md",
    "dev/seed.py",
    "openapi.json",
    "uv.lock",
)
"""Paths that belong to the team; folders end with a slash."""

# Neither is tracked.
NOT_OF_THE_TEMPLATE = {".env", "__pycache__"}

Entry = str
"""The mode and the id of a file, as git stores them in a tree."""

OPTIONS = (
    # A folder that the template moves does not pull along what the team added to it.
    *("-c", "merge.directoryRenames=false"),
    *("-c", "merge.renames=true"),
    *("-c", "diff.renames=true"),
    *("-c", "core.fsmonitor=false"),
)

NOBODY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (
        ("NAME", "Template"),
        ("EMAIL", "template@localhost"),
        ("DATE", "2000-01-01T00:00:00Z"),
    )
}


def is_yours(path: str) -> bool:
    """Return true if a path of the project belongs to its team, so that no update changes it."""
    return path.startswith(tuple(each for each in YOURS if each[-1] == "/")) or path in YOURS


def git(*arguments: str | Path, given: str = "", **variables: str) -> str:
    """Run git in the project with this input. Raises `StepError` if it fails."""
    kept = {name: value for name, value in os.environ.items() if name not in MISLEADING}
    try:
        done = subprocess.run(
            ["git", *map(str, arguments)],
            cwd=PROJECT,
            env={**kept, "LC_ALL": "C", **variables},
            input=given.encode(errors="surrogateescape"),
            capture_output=True,
            check=False,
        )
    except OSError as error:
        raise StepError(f"git cannot be run: {error.strerror}") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace")
        raise StepError(explain(said), said)
    return done.stdout.decode(errors="surrogateescape")


def check_that_all_is_committed() -> None:
    """Raise `StepError` if an update could not be separated from other changes, or undone."""
    try:
        git("rev-parse", "--verify", "--quiet", "HEAD")
        changed = git("status", "--porcelain", "--untracked-files=no")
    except StepError as error:
        raise StepError(
            f"the project has to be in a git repository, with a commit ({error})"
        ) from None
    if changed:
        raise StepError("there are changes that are not committed: commit them, or `git stash`")


def files_of(project: Path) -> dict[str, Path]:
    """Return the files of a rendered project by their paths in it."""
    return {
        path.relative_to(project).as_posix(): path
        for path in sorted(project.rglob("*"))
        if path.is_file() and not NOT_OF_THE_TEMPLATE & set(path.relative_to(project).parts)
    }


class Trees:
    """The trees that git merges, with the repository of the project as their store."""

    def __init__(self, folder: Path, records: Sequence[str]) -> None:
        self.folder = folder
        self.records = records
        self.prefix = git("rev-parse", "--show-prefix").strip("\n")
        self.project = self._entries_of_the_project()

    def _entries_of_the_project(self) -> dict[str, Entry]:
        """Return what is committed, in the whole repository."""
        found = {}
        for line in git("ls-tree", "-r", "-z", "--full-tree", "HEAD").split("\0")[:-1]:
            entry, _, path = line.partition("\t")
            mode, _, name = entry.split()
            found[path] = f"{mode} {name}"
        return found

    def of_the_kit(self, project: Path) -> dict[str, Entry]:
        """Store a rendering, and return its entries without those of the team."""
        files = files_of(project)
        return self.stored({path: files[path] for path in files if self._is_merged(path)})

    def _is_merged(self, path: str) -> bool:
        return not is_yours(path) and path not in self.records

    def stored(self, files: Mapping[str, Path]) -> dict[str, Entry]:
        """Store files, and return their entries in the repository."""
        listed = "".join(f"{file}\n" for file in files.values())
        names = git("hash-object", "-w", "--no-filters", "--stdin-paths", given=listed).split()
        modes = ["100755" if os.access(file, os.X_OK) else "100644" for file in files.values()]
        return {
            f"{self.prefix}{path}": f"{mode} {name}"
            for path, mode, name in zip(files, modes, names, strict=True)
        }

    def stored_texts(self, texts: Mapping[str, str]) -> dict[str, Entry]:
        """Store texts under these paths of the project, and return their entries."""
        files = {}
        for number, (path, text) in enumerate(texts.items()):
            files[path] = self.folder / f"text-{number}"
            files[path].write_text(text, encoding="utf-8", newline="\n")
        return self.stored(files) if files else {}

    def without_the_kit(self) -> dict[str, Entry]:
        """Return the entries of the repository that a rendering does not replace."""
        return {
            path: entry
            for path, entry in self.project.items()
            if not path.startswith(self.prefix)
            or not self._is_merged(path.removeprefix(self.prefix))
        }

    def commit(self, entries: Mapping[str, Entry], message: str, *parents: str) -> str:
        """Write a commit that no branch has, and return its id."""
        index = self.folder / "index"
        index.unlink(missing_ok=True)
        variables = {"GIT_INDEX_FILE": str(index), **NOBODY}
        listed = "".join(f"{entry}\t{path}\0" for path, entry in entries.items())
        git("update-index", "-z", "--index-info", given=listed, **variables)
        tree = git("write-tree", **variables).strip()
        above = [part for parent in parents for part in ("-p", parent)]
        return git("commit-tree", tree, *above, "-m", message, **variables).strip()


def apply(commit: str) -> list[str]:
    """Apply the change of a commit to the files and the index; return the files in conflict.

    If git cannot apply it, nothing is changed. Raises `StepError` then.
    """
    try:
        git(*OPTIONS, "cherry-pick", "--no-commit", commit, **NOBODY)
    except StepError as error:
        if found := conflicts():
            return found
        git("reset", "--quiet", "--hard")
        raise StepError(_why(error), error.output) from None
    except KeyboardInterrupt:
        git("reset", "--quiet", "--hard")
        raise
    return []


def _why(error: StepError) -> str:
    """Return why git did not merge: files that are not under version control are in the way."""
    names = [line.strip() for line in error.output.splitlines() if line.startswith("\t")]
    if names:
        return (
            f"the release adds {', '.join(names)}, which you have made and not committed: commit "
            "or move what is yours"
        )
    return str(error)


def conflicts() -> list[str]:
    """Return the files of which git has several versions."""
    listed = git("diff", "-z", "--name-only", "--relative", "--diff-filter=U")
    return sorted({path for path in listed.split("\0") if path})
