"""Bearer tokens of an OpenID provider: its keys are fetched, its tokens verified here.

Only asymmetric algorithms are accepted, so a token signed with a public key as if it were a shared
secret is rejected, and so is one without a signature (RFC 8725, section 3.1).
"""

import logging
import threading
import time
from typing import Any

import jwt
from flask import abort
from jwt import PyJWK
from jwt.exceptions import InvalidTokenError, PyJWTError

from ..base_settings import ServiceSettings
from ..observability.logs import add_request_fields
from ..web.problems import unavailable
from .guard import Authenticate, Principal, reject_token
from .provider import Fetch

log = logging.getLogger(__name__)

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
KEY_TYPES = frozenset({"EC", "OKP", "RSA"})
TOKEN_TYPES = frozenset({"", "at+jwt", "jwt"})
"""RFC 9068 names the second; most providers send another. A logout token, for example, is none."""

REQUIRED_CLAIMS = ["aud", "exp", "iat", "iss", "sub"]
DISCOVERY = "/.well-known/openid-configuration"
LEEWAY_SECONDS = 30
PROVIDER_TIMEOUT_SECONDS = 5.0
JWKS_MAX_AGE_SECONDS = 600.0
MIN_FETCH_INTERVAL_SECONDS = 10.0

Jwk = dict[str, Any]


class ProviderUnavailableError(Exception):
    """The provider's keys cannot be fetched."""


class JwksCache:
    """The provider's public keys by their ids.

    A key that is not known is looked up at the provider, but at most once in
    `MIN_FETCH_INTERVAL_SECONDS`: or callers could make this service call it with each request. Old
    keys are fetched again; while the provider is unavailable those that are known stay valid.
    """

    def __init__(self, issuer: str, url: str | None) -> None:
        self._issuer = issuer
        self._url = url
        self._keys: dict[str, Jwk] = {}
        self._parsed: dict[tuple[str, str], PyJWK] = {}
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._lock = threading.Lock()

    def find(self, key_id: str, algorithm: str = ALGORITHMS[0]) -> PyJWK | None:
        """Return the key with this id for an algorithm, if there is one.

        A key that names no algorithm is valid for all of its type (RFC 7517, section 4.4). Raises
        `ProviderUnavailableError`, and `PyJWTError` for a key of another type.
        """
        jwk = self._find_jwk(key_id)
        if jwk is None or jwk.get("alg", algorithm) != algorithm:
            return None
        key = self._parsed.get((key_id, algorithm))
        if key is None:
            key = self._parsed[key_id, algorithm] = PyJWK(jwk, algorithm)
        return key

    def _find_jwk(self, key_id: str) -> Jwk | None:
        known = self._keys.get(key_id)
        if known is not None and time.monotonic() - self._fetched_at < JWKS_MAX_AGE_SECONDS:
            return known
        if not self._lock.acquire(blocking=known is None):
            return known  # another thread is fetching, which may take long
        try:
            self._fetch()
        except ProviderUnavailableError:
            if known is None:
                raise
        finally:
            self._lock.release()
        return self._keys.get(key_id)

    def _fetch(self) -> None:
        """Fetch the keys, unless that was tried just now: then end as that did."""
        if time.monotonic() - self._tried_at < MIN_FETCH_INTERVAL_SECONDS:
            if self._fetched_at < self._tried_at:
                raise ProviderUnavailableError
            return
        self._tried_at = time.monotonic()
        try:
            found = Fetch(self._read, PROVIDER_TIMEOUT_SECONDS).result()
        except Exception as error:  # whatever somebody else's server sends
            log.warning("The keys of %s cannot be fetched: %r", self._issuer, error)
            raise ProviderUnavailableError from None
        self._keys, self._parsed = found, {}
        self._fetched_at = self._tried_at

    def _read(self, fetch: Fetch) -> dict[str, Jwk]:
        """Return the keys at the URL that is set, or that the discovery document names."""
        if self._url is None:
            self._url = _http_url(fetch.get(self._issuer.rstrip("/") + DISCOVERY)["jwks_uri"])
        keys = {jwk["kid"]: jwk for jwk in fetch.get(self._url)["keys"] if _is_usable(jwk)}
        if not keys:
            raise ValueError("there is no usable key")
        return keys


def authenticator(settings: ServiceSettings) -> Authenticate:
    """Return what finds the holder of a token, by the provider that the settings name."""
    cache = JwksCache(settings.oidc_issuer, settings.oidc_jwks_url)

    def authenticate(token: str) -> Principal:
        claims = _verified(token, cache, settings)
        add_request_fields(caller=claims["sub"])
        return Principal(claims["sub"], _scopes(claims, settings.oidc_scope_prefix))

    return authenticate


def _http_url(url: object) -> str:
    if not isinstance(url, str) or not url.startswith(("https://", "http://")):
        raise ValueError("jwks_uri is not an HTTP URL")
    return url


def _is_usable(jwk: object) -> bool:
    """Return whether a document is a public key for signatures, with an id."""
    if not isinstance(jwk, dict) or not isinstance(jwk.get("kid"), str) or not jwk["kid"]:
        return False
    return jwk.get("kty") in KEY_TYPES and jwk.get("use", "sig") == "sig"


def _verified(token: str, cache: JwksCache, settings: ServiceSettings) -> dict[str, Any]:
    """Return the claims of a token. Responds with 401, or 503 if its key cannot be looked up."""
    try:
        header = jwt.get_unverified_header(token)
        _check_type(header)
        algorithm, key_id = header.get("alg"), header.get("kid")
        key = cache.find(key_id, algorithm) if key_id and algorithm in ALGORITHMS else None
        if key is None:
            reject_token()
        claims = jwt.decode(
            token,
            key,
            algorithms=ALGORITHMS,
            audience=settings.oidc_audience,
            issuer=settings.oidc_issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": REQUIRED_CLAIMS, "enforce_minimum_key_length": True},
        )
    except PyJWTError:
        reject_token()
    except ProviderUnavailableError:
        abort(unavailable("The token cannot be verified: its issuer cannot be reached."))
    if not claims["sub"].strip():
        reject_token()
    return claims


def _check_type(header: dict[str, Any]) -> None:
    """Raise `InvalidTokenError` for a token of another kind (RFC 8725, section 3.11)."""
    kind = str(header.get("typ", "")).lower().removeprefix("application/")
    if kind not in TOKEN_TYPES:
        raise InvalidTokenError


def _scopes(claims: dict[str, Any], prefix: str) -> frozenset[str]:
    """Return the scopes of a token, from `scope` (RFC 9068) or `scp`, which some providers send.

    Only those with the prefix count; they are returned without it.
    """
    given = claims.get("scope") or claims.get("scp") or ""
    names = given if isinstance(given, list) else str(given).split()
    return frozenset(
        name.removeprefix(prefix) for name in map(str, names) if name.startswith(prefix)
    )
