import base64
import hmac
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPConnection
from ssl import SSLError
from threading import Barrier, Event, Thread
from threading import enumerate as enumerate_threads
from typing import Any
from urllib.error import URLError

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Flask
from flask.testing import FlaskClient
from jwt import PyJWK
from pydantic import SecretStr, ValidationError
from werkzeug.datastructures import WWWAuthenticate

from {{ cookiecutter.__package }}.auth import oidc
from {{ cookiecutter.__package }}.auth.guard import Authenticate
from {{ cookiecutter.__package }}.auth.oidc import (
    JWKS_MAX_AGE_SECONDS,
    LEEWAY_SECONDS,
    MIN_FETCH_INTERVAL_SECONDS,
    JwksCache,
    authenticator,
)
from {{ cookiecutter.__package }}.auth.provider import Fetch
from {{ cookiecutter.__package }}.settings import Settings

from ..support.api import URL, new_body
from ..support.problems import problem
from .provider import (
    AUDIENCE,
    DISCOVERY,
    KEYS,
    Provider,
    private_key,
    public_jwk,
    running_provider,
)

RESOURCE = URL.rsplit("/", 1)[1]
READ, WRITE = f"{RESOURCE}:read", f"{RESOURCE}:write"
LATE = LEEWAY_SECONDS + 300
# Of a header, and of a record of TLS that announces 16 KiB.
BEGINNINGS = {"http": b"HTTP/1.1 200 OK\r\nX: ", "https": b"\x16\x03\x03\x3f\xff"}

Call = Callable[[str], int]


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock by which keys grow old."""
    clock = Clock()
    monkeypatch.setattr(oidc, "time", clock)
    return clock


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running_provider() as provider:
        yield provider


@pytest.fixture
def unreachable() -> str:
    """The address of a provider that does not respond any more."""
    with running_provider() as provider:
        return provider.issuer


def trusting(settings: Settings, provider: Provider, **changes: Any) -> Authenticate:
    values = {"oidc_issuer": provider.issuer, "oidc_audience": AUDIENCE, **changes}
    return authenticator(settings.model_copy(update=values))


@pytest.fixture
def real(
    app: Flask, settings: Settings, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Make the application accept the provider's tokens, and no others."""
    monkeypatch.setitem(app.extensions, "authenticate", trusting(settings, provider))


@pytest.fixture
def call(client: FlaskClient, real: None) -> Call:  # noqa: ARG001
    """The status of a list that is asked for with a token."""

    def call(token: str) -> int:
        response = client.get(URL, headers={"Authorization": f"Bearer {token}"})
        if response.status_code != 200:
            problem(response, response.status_code)
        if response.status_code == 401:
            challenge = WWWAuthenticate.from_header(response.headers["WWW-Authenticate"])
            assert challenge is not None
            assert challenge.parameters["error"] == "invalid_token"
        return response.status_code

    return call


