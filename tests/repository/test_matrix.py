"""The page about the proof is up to date."""

import pytest

from tests.harness.variants import CHOICES
from tests.mutation.mutants import MUTANTS
from tests.mutation.template_mutants import TEMPLATE_MUTANTS

from .matrix import FILE, text

# Choices without code of their own, so that there is nothing to break.
WITHOUT_CODE = {"none", "Proprietary", "MIT", "BSD-3-Clause"}


def test_the_page_is_up_to_date() -> None:
    assert FILE.read_text(encoding="utf-8") == text(), "run `make matrix`"


@pytest.mark.parametrize("prompt", CHOICES)
def test_every_option_has_a_mutant(prompt: str) -> None:
    words = {answer for mutant in MUTANTS for answer in mutant.answers.values()}
    words |= {word for mutant in TEMPLATE_MUTANTS for word in mutant.name.split()}
    words |= {mutant.file.rpartition("/")[2].removesuffix(".txt") for mutant in TEMPLATE_MUTANTS}
    known = {word.lower().strip(",") for word in words}
    places = {"docker": "dockerfile", "github": "github", "gitlab": "gitlab"}
    missing = [
        choice
        for choice in CHOICES[prompt]
        if choice not in WITHOUT_CODE and places.get(choice, choice).lower() not in known
    ]
    assert not missing
