"""A small template with the prompts, filters and hooks of this one, which generates quickly."""

import shutil
from pathlib import Path

from hooks.post_gen_project import MANIFEST

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "{{cookiecutter.project_slug}}"
GENERATOR = TEMPLATE / "dev" / "resource"

ENV_EXAMPLE = """\
# Settings of the service.
DATABASE_URL=postgresql+psycopg://app:app@127.0.0.1:5432/app
SECRET_KEY=
THREADS=4
"""
OF_THE_TEMPLATE = ("dev/env_file.py", "dev/setup.py", "docs/template.yaml")
TEXTS = ("project_name", "description", "author_name", "author_email")


def write_minimal_template(root: Path) -> Path:
    """Write the template into `root`: each text in each format, and every path of the manifest."""
    shutil.copy(ROOT / "cookiecutter.json", root)
    shutil.copy(ROOT / "local_extensions.py", root)
    shutil.copytree(ROOT / "hooks", root / "hooks", ignore=shutil.ignore_patterns("__pycache__"))
    project = root / TEMPLATE.name
    shutil.copytree(
        GENERATOR, project / "dev" / "resource", ignore=shutil.ignore_patterns("__pycache__")
    )
    files = {
        ".env.example": ENV_EXAMPLE,
        ".gitignore": ".env\n__pycache__/\n",
        "texts.py": _lines("{name} = {{{{ cookiecutter.{name} | python_string }}}}\n"),
        "texts.toml": _lines("{name} = {{{{ cookiecutter.{name} | toml_string }}}}\n"),
        "texts.yaml": _lines("{name}: {{{{ cookiecutter.{name} | yaml_string }}}}\n"),
        "names.txt": "{{ cookiecutter.__package }} {{ cookiecutter.__class }} "
        "{{ cookiecutter.__label }} {{ cookiecutter.__label_plural }}\n",
        "dev/__init__.py": "",
        **{path: (TEMPLATE / path).read_text(encoding="utf-8") for path in OF_THE_TEMPLATE},
    }
    for _, _, paths in MANIFEST:
        for path in paths:
            names = {"package": "{{cookiecutter.__package}}"}
            names["resource_plural"] = "{{cookiecutter.resource_plural}}"
            files[path.format(**names)] = ""
    for path, content in files.items():
        file = project / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.is_dir():  # a folder of one option may contain a file of another
            file.write_text(content, encoding="utf-8")
    return root


def _lines(line: str) -> str:
    return "".join(line.format(name=name) for name in TEXTS)
