"""Bearer tokens of an OpenID provider: its keys are fetched, its tokens verified here.

Only asymmetric algorithms are accepted, so a token signed with a public key as if it were a shared
secret is refused, and so is one without a signature (RFC 8725, section 3.1).
"""

import logging
import threading
import time
from typing import Any

import jwt
from flask import abort
from jwt import PyJWK, PyJWKClient
from jwt.exceptions import PyJWTError

from ..base_settings import ServiceSettings
from ..web.problems import unavailable
from .guard import Authenticate, Principal, reject_token

log = logging.getLogger(__name__)

ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
REQUIRED_CLAIMS = ["aud", "exp", "iat", "iss", "sub"]
DISCOVERY = "/.well-known/openid-configuration"
LEEWAY_SECONDS = 30
PROVIDER_TIMEOUT_SECONDS = 5
JWKS_MAX_AGE_SECONDS = 600.0
MIN_FETCH_INTERVAL_SECONDS = 10.0


class ProviderUnavailableError(Exception):
    """The provider's keys cannot be fetched."""


class JwksCache:
    """The provider's public keys by their ids.

    A key that is not known is looked up at the provider, but not more often than each
    `MIN_FETCH_INTERVAL_SECONDS`: or anybody could make us call it with each request. Keys that were
    fetched long ago are fetched anew; while the provider is away those that are known stay good.
    """

    def __init__(self, issuer: str, url: str | None) -> None:
        self._issuer = issuer
        self._url = url
        self._keys: dict[str, PyJWK] = {}
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._lock = threading.Lock()

    def find(self, key_id: str) -> PyJWK | None:
        """Return the key with this id, if there is one. Raises `ProviderUnavailableError`."""
        known = self._keys.get(key_id)
        if known is not None and time.monotonic() - self._fetched_at < JWKS_MAX_AGE_SECONDS:
            return known
        if not self._lock.acquire(blocking=known is None):
            return known  # another thread is asking, and may have to wait for long
        try:
            self._fetch()
        except ProviderUnavailableError:
            if known is None:
                raise
        finally:
            self._lock.release()
        return self._keys.get(key_id)

    def _fetch(self) -> None:
        """Fetch the keys, unless that was tried just now: then it ends as it did."""
        if time.monotonic() - self._tried_at < MIN_FETCH_INTERVAL_SECONDS:
            if self._fetched_at < self._tried_at:
                raise ProviderUnavailableError
            return
        self._tried_at = time.monotonic()
        try:
            found = _client(self._find_url()).get_signing_keys()
        except Exception as error:  # whatever somebody else's server answers
            log.warning("The keys of %s cannot be fetched: %r", self._issuer, error)
            raise ProviderUnavailableError from None
        self._keys = {key.key_id: key for key in found if key.key_id}
        self._fetched_at = self._tried_at

    def _find_url(self) -> str:
        """Where the keys are: as set, or as the provider's discovery document says."""
        if self._url is None:
            self._url = str(_client(self._issuer.rstrip("/") + DISCOVERY).fetch_data()["jwks_uri"])
        return self._url


def _client(url: str) -> PyJWKClient:
    """What fetches a JSON object, follows no redirect, and keeps nothing."""
    return PyJWKClient(url, cache_jwk_set=False, timeout=PROVIDER_TIMEOUT_SECONDS)


def authenticator(settings: ServiceSettings) -> Authenticate:
    """Find out whom a token stands for, by the provider that the settings name."""
    store = JwksCache(settings.oidc_issuer, settings.oidc_jwks_url)

    def authenticate(token: str) -> Principal:
        claims = _verified(token, store, settings)
        return Principal(claims["sub"], _scopes(claims, settings.oidc_scope_prefix))

    return authenticate


def _verified(token: str, store: JwksCache, settings: ServiceSettings) -> dict[str, Any]:
    """The claims of a token, which is refused with 401, or 503 if its key cannot be looked up."""
    try:
        key_id = jwt.get_unverified_header(token).get("kid")
        key = store.find(key_id) if key_id else None
        if key is None:
            reject_token()
        return jwt.decode(
            token,
            key,
            algorithms=ALGORITHMS,
            audience=settings.oidc_audience,
            issuer=settings.oidc_issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": REQUIRED_CLAIMS},
        )
    except PyJWTError:
        reject_token()
    except ProviderUnavailableError:
        abort(unavailable("The token cannot be verified: its issuer cannot be reached."))


def _scopes(claims: dict[str, Any], prefix: str) -> frozenset[str]:
    """The scopes of a token, from `scope` (RFC 9068) or `scp`, which some providers send.

    Only those with the prefix count, and without it.
    """
    given = claims.get("scope") or claims.get("scp") or ""
    names = given if isinstance(given, list) else str(given).split()
    return frozenset(
        name.removeprefix(prefix) for name in map(str, names) if name.startswith(prefix)
    )
