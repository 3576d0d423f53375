"""Writes docs/proof.md, what the proof covers, derived from the template, and the badges.

`make matrix` runs it; test_matrix.py shows that the file is up to date.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from hooks.pre_gen_project import UNSUPPORTED_COMBINATIONS
from tests.harness.variants import (
    CHOICES,
    COMBINATIONS,
    EXTREMES,
    MEASURED,
    NEWEST,
    NEWEST_SERVERS,
    ROOT,
    SEEN_BY_TESTS,
    TREES,
    UNSUPPORTED,
    VARIANTS,
    VERSIONS,
    WHOLE,
    Variant,
    variants_on,
)
from tests.mutation.mutants import MUTANTS
from tests.mutation.template_mutants import TEMPLATE_MUTANTS
from tools import make_badges

FILE = ROOT / "docs" / "proof.md"
HEAD = """# What is proven

Written by `make matrix` from the template itself; a test keeps it up to date. Each run prints its
results in a table at its end, and writes them as JSON beside its environments.
"""
CHECKED = """All other {variants} are rendered and checked: every file parses, none shows signs
of a template or mentions an option that was not chosen, the formatter and the linter find nothing,
imports and settings are declared and used, references exist, and the files for containers, clusters
and CI are valid.
"""
SUITES = """## Suites

The files that a project's tests see differ by {seen} only; this is checked for every variant. So
there are {trees} distinct trees. Each runs `mypy --strict` and its own tests on its real engine, in
random order on Python {measured}. Drills, which restart servers and brokers, and what sees the
engine alone run in the defaults and in each engine's tree with all options. These are whole, and
cover every line and branch; the others cover all but lines of `database/` that only those tests
reach. All tests but the drills of the defaults also run on Python {whole}, those of each engine's
tree with all options on {newest}, of MariaDB and MySQL one; on {oldest} engines run quick tests
with other names. Warnings are errors everywhere.
"""
INTERPRETERS = """## Interpreters

{versions}, as far as the machine has them; as root of Debian
or Ubuntu, `make test` gets {newest} from the newest suite of the distribution. A run
names those that it did not find; in CI that is an error. The quick tests of database and resources
also run on {servers} or newer, with all options. The lowest versions of
all declared dependencies are installed once, for one suite per driver.
"""


def text() -> str:
    """Return the whole page."""
    return "\n".join([HEAD, *variants(), *trees(), interpreters(), *mutants()])


def variants() -> Iterator[str]:
    """Yield the section about the combinations of choices."""
    yield "## Variants"
    yield ""
    yield from table(
        ("prompt", "choices"), ((f"`{name}`", listed(c)) for name, c in CHOICES.items())
    )
    yield f"{len(COMBINATIONS)} combinations. {len(UNSUPPORTED)} of them are not supported:"
    yield ""
    for choices, reason, _ in UNSUPPORTED_COMBINATIONS:
        together = " with ".join(f"`{name}={choice}`" for name, choice in choices.items())
        yield f"- {together}: {reason}"
    yield ""
    yield CHECKED.format(variants=len(VARIANTS))


def trees() -> Iterator[str]:
    """Yield the section about the suites."""
    seen = ", ".join(f"`{name}`" for name in SEEN_BY_TESTS)
    yield SUITES.format(
        seen=seen,
        trees=len(TREES),
        measured=MEASURED,
        whole=" and ".join(WHOLE),
        oldest=VERSIONS[0],
        newest=VERSIONS[-1],
    )
    head = (*SEEN_BY_TESTS, *(f"Python {version}" for version in VERSIONS))
    yield from table(head, (row_of(tree) for tree in TREES))


def row_of(tree: Variant) -> tuple[str, ...]:
    """Return the row of a tree."""
    return (*(tree.choices[name] for name in SEEN_BY_TESTS), *(run_of(tree, v) for v in VERSIONS))


def run_of(tree: Variant, version: str) -> str:
    """Return which tests of this tree run on an interpreter."""
    if version == MEASURED:
        return "whole, measured" if tree in EXTREMES else "measured"
    if tree not in variants_on(version):
        return ""
    return "no drills" if version in WHOLE else "quick tests"


def interpreters() -> str:
    """Return the section about interpreters and servers."""
    names = {"postgresql": "PostgreSQL", "mariadb": "MariaDB", "mysql": "MySQL"}
    servers = " and ".join(f"{names[name]} {version}" for name, version in NEWEST_SERVERS.items())
    return INTERPRETERS.format(
        versions=", ".join(VERSIONS), newest=" and ".join(NEWEST), servers=servers
    )


def mutants() -> Iterator[str]:
    """Yield the tables of mutants."""
    yield "## Mutants"
    yield ""
    head = ("guarantee", "a test that fails", "for the mutant")
    yield f"{len(MUTANTS)} mutants of the service, for each of which the service's own tests fail:"
    yield ""
    rows = (
        (each.guarantee, f"`{each.tests[0]}`", f"{each.name} ({each.variant})") for each in MUTANTS
    )
    yield from table(head, rows)
    yield f"{len(TEMPLATE_MUTANTS)} mutants of the template, for each of which its tests fail:"
    yield ""
    rows = (
        (each.guarantee, f"`{each.tests[0]}`", f"{each.name} (`{each.file}`)")
        for each in TEMPLATE_MUTANTS
    )
    yield from table(head, rows)


def listed(choices: tuple[str, ...]) -> str:
    """Return the choices for a cell of a table."""
    return ", ".join(f"`{choice}`" for choice in choices)


def table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    """Yield a table in Markdown and an empty line."""
    for row in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(row)} |"
    yield ""


if __name__ == "__main__":
    Path(sys.argv[1] if sys.argv[1:] else FILE).write_text(text(), encoding="utf-8")
    make_badges.main()
