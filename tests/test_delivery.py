"""What a project is shipped with: its licence, and the files of its CI and its deployment."""

import hashlib
import re
import tomllib

import pytest

from .baked import Bake
from .variants import CHOICES

# How each text begins, and a sentence that no other one has.
TEXTS = {
    "MIT": ("MIT License", "including without limitation the rights to use, copy, modify"),
    "Apache-2.0": ("Apache License Version 2.0, January 2004", "irrevocable (except as stated"),
    "BSD-3-Clause": ("BSD 3-Clause License", "Neither the name of the copyright holder nor"),
    "Proprietary": (
        "Copyright (c) Your Name. All rights reserved.",
        "proprietary and confidential",
    ),
}
SPDX = {"Proprietary": "LicenseRef-Proprietary"}

# Of the text that the Apache Software Foundation publishes, without the empty line at its head.
APACHE = "0ffddef9e48f8a09aed5caf2d44f7ba1c1be2d9b8e0a6f693b1635b2d5566645"


def words(text: str) -> str:
    """The text on one line."""
    return " ".join(text.split())


@pytest.mark.parametrize("choice", CHOICES["license"])
def test_the_text_of_the_licence_is_the_one_that_pyproject_names(bake: Bake, choice: str) -> None:
    project = bake(license=choice)
    text = words(project.text("LICENSE"))
    table = tomllib.loads(project.text("pyproject.toml"))["project"]
    assert table["license"] == SPDX.get(choice, choice)
    assert table["license-files"] == ["LICENSE"]
    for other, (beginning, sentence) in TEXTS.items():
        assert text.startswith(beginning) == (sentence in text) == (other == choice)
    assert "Your Name" in text or choice == "Apache-2.0"
    assert not re.search(r"\b20[12]\d\b", text), "a year changes the output from one to the next"
    assert ("Private :: Do Not Upload" in table.get("classifiers", ())) == (choice == "Proprietary")


def test_the_apache_licence_is_the_published_one(bake: Bake) -> None:
    text = words(bake(license="Apache-2.0").text("LICENSE"))
    assert hashlib.sha256(text.encode()).hexdigest() == APACHE


def test_an_author_of_any_name_is_in_the_licence(bake: Bake) -> None:
    author = 'O\'Neil "{{ x }}" & Søn 👩‍🚀'
    project = bake(license="MIT", author_name=author, project_slug="my-service")
    assert f"Copyright (c) {author}\n" in project.text("LICENSE")
