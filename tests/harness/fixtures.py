"""Options and fixtures: which variants run, their projects and the shared environment."""

import os
import signal
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest
from pytest_cookies.plugin import Cookies

from .baked import Bake, BakedProject, make_bake
from .environments import (
    NEWER,
    Environment,
    found_versions,
    measuring_version,
    shared_environment,
)
from .trees import Tree, claim
from .variants import (
    CHOICES,
    ROOT,
    TREES,
    VARIANTS,
    Variant,
    one_for_each,
    pairwise,
    parse_only,
    tree_of,
    variants_on,
)

BUILD = ROOT / "build"

# The engines of a quick run: the two that most people choose.
QUICK_ENGINES = ("sqlite", "postgresql")

# The engine that shares driver, DDL and code with MySQL, which stands for both in long proofs.
LIKE_MYSQL = "mariadb"

# An engine for each driver that is a package: MariaDB has that of MySQL.
DRIVERS = ("postgresql", "mysql")

# The longest tests start first, so that no process runs one alone at the end.
LONGEST_FIRST = (
    *("test_mutants", "test_suites", "test_changes", "test_image", "test_installation"),
    "test_updates",
    *("test_contract", "test_delivery", "test_service"),
)

# Expensive fixtures of a variant, shared by the tests of one module.
SHARED_BY_A_MODULE = {"service", "made"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that select variants and tests."""
    parser.addoption(
        "--only",
        default="",
        metavar="CHOICES",
        help="only what is about variants with these choices, such as 'database=postgresql'",
    )
    parser.addoption(
        "--quick",
        action="store_true",
        help="few variants, in which every two choices meet, and of their own tests the quick ones",
    )
    parser.addoption(
        "--every-mutant",
        action="store_true",
        help="try each mutant by rule, not a sample of them",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Reject a misspelled choice before any test runs, and restore the handling of Ctrl-C.

    Processes that a shell runs in the background ignore Ctrl-C, and so do their own children. If
    the machine has no MySQL, suites find the one that tools/install_newer.sh got.
    """
    os.environ["PATH"] = f"{NEWER / 'mysql'}{os.pathsep}{os.environ['PATH']}"
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        parse_only(config.getoption("--only"))
    except ValueError as error:
        raise pytest.UsageError(f"--only: {error}") from None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Use two processes per core: much of a suite is waiting for other processes."""
    return (os.cpu_count() or 1) * 2


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize tests that use `variant` with the selected variants."""
    if "variant" not in metafunc.fixturenames:
        return
    marks = {mark.name for mark in metafunc.definition.iter_markers()}
    variants = select_variants(metafunc.config, marks)
    if "version" in metafunc.fixturenames:
        others = [each for each in found_versions() if each != measuring_version()]
        runs = runs_on_others(others, variants)
        ids = [f"{version}-{variant}" for variant, version in runs]
        metafunc.parametrize(("variant", "version"), runs, ids=ids, scope="session")
    else:
        metafunc.parametrize("variant", variants, ids=str, scope="session")


def runs_on_others(versions: list[str], variants: list[Variant]) -> list[tuple[Variant, str]]:
    """Return the variants and the interpreters that run their tests again."""
    chosen = [
        (each, version) for version in versions for each in variants_on(version) if each in variants
    ]
    return chosen or list(zip(variants[:1], versions[-1:], strict=False))


def select_variants(config: pytest.Config, marks: Collection[str]) -> list[Variant]:
    """Return the variants for a test with these marks, those with trees of their own first."""
    only = parse_only(config.getoption("--only"))
    variants = [variant for variant in VARIANTS if variant.matches(only)]
    if config.getoption("--quick"):
        engines = QUICK_ENGINES if "database" not in only else (only["database"],)
        variants = [each for each in variants if each.choices["database"] in engines]
        trees = list(dict.fromkeys(tree_of(each) for each in variants))
        some = pairwise(trees)
        others = [] if "one_for_each_tree" in marks else pairwise(variants)
        variants = list(dict.fromkeys([*some, *others]))
    if "open_to_all" in marks:
        variants = [each for each in variants if each.choices["auth"] == "none"]
    if "one_for_each_tree" in marks:
        variants = list({tree_of(each): each for each in reversed(variants)}.values())
    if "one_for_each_engine" in marks:
        variants = one_for_each("database", variants)
    if "once" in marks:
        variants = variants[:1]
    if "besides_the_defaults" in marks:
        variants = [each for each in variants if each != VARIANTS[0]]
    if "most_options" in marks:
        trees = list(dict.fromkeys(tree_of(each) for each in variants))
        variants = one_for_each("database", reversed(trees))
        variants = [each for each in variants if each.choices["database"] != LIKE_MYSQL] or variants
    if "one_for_each_driver" in marks:
        packages = [each for each in variants if each.choices["database"] in DRIVERS]
        variants = packages or variants[:1]
    return sorted(variants, key=lambda variant: variant not in TREES)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect tests that `--only` and `--quick` exclude; run the longest tests first."""
    only = parse_only(config.getoption("--only"))
    kept = [item for item in items if not only or concerns(item, only)]
    left_out = "slow" if config.getoption("--quick") else "quick"
    kept = [item for item in kept if not item.get_closest_marker(left_out)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = sorted(kept, key=length_of)
    for item in items:
        if group := group_of(item):
            item.add_marker(pytest.mark.xdist_group(group))


def concerns(item: pytest.Item, only: Mapping[str, str]) -> bool:
    """Return whether a test is about these choices: by its variant, parameters or mark."""
    if variant_of(item):
        return True
    choices = choices_of(item)
    about = {prompt for mark in item.iter_markers("about") for prompt in mark.args}
    is_about_others = any(only.get(prompt, each) != each for prompt, each in choices.items())
    return not is_about_others and bool(about & only.keys() or choices.items() & only.items())


def choices_of(item: pytest.Item) -> dict[str, str]:
    """Return the choices that the parameters of a test name."""
    found: dict[str, str] = {}
    for value in getattr(getattr(item, "callspec", None), "params", {}).values():
        found |= getattr(value, "answers", {})
        if isinstance(value, str):
            parts = (f"database={value}" if value in CHOICES["database"] else value).split(",")
            pairs = (part.partition("=") for part in parts)
            found |= {prompt: choice for prompt, _, choice in pairs if prompt in CHOICES}
    return found


def length_of(item: pytest.Item) -> int:
    """Return the position of a test among the others; the longest tests have 0."""
    name = item.path.stem
    is_long = any(item.get_closest_marker(mark) for mark in ("slow", "quick"))
    if not is_long and name not in LONGEST_FIRST:
        return len(LONGEST_FIRST) + 1
    return LONGEST_FIRST.index(name) if name in LONGEST_FIRST else len(LONGEST_FIRST)


def group_of(item: pytest.Item) -> str | None:
    """Return the name of the tests that share a process because they share a fixture."""
    variant = variant_of(item)
    if variant is None:
        return None
    fixtures: Collection[str] = getattr(item, "fixturenames", ())
    if SHARED_BY_A_MODULE & set(fixtures):
        return f"{item.path.stem} {variant}"
    shares_a_bake = "tree" in fixtures or not item.get_closest_marker("slow")
    return str(variant) if shares_a_bake else None


def variant_of(item: pytest.Item) -> Variant | None:
    """Return the variant that a test is about, if there is one."""
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    found = parameters.get("variant")
    return (
        found if isinstance(found, Variant) else None
    )  # without any variant, pytest passes a marker of its own


@pytest.fixture(scope="session")
def session_bake(cookies_session: Cookies) -> Bake:
    """Generate a project that other tests use, too."""
    return make_bake(cookies_session)


@pytest.fixture
def bake(cookies: Cookies) -> Bake:
    """Generate a project for this test only."""
    return make_bake(cookies)


@pytest.fixture(scope="session")
def project(variant: Variant, session_bake: Bake) -> BakedProject:
    """The project of the variant, generated once per process: do not change it."""
    return session_bake(**variant.choices)


@pytest.fixture(scope="session")
def environment() -> Environment:
    """The environment of the running Python, with the dependencies of all variants."""
    return shared_environment(BUILD)


@pytest.fixture(scope="session")
def mypy_cache() -> Path:
    """The cache of mypy for all projects that this process checks.

    The next run uses it again, as do the tests of changed copies of the repository that this
    process starts.
    """
    return BUILD / "mypy" / os.environ.get("PYTEST_XDIST_WORKER", "alone")


@pytest.fixture
def tree(
    project: BakedProject,
    variant: Variant,
    tmp_path_factory: pytest.TempPathFactory,
    worker_id: str,
) -> Tree:
    """The tree of the variant, and the variant that proves this tree in this run."""
    folder = tmp_path_factory.getbasetemp()
    shared = folder if worker_id == "master" else folder.parent
    return claim(shared / "trees", project, variant)
