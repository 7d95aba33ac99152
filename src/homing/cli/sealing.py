"""`homing secrets`: under which key the endpoints' secrets are kept."""

from __future__ import annotations

import asyncio

import click

from homing.cli.configuration import load_settings
from homing.cli.database import existing_store
from homing.cli.groups import Group
from homing.cli.output import as_json, print_json, say
from homing.cli.runtime import make_seals
from homing.core.errors import ConfigError
from homing.core.plurals import plural
from homing.service.resealing import Sealing, reseal, reseal_members
from homing.settings import Settings
from homing.system import SystemChance, SystemClock

_EXIT_FINDINGS = 1


@click.group(cls=Group)
def secrets() -> None:
    """The endpoints' signing secrets and headers, as they are kept: sealed with HOMING_SECRET.

    \b
    Examples:
      homing secrets reseal
    """


@secrets.command("reseal")
@as_json
def reseal_secrets(as_json: bool) -> None:
    """Seal everything with the present HOMING_SECRET, so that a previous one can be forgotten.

    Give the former secret in HOMING_SECRET_PREVIOUS, start every process anew with both, and run
    this; the service may run. Replies kept for repeated requests are not sealed anew: they expire
    after HOMING_IDEMPOTENCY_H. Exit code 1: something could not be opened and is as it was.

    \b
    Example:
      HOMING_SECRET=the-new-one HOMING_SECRET_PREVIOUS=the-former homing secrets reseal
    """
    settings = load_settings(make_secret=False)
    if not settings.secret:
        raise ConfigError(["HOMING_SECRET: needed, the one that the service runs with"])
    found, members = asyncio.run(_reseal(settings))
    found.lost += members.lost
    if as_json:
        print_json({"present": found.present, "resealed": found.previous, "lost": found.lost})
    else:
        anew = plural(len(found.previous), "endpoint")
        say(f"sealed anew: {anew}; were so already: {found.present:,}")
        if members.previous:
            say(f"sealed anew: tokens of {', '.join(members.previous)} on the board")
        for name in found.lost:
            say(f"cannot be opened, left as it is: {name}")
    if found.lost:
        raise click.exceptions.Exit(_EXIT_FINDINGS)


async def _reseal(settings: Settings) -> tuple[Sealing, Sealing]:
    async with existing_store(settings) as store:
        given = (store, SystemClock(), SystemChance(), make_seals(settings))
        return await reseal(*given), await reseal_members(*given)
