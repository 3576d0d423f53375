"""The commands for API keys: `flask --app {{ cookiecutter.__package }} keys --help`."""

from datetime import datetime, timedelta

import click
from sqlalchemy import select

from ..database import db
from ..database.cli import CommandGroup
from .api_keys import (
    MAX_OWNER_LENGTH,
    MAX_SCOPES_LENGTH,
    ApiKey,
    create_key,
    joined,
    revoke_key,
    rotate_key,
    state_of,
)
from .guard import known_scopes

MAX_DAYS = 36_500

keys = CommandGroup("keys", help="Manage API keys.")


@keys.command("create")
@click.option("--owner", required=True, help="Who calls with the key; can have several keys.")
@click.option("--scope", "scopes", multiple=True, required=True, help="A scope; can be repeated.")
@click.option(
    "--days",
    type=click.IntRange(1, MAX_DAYS),
    help="Days until the key expires; by default it does not.",
)
def create(owner: str, scopes: tuple[str, ...], days: int | None) -> None:
    """Create a key and show it, once."""
    if not owner.isprintable() or not 0 < len(owner.strip()) == len(owner) <= MAX_OWNER_LENGTH:
        raise click.UsageError(
            f"The owner {owner[:MAX_OWNER_LENGTH]!r} does not have 1 to {MAX_OWNER_LENGTH}"
            " printable characters without spaces around them; write it like billing."
        )
    if unknown := set(scopes) - known_scopes():
        raise click.UsageError(
            f"No route needs {', '.join(sorted(unknown))}; the scopes are"
            f" {', '.join(sorted(known_scopes()))}."
        )
    if (length := len(joined(scopes))) > MAX_SCOPES_LENGTH:
        raise click.UsageError(
            f"The scopes have {length} characters, more than {MAX_SCOPES_LENGTH}; make several"
            " keys, each for a part of the API."
        )
    session = db.session()
    key = create_key(session, owner, scopes, timedelta(days=days) if days else None)
    session.commit()
    _show(key)


@keys.command("list")
def list_keys() -> None:
    """List all keys without their secrets."""
    for key in db.session().scalars(select(ApiKey).order_by(ApiKey.created_at, ApiKey.id)):
        expires, used = _day(key.expires_at), _day(key.last_used_at)
        click.echo(
            f"{key.prefix}  {state_of(key):7}  expires {expires:10}  last used {used:10}"
            f"  {key.scopes}  {key.owner}"
        )


@keys.command("rotate")
@click.argument("prefix")
def rotate(prefix: str) -> None:
    """Create a key that replaces the one that begins with PREFIX, and show it, once.

    It has the same owner, scopes and lifetime. Both are valid until you revoke the old one.
    """
    prefix = prefix.partition(".")[0]
    session = db.session()
    key = rotate_key(session, prefix)
    if key is None:
        raise click.ClickException(f"No key {prefix} can be rotated; see `keys list`.")
    session.commit()
    _show(key)


@keys.command("revoke")
@click.argument("prefix")
def revoke(prefix: str) -> None:
    """Revoke the key that begins with PREFIX."""
    prefix = prefix.partition(".")[0]
    session = db.session()
    if not revoke_key(session, prefix):
        raise click.ClickException(f"No key {prefix} can be revoked; see `keys list`.")
    session.commit()
    click.echo(f"{prefix} is revoked.")


def _show(key: str) -> None:
    click.echo(key)
    click.echo("The key is shown only now. Only its digest is stored: keep it safe.", err=True)


def _day(timestamp: datetime | None) -> str:
    return f"{timestamp:%Y-%m-%d}" if timestamp else "never"
