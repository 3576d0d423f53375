"""Makes docs/guarantees.md from the mutants: `make guarantees`."""

from collections.abc import Iterator
from pathlib import Path

from tests.mutants import MUTANTS, Mutant

PAGE = Path(__file__).parent / "guarantees.md"

HEAD = """\
# What every generated project guarantees

Each line is a promise of the service that you get, a test in your project that watches over it, and
how that test was seen to fail: a mutant, which breaks the line of code that the promise rests on.
`make test` of the template makes all of them, in a project with what it names in brackets, and
fails if one is not seen. They are in `tests/mutants/`; `make guarantees` writes this page.

| guarantee | seen by | mutant |
|---|---|---|
"""


def where(mutant: Mutant) -> str:
    """What is chosen for the project that it is made in, if that is more than the defaults."""
    chosen = [] if mutant.database == "sqlite" else [f"database={mutant.database}"]
    chosen += [f"{name}={choice}" for name, choice in mutant.options]
    return f" ({', '.join(chosen)})" if chosen else ""


def rows() -> Iterator[str]:
    """A row for each mutant, in the order of the subject."""
    for mutant in MUTANTS:
        yield f"| {mutant.guarantee} | `{mutant.tests[0]}` | {mutant.name}{where(mutant)} |\n"


def page() -> str:
    """The whole page."""
    return HEAD + "".join(rows())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{PAGE} is written.")
