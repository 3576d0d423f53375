"""API keys: created and revoked by commands, stored only as digests.

A key is `<prefix>.<secret>`. The prefix identifies the key and is stored and shown. Of the secret
only the SHA-256 is stored; a slow hash is not needed, because 256 random bits cannot be guessed.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, bindparam, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from ..clock import utc_now
from ..database import Base, db
from ..database.column_types import ExactString, UtcDateTime, uuid7
from .guard import Principal, reject_token

PREFIX_BYTES = 4
SECRET_BYTES = 32
KEY_PATTERN = re.compile(r"(?P<prefix>key_[0-9a-f]{8})\.(?P<secret>[A-Za-z0-9_-]{43})")
UNKNOWN_DIGEST = hashlib.sha256(b"").hexdigest()
MAX_NAME_LENGTH = 200
LAST_USED_RESOLUTION = timedelta(hours=1)


class ApiKey(Base):
    """A key without its secret, of which only the digest is stored."""

    __tablename__ = "api_keys"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    prefix: Mapped[str] = mapped_column(ExactString(16), unique=True)
    digest: Mapped[str] = mapped_column(ExactString(64))
    name: Mapped[str] = mapped_column(ExactString(MAX_NAME_LENGTH))
    scopes: Mapped[str] = mapped_column(ExactString(1000))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


FIND_KEY = select(
    ApiKey.id,
    ApiKey.digest,
    ApiKey.scopes,
    ApiKey.expires_at,
    ApiKey.revoked_at,
    ApiKey.last_used_at,
).where(ApiKey.prefix == bindparam("prefix"))


def create_key(
    session: Session, name: str, scopes: Iterable[str], lifetime: timedelta | None = None
) -> str:
    """Add a key and return it: it cannot be read again. The caller commits."""
    prefix = f"key_{secrets.token_hex(PREFIX_BYTES)}"
    secret = secrets.token_urlsafe(SECRET_BYTES)
    session.add(
        ApiKey(
            prefix=prefix,
            digest=_digest(secret),
            name=name,
            scopes=" ".join(sorted(set(scopes))),
            expires_at=utc_now() + lifetime if lifetime else None,
        )
    )
    return f"{prefix}.{secret}"


def revoke_key(session: Session, prefix: str) -> bool:
    """Revoke the key with this prefix; the caller commits.

    Returns False if there is no such key, or it is revoked already.
    """
    key = session.scalar(select(ApiKey).where(ApiKey.prefix == prefix))
    if key is None or key.revoked_at is not None:
        return False
    key.revoked_at = utc_now()
    return True


def state_of(key: ApiKey | Row[*tuple[Any, ...]]) -> str:
    """Return `active`, `expired` or `revoked`."""
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is not None and key.expires_at <= utc_now():
        return "expired"
    return "active"


def authenticate(token: str) -> Principal:
    """Return the principal of a key. Rejects a key that is unknown, expired or revoked."""
    given = KEY_PATTERN.fullmatch(token)
    if given is None:
        reject_token()
    session = db.session()
    key = session.execute(FIND_KEY, {"prefix": given["prefix"]}).one_or_none()
    session.rollback()  # the view needs the connection, and may first wait for a slow body
    # Compared in any case, so that the time does not reveal which prefixes exist.
    expected = UNKNOWN_DIGEST if key is None else key.digest
    is_right = hmac.compare_digest(_digest(given["secret"]), expected)
    if key is None or not is_right or state_of(key) != "active":
        reject_token()
    _record_use(session, key)
    return Principal(given["prefix"], frozenset(key.scopes.split()))


def _record_use(session: Session, key: Row[*tuple[Any, ...]]) -> None:
    """Record the use of the key at most once an hour, so that most requests do not write.

    The write is a transaction of its own, which ends before the view begins.
    """
    before = utc_now() - LAST_USED_RESOLUTION
    if key.last_used_at is not None and key.last_used_at > before:
        return
    stale = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at <= before)
    session.execute(update(ApiKey).where(ApiKey.id == key.id, stale).values(last_used_at=utc_now()))
    session.commit()


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
