"""Names of revisions: `0002_3f9c1a2b` sorts by its place in the history and is unique.

Standard library only: whatever writes a migration names it here, with Alembic or without.
"""

import hashlib
import re
from collections.abc import Iterable

DIGEST_LENGTH = 8
MAX_SLUG_LENGTH = 40

_NUMBER = re.compile(r"\d+")


def revision_id(parents: Iterable[str], content: str) -> str:
    """Return the id of the revision that follows `parents` and does what `content` says.

    The number is one more than the greatest of the parents. The digest is of the parents and the
    content, so that two branches never give one id to two different migrations.
    """
    above = sorted(parents)
    digest = hashlib.sha256("\n".join([*above, content]).encode()).hexdigest()
    return f"{max(map(_number, above), default=0) + 1:04d}_{digest[:DIGEST_LENGTH]}"


def file_name(revision: str, message: str) -> str:
    """Return the name of the file, as Alembic builds it: the revision, then words of the message.

    Files of one history sort in the order in which they are applied.
    """
    slug = "_".join(re.findall(r"\w+", message)).lower()
    if len(slug) > MAX_SLUG_LENGTH:
        slug = slug[:MAX_SLUG_LENGTH].rsplit("_", 1)[0] + "_"
    return f"{revision}_{slug}.py"


def _number(revision: str) -> int:
    number = _NUMBER.match(revision)
    return int(number.group()) if number else 0
