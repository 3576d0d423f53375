"""Writes a project's openapi.json, as set-up and `make openapi` do."""

from .baked import BakedProject
from .environments import Environment


def write_api_document(project: BakedProject, environment: Environment) -> None:
    """Write openapi.json unless it is there; the project's own test compares it with the routes."""
    target = project.path / "openapi.json"
    if target.exists():
        return
    done = project.run(
        *(environment.python, "-m", "flask", "--app", project.package, "openapi", "--indent", "2"),
        variables={**environment.variables, "DATABASE_URL": example_url(project)},
    )
    target.write_text(done.stdout, encoding="utf-8")


def example_url(project: BakedProject) -> str:
    """Return a database URL that is valid for the project's engine; nothing connects to it."""
    engine = project.answers["database"]
    drivers = {"sqlite": "sqlite:///", "postgresql": "postgresql://u:p@h/"}
    return drivers.get(engine, f"{engine}+pymysql://u:p@h/") + "document"
