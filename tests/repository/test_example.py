"""The page that shows a generated project is up to date."""

from tests.harness.baked import Bake
from tools.make_example import FILE, text


def test_the_page_is_what_the_defaults_generate(session_bake: Bake) -> None:
    assert FILE.read_text(encoding="utf-8") == text(session_bake().path), "run `make matrix`"
