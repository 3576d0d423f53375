"""Update the project to the newest release of its template, and test it: `make update`.

docs/updates.md says what is merged, and what to do about conflicts.
"""

import os
import sys
import tempfile
from functools import partial
from pathlib import Path

from .env_file import PROJECT
from .kit_revisions import place
from .merge import VERSIONS, Trees, apply, check_that_all_is_committed, conflicts
from .setup import (
    PACKAGE,
    PYTHON,
    Progress,
    Step,
    accept_any_text,
    call,
    carry_out,
    install_packages,
    report,
    run_all_tests,
)
from .template import (
    LINK,
    Origin,
    Release,
    check_answers,
    find_releases,
    own_files,
    read_origin,
    read_record,
    render,
    rendered_record,
    updated_link,
    updated_record,
)

NOTHING_NEW = "nothing new"


def update_files(wanted: str, template: str, progress: Progress) -> str:
    """Update the files to the wanted or the newest release, and return a remark about both.

    All that can fail runs in a temporary folder; git applies the result at once, or not at all.
    """
    origin = read_origin()
    check_that_all_is_committed()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        source = origin._replace(address=template) if template else origin
        found = find_releases(progress, source, wanted, folder)
        if found is None:
            return NOTHING_NEW
        old, new = found
        before = render(progress, old, origin.answers, folder / "before")
        after = render(progress, new, origin.answers, folder / "after")
        apply(merged(origin, new, before, after, Trees(folder, own_files())))
    return f"from {old.name} to {new.name}"


def merged(origin: Origin, new: Release, before: Path, after: Path, trees: Trees) -> str:
    """Return the commit whose change is the update, from both renderings."""
    record = rendered_record(after)
    answers = read_record(record).answers
    check_answers(new, origin.answers, answers)
    placed = place(_migrations(after), _migrations(before), _migrations(PROJECT))
    texts = {f"{VERSIONS}{name}": text for name, text in placed.items()}
    record_name, link_name = own_files()
    # An archive has one release: the next update begins at the new one.
    texts[record_name] = updated_record(record, origin.address) if new.commit else record
    if LINK.exists():
        texts[link_name] = updated_link(new, answers)
    kept = trees.without_the_kit()
    base = trees.commit({**trees.of_the_kit(before), **kept}, "The release of the project")
    entries = {**trees.of_the_kit(after), **kept, **trees.stored_texts(texts)}
    return trees.commit(entries, f"Update from the template to {new.name}", base)


def _migrations(project: Path) -> dict[str, str]:
    """Return the migrations of a project by the names of their files."""
    return {
        path.name: path.read_text(encoding="utf-8")
        for path in sorted((project / VERSIONS).glob("*.py"))
    }


def write_document(progress: Progress) -> str:
    """Write openapi.json anew."""
    command = ("-m", "flask", "--app", PACKAGE, "openapi", "--indent", "2")
    text = call(progress, PYTHON, *command)
    (PROJECT / "openapi.json").write_text(text, encoding="utf-8", newline="\n")
    return "openapi.json"


def explain(names: list[str]) -> str:
    """Say how to resolve the conflicts."""
    return (
        f"You and the template have changed the same lines of {', '.join(names)}. `git status` "
        "shows how: keep what is right of both versions (between <<<<<<< and >>>>>>>), or the file "
        "that one side has deleted, and `git add` it. All other changes are merged. "
        "`git reset --hard` undoes the update. Then:"
    )


CHECKS = (
    Step("packages", install_packages, "The files are updated."),
    Step("document", write_document, "The files and the packages are updated."),
    Step("tests", run_all_tests, "The files and the packages are updated."),
)


def main() -> int:
    """Update, print the result, and return 0 only if the update can be committed as it is."""
    accept_any_text()
    wanted, template = (os.environ.get(name, "") for name in ("UPDATE_TO", "UPDATE_TEMPLATE"))
    print(f"\nUpdating {PROJECT.name} from its template:\n", flush=True)
    run = partial(update_files, wanted.strip(), template.strip())
    step = Step("template", run, "Nothing is changed.")
    updated = carry_out([step], "make update")
    if updated.status != 0:
        return updated.status
    if updated.remark == NOTHING_NEW:
        print()
        return 0
    if names := conflicts():  # no program can read those files
        report(explain(names), "make openapi", "make check")
        return 1
    checked = carry_out(CHECKS, "make check")
    if checked.status == 0:
        report(
            f"{PROJECT.name} is updated {updated.remark}: {checked.remark}. Next:",
            "git diff HEAD    # show the changes",
            "git add --all && git commit --message 'Update from the template'",
        )
    return checked.status


if __name__ == "__main__":
    sys.exit(main())
