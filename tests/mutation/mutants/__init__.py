"""Named mutants of the generated service: each takes back one line that a guarantee rests on.

tests/mutation/test_mutants.py shows that the service's own tests see every one of them. To add one,
name the guarantee, the text to change as it is in a project with the default answers and the
mutant's own, where it has to occur exactly once, and the tests that have to fail: few and quick
ones, for each mutant runs its own.
"""

from collections.abc import Iterable

from .authentication import AUTHENTICATION_MUTANTS
from .conditions import CONDITION_MUTANTS
from .http import HTTP_MUTANTS
from .jobs import JOB_MUTANTS
from .mutant import Mutant, MutantDoesNotApplyError
from .outages import OUTAGE_MUTANTS
from .schema import SCHEMA_MUTANTS
from .sessions import SESSION_MUTANTS
from .tracing import TRACING_MUTANTS

__all__ = ["MUTANTS", "Mutant", "MutantDoesNotApplyError", "named_tests"]

MUTANTS: tuple[Mutant, ...] = (
    *SESSION_MUTANTS,
    *OUTAGE_MUTANTS,
    *CONDITION_MUTANTS,
    *SCHEMA_MUTANTS,
    *HTTP_MUTANTS,
    *AUTHENTICATION_MUTANTS,
    *JOB_MUTANTS,
    *TRACING_MUTANTS,
)


def named_tests(mutants: Iterable[Mutant]) -> list[str]:
    """The tests that see these mutants, each once."""
    return sorted({test for mutant in mutants for test in mutant.tests})
