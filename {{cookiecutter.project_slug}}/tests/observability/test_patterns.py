"""Every pattern of the service takes linear time: many of them see texts that callers choose."""

import importlib
import itertools
import pkgutil
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest

import {{ cookiecutter.__package }} as package
from {{ cookiecutter.__package }}.observability import logs

SAMPLE = 200
"""Characters by which the text is chosen that a pattern is worst at, of hundreds of texts."""

SHORT, LONG = 2_000, 20_000
MAX_GROWTH = 32
"""For ten times the length a linear pattern takes ten times as long, a quadratic one a hundred."""

RUNS = 5
"""The quickest counts: on a busy machine a single run may take three times as long."""

NEGLIGIBLE_SECONDS = 0.002

PARTS = (
    *("a", "0", "-", "_", ".", "/", ":", "=", " ", ",", "@", "[", "]", "'", "~"),
    *("token", "token=", "a://", "a://b:", " - - [", "bearer ", "00-", "x."),
)
TEXTS = [first + second for first, second in itertools.product(PARTS, PARTS)]


def patterns_of(value: object) -> Iterator[re.Pattern[str]]:
    """Yield the compiled patterns in a value, in containers too."""
    if isinstance(value, re.Pattern):
        if isinstance(value.pattern, str):
            yield value
    elif isinstance(value, Mapping):
        yield from patterns_of(list(value.values()))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from patterns_of(each)


def all_patterns() -> dict[str, re.Pattern[str]]:
    """Return the patterns of all modules of the service, by where they are."""
    found: dict[str, re.Pattern[str]] = {}
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if ".migrations" in module.name or module.name.endswith((".wsgi", ".worker")):
            continue
        names: dict[str, Any] = vars(importlib.import_module(module.name))
        for name, value in names.items():
            for number, pattern in enumerate(patterns_of(value)):
                found[f"{module.name}.{name}[{number}]"] = pattern
    return found


PATTERNS = all_patterns()


def seconds(pattern: re.Pattern[str], text: str, length: int, runs: int = RUNS) -> float:
    """Return the CPU time that a pattern takes for a text, repeated and ended to fail."""
    whole = (text * (length // len(text) + 1))[:length] + "\n"
    times = []
    for _ in range(runs):
        began = time.thread_time()
        pattern.search(whole)
        pattern.fullmatch(whole)
        times.append(time.thread_time() - began)
    return min(times)


def worst_growth(
    pattern: re.Pattern[str], texts: Iterable[str] = TEXTS, short: int = SHORT, long: int = LONG
) -> float:
    """Return how many times longer the text takes that the pattern is worst at."""
    worst = max(texts, key=lambda text: seconds(pattern, text, SAMPLE, runs=2))
    longer = seconds(pattern, worst, long)
    if longer < NEGLIGIBLE_SECONDS:
        return 0.0
    return longer / max(seconds(pattern, worst, short), 1e-6)


def test_the_patterns_of_the_log_are_looked_at() -> None:
    assert {*patterns_of(logs.SECRETS_IN_TEXT), logs.SECRET_NAME} <= set(PATTERNS.values())


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_a_pattern_takes_linear_time(name: str) -> None:
    assert worst_growth(PATTERNS[name]) < MAX_GROWTH


def test_a_quadratic_pattern_is_seen() -> None:
    quadratic = re.compile(r"(?<![\w-])[\w-]*token[\w-]*=")

    assert worst_growth(quadratic, ["a", "token"], SHORT // 3, LONG // 3) > MAX_GROWTH