def part(value: object) -> str:
    """A part of a token as it is written."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def by_hand(header: dict[str, Any], claims: dict[str, Any], signature: str = "") -> str:
    """A token with a header that no library would write."""
    return f"{part(header)}.{part(claims)}.{signature}"


def test_a_good_token_lets_its_holder_in(call: Call, provider: Provider) -> None:
    assert call(provider.token(scope=f"openid {READ}")) == 200
    assert provider.asked == [DISCOVERY, KEYS]


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
def test_all_algorithms_of_the_list_are_taken(
    call: Call, provider: Provider, algorithm: str
) -> None:
    provider.publish(public_jwk("mine", algorithm))

    assert call(provider.token("mine", algorithm, scope=READ)) == 200


def test_where_the_keys_are_can_be_set(app: Flask, settings: Settings, provider: Provider) -> None:
    del provider.documents[DISCOVERY]
    keys = f"{provider.issuer}{KEYS}"

    with app.test_request_context():
        principal = trusting(settings, provider, oidc_jwks_url=keys)(provider.token())

    assert principal.id == "anna"
    assert provider.asked == [KEYS]


@pytest.mark.parametrize(
    "claims",
    [
        {"scope": f"openid {READ}"},
        {"scp": f"{READ} email"},
        {"scp": ["email", READ]},
        {"scope": "", "scp": [READ]},
        {"aud": ["other", AUDIENCE], "scope": READ},
        {"exp_after": -LEEWAY_SECONDS + 10, "scope": READ},
    ],
)
def test_scopes_are_read_as_providers_write_them(
    call: Call, provider: Provider, claims: dict[str, Any]
) -> None:
    if "exp_after" in claims:
        claims = {**claims, "exp": int(time.time()) + claims["exp_after"]}
        del claims["exp_after"]

    assert call(provider.token(**claims)) == 200


@pytest.mark.parametrize(
    "claims",
    [{}, {"scope": WRITE}, {"scope": READ.upper()}, {"scope": 7}, {"scp": {READ: 1}}, {"scp": [7]}],
)
def test_without_the_scope_a_caller_is_forbidden(
    call: Call, provider: Provider, claims: dict[str, Any]
) -> None:
    assert call(provider.token(**claims)) == 403


def test_only_scopes_with_the_prefix_count_if_one_is_set(
    app: Flask, settings: Settings, provider: Provider
) -> None:
    authenticate = trusting(settings, provider, oidc_scope_prefix="api://x/")

    with app.test_request_context():
        principal = authenticate(provider.token(scope=f"api://x/{READ} {WRITE}"))

    assert principal.scopes == {READ}


def rejected(provider: Provider) -> Iterator[tuple[str, str]]:
    """Tokens that must not be taken, and why."""
    good = provider.claims(scope=READ)
    public = private_key("first", "RS256").public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    yield "no algorithm", jwt.encode(good, "", "none", headers={"kid": "first"})
    yield "no algorithm in odd letters", by_hand({"alg": "nOnE", "kid": "first"}, good)
    yield "algorithm left out", by_hand({"kid": "first"}, good)
    signed = f"{part({'alg': 'HS256', 'kid': 'first'})}.{part(good)}"
    signature = base64.urlsafe_b64encode(hmac.digest(pem, signed.encode(), "sha256"))
    yield "public key as a secret", f"{signed}.{signature.rstrip(b'=').decode()}"
    yield "strong, and not pinned", provider.token(algorithm="RS512", scope=READ)
    yield "of another algorithm than its key", provider.token(algorithm="PS256", scope=READ)
    now = int(time.time())
    yield "expired", provider.token(scope=READ, exp=now - LATE)
    yield "not yet valid", provider.token(scope=READ, nbf=now + LATE)
    yield "issued in the future", provider.token(scope=READ, iat=now + LATE)
    yield "other audience", provider.token(scope=READ, aud="another-service")
    yield "other audiences", provider.token(scope=READ, aud=["another", f"{AUDIENCE}/"])
    yield "other issuer", provider.token(scope=READ, iss="https://evil.example")
    yield "issuer with a slash", provider.token(scope=READ, iss=f"{provider.issuer}/")
    for claim in ("aud", "exp", "iat", "iss", "sub"):
        without: dict[str, Any] = {claim: None}
        yield f"without {claim}", provider.token(scope=READ, **without)
    yield "subject no text", provider.token(scope=READ, sub=7)
    yield "expiry no time", provider.token(scope=READ, exp="never")
    yield "unknown key", provider.token("unknown", scope=READ)
    yield "key of another", _resigned(provider.token("second", scope=READ))
    yield "without key id", jwt.encode(good, private_key("first", "RS256"), "RS256")
    for key_id in (None, "", 7, ["first"], {"first": 1}):
        header = {"alg": "RS256", "kid": key_id}
        yield f"key id {key_id!r}", by_hand(header, good, provider.token().rsplit(".", 1)[1])
    head, body, end = provider.token(scope="openid").split(".")
    yield "changed claims", f"{head}.{part(good)}.{end}"
    yield "without signature", f"{head}.{body}."
    yield "two parts", f"{head}.{body}"
    yield "critical extension", by_hand({"alg": "RS256", "kid": "first", "crit": ["x"]}, good)
    yield "header no object", f"{part([1])}.{body}.{end}"
    nested = base64.urlsafe_b64encode(b"[" * 5000).rstrip(b"=").decode()
    yield "header nested deeply", f"{nested}.{body}.{end}"
    yield "no token at all", "x"
    yield "only dots", ".."
    yield "letters beyond ASCII", "é.é.é"
    yield "bytes that are no text", "\xff\xfe" * 200


def _resigned(token: str) -> str:
    """The token, with the id of a key that did not sign it."""
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode(claims, private_key("second", "RS256"), "RS256", headers={"kid": "first"})


def test_other_tokens_are_rejected(call: Call, provider: Provider) -> None:
    taken = [why for why, token in rejected(provider) if call(token) != 401]

    assert taken == []
    assert call(provider.token(scope=READ)) == 200


def test_a_secret_among_the_keys_is_of_no_use(call: Call, provider: Provider) -> None:
    secret = base64.urlsafe_b64encode(b"s" * 32).decode()
    shared = {"kty": "oct", "k": secret, "kid": "shared", "alg": "HS256"}
    provider.publish(public_jwk("first", "RS256"), shared)

    token = jwt.encode(provider.claims(scope=READ), b"s" * 32, "HS256", headers={"kid": "shared"})

    assert call(token) == 401


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
def test_a_key_without_an_algorithm_is_valid_for_all_of_its_type(
    call: Call, provider: Provider, algorithm: str
) -> None:
    jwk = public_jwk("first", "RS256")
    del jwk["alg"]
    provider.publish(jwk)
    key = private_key("first", "RS256")
    token = jwt.encode(provider.claims(scope=READ), key, algorithm, headers={"kid": "first"})

    assert call(token) == 200
    assert call(provider.token("first", "ES256", scope=READ)) == 401


def test_a_key_with_an_algorithm_is_valid_for_that_only(call: Call, provider: Provider) -> None:
    key = private_key("first", "RS256")

    token = jwt.encode(provider.claims(scope=READ), key, "PS256", headers={"kid": "first"})

    assert call(token) == 401
    assert call(provider.token(scope=READ)) == 200


@pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt", "application/at+jwt", None])
def test_access_tokens_are_accepted(call: Call, provider: Provider, kind: str | None) -> None:
    assert call(provider.token(typ=kind, scope=READ)) == 200


@pytest.mark.parametrize("kind", ["logout+jwt", "dpop+jwt", "secevent+jwt", "JOSE"])
def test_tokens_of_another_type_are_rejected(call: Call, provider: Provider, kind: str) -> None:
    assert call(provider.token(typ=kind, scope=READ)) == 401


@pytest.mark.parametrize("subject", ["", " "])
def test_an_empty_subject_is_rejected(call: Call, provider: Provider, subject: str) -> None:
    assert call(provider.token(sub=subject, scope=READ)) == 401


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_a_small_rsa_key_is_rejected(call: Call, provider: Provider) -> None:
    provider.publish(public_jwk("small", "RS256"))

    assert call(provider.token("small", scope=READ)) == 401


def test_a_key_for_encryption_verifies_nothing(call: Call, provider: Provider) -> None:
    provider.publish(public_jwk("other", "RS256"), {**public_jwk("first", "RS256"), "use": "enc"})

    assert call(provider.token(scope=READ)) == 401


@pytest.fixture(params=["http", "https"])
def trickling(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a provider that sends one byte now and then, and does not end."""
    stop = Event()

    def trickle() -> None:
        client, _ = listener.accept()
        with client, suppress(OSError):
            client.sendall(BEGINNINGS[request.param])
            while not stop.wait(0.01):
                client.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=trickle)
        thread.start()
        yield f"{request.param}://127.0.0.1:{listener.getsockname()[1]}"
        stop.set()
        thread.join()


