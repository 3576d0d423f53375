"""All combinations of the choices in cookiecutter.json, and which of them are unsupported."""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from hooks.post_gen_project import MANIFEST
from hooks.pre_gen_project import check_combinations

ROOT = Path(__file__).parents[2]
PROMPTS: dict[str, Any] = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))

# The Python versions that the service supports; the report names those that were not found.
VERSIONS = ("3.11", "3.12", "3.13", "3.14", "3.15")
NEWEST = VERSIONS[-2:]

# The first on which coverage costs nothing, by sys.monitoring: before, it is half of a suite's CPU.
MEASURED = "3.14"

# Besides it, whole suites run on the oldest and the newest.
WHOLE = (VERSIONS[0], VERSIONS[-1])

# Servers beside that of the machine, which stable systems keep for years.
NEWEST_SERVERS = {"postgresql": "18", "mariadb": "11.8"}

# The set-up does not change the files of a project.
NOT_A_VARIANT = {"setup"}

CHOICES: dict[str, tuple[str, ...]] = {
    name: tuple(values)
    for name, values in PROMPTS.items()
    if isinstance(values, list) and not name.startswith("_") and name not in NOT_A_VARIANT
}

# What the tests of a project see; all other files are for people and for other programs.
RUN_BY_TESTS = ("src/", "tests/", "dev/", "gunicorn.conf.py", "Makefile")

# The prompts whose options add such files. tests/generation/test_variants.py shows that no other
# prompt changes them.
SEEN_BY_TESTS = tuple(
    name
    for name in CHOICES
    if any(
        name in conditions and any(path.startswith(RUN_BY_TESTS) for path in paths)
        for _, conditions, paths in MANIFEST
    )
)


class Variant(NamedTuple):
    """One answer to each prompt that has choices."""

    answers: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return ",".join(f"{name}={choice}" for name, choice in self.answers)

    @property
    def short(self) -> str:
        """Its name, with only the choices that its tests see."""
        return ",".join(f"{name}={self.choices[name]}" for name in SEEN_BY_TESTS)

    @property
    def choices(self) -> dict[str, str]:
        """The choice made at each prompt."""
        return dict(self.answers)

    def matches(self, choices: Mapping[str, str]) -> bool:
        """Return whether the variant has all these choices."""
        return all(self.choices[name] == choice for name, choice in choices.items())


def product(choices: Mapping[str, tuple[str, ...]]) -> Iterator[Variant]:
    """Yield all combinations of `choices`."""
    for answers in itertools.product(*choices.values()):
        yield Variant(tuple(zip(choices, answers, strict=True)))


def is_unsupported(variant: Variant) -> bool:
    """Return whether the first hook rejects this combination of choices."""
    return any(check_combinations(variant.choices))


def parse_only(text: str) -> dict[str, str]:
    """Parse the choices in a text such as `database=postgresql auth=oidc`.

    Raises `ValueError` for an unknown prompt or choice, with a list of those that exist.
    """
    choices = {}
    for part in text.replace(",", " ").split():
        name, _, choice = part.partition("=")
        if choice not in CHOICES.get(name, ()):
            known = "; ".join(f"{name}={'|'.join(values)}" for name, values in CHOICES.items())
            raise ValueError(f"{part!r} is not a choice; the choices are: {known}")
        choices[name] = choice
    return choices


def one_for_each(prompt: str, variants: Iterable[Variant]) -> list[Variant]:
    """Return the first variant of each choice at a prompt: the closest to the defaults."""
    first: dict[str, Variant] = {}
    for variant in variants:
        first.setdefault(variant.choices[prompt], variant)
    return list(first.values())


def pairwise(variants: Iterable[Variant]) -> list[Variant]:
    """Return a small selection of the variants that covers all their pairs of choices."""
    left = list(variants)
    missing = {pair for variant in left for pair in _pairs(variant)}
    chosen = []
    while missing:
        best = max(left, key=lambda variant: len(missing & _pairs(variant)))
        chosen.append(best)
        missing -= _pairs(best)
    return chosen


@cache
def _pairs(variant: Variant) -> frozenset[tuple[tuple[str, str], ...]]:
    return frozenset(itertools.combinations(variant.answers, 2))


def tree_of(variant: Variant) -> Variant:
    """Return the variant with the same tree that is closest to the defaults."""
    return _NEAREST[_seen_by_tests(variant)]


def _seen_by_tests(variant: Variant) -> tuple[str, ...]:
    choices = variant.choices
    return tuple(choices[name] for name in SEEN_BY_TESTS)


COMBINATIONS = tuple(product(CHOICES))
UNSUPPORTED = tuple(variant for variant in COMBINATIONS if is_unsupported(variant))
VARIANTS = tuple(variant for variant in COMBINATIONS if not is_unsupported(variant))
_NEAREST = {_seen_by_tests(variant): variant for variant in reversed(VARIANTS)}

# One variant for each tree.
TREES = tuple(dict.fromkeys(tree_of(variant) for variant in VARIANTS))
# The defaults, and of each engine the tree with all options.
EXTREMES = (VARIANTS[0], *one_for_each("database", reversed(TREES)))


def variants_on(version: str) -> tuple[Variant, ...]:
    """Return the variants whose tests run on this interpreter, if it is not the one that measures.

    Those of each engine's tree with all options run on the newest, of MariaDB and MySQL one; on the
    oldest engines run quick tests, with other names and with the lowest versions.
    """
    fullest = EXTREMES[1:] if version == VERSIONS[-1] else ()
    return (EXTREMES[0], *(each for each in fullest if each.choices["database"] != "mariadb"))
