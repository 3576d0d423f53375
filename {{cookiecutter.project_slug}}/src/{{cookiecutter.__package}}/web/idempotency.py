"""A create that may be sent again: the same `Idempotency-Key` gives the first response.

The key and its response are stored in the transaction of the create itself, so neither exists
without the other, and a request that fails leaves no key behind. The primary key makes simultaneous
requests with one key wait for the first of them.
"""

import hashlib
import random
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Response, abort, g, json, request
from pydantic import Field
from sqlalchemy import ColumnElement, delete
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from ..clock import utc_now
from ..database import Base
from ..database.batches import delete_in_batches
from ..database.column_types import ExactString, LongBinary, UtcDateTime
from ..database.engine import is_retryable
from .schemas import Parameters
from .validation import unprocessable

HEADER = "Idempotency-Key"
RETENTION = timedelta(hours=24)
RETRY_SECONDS = 2.0
MAX_PAUSE_SECONDS = 0.02
STORED_HEADERS = ("Content-Type", "ETag", "Location")


class CreateHeaders(Parameters):
    """The headers of a create."""

    idempotency_key: str | None = Field(
        default=None,
        alias=HEADER,
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="the same key and body within 24 hours give the first response again",
    )


class IdempotencyKey(Base):
    """A key that was used, as a digest with its route, and the response that it stands for."""

    __tablename__ = "idempotency_keys"

    digest: Mapped[str] = mapped_column(ExactString(64), primary_key=True)
    body_digest: Mapped[str] = mapped_column(ExactString(64))
    status: Mapped[int] = mapped_column(default=0)
    headers: Mapped[str] = mapped_column(ExactString(2000), default="{}")
    body: Mapped[bytes] = mapped_column(LongBinary, default=b"")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)

    @property
    def response(self) -> Response:
        """The first response again."""
        return Response(self.body, self.status, json.loads(self.headers))


@dataclass(frozen=True)
class Claim:
    """The state of a create's key: nothing, a claim to fill in, or the first response."""

    claimed: IdempotencyKey | None = None
    stored_response: Response | None = None

    def store_response(self, response: Response) -> None:
        """Store the response with the claimed key, if there is one; the caller commits both."""
        if self.claimed is None:
            return
        kept = {name: response.headers[name] for name in STORED_HEADERS if name in response.headers}
        self.claimed.status = response.status_code
        self.claimed.headers = json.dumps(kept)
        self.claimed.body = response.get_data()


def claim_idempotency_key(session: Session, headers: CreateHeaders) -> Claim:
    """Claim the request's Idempotency-Key, or find the response that it stands for already.

    A key that was used with another body gets 422.
    """
    key = headers.idempotency_key
    if key is None:
        return Claim()
    digest = _digest(json.dumps([principal(), request.method, request.path, key]))
    body_digest = _digest(json.dumps(request.get_json(), sort_keys=True))
    record = _find(session, digest) or _insert(session, digest, body_digest)
    if record.body_digest != body_digest:
        abort(unprocessable([{"parameter": HEADER, "detail": "was used with another body"}]))
    return Claim(stored_response=record.response) if record.status else Claim(claimed=record)


def principal() -> str:
    """Whose key it is, from `g.principal`: two callers may choose the same key."""
    return str(g.get("principal", ""))


def purge_expired_keys(session: Session) -> int:
    """Delete the keys that are no longer kept, commit, and return how many they were."""
    return delete_in_batches(session, IdempotencyKey.digest, _is_expired())


def _is_expired() -> ColumnElement[bool]:
    return IdempotencyKey.created_at < utc_now() - RETENTION


def _find(session: Session, digest: str) -> IdempotencyKey | None:
    record = session.get(IdempotencyKey, digest)
    if record is None or record.created_at >= utc_now() - RETENTION:
        return record
    session.expunge(record)
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.digest == digest, _is_expired()))
    return None


def _insert(session: Session, digest: str, body_digest: str) -> IdempotencyKey:
    """Insert the key, or return what a simultaneous request has committed.

    When the request that others wait for fails, an engine may let all of them go on with a shared
    lock on the key, and end most as deadlocks. Nothing else is written yet: they try again.
    """
    end = time.monotonic() + RETRY_SECONDS
    while True:
        record = IdempotencyKey(digest=digest, body_digest=body_digest)
        session.add(record)
        try:
            session.flush()
        except IntegrityError:  # a simultaneous request was first, and its response is committed
            session.rollback()
            return session.get_one(IdempotencyKey, digest)
        except DBAPIError as error:
            session.rollback()
            if not is_retryable(error) or time.monotonic() > end:
                raise
        else:
            return record
        time.sleep(random.uniform(0, MAX_PAUSE_SECONDS))  # noqa: S311  not all at once


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
