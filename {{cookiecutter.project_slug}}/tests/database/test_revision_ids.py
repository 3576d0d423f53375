"""Ids of revisions differ between branches, and files sort in the order of the history."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from {{ cookiecutter.__package }}.database.revision_ids import file_name, revision_id

DDL = "op.add_column(...)"


def test_an_id_is_a_number_and_a_digest() -> None:
    assert re.fullmatch(r"0002_[0-9a-f]{8}", revision_id(["0001"], DDL))


def test_the_same_parents_and_content_give_the_same_id() -> None:
    assert revision_id(["0001"], DDL) == revision_id(["0001"], DDL)


def test_two_branches_give_two_ids() -> None:
    assert revision_id(["0001"], "add a color") != revision_id(["0001"], "add a size")


def test_the_same_change_after_another_parent_has_another_id() -> None:
    assert revision_id(["0002_aaaaaaaa"], DDL) != revision_id(["0002_bbbbbbbb"], DDL)


def test_the_first_revision_has_the_number_one() -> None:
    assert revision_id([], DDL).startswith("0001_")


def test_the_number_is_above_that_of_every_parent_in_any_order() -> None:
    joined = revision_id(["0012_aaaaaaaa", "0009_bbbbbbbb"], "merge")

    assert joined.startswith("0013_")
    assert joined == revision_id(["0009_bbbbbbbb", "0012_aaaaaaaa"], "merge")


def test_a_parent_without_a_number_counts_as_zero() -> None:
    assert revision_id(["of_a_release"], DDL).startswith("0001_")


@pytest.mark.parametrize(
    "message", ["Add a color", "  Add: ä, b & c!", "x" * 60, "many words " * 9, "Already_slugged"]
)
def test_a_file_is_named_as_alembic_names_it(message: str, tmp_path: Path) -> None:
    script = ScriptDirectory(str(tmp_path))
    named = script._rev_path("versions", "0002_abcdef01", message, datetime.now(UTC))

    assert file_name("0002_abcdef01", message) == named.name
