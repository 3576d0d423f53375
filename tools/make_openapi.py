"""Writes the template's openapi.json after a change of the API document of services.

    python tools/make_openapi.py

Generates two services with recognizable names, with and without authentication, prints their
documents, and replaces the names by the template's expressions. Each generated service has a test
that its file is up to date.
"""

import difflib
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
IF_OPEN = '{% if cookiecutter.auth == "none" %}\n'
IF_GUARDED = '{% if cookiecutter.auth != "none" %}\n'
ELSE = "{% else %}\n"
END = "{% endif %}\n"


def document(folder: str, auth: str) -> str:
    """Return the API document of a service that is generated in `folder`."""
    answers = ANSWERS | {"auth": auth}
    project = Path(
        cookiecutter(
            str(TEMPLATE),
            no_input=True,
            extra_context=answers,
            output_dir=folder,
        )
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


def merged(open_to_all: str, guarded: str) -> str:
    """Merge both documents, with conditions around the lines that differ."""
    first, second = open_to_all.splitlines(keepends=True), guarded.splitlines(keepends=True)
    parts: list[str] = []
    for _, i, j, k, m in difflib.SequenceMatcher(None, first, second, autojunk=False).get_opcodes():
        only_first, only_second = first[i:j], second[k:m]
        if only_first == only_second:
            parts += only_first
        elif only_first and only_second:
            parts += [IF_OPEN, *only_first, ELSE, *only_second, END]
        elif only_first:
            parts += [IF_OPEN, *only_first, END]
        else:
            parts += [IF_GUARDED, *only_second, END]
    return "".join(parts)


def main() -> None:
    """Write the file."""
    with tempfile.TemporaryDirectory() as folder:
        open_to_all = document(folder, "none")
    with tempfile.TemporaryDirectory() as folder:
        text = merged(open_to_all, document(folder, "api_key"))
    for name, expression in EXPRESSIONS.items():
        text = text.replace(name, expression)
    if "zq" in text.lower():
        sys.exit("The document holds a name that EXPRESSIONS does not put back.")
    FILE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
