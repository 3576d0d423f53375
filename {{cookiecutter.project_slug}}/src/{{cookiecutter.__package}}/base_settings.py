"""The settings of the kit, validated at start: all errors at once, no secret in a message.

Add your own settings in settings.py, whose class has this one as its base.
"""

{% if cookiecutter.background_jobs == "celery" %}
import json
{% endif %}
import re
{% if cookiecutter.background_jobs == "celery" %}
from base64 import b64decode
{% endif %}
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, overload

from flask import current_app
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

{% if cookiecutter.database == "sqlite" %}
DRIVERS = ("sqlite", "sqlite+pysqlite")
EXAMPLE_URL = "sqlite:///{{ cookiecutter.__package }}.db"
INVALID_DATABASE_NAMES = frozenset({None, "", ":memory:"})
"""In memory, each connection would have a database of its own."""
URL_OPTIONS = {"mode": "ro|rw|rwc", "uri": "true", "vfs": "[a-z-]+"}
{% elif cookiecutter.database == "postgresql" %}
DRIVERS = ("postgresql", "postgresql+psycopg")
EXAMPLE_URL = "postgresql://user:password@host/{{ cookiecutter.__package }}"
INVALID_DATABASE_NAMES = frozenset({None, ""})
URL_OPTIONS = {
    "application_name": ".+",
    "channel_binding": "disable|prefer|require",
    "connect_timeout": "[0-9]{1,4}",
    "gssencmode": "disable|prefer|require",
    "host": ".+",
    "keepalives": "[01]",
    "keepalives_count": "[0-9]{1,4}",
    "keepalives_idle": "[0-9]{1,6}",
    "keepalives_interval": "[0-9]{1,6}",
    "load_balance_hosts": "disable|random",
    "options": ".+",
    "passfile": ".+",
    "prepare_threshold": "none",
    "require_auth": ".+",
    "sslcert": ".+",
    "sslcrl": ".+",
    "sslkey": ".+",
    "sslmode": "disable|allow|prefer|require|verify-ca|verify-full",
    "sslnegotiation": "postgres|direct",
    "sslpassword": ".+",
    "sslrootcert": ".+",
    "target_session_attrs": "any|read-write|read-only|primary|standby|prefer-standby",
    "tcp_user_timeout": "[0-9]{1,9}",
}
FILE_OPTIONS = frozenset({"sslcert", "sslcrl", "sslkey", "sslrootcert"})
{% else %}
DRIVERS = ("{{ cookiecutter.database }}+pymysql",)
EXAMPLE_URL = "{{ cookiecutter.database }}+pymysql://user:password@host/{{ cookiecutter.__package }}"
INVALID_DATABASE_NAMES = frozenset({None, ""})
URL_OPTIONS = {
    "bind_address": ".+",
    "charset": "utf8mb4",
    "connect_timeout": "[0-9]{1,4}",
    "ssl_ca": ".+",
    "ssl_cert": ".+",
    "ssl_check_hostname": "true|false",
    "ssl_cipher": ".+",
    "ssl_disabled": "true|false",
    "ssl_key": ".+",
    "unix_socket": ".+",
}
FILE_OPTIONS = frozenset({"ssl_ca", "ssl_cert", "ssl_key"})
{% endif %}

MAX_PORT = 65535
DEVELOPMENT_KEY = "not-a-secret-and-refused-in-production"
{% if cookiecutter.auth == "oidc" %}
DEVELOPMENT_ISSUER = "http://127.0.0.1:8080/realms/development"
{% endif %}
MIN_KEY_LENGTH = 32

ENVIRONMENT_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "test": {"log_format": "json"},
    "production": {"log_format": "json", "drain_seconds": 5.0},
}
"""Where an environment's defaults differ from those of development, which the fields show."""

{% if cookiecutter.background_jobs == "celery" %}
BROKER = re.compile(  # a database of Redis has a number, one of RabbitMQ a name
    r"(?:(redis)|amqp)s?://(?:[^\s/?#@]*@)?[^\s/?#@:]+(?::([0-9]{1,5}))?"
    r"(?(1)(?:/{1,2}[0-9]{0,9})?|(?:/[^\s?]*)?)(?:\?\S*)?"
)
WEBHOOK = re.compile(r"https?://[^\s/?#]+(?:/\S*)?")
DEVELOPMENT_BROKER = "redis://127.0.0.1:6379/0"
SECRET_PREFIX = "whsec_"  # noqa: S105 - of https://www.standardwebhooks.com
{% endif %}
BIND = re.compile(r"(?:[^\s:/]{0,253}|\[[0-9A-Fa-f:.]{2,45}\]):([0-9]{1,5})|unix:(/.+)|fd://[0-9]+")
HOST = re.compile(r"\.?[a-z0-9-]+(\.[a-z0-9-]+)*")
ORIGIN = re.compile(r"https?://[a-z0-9-]+(\.[a-z0-9-]+)*(:[0-9]+)?")


