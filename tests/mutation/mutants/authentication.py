"""Mutants of who may call: the guard, API keys, tokens of a provider."""

from .mutant import PACKAGE, Mutant

AUTH = f"{PACKAGE}/auth/guard.py"
API_KEYS = f"{PACKAGE}/auth/api_keys.py"
OIDC = f"{PACKAGE}/auth/oidc.py"
GUARD_TESTS = "tests/auth/test_guard.py"
KEY_TESTS = "tests/auth/test_api_keys.py"
OIDC_TESTS = "tests/auth/test_oidc.py"
WITH_KEYS = (("auth", "api_key"),)
WITH_OIDC = (("auth", "oidc"),)

AUTHENTICATION_MUTANTS = (
    # The guard
    Mutant(
        "guard for named routes only",
        "every route of the API needs a credential, unless it says that it is public",
        AUTH,
        (
            (
                "if not is_guarded(request.path) or is_public(request.endpoint):",
                'if not (request.endpoint or "").startswith("items"):',
            ),
        ),
        (f"{GUARD_TESTS}::test_a_new_route_is_guarded_unless_it_is_public",),
        options=WITH_KEYS,
    ),
    Mutant(
        "scope ignored",
        "a caller does only what the scopes allow",
        AUTH,
        (("        if scope not in g.principal.scopes:\n", "        if False:\n"),),
        (
            f"{GUARD_TESTS}::test_a_write_scope_does_not_include_reading",
            f"{KEY_TESTS}::test_a_key_allows_only_its_scopes",
        ),
        options=WITH_KEYS,
    ),
    Mutant(
        "one caller to idempotency keys",
        "callers do not share idempotency keys",
        AUTH,
        (("        return self.id\n", "        return type(self).__name__\n"),),
        (f"{GUARD_TESTS}::test_callers_do_not_share_idempotency_keys",),
        options=WITH_KEYS,
    ),
    # API keys
    Mutant(
        "key stored and compared without hashing",
        "of a key only its digest is stored",
        API_KEYS,
        (("    return hashlib.sha256(secret.encode()).hexdigest()\n", "    return secret\n"),),
        (f"{KEY_TESTS}::test_only_the_digest_of_the_secret_is_stored",),
        options=WITH_KEYS,
    ),
    Mutant(
        "key compared by ==",
        "the time of a rejection tells nothing of a key",
        API_KEYS,
        (
            (
                'hmac.compare_digest(_digest(given["secret"]), expected)',
                '_digest(given["secret"]) == expected',
            ),
        ),
        (f"{KEY_TESTS}::test_digests_are_compared_in_constant_time_for_every_invalid_key",),
        options=WITH_KEYS,
    ),
    Mutant(
        "expired keys taken",
        "a key ends when it expires",
        API_KEYS,
        (("if key.expires_at is not None and key.expires_at <= utc_now():", "if False:"),),
        (f"{KEY_TESTS}::test_an_expired_key_is_rejected",),
        options=WITH_KEYS,
    ),
    Mutant(
        "revoked keys taken",
        "a key ends when it is revoked",
        API_KEYS,
        (
            (
                '    if key.revoked_at is not None:\n        return "revoked"\n',
                '    if False:\n        return "revoked"\n',
            ),
        ),
        (f"{KEY_TESTS}::test_a_revoked_key_is_rejected",),
        options=WITH_KEYS,
    ),
    Mutant(
        "last use written with each request",
        "a request does not write when its key was used within the hour",
        API_KEYS,
        (("if key.last_used_at is not None and key.last_used_at > before:", "if False:"),),
        (f"{KEY_TESTS}::test_the_last_use_is_recorded_at_most_hourly",),
        options=WITH_KEYS,
    ),
    Mutant(
        "key read in the view's transaction",
        "a request that waits for its body holds no connection for its key",
        API_KEYS,
        (("    session.rollback()  # the view", "    # the view"),),
        (f"{KEY_TESTS}::test_authentication_releases_its_connection_before_the_view",),
        options=WITH_KEYS,
    ),
    Mutant(
        "the key as the caller",
        "the caller is the owner of the key: a new key has the rows of the old one",
        API_KEYS,
        (("return Principal(key.owner, ", 'return Principal(given["prefix"], '),),
        (
            f"{KEY_TESTS}::test_the_caller_is_the_owner_whichever_key_is_used",
            f"{KEY_TESTS}::test_what_was_done_with_the_old_key_belongs_to_the_caller_with_the_new_one",
        ),
        options=WITH_KEYS,
    ),
    Mutant(
        "a rotated key that does not expire",
        "a rotated key has the lifetime of the old one",
        API_KEYS,
        ((" = key.expires_at - key.created_at if key.expires_at else None", " = None"),),
        (f"{KEY_TESTS}::test_a_rotated_key_has_the_lifetime_of_the_old_one",),
        options=WITH_KEYS,
    ),
    Mutant(
        "a guessed prefix logged as the caller",
        "the log names a key only if its secret is right",
        API_KEYS,
        (
            ("    if key is None or not is_right:\n        reject_token()\n", ""),
            ("    if state_of(key) != ", "    if key is None or not is_right or state_of(key) != "),
        ),
        (f"{KEY_TESTS}::test_the_log_line_names_the_prefix_and_never_the_key",),
        options=WITH_KEYS,
    ),
    Mutant(
        "the whole token logged",
        "the log has the prefix of a key, never the key",
        API_KEYS,
        (('caller=given["prefix"]', "caller=token"),),
        (f"{KEY_TESTS}::test_the_log_line_names_the_prefix_and_never_the_key",),
        options=WITH_KEYS,
    ),
    # Tokens of a provider
    Mutant(
        "audience not checked",
        "a token for another service is rejected",
        OIDC,
        (
            (
                '{"require": REQUIRED_CLAIMS, ',
                '{"require": REQUIRED_CLAIMS, "verify_aud": False, ',
            ),
        ),
        (f"{OIDC_TESTS}::test_other_tokens_are_rejected",),
        options=WITH_OIDC,
    ),
    Mutant(
        "issuer not checked",
        "a token of another issuer is rejected",
        OIDC,
        (("            issuer=settings.oidc_issuer,\n", ""),),
        (f"{OIDC_TESTS}::test_other_tokens_are_rejected",),
        options=WITH_OIDC,
    ),
    Mutant(
        "claims not required",
        "a token without an end is rejected",
        OIDC,
        (
            (
                'REQUIRED_CLAIMS = ["aud", "exp", "iat", "iss", "sub"]',
                'REQUIRED_CLAIMS = ["sub"]',
            ),
        ),
        (f"{OIDC_TESTS}::test_other_tokens_are_rejected",),
        options=WITH_OIDC,
    ),
    Mutant(
        "signature not checked",
        "a token that was changed is rejected",
        OIDC,
        (
            (
                '{"require": REQUIRED_CLAIMS, ',
                '{"require": REQUIRED_CLAIMS, "verify_signature": False, ',
            ),
        ),
        (f"{OIDC_TESTS}::test_other_tokens_are_rejected",),
        options=WITH_OIDC,
    ),
    Mutant(
        "a call to the provider for each unknown key",
        "tokens with unknown keys do not make a call each",
        OIDC,
        (("if time.monotonic() - self._tried_at < MIN_FETCH_INTERVAL_SECONDS:", "if False:"),),
        (f"{OIDC_TESTS}::test_unknown_keys_do_not_make_a_call_each",),
        options=WITH_OIDC,
    ),
    Mutant(
        "an unreachable provider rejects everybody",
        "while the provider is unreachable known keys go on",
        OIDC,
        (("            if known is None:\n                raise\n", "            raise\n"),),
        (f"{OIDC_TESTS}::test_while_the_provider_is_unreachable_known_keys_go_on",),
        options=WITH_OIDC,
    ),
    Mutant(
        "a key that is asked for blocks all",
        "while one request asks the provider those with known keys go on",
        OIDC,
        (("blocking=known is None", "blocking=True"),),
        (f"{OIDC_TESTS}::test_while_one_request_asks_those_with_known_keys_go_on",),
        options=WITH_OIDC,
    ),
    Mutant(
        "scopes of other services count",
        "only scopes with the prefix count, if one is set",
        OIDC,
        ((" if name.startswith(prefix)", ""),),
        (f"{OIDC_TESTS}::test_only_scopes_with_the_prefix_count_if_one_is_set",),
        options=WITH_OIDC,
    ),
)