def test_a_provider_that_trickles_is_given_up_as_a_whole(
    trickling: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Also its thread ends."""
    monkeypatch.setattr(oidc, "PROVIDER_TIMEOUT_SECONDS", 0.1)
    threads = {thread for thread in enumerate_threads() if isinstance(thread, Fetch)}

    with pytest.raises(oidc.ProviderUnavailableError):
        JwksCache(trickling, None).find("first")

    assert "no whole response in time" in caplog.text
    for thread in set(enumerate_threads()) - threads:
        if isinstance(thread, Fetch):
            thread.join(10)
            assert not thread.is_alive()


def test_a_fetch_that_connects_after_it_was_given_up_ends(trickling: str) -> None:
    given_up = Event()

    def read(fetch: Fetch) -> object:
        given_up.wait()
        return fetch.get(trickling)

    fetch = Fetch(read, 0.05)
    with pytest.raises(TimeoutError):
        fetch.result()
    given_up.set()

    fetch.join(10)
    assert not fetch.is_alive()


def test_a_new_key_is_found_when_the_keys_rotate(
    call: Call, provider: Provider, clock: Clock
) -> None:
    assert call(provider.token(scope=READ)) == 200
    provider.publish(public_jwk("second", "RS256"))

    clock.now += MIN_FETCH_INTERVAL_SECONDS
    assert call(provider.token("second", scope=READ)) == 200
    assert call(provider.token("first", scope=READ)) == 401
    assert provider.asked == [DISCOVERY, KEYS, KEYS]


def test_a_key_that_was_withdrawn_is_forgotten(
    call: Call, provider: Provider, clock: Clock
) -> None:
    assert call(provider.token(scope=READ)) == 200
    provider.publish(public_jwk("second", "RS256"))

    clock.now += JWKS_MAX_AGE_SECONDS - 1
    assert call(provider.token(scope=READ)) == 200
    clock.now += 1
    assert call(provider.token(scope=READ)) == 401


def test_unknown_keys_do_not_make_a_call_each(call: Call, provider: Provider, clock: Clock) -> None:
    for number in range(50):
        claims = provider.claims(scope=READ)
        assert call(by_hand({"alg": "RS256", "kid": f"unknown-{number}"}, claims)) == 401
    assert provider.asked == [DISCOVERY, KEYS]

    clock.now += MIN_FETCH_INTERVAL_SECONDS
    assert call(provider.token("unknown", scope=READ)) == 401
    assert provider.asked == [DISCOVERY, KEYS, KEYS]


def broken() -> Iterator[tuple[str, dict[str, Any]]]:
    """Useless responses of a provider."""
    yield "nothing", {DISCOVERY: None}
    yield "no JSON", {DISCOVERY: "<html>"}
    yield "no object", {DISCOVERY: []}
    yield "no address", {DISCOVERY: {}}
    yield "a file", {DISCOVERY: {"jwks_uri": "file:///etc/passwd"}}
    yield "no text", {DISCOVERY: {"jwks_uri": 7}}
    yield "no keys there", {KEYS: None}
    yield "keys that are no JSON", {KEYS: "<html>"}
    yield "keys that are no object", {KEYS: []}
    yield "no key", {KEYS: {"keys": []}}
    yield "odd keys", {KEYS: {"keys": ["x", 7, {"kty": "RSA"}]}}
    yield "nested", {KEYS: "[" * 100_000}


@pytest.mark.usefixtures("real")
@pytest.mark.parametrize(
    "documents", [each for _, each in broken()], ids=[why for why, _ in broken()]
)
def test_a_provider_of_no_use_is_as_good_as_unreachable(
    client: FlaskClient, provider: Provider, documents: dict[str, Any]
) -> None:
    provider.documents |= documents

    response = client.get(URL, headers={"Authorization": f"Bearer {provider.token(scope=READ)}"})

    document = problem(response, 503)
    assert document["detail"] == "The token cannot be verified: its issuer cannot be reached."
    assert response.headers["Retry-After"]


def test_while_the_provider_is_unreachable_known_keys_go_on(
    call: Call, provider: Provider, clock: Clock
) -> None:
    assert call(provider.token(scope=READ)) == 200
    kept = provider.documents.copy()
    provider.documents.clear()

    clock.now += JWKS_MAX_AGE_SECONDS
    assert call(provider.token(scope=READ)) == 200
    assert call(provider.token("second", scope=READ)) == 503
    asked = len(provider.asked)
    assert call(provider.token("third", scope=READ)) == 503
    assert call(provider.token(scope=READ)) == 200
    assert len(provider.asked) == asked
    assert call(provider.token(scope=READ, exp=1)) == 401

    provider.documents.update(kept)
    provider.publish(public_jwk("second", "RS256"))
    clock.now += MIN_FETCH_INTERVAL_SECONDS
    assert call(provider.token("second", scope=READ)) == 200


def test_a_provider_that_was_unreachable_is_asked_again(unreachable: str, clock: Clock) -> None:
    store = JwksCache(unreachable, None)

    for _ in range(3):
        with pytest.raises(oidc.ProviderUnavailableError):
            store.find("first")
        clock.now += MIN_FETCH_INTERVAL_SECONDS


def test_while_one_request_asks_those_with_known_keys_go_on(
    provider: Provider, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = JwksCache(provider.issuer, None)
    assert store.find("first")
    clock.now += JWKS_MAX_AGE_SECONDS
    asked, responded = Event(), Event()
    fetch = store._fetch

    def slow_fetch() -> None:
        asked.set()
        assert responded.wait(10)
        fetch()

    monkeypatch.setattr(store, "_fetch", slow_fetch)
    thread = Thread(target=store.find, args=["first"])
    thread.start()
    assert asked.wait(10)
    try:
        assert store.find("first")
    finally:
        responded.set()
        thread.join()


def test_many_requests_with_a_new_key_ask_once(provider: Provider) -> None:
    store = JwksCache(provider.issuer, None)
    together = Barrier(8)
    found: list[PyJWK | None] = []

    def find() -> None:
        together.wait()
        found.append(store.find("first"))

    threads = [Thread(target=find) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert None not in found
    assert len(found) == 8
    assert provider.asked == [DISCOVERY, KEYS]


@pytest.mark.usefixtures("real")
def test_a_caller_is_known_by_the_subject(
    client: FlaskClient, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    def create(subject: str, code: str) -> int:
        token = provider.token(sub=subject, scope=WRITE)
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "key-1"}
        return client.post(URL, json=new_body(code=code), headers=headers).status_code

    assert create("anna", "A-1") == 201
    assert create("bert", "B-1") == 201
    assert create("anna", "A-1") == 201
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["caller"] for line in lines] == ["anna", "bert", "anna"]


def test_no_token_is_logged(
    call: Call, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    provider.documents.clear()
    token = provider.token(scope=READ)

    assert call(token) == 503

    logged = capsys.readouterr().err
    assert provider.issuer in logged
    assert token.split(".")[2] not in logged


ADDRESS = "https://id.example.com"
HTTP = "http://id.example.com"
PRODUCTION = {"environment": "production"}


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({**PRODUCTION, "oidc_issuer": ADDRESS}, set()),
        (PRODUCTION, {"oidc_issuer"}),
        ({**PRODUCTION, "oidc_issuer": HTTP}, {"oidc_issuer"}),
        ({**PRODUCTION, "oidc_issuer": ADDRESS, "oidc_jwks_url": HTTP}, {"oidc_jwks_url"}),
        ({"oidc_issuer": HTTP, "oidc_jwks_url": HTTP}, set()),
        ({"oidc_issuer": "id.example.com"}, {"oidc_issuer"}),
        ({"oidc_issuer": "file:///x", "oidc_jwks_url": "x"}, {"oidc_issuer", "oidc_jwks_url"}),
        ({"oidc_audience": ""}, {"oidc_audience"}),
    ],
)
def test_the_provider_is_asked_over_https_in_production(
    settings: Settings, values: dict[str, str], wrong: set[str]
) -> None:
    given = {"database_url": settings.database_url, "secret_key": SecretStr("k" * 32), **values}

    found: set[object] = set()
    try:
        Settings.model_validate(given)
    except ValidationError as error:
        found = {each["loc"][0] for each in error.errors()}

    assert found == wrong


def test_a_fetch_that_takes_too_long_ends_whatever_its_connections_are() -> None:
    def read(fetch: Fetch) -> None:
        fetch._open(HTTPConnection, "127.0.0.1")
        fetch._open(HTTPConnection, "127.0.0.1").sock = unconnected
        fetch._open(HTTPConnection, "127.0.0.1").sock = reading
        reading.recv(1)

    reading, silent = socket.socketpair()
    with reading, silent, socket.socket() as unconnected:
        fetch = Fetch(read, 0.05)
        with pytest.raises(TimeoutError, match="no whole response in time"):
            fetch.result()
        fetch.join(10)

        assert not fetch.is_alive()


def test_an_https_address_is_asked_over_tls(provider: Provider) -> None:
    address = provider.issuer.replace("http://", "https://") + DISCOVERY

    with pytest.raises(URLError) as failed:
        Fetch(lambda fetch: fetch.get(address), 10).result()

    assert isinstance(failed.value.reason, SSLError)
    assert provider.asked == []
