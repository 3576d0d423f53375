"""An OpenID provider on the loopback interface, with keys that it makes itself."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as make_ec_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as make_rsa_key
from jwt.algorithms import get_default_algorithms

AUDIENCE = "the-tests"
DISCOVERY = "/.well-known/openid-configuration"
KEYS = "/keys"


@cache
def private_key(key_id: str, algorithm: str) -> Any:
    """A private key, which is made once in a run."""
    if algorithm == "ES256":
        return make_ec_key(SECP256R1())
    if algorithm == "EdDSA":
        return Ed25519PrivateKey.generate()
    return make_rsa_key(public_exponent=65537, key_size=1024 if "small" in key_id else 2048)


def public_jwk(key_id: str, algorithm: str) -> dict[str, Any]:
    """The public half of a key, as a provider publishes it."""
    to_jwk: Any = get_default_algorithms()[algorithm]
    public = private_key(key_id, algorithm).public_key()
    return {**to_jwk.to_jwk(public, as_dict=True), "kid": key_id, "alg": algorithm, "use": "sig"}


@dataclass
class Provider:
    """The provider's responses, which a test may change, and the requests that it got."""

    issuer: str = ""
    documents: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def publish(self, *jwks: dict[str, Any]) -> None:
        """Serve these keys and no other."""
        self.documents[KEYS] = {"keys": list(jwks)}

    def claims(self, **changes: Any) -> dict[str, Any]:
        """The claims of a good token, with these changes; None leaves one out."""
        issued = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": "anna",
            "iat": issued,
            "exp": issued + 300,
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def token(
        self,
        key_id: str = "first",
        algorithm: str = "RS256",
        typ: str | None = "JWT",
        **changes: Any,
    ) -> str:
        """A token that is signed with one of the keys; `typ` is its type, None leaves it out."""
        key = private_key(key_id, algorithm)
        headers = {"kid": key_id, "typ": typ}
        return jwt.encode(self.claims(**changes), key, algorithm, headers=headers)


@contextmanager
def running_provider() -> Iterator[Provider]:
    """A provider that publishes one key, `first`, until the block ends."""
    provider = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            provider.asked.append(self.path)
            document = provider.documents.get(self.path)
            text = document if isinstance(document, str) else json.dumps(document)
            self.send_response(404 if document is None else 200)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_arguments: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        provider.issuer = f"http://127.0.0.1:{server.server_port}"
        provider.documents[DISCOVERY] = {"jwks_uri": f"{provider.issuer}{KEYS}"}
        provider.publish(public_jwk("first", "RS256"))
        try:
            yield provider
        finally:
            server.shutdown()
            thread.join()
