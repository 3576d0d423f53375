"""Checks of a project that do not run it: each returns a list of the errors that it finds.

`CHECKS` contains all of them by name. test_checks.py shows that each finds a planted error.
"""

from collections.abc import Callable

from tests.harness.baked import BakedProject

from .dependencies import undeclared_imports, unused_dependencies
from .foreign_words import words_of_other_options
from .inner_methods import calls_of_inner_methods
from .leftovers import blank_line_leftovers, jinja_leftovers
from .parsing import unparsable_files
from .references import (
    commands_missing_in_agents_page,
    dead_references,
    unknown_make_targets,
)
from .service_settings import undocumented_settings, unread_settings

Check = Callable[[BakedProject], list[str]]

CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        jinja_leftovers,
        blank_line_leftovers,
        unparsable_files,
        undeclared_imports,
        unused_dependencies,
        words_of_other_options,
        undocumented_settings,
        unread_settings,
        dead_references,
        unknown_make_targets,
        commands_missing_in_agents_page,
        calls_of_inner_methods,
    )
}
