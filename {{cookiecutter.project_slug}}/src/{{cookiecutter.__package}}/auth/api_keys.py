"""API keys: created, rotated and revoked by commands, stored only as digests.

A key is `<prefix>.<secret>`. The prefix identifies the key and is stored, shown and logged. Of the
secret only the SHA-256 is stored; a slow hash is not needed, because 256 random bits cannot be
guessed. The caller is the owner, who may have several keys and outlives each of them.
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
from ..observability.logs import add_request_fields
from .guard import Principal, reject_token

PREFIX_BYTES = 4
SECRET_BYTES = 32
KEY_PATTERN = re.compile(r"(?P<prefix>key_[0-9a-f]{8})\.(?P<secret>[A-Za-z0-9_-]{43})")
UNKNOWN_DIGEST = hashlib.sha256(b"").hexdigest()
MAX_OWNER_LENGTH = 200
MAX_SCOPES_LENGTH = 1000
LAST_USED_RESOLUTION = timedelta(hours=1)


class ApiKey(Base):
    """A key without its secret, of which only the digest is stored."""

    __tablename__ = "api_keys"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    prefix: Mapped[str] = mapped_column(ExactString(16), unique=True)
    digest: Mapped[str] = mapped_column(ExactString(64))
    # The column has the name that it was created with: a delivered revision never changes.
    owner: Mapped[str] = mapped_column("name", ExactString(MAX_OWNER_LENGTH))
    scopes: Mapped[str] = mapped_column(ExactString(MAX_SCOPES_LENGTH))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


FIND_KEY = select(
    ApiKey.id,
    ApiKey.digest,
    ApiKey.owner,
    ApiKey.scopes,
    ApiKey.expires_at,
    ApiKey.revoked_at,
    ApiKey.last_used_at,
).where(ApiKey.prefix == bindparam("prefix"))


def joined(scopes: Iterable[str]) -> str:
    """Return the scopes as a key holds them."""
    return " ".join(sorted(set(scopes)))


def create_key(
    session: Session, owner: str, scopes: Iterable[str], lifetime: timedelta | None = None
) -> str:
    """Add a key of this owner and return it: it cannot be read again. The caller commits."""
    prefix = f"key_{secrets.token_hex(PREFIX_BYTES)}"
    secret = secrets.token_urlsafe(SECRET_BYTES)
    session.add(
        ApiKey(
            prefix=prefix,
            digest=_digest(secret),
            owner=owner,
            scopes=joined(scopes),
            expires_at=utc_now() + lifetime if lifetime else None,
        )
    )
    return f"{prefix}.{secret}"


def rotate_key(session: Session, prefix: str) -> str | None:
    """Add a key with the owner, scopes and lifetime of that with this prefix, and return it.

    The key with the prefix stays as it is, so that both are valid until it is revoked. Returns None
    if there is no such key, or it is revoked already. The caller commits.
    """
    key = _find_unrevoked(session, prefix)
    if key is None:
        return None
    lifetime = key.expires_at - key.created_at if key.expires_at else None
    return create_key(session, key.owner, key.scopes.split(), lifetime)


def revoke_key(session: Session, prefix: str) -> bool:
    """Revoke the key with this prefix; the caller commits.

    Returns False if there is no such key, or it is revoked already.
    """
    key = _find_unrevoked(session, prefix)
    if key is None:
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
    """Return the owner of a key. Rejects a key that is unknown, expired or revoked.

    The log line of the request has the prefix, also of an expired or revoked key, so that its user
    can be found; but not one that somebody only guessed.
    """
    given = KEY_PATTERN.fullmatch(token)
    if given is None:
        reject_token()
    session = db.session()
    key = session.execute(FIND_KEY, {"prefix": given["prefix"]}).one_or_none()
    session.rollback()  # the view needs the connection, and may first wait for a slow body
    # Compared in any case, so that the time does not reveal which prefixes exist.
    expected = UNKNOWN_DIGEST if key is None else key.digest
    is_right = hmac.compare_digest(_digest(given["secret"]), expected)
    if key is None or not is_right:
        reject_token()
    add_request_fields(caller=given["prefix"])
    if state_of(key) != "active":
        reject_token()
    _record_use(session, key)
    return Principal(key.owner, frozenset(key.scopes.split()))


def _find_unrevoked(session: Session, prefix: str) -> ApiKey | None:
    return session.scalar(
        select(ApiKey).where(ApiKey.prefix == prefix, ApiKey.revoked_at.is_(None))
    )


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
