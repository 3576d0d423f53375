"""`make resource` and `make field`: what they write works, and what cannot work is rejected."""

import shutil
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_extensions import load_generator
from tests.harness.baked import Bake, BakedProject
from tests.harness.environments import Environment
from tests.harness.resources import add_resources
from tests.harness.servers import database

from .resource_sets import cases, pairs, specifications

ENGINES = ("sqlite", "postgresql", "mariadb", "mysql")
ORDER = (
    "item:ref:items number:string:40:unique total:decimal:12:2:min=0:index"
    " status:enum:draft:paid:index parent:ref:orders:optional note:text:optional data:json:optional"
)
# As many characters as the grammar allows: in a row's page, and all together.
WIDEST = " ".join(
    [*(f"s{n}:string:63" for n in range(25)), *(f"d{n}:string:64:optional" for n in range(15))]
)
LONGEST = " ".join(
    [
        *(f"s{n}:string:650:index" for n in range(20)),
        *(f"d{n}:string:100" for n in range(3)),
        *(f"e{n}:enum:a:b:index" for n in range(17)),
    ]
)
CUSTOMER = "name:string:unique born:date:optional:index"

# Migrates to the newest revision and writes two rows of each factory, goes back to the first
# resource, and does it all again.
# The rooms of a project that see its resources; test_changes.py runs all after such a change.
SEES_RESOURCES = (
    "tests/resources",
    "tests/auth",
    "tests/test_layers.py",
    "tests/web/test_every_route.py",
    "tests/web/test_openapi.py",
    "tests/web/test_openapi_file.py",
)

UP_AND_DOWN = """
import sys
from importlib import import_module
from sqlalchemy import func, inspect, select
from {package} import create_app
from {package}.database import db, migrations
from {package}.settings import Settings
from tests.support.factories import factory_session

settings = Settings()
factories = [
    getattr(import_module(f"tests.resources.{{plural}}.factories"), name)
    for plural, name in (each.split(":") for each in sys.argv[1:])
]
models = [factory._meta.model for factory in factories]
migrations.upgrade(settings)
for _ in range(2):
    with create_app(settings).app_context():
        with factory_session(db.session()):
            for factory in factories:
                factory.create_batch(2)
        db.session.commit()
        for model in models:
            assert db.session.scalar(select(func.count()).select_from(model)) >= 2
    migrations.downgrade(settings, "0002")
    with create_app(settings).app_context():
        left = set(inspect(db.engine).get_table_names()) & {{m.__tablename__ for m in models}}
        assert not left, left
    migrations.upgrade(settings)
"""

# Runs the command, and breaks off at the call of a program with this number.
BREAK_OFF = """
import sys
from dev import setup
from dev.resource import __main__ as command

calls, last, error = [], int(sys.argv[1]), sys.argv[2]

def call(progress, *program, **variables):
    calls.append(program)
    if len(calls) == last:
        raise KeyboardInterrupt if error == "interrupt" else setup.StepError("it fails", "output")
    return "{}"

command.call = call
print(sys.exit(command.main("resource")))
"""


def make(
    project: BakedProject,
    environment: Environment,
    *module: str,
    status: int | None = 0,
    **variables: str,
) -> "subprocess.CompletedProcess[str]":
    """Run the program behind `make resource`, with what is given on the command line of make."""
    command: list[str | Path] = [environment.python, "-m", *(module or ("dev.resource",))]
    return project.run(
        *command,
        variables={**environment.variables, **variables},
        status=status,
    )


def content(project: BakedProject) -> dict[str, bytes]:
    """Return the content of all files that belong to the project."""
    return {
        str(path.relative_to(project.path)): path.read_bytes()
        for path in sorted(project.path.rglob("*"))
        if path.is_file() and not {"__pycache__", ".mypy_cache", ".ruff_cache"} & set(path.parts)
    }


@pytest.fixture
def settled(bake: Bake, environment: Environment) -> BakedProject:
    """A project with `.env` and `openapi.json`, in which the command changes only what it means."""
    project = bake()
    make(project, environment, "dev.env_file")
    (project.path / "openapi.json").write_text("{}\n", encoding="utf-8")
    return project


