"""Runs the generated tests of a few resources against mutants by rule.

Each mutant is tried in a fork, first with the module of tests that most likely sees it, up to the
first failure.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.harness.baked import Bake, BakedProject, clean_environment
from tests.harness.environments import Environment
from tests.harness.forks import ForkServer, fork_server
from tests.harness.resources import add_resources
from tests.harness.servers import database

from .conftest import ALONE, OPTIONS
from .rules import RuleMutant, mutants

# Bytecode is validated by the hash of its source, which a mutant changes, not by its time.
COMPILE = ("-m", "compileall", "-q", "--invalidation-mode", "checked-hash", "src", "tests", "dev")


class Resource(NamedTuple):
    """A resource whose code is changed."""

    name: str
    plural: str
    fields: str


# Together they have each type with each modifier that it can have, but for those that make no
# difference to the code: an optional json, for example, is as any optional field.
RESOURCES = (
    Resource("item", "items", "name:string:unique,description:text:optional"),
    Resource(
        "order",
        "orders",
        "item:ref:items number:string:40:index total:decimal:12:2:min=0:index"
        " status:enum:draft:paid:sent:index parent:ref:orders:optional data:json",
    ),
    Resource(
        "event",
        "events",
        "count:integer:min=1:max=9:index share:decimal:9:8:optional:max=1 active:boolean:index"
        " key:uuid:optional:unique due:date:index:optional seen:datetime:unique"
        " order:ref:orders:unique",
    ),
)

# The modules of tests, the likeliest to see a mutant in that file first.
TESTS = {
    "models.py": "table create patch list read delete",
    "migration": "table create patch list read delete",
    "models.py and migration": "create table patch list read delete",
    "schemas.py": "create patch list read table delete",
    "routes.py": "list create patch delete read table",
}


class Outcome(NamedTuple):
    """How many mutants were tried, and which of them the tests did not see."""

    tried: int
    survivors: tuple[str, ...]

    @property
    def score(self) -> float:
        """The share that was seen, in per cent."""
        return 100 * (self.tried - len(self.survivors)) / max(1, self.tried)

    def __str__(self) -> str:
        seen = self.tried - len(self.survivors)
        lines = [f"{seen} of {self.tried} mutants by rule seen: {self.score:.1f} %"]
        return "\n".join([*lines, *(f"not seen: {name}" for name in self.survivors)])


def with_resources(bake: Bake, environment: Environment, engine: str) -> BakedProject:
    """Return a project that has the resources, compiled."""
    first, *others = RESOURCES
    project = bake(
        database=engine,
        resource=first.name,
        resource_plural=first.plural,
        fields=first.fields,
        project_slug=f"rules-{engine}",
    )
    add_resources(project, environment, others)
    project.run(environment.python, *COMPILE)
    return project


def files_of(project: BakedProject, resource: Resource) -> dict[str, Path]:
    """Return the files of a resource that mutants change."""
    folder = project.source / "resources" / resource.plural
    [revision] = (project.source / "migrations").rglob(f"*_create_{resource.plural}.py")
    modules = {name: folder / name for name in ("models.py", "schemas.py", "routes.py")}
    return {**modules, "migration": revision}


def mutants_of(
    project: BakedProject, step: int = 1
) -> Iterator[tuple[Resource, RuleMutant, dict[str, Path]]]:
    """Yield every `step`th mutant of all resources."""
    found = [
        (resource, mutant, files)
        for resource in RESOURCES
        for files in [files_of(project, resource)]
        for mutant in mutants({name: path.read_text("utf-8") for name, path in files.items()})
    ]
    yield from found[::step]


def try_mutants(
    project: BakedProject, environment: Environment, folder: Path, step: int = 1
) -> Outcome:
    """Try every `step`th mutant; the project is afterwards as it was."""
    tried, survivors = 0, []
    with ExitStack() as stack:
        url = stack.enter_context(database(project, environment, folder))
        variables = {**environment.variables, **ALONE, "TEST_DATABASE_URL": url}
        # What is compiled for one mutant could have the time and the size of the next one.
        variables["PYTHONDONTWRITEBYTECODE"] = "1"
        settings = clean_environment(variables)
        forks = stack.enter_context(fork_server(environment.python, folder, settings))
        for resource, mutant, files in mutants_of(project, step):
            tried += 1
            with changed({files[name]: text for name, text in mutant.texts.items()}):
                if not is_seen(project, forks, settings, resource, mutant):
                    survivors.append(f"{resource.plural}: {mutant.name}")
    return Outcome(tried, tuple(survivors))


def is_seen(
    project: BakedProject,
    forks: ForkServer,
    settings: Mapping[str, str],
    resource: Resource,
    mutant: RuleMutant,
) -> bool:
    """Return true if a generated test of the resource fails for the mutant."""
    folder = f"tests/resources/{resource.plural}"
    first, *rest = (f"{folder}/test_{name}.py" for name in TESTS[mutant.where].split())
    return any(
        forks.run_pytest(project.path, [*OPTIONS, "-x", *some], settings).returncode != 0
        for some in ([first], rest)
    )


@contextmanager
def changed(texts: Mapping[Path, str]) -> Iterator[None]:
    """Give files other texts for a while."""
    before = {path: path.read_text("utf-8") for path in texts}
    try:
        for path, text in texts.items():
            path.write_text(text, encoding="utf-8")
        yield
    finally:
        for path, text in before.items():
            path.write_text(text, encoding="utf-8")
