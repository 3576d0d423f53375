"""The general mutation run counts correctly; `make mutants` runs it."""

import pytest

from tests.harness.baked import Bake

from .general_run import Change, equivalents, report, sides_of

DIFFERENCE = """# my_service.web.etags.x_read__mutmut_1: survived
--- src/my_service/web/etags.py
+++ src/my_service/web/etags.py
@@ -1,3 +1,2 @@
 def read():
-    first
-    second
+    third
"""
EQUIVALENT = next(iter(equivalents()))
SURVIVOR = Change("web/etags", "first", "second")


def test_a_change_is_its_text_before_and_after() -> None:
    assert sides_of(DIFFERENCE) == ("first second", "third")


@pytest.mark.parametrize(("survivors", "status"), [(1, 0), (2, 1)])
def test_a_score_below_the_minimum_fails(
    survivors: int, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(11, [EQUIVALENT, *[SURVIVOR] * survivors]) == status
    said = capsys.readouterr().out
    assert f"11 mutants: {10 - survivors} seen by the tests, 1 equivalent" in said
    assert f"{survivors} survived; {100 - 10 * survivors}.0 %" in said
    assert "- first\n+ second" in said


def test_equivalent_mutants_still_apply(session_bake: Bake) -> None:
    project = session_bake()
    for change in equivalents():
        text = " ".join((project.source / f"{change.module}.py").read_text("utf-8").split())
        assert " ".join(change.old.split()) in text, change
