"""Checks that no file contains a word of an option that was not chosen."""

import re
from functools import cache

from tests.harness.baked import BakedProject
from tests.harness.variants import CHOICES

# The words of each choice, in upper or lower case.
WORDS: dict[tuple[str, str], str] = {
    ("database", "sqlite"): r"sqlite|pragma (?!no)",
    ("database", "postgresql"): r"postgres|psycopg|pgserver|\bpg_|\bpgdata|\bpsql",
    ("database", "mariadb"): r"maria",
    ("database", "mysql"): r"(?<!py)(?<!dialects\.)(?<!/lib/)(?<!account\(\")mysql",
    ("auth", "none"): r"(?!)",
    ("auth", "api_key"): r"\bapi_keys|\bapi keys?\b|\bkeys create\b",
    ("auth", "oidc"): r"oidc|openid|\bjwks?\b|\bjwt\b|pyjwt",
    ("background_jobs", "none"): r"(?!)",
    ("background_jobs", "celery"): (
        r"celery|\bredis(?![a-z])|\bbroker|\boutbox|\bjobs\.(md|py)|\bjobs work|\bjob_|make worker"
    ),
    ("deployment", "docker"): r"docker(file|ignore)|\bcompose\b|docker (build|compose)|caddy",
    ("deployment", "kubernetes"): r"kubernetes|kubectl|kustomi|\bk8s\b",
    ("deployment", "none"): r"(?!)",
    ("ci", "github"): r"\.github|github actions|dependabot",
    ("ci", "gitlab"): r"gitlab|renovate",
    ("ci", "none"): r"(?!)",
    ("license", "MIT"): r"\bMIT\b",
    ("license", "Apache-2.0"): r"apache",
    ("license", "BSD-3-Clause"): r"\bBSD\b",
    ("license", "Proprietary"): r"proprietary|private ::",
}

# Words that several choices of a prompt have in common.
COMMON_WORDS: dict[tuple[str, frozenset[str]], str] = {
    ("database", frozenset({"mariadb", "mysql"})): r"pymysql|dialects\.mysql|innodb",
}

# Choices that contain another choice of the same prompt.
CONTAINED = {("deployment", "kubernetes"): {"docker"}}

# The generator of resources knows the rules of all engines, so that one grammar serves the template
# and every project: it is copied as it is, but for the templates that only an option needs. The
# address of a template is read alike, wherever a project's own changes are checked.
THE_SAME_IN_EVERY_PROJECT = ("dev/resource/", "dev/template.py")


def words_of_other_options(project: BakedProject) -> list[str]:
    """Return where a file or its name contains a word of an option that was not chosen."""
    words = {
        f"{prompt}={choice}": re.compile(WORDS[prompt, choice], re.IGNORECASE)
        for prompt, choices in CHOICES.items()
        for choice in choices
        if choice not in _chosen(prompt, project.answers[prompt])
    } | {
        f"{prompt}={'|'.join(sorted(choices))}": re.compile(pattern, re.IGNORECASE)
        for (prompt, choices), pattern in COMMON_WORDS.items()
        if project.answers[prompt] not in choices
    }
    errors = []
    for path in project.files:
        name = project.name_of(path)
        if name.startswith(THE_SAME_IN_EVERY_PROJECT):
            continue
        text = f"{name}\n{path.read_text(encoding='utf-8')}"
        if not any(_occurs(word, text) for word in words.values()):
            continue
        lines = text.splitlines()
        for number, line in enumerate(lines):
            errors += [
                f"{name}:{number}: {found[0]!r} belongs to {option}: {line.strip()}"
                for option, word in words.items()
                if (found := word.search(line))
            ]
    return errors


@cache  # most files are the same in most variants
def _occurs(word: re.Pattern[str], text: str) -> bool:
    return word.search(text) is not None


def _chosen(prompt: str, choice: str) -> set[str]:
    return {choice} | CONTAINED.get((prompt, choice), set())