def test_all_errors_are_reported_and_nothing_is_written(
    settled: BakedProject, environment: Environment
) -> None:
    before = content(settled)

    done = make(
        settled,
        environment,
        status=1,
        RESOURCE_NAME="class",
        RESOURCE_PLURAL="items",
        RESOURCE_FIELDS="a:sting b:ref:bills",
    )

    for words in ("is a keyword of Python", "exists", "did you mean string?", "is not a resource"):
        assert words in done.stderr
    assert content(settled) == before


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda path: path.write_text("RESOURCES = list()\n"), "add these two lines"),
        (
            lambda path: path.write_text(
                path.read_text().replace("[\n    items_api,\n]", "[items_api]")
            ),
            "from .orders.routes import api as orders_api",
        ),
    ],
)
def test_registration_of_another_shape_is_rejected_with_the_lines_to_add(
    settled: BakedProject, environment: Environment, spoil: object, expected: str
) -> None:
    spoil(settled.source / "resources" / "__init__.py")  # type: ignore[operator]
    before = content(settled)

    done = make(
        settled, environment, status=1, RESOURCE_NAME="order", RESOURCE_FIELDS="number:string"
    )

    assert expected in done.stderr
    assert content(settled) == before


def test_files_that_exist_and_two_heads_are_rejected(
    settled: BakedProject, environment: Environment
) -> None:
    (settled.path / "tests" / "resources" / "orders").mkdir()
    variables = {"RESOURCE_NAME": "order", "RESOURCE_FIELDS": "number:string"}
    assert "exists already" in make(settled, environment, status=1, **variables).stderr

    versions = settled.source / "migrations" / "versions"
    other = 'revision = "0002b"\ndown_revision = "0001"\n'
    (versions / "0002b_other.py").write_text(other, encoding="utf-8")
    assert "2 newest revisions" in make(settled, environment, status=1, **variables).stderr


def test_dry_run_shows_the_changes_and_writes_nothing(
    settled: BakedProject, environment: Environment
) -> None:
    before = content(settled)

    done = make(settled, environment, RESOURCE_NAME="order", RESOURCE_FIELDS=ORDER, DRY_RUN="yes")

    assert "+++ b/src/my_service/resources/orders/models.py" in done.stdout
    assert "+    orders_api,\n" in done.stdout
    assert content(settled) == before


@pytest.mark.parametrize("error", ["interrupt", "failure"])
@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_command_that_breaks_off_leaves_the_project_as_it_was(
    settled: BakedProject, environment: Environment, step: int, error: str
) -> None:
    before = content(settled)

    done = settled.run(
        *(environment.python, "-c", BREAK_OFF, str(step), error),
        variables={
            **environment.variables,
            "RESOURCE_NAME": "order",
            "RESOURCE_FIELDS": ORDER,
        },
        status=130 if error == "interrupt" else 1,
    )

    assert "project is as it was" in done.stderr
    assert content(settled) == before


def test_red_tests_leave_the_files_and_show_how_to_undo_them(
    settled: BakedProject, environment: Environment
) -> None:
    before = content(settled)

    done = settled.run(
        *(environment.python, "-c", BREAK_OFF, "5", "failure"),
        variables={**environment.variables, "RESOURCE_NAME": "order", "RESOURCE_FIELDS": ORDER},
        status=1,
    )

    undo = textwrap.dedent(done.stdout.partition("To undo it:")[2]).strip().splitlines()
    assert content(settled) != before
    settled.run("sh", "-ec", "\n".join(line for line in undo if "make" not in line))
    (settled.path / "openapi.json").write_text("{}\n", encoding="utf-8")
    assert content(settled) == before


def test_what_a_person_writes_reaches_no_shell(
    settled: BakedProject, environment: Environment
) -> None:
    (settled.path / ".venv").symlink_to(environment.path)
    hostile = "$(touch owned) `touch owned` ; touch owned 'x"

    done = settled.run(
        *("make", "-o", ".venv/installed", "resource", "name=order", f"fields={hostile}"),
        variables=environment.variables,
        status=2,
    )

    assert "Nothing was written" in done.stderr
    assert not (settled.path / "owned").exists()


def test_first_and_further_resources_are_the_same_bytes(
    bake: Bake, environment: Environment
) -> None:
    fields = ORDER.removeprefix("item:ref:items ")
    first = bake(resource="order", fields=fields, project_slug="my-service")
    files = content(first)
    other = bake(project_slug="my-service")
    add_resources(other, environment, [("order", "orders", fields)])

    further = content(other)
    same = [
        path for path in files if "/orders/" in path and not path.startswith("src/my_service/migr")
    ]
    assert len(same) == 12
    for path in same:
        assert further[path] == files[path], path
    [one] = [text for path, text in files.items() if path.endswith("_create_orders.py")]
    [two] = [text for path, text in further.items() if path.endswith("_create_orders.py")]
    assert without_revisions(one) == without_revisions(two)


def without_revisions(text: bytes) -> list[bytes]:
    """Return the lines of a migration but for its ids."""
    return [line for line in text.splitlines() if b"revision = " not in line]


