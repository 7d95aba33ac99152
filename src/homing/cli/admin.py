"""Commands of whoever runs Homing: settings, migrate, token."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from homing.cli.configuration import load_settings, origins, without_password
from homing.cli.output import as_json, print_json, print_table, say
from homing.core.errors import ConfigError
from homing.knobs import SecretText
from homing.service.tokens import (
    APP_TOKEN_S,
    DEFAULT_ORG_ID,
    NAME_LENGTH_MAX,
    ORG_TOKEN_S,
    Role,
    Tokens,
    is_token_name,
    sign_org_token,
)
from homing.settings import Settings, knobs
from homing.system import SystemClock


@click.command()
@as_json
def settings(as_json: bool) -> None:
    """Show every setting, with the value in force here.

    \b
    Examples:
      homing settings
      HOMING_LEASE_S=90 homing settings --json
    """
    present = load_settings(make_secret=False)
    values = {name: _shown(present, field.name) for name, (field, _) in knobs().items()}
    if as_json:
        print_json(values)
        return
    places = origins(present)
    print_table(
        ("setting", "value", "from"),
        [(name, _as_line(value), places[name]) for name, value in values.items()],
    )


def _shown(present: Settings, name: str) -> Any:
    value = getattr(present, name)
    if name == "database_url":
        return without_password(value)
    if name in (
        "egress_allow",
        "egress_allow_for",
        "board_allow",
        "portal_origins",
        "secret_previous",
        "alerts",
    ):
        return [str(one) for one in value]
    if isinstance(value, SecretText):
        return str(value) if value else ""
    return value


def _as_line(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(f"{part:g}" if isinstance(part, float) else part for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


@click.command()
def migrate() -> None:
    """Bring the database to the schema of this version; safe to repeat.

    `homing serve` does this by itself when it starts.

    \b
    Examples:
      homing migrate
      HOMING_DATABASE_URL=postgresql://homing@db/homing homing migrate
    """
    from homing.store import migrate as migrate_store

    url = load_settings().database_url
    applied = asyncio.run(migrate_store(url))
    for name in applied:
        say(f"applied {name}")
    say(f"{without_password(url)}: the schema is up to date")


@click.command()
@click.option("--org", default=DEFAULT_ORG_ID, show_default=True, help="Whose: any org_… is one.")
@click.option("--application", metavar="ID", help="app_…: the token is for this one alone.")
@click.option(
    "--days",
    type=click.FloatRange(min=0.001, max=36_500),
    help="How long it is valid; default: ten years, for an application 28 days.",
)
@click.option("--read-only", is_flag=True, help="It may look, change nothing, and see no secret.")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.ADMIN.value,
    show_default=True,
    help="viewer: look. operator: also send, resend, redrive, park. admin: everything.",
)
@click.option("--name", default="", help="Who holds it: what they do is under this name.")
@as_json
def token(
    org: str,
    application: str | None,
    days: float | None,
    read_only: bool,
    role: str,
    name: str,
    as_json: bool,
) -> None:
    """Make a token for the API, signed with HOMING_SECRET.

    Nothing is stored: a token is valid until it expires, or until HOMING_SECRET is changed and no
    longer among HOMING_SECRET_PREVIOUS.

    \b
    Examples:
      homing token
      export HOMING_TOKEN=$(homing token)
      homing token --application app_2Zx… --days 30 --json
      homing token --role viewer --days 90     # for a dashboard
      homing token --role operator --name Ada  # the delivery log says what Ada did
    """
    text = sign_token(
        load_settings(),
        org=org,
        application=application,
        days=days,
        read_only=read_only or role == Role.VIEWER,
        role=Role(role),
        name=name,
    )
    if as_json:
        print_json({"token": text})
    else:
        say(text)


def sign_token(
    settings: Settings,
    *,
    org: str = DEFAULT_ORG_ID,
    application: str | None = None,
    days: float | None = None,
    read_only: bool = False,
    role: Role = Role.ADMIN,
    name: str = "",
) -> str:
    """A token of the organisation, or of one of its applications.

    Raises:
        ConfigError: an id that is none, a name that is too long, or a role or a name for the token
            of an application.
    """
    if not is_token_name(name):
        text = f"expected one line of at most {NAME_LENGTH_MAX} characters"
        raise ConfigError([f"--name {name!r}: {text}"])
    if not org.startswith("org_"):
        raise ConfigError([f"--org {org!r}: expected an id that begins with org_"])
    secret, at_us = settings.secret.reveal(), SystemClock().now_us()
    valid_s = round(days * 86_400) if days else None
    if application is None:
        return sign_org_token(
            secret,
            at_us=at_us,
            org_id=org,
            valid_s=valid_s or ORG_TOKEN_S,
            read_only=read_only,
            role=role,
            name=name,
        )
    if name:
        raise ConfigError(["--name: a token of one application has no name; leave it out"])
    if role is Role.OPERATOR:
        raise ConfigError(["--role operator: a token of one application has no role; leave it out"])
    if not application.startswith("app_"):
        raise ConfigError(
            [
                f"--application {application!r}: expected its id, which begins with app_; "
                f"`homing application get {application}` shows it"
            ]
        )
    return Tokens(secret).sign_app_token(
        org, application, at_us=at_us, valid_s=valid_s or APP_TOKEN_S, read_only=read_only
    )
