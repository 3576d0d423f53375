"""Every combination of the choices in cookiecutter.json, and which of them are refused."""

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

# Whether the project is set up at once changes nothing in its files.
NOT_A_VARIANT = {"setup"}

CHOICES: dict[str, tuple[str, ...]] = {
    name: tuple(values)
    for name, values in PROMPTS.items()
    if isinstance(values, list) and not name.startswith("_") and name not in NOT_A_VARIANT
}

# What the tests of a project see: everything else in it is for people and for other programs.
RUN_BY_TESTS = ("src/", "tests/", "dev/", "gunicorn.conf.py", "Makefile")

# The prompts whose options bring such files. tests/generation/test_variants.py shows that no other
# matters.
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
        """Its name by those choices alone that its tests see."""
        return ",".join(f"{name}={self.choices[name]}" for name in SEEN_BY_TESTS)

    @property
    def choices(self) -> dict[str, str]:
        """The choice made at each prompt."""
        return dict(self.answers)

    def matches(self, choices: Mapping[str, str]) -> bool:
        """Whether the variant has all these choices."""
        return all(self.choices[name] == choice for name, choice in choices.items())


def product(choices: Mapping[str, tuple[str, ...]]) -> Iterator[Variant]:
    """Every combination of `choices`."""
    for answers in itertools.product(*choices.values()):
        yield Variant(tuple(zip(choices, answers, strict=True)))


def is_unsupported(variant: Variant) -> bool:
    """Whether the first hook refuses these choices together."""
    return any(check_combinations(variant.choices))


def parse_only(text: str) -> dict[str, str]:
    """The choices that `only="database=postgresql auth=oidc"` names.

    Raises `ValueError` for a prompt or a choice that does not exist, and says which there are.
    """
    choices = {}
    for part in text.replace(",", " ").split():
        name, _, choice = part.partition("=")
        if choice not in CHOICES.get(name, ()):
            known = "; ".join(f"{name}={'|'.join(values)}" for name, values in CHOICES.items())
            raise ValueError(f"{part!r} is no choice; there are: {known}")
        choices[name] = choice
    return choices


def one_for_each(prompt: str, variants: Iterable[Variant]) -> list[Variant]:
    """The first variant of each choice at a prompt: the nearest to the defaults."""
    first: dict[str, Variant] = {}
    for variant in variants:
        first.setdefault(variant.choices[prompt], variant)
    return list(first.values())


def pairwise(variants: Iterable[Variant]) -> list[Variant]:
    """Few of the variants, in which every two choices meet that meet in any of them."""
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
    """The variant nearest to the defaults whose tests see the same as those of this one."""
    return _NEAREST[_seen_by_tests(variant)]


def _seen_by_tests(variant: Variant) -> tuple[str, ...]:
    choices = variant.choices
    return tuple(choices[name] for name in SEEN_BY_TESTS)


COMBINATIONS = tuple(product(CHOICES))
UNSUPPORTED = tuple(variant for variant in COMBINATIONS if is_unsupported(variant))
VARIANTS = tuple(variant for variant in COMBINATIONS if not is_unsupported(variant))
_NEAREST = {_seen_by_tests(variant): variant for variant in reversed(VARIANTS)}

# One variant for each tree, and few of those in which every two choices meet.
TREES = tuple(dict.fromkeys(tree_of(variant) for variant in VARIANTS))
SELECTION = tuple(pairwise(TREES))