def _usable_url(value: SecretStr) -> SecretStr:
    try:
        url = make_url(value.get_secret_value())
    except (ArgumentError, ValueError):  # ValueError: the port is not a number, and may be a secret
        raise ValueError(f"is not a database URL; write it like {EXAMPLE_URL}") from None
    if url.drivername not in DRIVERS:
        known = " or ".join(DRIVERS)
        raise ValueError(f"has the unknown driver {url.drivername!r}; this service speaks {known}")
    if url.database in INVALID_DATABASE_NAMES:
        raise ValueError(f"does not name a database; write it like {EXAMPLE_URL}")
    if url.port is not None and not 0 < url.port <= MAX_PORT:
        raise ValueError(f"has a port that is not between 1 and {MAX_PORT}")
{% if cookiecutter.database == "sqlite" %}
    folder = Path(url.database or "").absolute().parent
    if "uri" not in url.query and not folder.is_dir():
        raise ValueError(f"names a file in {folder}, which is not a folder; create it")
{% endif %}
    _check_options(url)
    return value


def _check_options(url: URL) -> None:
    """Reject options that would fail at each connection, or that the service overrides."""
    for name, values in url.normalized_query.items():
        if name not in URL_OPTIONS:
            known = ", ".join(URL_OPTIONS)
            raise ValueError(
                f"has the option {name!r}, which is unknown or which the service sets; it may have"
                f" {known}"
            )
        if len(values) > 1 and name != "host":
            raise ValueError(f"has the option {name!r} twice")
        if not all(re.fullmatch(URL_OPTIONS[name], value) for value in values):
            raise ValueError(f"has the option {name!r} with a value other than {URL_OPTIONS[name]}")
{% if cookiecutter.database != "sqlite" %}
        is_file = name in FILE_OPTIONS and values[0] != "system"
        if is_file and not Path(values[0]).exists():
            raise ValueError(f"names a file by the option {name!r} that does not exist")
{% endif %}


def _addresses(bind: str) -> list[str]:
    return [address.strip() for address in bind.split(",")]


def _usable_bind(value: str) -> str:
    for address in _addresses(value):
        parts = BIND.fullmatch(address)
        if parts is None or int(parts[1] or 0) > MAX_PORT:
            raise ValueError(
                f"holds {address!r}, which is not an address to listen on; write it like"
                " 127.0.0.1:8000 or unix:/run/service.sock"
            )
        if parts[2] and not Path(parts[2]).parent.is_dir():
            raise ValueError(f"holds {address!r}, whose folder does not exist")
        if parts[2] and Path(parts[2]).exists() and not Path(parts[2]).is_socket():
            raise ValueError(f"holds {address!r}, which exists and is not a socket")
    return value


{% if cookiecutter.background_jobs == "celery" %}
def _celery_settings(value: str) -> str:
    """Return the text; a dict would make settings unhashable."""
    try:
        settings = json.loads(value)
    except ValueError:
        settings = None
    if not isinstance(settings, dict):
        raise ValueError('is not a JSON object; write it like {"task_routes": {...}}')
    options = settings.get("broker_transport_options", {})
    if not isinstance(options, dict):
        raise ValueError('has broker_transport_options that are not an object like {"name": 1}')
    seconds = {"task_time_limit": settings, "visibility_timeout": options}
    for name, given in seconds.items():
        number = given.get(name, 1)
        if isinstance(number, bool) or not isinstance(number, int | float) or number <= 0:
            raise ValueError(f"has a {name} that is not a number of seconds")
    _check_publishing(settings)
    return value


