"""Fixtures: the variants, each baked once; the shared environment; which variants are wanted."""

from collections.abc import Collection
from pathlib import Path

import pytest
from pytest_cookies.plugin import Cookies

from .baked import Bake, BakedProject, make_bake
from .environments import Environment, shared_environment
from .trees import Tree, claim
from .variants import ROOT, VARIANTS, Variant, one_for_each, parse_only

BUILD = ROOT / "build"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let one choice be proved alone."""
    parser.addoption(
        "--only",
        default="",
        metavar="CHOICES",
        help="only what is about variants with these choices, such as 'database=postgresql'",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a misspelt choice before anything runs."""
    try:
        parse_only(config.getoption("--only"))
    except ValueError as error:
        raise pytest.UsageError(f"--only: {error}") from None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for a variant with each one wanted, or with one for each engine."""
    if "variant" not in metafunc.fixturenames:
        return
    only = parse_only(metafunc.config.getoption("--only"))
    wanted = [variant for variant in VARIANTS if variant.matches(only)]
    if metafunc.definition.get_closest_marker("one_for_each_engine"):
        wanted = one_for_each("database", wanted)
    metafunc.parametrize("variant", wanted, ids=str, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what `--only` does not concern; put slow tests first, to be ended by quick ones."""
    if config.getoption("--only"):
        kept = [item for item in items if variant_of(item)]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    for item in items:
        if group := group_of(item):
            item.add_marker(pytest.mark.xdist_group(group))


def group_of(item: pytest.Item) -> str | None:
    """The name of the tests that have to share a process, because they share a costly fixture."""
    variant = variant_of(item)
    if variant is None:
        return None
    fixtures: Collection[str] = getattr(item, "fixturenames", ())
    if "service" in fixtures:
        return f"{item.path.stem} {variant}"
    shares_a_bake = "tree" in fixtures or not item.get_closest_marker("slow")
    return str(variant) if shares_a_bake else None


def variant_of(item: pytest.Item) -> Variant | None:
    """The variant that a test is about, if it is about one."""
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    found: Variant | None = parameters.get("variant")
    return found


@pytest.fixture(scope="session")
def session_bake(cookies_session: Cookies) -> Bake:
    """Make a project that other tests may use too."""
    return make_bake(cookies_session)


@pytest.fixture
def bake(cookies: Cookies) -> Bake:
    """Make a project for this test alone."""
    return make_bake(cookies)


@pytest.fixture(scope="session")
def project(variant: Variant, session_bake: Bake) -> BakedProject:
    """The project of each variant in turn, baked once: do not change it."""
    return session_bake(**variant.choices)


@pytest.fixture(scope="session")
def environment() -> Environment:
    """The Python that runs this, with everything that any variant depends on, compiled."""
    return shared_environment(BUILD)


@pytest.fixture(scope="session")
def mypy_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What mypy learnt about libraries, for all projects that this process checks."""
    return tmp_path_factory.mktemp("mypy")


@pytest.fixture
def tree(
    project: BakedProject,
    variant: Variant,
    tmp_path_factory: pytest.TempPathFactory,
    worker_id: str,
) -> Tree:
    """What the variant runs, and which variant proves that in this run."""
    folder = tmp_path_factory.getbasetemp()
    shared = folder if worker_id == "master" else folder.parent
    return claim(shared / "trees", project, variant)
