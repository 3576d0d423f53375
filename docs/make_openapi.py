"""Makes the template's openapi.json, after a change of what a service's API document says.

    python docs/make_openapi.py

Generates a service with unmistakable names, lets it print its document, and puts the template's
expressions back in their place. Each generated service has a test that its file is up to date.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from cookiecutter.main import cookiecutter

TEMPLATE = Path(__file__).resolve().parents[1]
FILE = TEMPLATE / "{{cookiecutter.project_slug}}" / "openapi.json"

ANSWERS = {
    "project_name": "Zq Name",
    "project_slug": "zq-slug",
    "description": "Zq description.",
    "resource": "zq_thing",
    "resource_plural": "zq_things",
    "setup": "no",
}
EXPRESSIONS = {
    '"Zq Name"': "{{ cookiecutter.project_name | json_string }}",
    '"Zq description."': "{{ cookiecutter.description | json_string }}",
    "zq_things": "{{ cookiecutter.resource_plural }}",
    "zq things": "{{ cookiecutter.__label_plural }}",
    "zq thing": "{{ cookiecutter.__label }}",
    "ZqThing": "{{ cookiecutter.__class }}",
}


def document(folder: str) -> str:
    """The API document of a service that is generated in `folder`."""
    project = Path(
        cookiecutter(str(TEMPLATE), no_input=True, extra_context=ANSWERS, output_dir=folder)
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(project / "src"),
        "DATABASE_URL": f"sqlite:///{project / 'unused.db'}",
    }
    command = [sys.executable, "-m", "flask", "--app", "zq_slug", "openapi", "--indent", "2"]
    made = subprocess.run(
        command, cwd=project, env=environment, check=True, stdout=subprocess.PIPE, encoding="utf-8"
    )
    return made.stdout


def main() -> None:
    """Write the file."""
    with tempfile.TemporaryDirectory() as folder:
        text = document(folder)
    for name, expression in EXPRESSIONS.items():
        text = text.replace(name, expression)
    if "zq" in text.lower():
        sys.exit("The document holds a name that EXPRESSIONS does not put back.")
    FILE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