def _check_publishing(settings: Mapping[str, Any]) -> None:
    """Reject settings with which each call of a task would fail, by what Celery does in one."""
    from celery import Celery
    from kombu.compression import compress
    from kombu.serialization import dumps

    celery: Any = Celery(set_as_current=False)
    tried = "task_serializer"
    try:
        celery.conf.update(settings)
        dumps([], serializer=celery.conf.task_serializer)
        tried = "task_compression"
        compress("", celery.conf.task_compression or "gzip")
        tried = "task_routes, task_queues or task_default_queue"
        routes = settings.get("task_routes")
        maps = [each for each in (routes, *(routes or ())) if isinstance(each, dict)]
        for name in ("any", *(name for each in maps for name in each)):
            if not isinstance(celery.amqp.router.route({}, name)["queue"].name, str):
                raise TypeError
    except Exception:
        raise ValueError(f"has a {tried} with which Celery cannot publish tasks") from None


def _usable_signing_key(value: SecretStr) -> SecretStr:
    """Check what https://www.standardwebhooks.com says of a secret."""
    secret = value.get_secret_value()
    try:
        size = len(b64decode(secret.removeprefix(SECRET_PREFIX), validate=True))
    except ValueError:
        size = 0
    if secret and not (secret.startswith(SECRET_PREFIX) and 24 <= size <= 64):
        raise ValueError(
            f"is not {SECRET_PREFIX} followed by 24 to 64 random bytes in base64, such as what"
            " `openssl rand -base64 32` prints"
        )
    return value


def _usable_broker(value: SecretStr) -> SecretStr:
    parts = BROKER.fullmatch(value.get_secret_value())
    if parts is None or int(parts[2] or 0) > MAX_PORT:
        raise ValueError(
            "is not a broker URL; write it like redis://:password@host:6379/0 or, for RabbitMQ,"
            " amqp://user:password@host:5672/name"
        )
    return value


def _usable_webhook(value: str) -> str:
    if value and not WEBHOOK.fullmatch(value):
        raise ValueError("is not an HTTP URL; write it like https://example.com/events")
    return value


{% endif %}
def _without_brackets(host: str) -> str:
    """Return an address of IPv6 as a socket takes it, and any other host as it is."""
    return host.removeprefix("[").removesuffix("]")


def _split(value: Any) -> Any:
    """Split a text such as `a, b` into its names."""
    if not isinstance(value, str):
        return value
    return tuple(name for name in re.split(r"[,\s]+", value) if name)


