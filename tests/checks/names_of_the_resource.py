"""Checks that the kit knows no resource: only what is the team's names the first one."""

import re

from tests.harness.baked import BakedProject

# The team's: the README's table "Where things are". Documents show their commands with it.
OF_THE_TEAM = re.compile(
    r"src/\w+/(resources|migrations/versions)/|tests/resources/|docs/|README\.md$|openapi\.json$"
)


def kit_files_that_name_the_resource(project: BakedProject) -> list[str]:
    """Return the lines of the kit, and the names of its files, that name the resource.

    That tells something only of a project whose resource has a rare name.
    """
    singular, plural = project.answers["resource"], project.answers["resource_plural"]
    compact = singular.replace("_", "")
    named = re.compile(rf"{singular}|{plural}|{compact}", re.IGNORECASE)
    errors = []
    for path in project.files:
        name = project.name_of(path)
        if OF_THE_TEAM.match(name):
            continue
        if named.search(name):
            errors.append(f"{name}: its name has the resource")
        errors += [
            f"{name}:{number}: names the resource: {line.strip()}"
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
            if named.search(line)
        ]
    return errors
