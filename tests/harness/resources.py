"""Adds resources to a project as `make resource` does, without its checks, in one process."""

import json
from collections.abc import Sequence

from .baked import BakedProject
from .environments import Environment

ADD = """
import json, sys
from pathlib import Path
from dev.resource.project import Project
from dev.resource.render import specify

for name, plural, fields in json.loads(sys.argv[1]):
    project = Project(Path.cwd())
    context = project.context()
    resource = specify(name, plural, fields, context)
    errors = project.errors(resource, context)
    assert not errors, errors
    change = project.change(resource, context)
    for path, text in {**change.new_files, change.registration: change.registration_text}.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
"""


def add_resources(
    project: BakedProject, environment: Environment, resources: Sequence[tuple[str, ...]]
) -> None:
    """Add resources, in the order given."""
    project.run(
        *(environment.python, "-c", ADD, json.dumps(resources)), variables=environment.variables
    )
