"""The command that an alert names to look closer is one that there is."""

from __future__ import annotations

import shlex
from typing import Any

import click
import pytest
from support.alerting import (
    MINUTE_US,
    make_backlog,
    make_failure,
    make_lane,
    make_missing,
    make_pile,
    make_readings,
)
from support.making import START_US

from homing.cli.main import homing
from homing.insight.alerts.alert import Finding, Kind, Owner, Severity
from homing.insight.alerts.conditions import find
from homing.insight.alerts.readings import Burn, ChannelTrouble, Endpoint, Money, Silence
from homing.insight.rates import exact

ENDPOINT: dict[str, Any] = {"org_id": "org_1", "app_id": "app_1", "name": "ep"}
EVERYTHING = make_readings(
    audited_at_us=START_US - 20 * MINUTE_US,
    missing=(make_missing(),),
    lanes=(make_lane(count=2_000),),
    backlog=make_backlog(due=2_000, oldest_due_at_us=START_US - 5 * MINUTE_US),
    failures=tuple(make_failure(f"ep_{n}") for n in range(4)),
    dead=(make_pile(count=50, recent=50, past=50, oldest_at_us=0),),
    money=(Money(org_id="", app_id="app_1", currency="EUR", amount="1", count=1, since_us=0),),
    endpoints=(
        Endpoint(**ENDPOINT, id="ep_1", failing_since_us=0, disable_at_us=START_US),
        Endpoint(**ENDPOINT, id="ep_2", disabled_at_us=START_US),
    ),
    silences=(
        Silence(org_id="", app_id="app_1", name="shop", last_at_us=0, expected=50.0, gap_past_s=60),
    ),
    burns=(
        Burn(
            org_id="",
            objective="delivered",
            severity=Severity.PAGE,
            owner=Owner.PLATFORM,
            what="too fast",
            bad=1,
            total=2,
            rate=exact(1, 2),
            since_us=0,
        ),
    ),
    channels=(ChannelTrouble(channel="json-1", since_us=0, waiting=1, error="no"),),
)
FOUND = {one.kind: one for one in find(EVERYTHING)}


def test_every_kind_is_found_when_everything_is_the_matter() -> None:
    assert FOUND.keys() == set(Kind)


@pytest.mark.parametrize("finding", FOUND.values(), ids=lambda finding: str(finding.kind))
def test_the_command_to_look_closer_is_one_that_there_is(finding: Finding) -> None:
    program, *arguments = shlex.split(finding.command)
    assert program == "homing"
    command: click.Command = homing
    context = click.Context(command, info_name="homing")
    while isinstance(command, click.Group):
        name = arguments.pop(0)
        found = command.get_command(context, name)
        assert found is not None, finding.command
        command, context = found, click.Context(found, info_name=name, parent=context)
    command.make_parser(context).parse_args(arguments)
