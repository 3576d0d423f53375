"""The types of mutants, and the places that many of them change."""

from dataclasses import dataclass
from pathlib import Path

PACKAGE = "src/my_service"
OUTAGES_SQLITE = "tests/database/sessions/test_outages_sqlite.py"
ERROR_HANDLERS = f"{PACKAGE}/web/error_handlers.py"
SQLITE = f"{PACKAGE}/database/sqlite.py"
POSTGRESQL = f"{PACKAGE}/database/postgresql.py"
INNODB = f"{PACKAGE}/database/innodb.py"
MYSQL = f"{PACKAGE}/database/mysql.py"


class MutantDoesNotApplyError(AssertionError):
    """The text that a mutant changes is not there exactly once: the mutant has to follow it."""


@dataclass(frozen=True)
class Mutant:
    """One change that breaks one guarantee; `tests` are those that have to fail for it."""

    name: str
    guarantee: str
    file: str
    changes: tuple[tuple[str, str], ...]
    tests: tuple[str, ...]
    database: str = "sqlite"
    options: tuple[tuple[str, str], ...] = ()

    @property
    def answers(self) -> dict[str, str]:
        """The answers to the prompts for a project that has what is changed."""
        return {"database": self.database, **dict(self.options)}

    @property
    def variant(self) -> str:
        """The same in a word."""
        return ",".join(f"{name}={answer}" for name, answer in self.answers.items())

    def apply(self, project: Path) -> None:
        """Change the project. Raises `MutantDoesNotApplyError`."""
        path = project / self.file
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        for old, new in self.changes:
            if text.count(old) != 1:
                found = f"{text.count(old)} times in {self.file}"
                raise MutantDoesNotApplyError(f"{self.name}: it finds {old!r} {found}")
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