def test_all_pairs_of_type_modifier_and_position_are_covered() -> None:
    generator = load_generator()
    made = list(specifications())
    covered: set[tuple[str, str]] = set()
    for name, plural, fields in made:
        parsed = generator.grammar.parse_fields(fields, "sqlite", plural)
        assert not parsed.errors, (name, fields, parsed.errors)
        covered |= pairs(parsed.fields)

    assert len(made) >= 40
    for kind, modifier, position in cases():
        assert {(kind, modifier), (kind, position), (modifier, position)} <= covered


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for a database server."""
    folder = tmp_path_factory.mktemp("server")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def with_pairs(
    bake: Bake, environment: Environment, engine: str, part: tuple[int, int]
) -> tuple[BakedProject, list[str]]:
    """A project with a part of the resources of all pairs, and their factories."""
    made = list(specifications())[slice(*part)]
    if part[0]:
        first = made[0]
        made[0] = first._replace(fields=first.fields.replace(f"things{part[0] - 1}", "items"))
    project = bake(database=engine, project_slug=f"pairs-{engine}-{part[0]}")
    add_resources(project, environment, [tuple(each) for each in made])
    class_name = load_generator().names.class_name
    return project, [f"{each.plural}:{class_name(each.name)}Factory" for each in made]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "part"),
    [("sqlite", (0, 21)), ("sqlite", (21, 99)), *((each, (0, 6)) for each in ENGINES[1:])],
)
def test_resources_of_all_pairs_pass_their_tests(
    with_pairs: tuple[BakedProject, list[str]],
    environment: Environment,
    mypy_cache: Path,
    server: Path,
) -> None:
    project, factories = with_pairs
    python, variables = environment.python, environment.variables
    project.run(python, "-m", "ruff", "format", "--check", ".", variables=variables)
    project.run(python, "-m", "ruff", "check", ".", variables=variables)
    project.run(python, "-m", "mypy", "--cache-dir", mypy_cache, variables=variables)
    with database(project, environment, server) as url:
        up_and_down = UP_AND_DOWN.format(package=project.package)
        settings = {**variables, "DATABASE_URL": url}
        project.run(python, "-c", up_and_down, *factories, variables=settings)
        project.run(
            *(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/resources"),
            variables={**variables, "TEST_DATABASE_URL": url},
        )


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["mariadb", "mysql"])
def test_widest_resource_fits_into_a_row(
    bake: Bake, environment: Environment, server: Path, engine: str
) -> None:
    project = bake(database=engine)
    add_resources(project, environment, [("wide", "wides", WIDEST), ("long", "longs", LONGEST)])

    with database(project, environment, server) as url:
        up_and_down = UP_AND_DOWN.format(package=project.package)
        settings = {**environment.variables, "DATABASE_URL": url}
        factories = ("wides:WideFactory", "longs:LongFactory")
        project.run(environment.python, "-c", up_and_down, *factories, variables=settings)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_two_further_resources_with_auth_and_jobs(
    session_bake: Bake, environment: Environment, mypy_cache: Path, server: Path, engine: str
) -> None:
    """The second refers to the first further one, and both to what is there already."""
    project = session_bake(
        database=engine,
        auth="api_key",
        background_jobs="celery",
        project_slug=f"two-{engine}",
    )
    make(project, environment, "dev.env_file")
    with database(project, environment, server) as url:
        for name, fields in (
            ("customer", f"{CUSTOMER} item:ref:items:optional"),
            ("order", f"{ORDER} customer:ref:customers"),
        ):
            done = make(
                project,
                environment,
                RESOURCE_NAME=name,
                RESOURCE_FIELDS=fields,
                TEST_DATABASE_URL=url,
                MYPY_CACHE_DIR=str(mypy_cache),
            )
            assert " passed" in done.stdout
        assert '"/api/v1/orders/{id}"' in project.text("openapi.json")
        project.run(
            *(environment.python, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *SEES_RESOURCES,
            variables={**environment.variables, "TEST_DATABASE_URL": url},
        )


def test_field_that_makes_a_class_of_another_resource_is_rejected(
    settled: BakedProject, environment: Environment
) -> None:
    add_resources(settled, environment, [("item_line", "item_lines", "status:enum:draft:paid")])

    def field(fields: str, status: int) -> "subprocess.CompletedProcess[str]":
        return make(
            settled,
            environment,
            *("dev.resource", "field"),
            status=status,
            RESOURCE_NAME="item",
            RESOURCE_FIELDS=fields,
        )

    rejected = field("line_status:enum:open:done", 1)
    assert "makes the name ItemLineStatus, a class that exists already" in rejected.stderr
    assert "class ItemStatus(StrEnum)" in field("status:enum:open:done", 0).stdout