def _hosts(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if not HOST.fullmatch(name):
            raise ValueError(
                f"holds {name!r}, which is not a host name in lower case without a port; write them"
                " like api.example.com,.example.org"
            )
    return names


def _origins(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if not ORIGIN.fullmatch(name):
            raise ValueError(
                f"holds {name!r}, which is not an origin; write them like https://app.example.com"
            )
    return names


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""A list of names, in the environment separated by commas."""


class ServiceSettings(BaseSettings):
    """The settings of the kit; each is an environment variable of the same name.

    Raises `pydantic.ValidationError` that lists every error, without the values given.
    """

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, hide_input_in_errors=True, env_ignore_empty=True
    )

    environment: Literal["development", "test", "production"] = "development"
    database_url: Annotated[SecretStr, AfterValidator(_usable_url)]
{% if cookiecutter.database != "sqlite" %}
    migration_database_url: Annotated[SecretStr, AfterValidator(_usable_url)] | None = None
{% endif %}
    secret_key: SecretStr = Field(default=SecretStr(DEVELOPMENT_KEY), validate_default=True)
    threads: int = Field(default=4, ge=1, le=64)
    pool_timeout_seconds: float = Field(default=5.0, gt=0, le=60)
    statement_timeout_seconds: float = Field(default=15.0, ge=0.001, le=3600)
    migration_lock_timeout_seconds: float = Field(default=5.0, ge=0.001, le=3600)
    max_body_bytes: int = Field(default=1024 * 1024, ge=1024)

    bind: Annotated[str, AfterValidator(_usable_bind)] = "127.0.0.1:8000"
    workers: int = Field(default=2, ge=1, le=256)
    drain_seconds: float = Field(default=0.0, ge=0, le=300)
    graceful_timeout_seconds: int = Field(default=30, ge=1, le=3600)

{% if cookiecutter.background_jobs == "celery" %}
    broker_url: Annotated[SecretStr, AfterValidator(_usable_broker)] = SecretStr(DEVELOPMENT_BROKER)
    job_seconds: int = Field(default=60, ge=1, le=3600)
    jobs_in_flight: int = Field(default=100, ge=1, le=10_000)
    celery: Annotated[str, AfterValidator(_celery_settings)] = "{}"
    webhook_url: Annotated[str, AfterValidator(_usable_webhook)] = ""
    webhook_secret: Annotated[SecretStr, AfterValidator(_usable_signing_key)] = SecretStr("")

{% endif %}
{% if cookiecutter.auth == "oidc" %}
    oidc_issuer: str = Field(default=DEVELOPMENT_ISSUER, validate_default=True)
    oidc_audience: str = Field(default="{{ cookiecutter.project_slug }}", min_length=1)
    oidc_jwks_url: str | None = None
    oidc_scope_prefix: str = ""

{% endif %}
    trusted_hosts: Annotated[Names, AfterValidator(_hosts)] = ()
    trusted_proxies: int = Field(default=0, ge=0, le=10)
    cors_origins: Annotated[Names, AfterValidator(_origins)] = ()
    hsts_seconds: int = Field(default=0, ge=0)

    log_format: Literal["text", "json"] = "text"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    metrics_host: Annotated[str, AfterValidator(_without_brackets)] = "127.0.0.1"
    metrics_port: int = Field(default=9464, ge=0, le=65535)

    @classmethod
    def load(cls, env_file: str | None = ".env") -> Self:
        """Read the settings from the environment and, for those not set there, from `env_file`.

        Ends the program with one line for each error when they cannot be used.
        """
        try:
            return cls(_env_file=env_file)
        except ValidationError as error:
            raise SystemExit(_explain(error)) from None
        except UnicodeDecodeError:
            raise SystemExit(f"The service cannot start: {env_file} is not UTF-8.") from None

    @property
    def addresses(self) -> list[str]:
        """The addresses to listen on, of `bind`."""
        return _addresses(self.bind)

    @property
    def url_for_migrations(self) -> str:
        """The URL that migrations use; it holds a secret."""
{% if cookiecutter.database == "sqlite" %}
        return self.database_url.get_secret_value()
{% else %}
        return (self.migration_database_url or self.database_url).get_secret_value()
{% endif %}

    @model_validator(mode="before")
    @classmethod
    def _default_of_environment(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {**ENVIRONMENT_DEFAULTS.get(given.get("environment", ""), {}), **given}

    @field_validator("secret_key")
    @classmethod
    def _secret_in_production(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        if info.data.get("environment") != "production":
            return value
        if value.get_secret_value() == DEVELOPMENT_KEY:
            raise ValueError("is required in production; `openssl rand -hex 32` makes one")
        if len(value.get_secret_value().strip()) < MIN_KEY_LENGTH:
            raise ValueError(
                f"is shorter than {MIN_KEY_LENGTH} characters; `openssl rand -hex 32` makes one"
            )
        return value

    @field_validator("metrics_port")
    @classmethod
    def _port_of_its_own(cls, value: int, info: ValidationInfo) -> int:
        found = map(BIND.fullmatch, _addresses(info.data.get("bind", "")))
        if value and value in [int(parts[1]) for parts in found if parts and parts[1]]:
            raise ValueError("is the port of BIND, too; choose another, or 0 for none")
        return value

{% if cookiecutter.auth == "oidc" %}
    @field_validator("oidc_issuer", "oidc_jwks_url")
    @classmethod
    def _address_of_the_provider(cls, value: str | None, info: ValidationInfo) -> str | None:
        """Reject one without TLS in production: who changes keys on their way can make tokens."""
        if value is None or value.startswith("https://"):
            return value
        if info.data.get("environment") == "production":
            raise ValueError("should be the address of your provider, with https://")
        if not value.startswith("http://"):
            raise ValueError("should begin with https://, or http:// outside of production")
        return value

{% endif %}

AnySettings = TypeVar("AnySettings", bound=ServiceSettings)


@overload
def current_settings() -> ServiceSettings: ...
@overload
def current_settings(kind: type[AnySettings]) -> AnySettings: ...
def current_settings(kind: type[ServiceSettings] = ServiceSettings) -> ServiceSettings:
    """Return the settings of the current application, for views, commands and tasks.

    `current_settings(Settings)` tells the type checker about your own settings. Raises TypeError
    if the application was made with settings of another class.
    """
    settings = current_app.extensions["settings"]
    if not isinstance(settings, kind):
        raise TypeError(f"This application has {type(settings).__name__}, not {kind.__name__}.")
    return settings


def _explain(error: ValidationError) -> str:
    lines = [
        "The service cannot start. Fix these settings (environment variables, or lines of .env):"
    ]
    for each in error.errors(include_url=False, include_input=False, include_context=False):
        name = str(each["loc"][0]).upper()
        lines.append(f"  {name}: {each['msg'].removeprefix('Value error, ')}")
    return "\n".join(lines)
