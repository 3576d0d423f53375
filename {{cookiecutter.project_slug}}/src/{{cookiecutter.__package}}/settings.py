"""What can be set from outside, checked at start: all faults at once, no secret in a message."""

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from .engine_{{ cookiecutter.database }} import DRIVERS, EXAMPLE_URL

DEVELOPMENT_KEY = "not-a-secret-and-refused-in-production"
SHORTEST_KEY = 32


def _usable_url(value: SecretStr) -> SecretStr:
    try:
        url = make_url(value.get_secret_value())
    except ArgumentError:
        raise ValueError(f"is not a database URL; write it like {EXAMPLE_URL}") from None
    if url.drivername not in DRIVERS:
        known = " or ".join(DRIVERS)
        raise ValueError(f"has the unknown driver {url.drivername!r}; this service speaks {known}")
    if not url.database:
        raise ValueError(f"names no database; write it like {EXAMPLE_URL}")
    return value


class Settings(BaseSettings):
    """The settings of one application; each is an environment variable of the same name.

    Raises `pydantic.ValidationError` that lists every fault, without the values given.
    """

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, hide_input_in_errors=True, env_ignore_empty=True
    )

    environment: Literal["development", "test", "production"] = "development"
    database_url: Annotated[SecretStr, AfterValidator(_usable_url)]
    secret_key: SecretStr = Field(default=SecretStr(DEVELOPMENT_KEY), validate_default=True)
    threads: int = Field(default=4, ge=1, le=64)
    pool_timeout_seconds: float = Field(default=5.0, gt=0, le=60)
    statement_timeout_seconds: float = Field(default=15.0, gt=0, le=3600)
    max_body_bytes: int = Field(default=1024 * 1024, ge=1024)

    @field_validator("secret_key")
    @classmethod
    def _secret_in_production(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        if info.data.get("environment") != "production":
            return value
        if value.get_secret_value() == DEVELOPMENT_KEY:
            raise ValueError("is required in production; `openssl rand -hex 32` makes one")
        if len(value.get_secret_value()) < SHORTEST_KEY:
            raise ValueError(
                f"is shorter than {SHORTEST_KEY} characters; `openssl rand -hex 32` makes one"
            )
        return value


def load_settings(env_file: str | None = ".env") -> Settings:
    """Read the settings from the environment and, for what is not set there, from `env_file`.

    Ends the program with one line for each fault when they cannot be used.
    """
    try:
        return Settings(_env_file=env_file)
    except ValidationError as error:
        raise SystemExit(_explain(error)) from None


def _explain(error: ValidationError) -> str:
    lines = [
        "The service cannot start. Mend these settings (environment variables, or lines of .env):"
    ]
    for fault in error.errors(include_url=False, include_input=False, include_context=False):
        name = str(fault["loc"][0]).upper()
        lines.append(f"  {name}: {fault['msg'].removeprefix('Value error, ')}")
    return "\n".join(lines)
