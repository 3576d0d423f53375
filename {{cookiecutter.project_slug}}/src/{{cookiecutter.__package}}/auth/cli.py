"""The commands for API keys: `flask --app {{ cookiecutter.__package }} keys --help`."""

from datetime import datetime, timedelta

import click
from flask.cli import AppGroup
from sqlalchemy import select

from ..database import db
from .api_keys import MAX_NAME_LENGTH, ApiKey, create_key, revoke_key, state_of
from .guard import known_scopes

MAX_DAYS = 36_500

keys = AppGroup("keys", help="The API keys.")


@keys.command("create")
@click.option("--name", required=True, help="Whose key it is.")
@click.option("--scope", "scopes", multiple=True, required=True, help="What it may do; repeat it.")
@click.option(
    "--days",
    type=click.IntRange(1, MAX_DAYS),
    help="How long it is good; without it, until it is revoked.",
)
def create(name: str, scopes: tuple[str, ...], days: int | None) -> None:
    """Make a key and show it, this once."""
    if not name.isprintable() or not 0 < len(name) <= MAX_NAME_LENGTH:
        raise click.UsageError(f"A name has 1 to {MAX_NAME_LENGTH} characters that can be printed.")
    if unknown := set(scopes) - known_scopes():
        raise click.UsageError(
            f"No route needs {', '.join(sorted(unknown))}; the scopes are"
            f" {', '.join(sorted(known_scopes()))}."
        )
    session = db.session()
    key = create_key(session, name, scopes, timedelta(days=days) if days else None)
    session.commit()
    click.echo(key)
    click.echo("It is shown only now, and kept as a digest. Store it like a password.", err=True)


@keys.command("list")
def list_keys() -> None:
    """Show all keys, without their secrets."""
    for key in db.session().scalars(select(ApiKey).order_by(ApiKey.created_at, ApiKey.id)):
        expires, used = _day(key.expires_at), _day(key.last_used_at)
        click.echo(
            f"{key.prefix}  {state_of(key):7}  expires {expires:10}  last used {used:10}"
            f"  {key.scopes}  {key.name}"
        )


@keys.command("revoke")
@click.argument("prefix")
def revoke(prefix: str) -> None:
    """Revoke the key that begins with PREFIX, at once."""
    prefix = prefix.partition(".")[0]
    session = db.session()
    if not revoke_key(session, prefix):
        raise click.ClickException(f"No key {prefix} can be revoked; see `keys list`.")
    session.commit()
    click.echo(f"{prefix} is revoked.")


def _day(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%d}" if instant else "never"
