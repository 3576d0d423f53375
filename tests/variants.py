"""Every combination of the choices in cookiecutter.json, and which of them are refused."""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hooks.pre_gen_project import check_combinations

ROOT = Path(__file__).parent.parent
PROMPTS: dict[str, Any] = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))

# Whether the project is set up at once changes nothing in its files.
NOT_A_VARIANT = {"setup"}

CHOICES: dict[str, tuple[str, ...]] = {
    name: tuple(values)
    for name, values in PROMPTS.items()
    if isinstance(values, list) and not name.startswith("_") and name not in NOT_A_VARIANT
}


class Variant(NamedTuple):
    """One answer to each prompt that has choices."""

    answers: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return ",".join(f"{name}={choice}" for name, choice in self.answers)

    @property
    def choices(self) -> dict[str, str]:
        """The choice made at each prompt."""
        return dict(self.answers)

    def matches(self, wanted: Mapping[str, str]) -> bool:
        """Whether the variant has all these choices."""
        return all(self.choices[name] == choice for name, choice in wanted.items())


def product(choices: Mapping[str, tuple[str, ...]]) -> Iterator[Variant]:
    """Every combination of `choices`."""
    for answers in itertools.product(*choices.values()):
        yield Variant(tuple(zip(choices, answers, strict=True)))


def is_refused(variant: Variant) -> bool:
    """Whether the first hook refuses these choices together."""
    return any(check_combinations(variant.choices))


def parse_only(text: str) -> dict[str, str]:
    """The choices that `only="database=postgresql auth=oidc"` names.

    Raises `ValueError` for a prompt or a choice that does not exist, and says which there are.
    """
    wanted = {}
    for part in text.replace(",", " ").split():
        name, _, choice = part.partition("=")
        if choice not in CHOICES.get(name, ()):
            known = "; ".join(f"{name}={'|'.join(values)}" for name, values in CHOICES.items())
            raise ValueError(f"{part!r} is no choice; there are: {known}")
        wanted[name] = choice
    return wanted


def one_for_each(prompt: str, variants: Iterable[Variant]) -> list[Variant]:
    """The first variant of each choice at a prompt: the nearest to the defaults."""
    first: dict[str, Variant] = {}
    for variant in variants:
        first.setdefault(variant.choices[prompt], variant)
    return list(first.values())


COMBINATIONS = tuple(product(CHOICES))
REFUSED = tuple(variant for variant in COMBINATIONS if is_refused(variant))
VARIANTS = tuple(variant for variant in COMBINATIONS if not is_refused(variant))
