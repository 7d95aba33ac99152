"""`homing slo list|show|add|remove|report|propose`: objectives of a running service."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import click
from rich.text import Text

from homing.cli.client import Api, api_options, given_only, parse_pairs
from homing.cli.incidents import record
from homing.cli.objectives.options import rate_option
from homing.cli.output import as_json, note, print_json, print_table, say
from homing.core.objectives import Owner, Sli
from homing.insight.figures import span_text
from homing.insight.proposal import proposal

_EXIT_FINDINGS = 1
#: beside what the API gives: a report's rates are over this long
_WEEKS: Final = {"28d": "the last four weeks", "14d": "the last two weeks", "7d": "the last week"}


@click.command("list")
@as_json
@api_options
def list_objectives(api: Api, as_json: bool) -> None:
    """List objectives: those that were written, and the defaults that exist without configuration.

    \b
    Examples:
      homing slo list
      homing slo list --json | jq -r '.[].name'
    """
    found = api.get("objective")["data"]
    if as_json:
        print_json(found)
        return
    print_table(
        ("name", "target#", "over", "of", "counts", "team"),
        [
            (
                Text(one["name"], style="dim" if one["default"] else ""),
                one["targetText"],
                one["period"],
                one["means"],
                ", ".join(one["owners"]) if len(one["owners"]) < len(Owner) else "everybody's",
                one["team"],
            )
            for one in found
        ],
    )


@click.command("show")
@click.argument("name")
@as_json
@api_options
def show_objective(api: Api, name: str, as_json: bool) -> None:
    """Show one objective with all its fields.

    \b
    Example:
      homing slo show delivered
    """
    found = api.get("objective", name)
    if as_json:
        print_json(found)
        return
    print_table(("", ""), [(field, _shown(value)) for field, value in found.items()])


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


@click.command("add")
@click.argument("name")
@click.option(
    "--sli",
    required=True,
    type=click.Choice([str(one) for one in Sli]),
    help="What is counted; `homing slo list` says what each is.",
)
@click.option("--target", required=True, metavar="SHARE", help="Such as 99.9; of integrity, 0.")
@click.option(
    "--period", default="30d", show_default=True, help="7d to 366d, or week, month, quarter, year."
)
@click.option("--application", metavar="APP", help="Of one application; otherwise of all.")
@click.option(
    "--owner",
    "owners",
    multiple=True,
    type=click.Choice([str(one) for one in Owner]),
    help="Whose bad events count; may be repeated. Otherwise platform and unattributed.",
)
@click.option("--team", default="", help="Who answers for it.")
@click.option("--description", default="", help="One line for people.")
@click.option(
    "--events-min",
    type=click.IntRange(0),
    default=50,
    show_default=True,
    help="Fewer events in a window alert nobody.",
)
@click.option(
    "--bad-min",
    type=click.IntRange(0),
    default=3,
    show_default=True,
    help="Fewer bad events in a window alert nobody.",
)
@click.option(
    "--annotation",
    "annotations",
    multiple=True,
    metavar="NAME=VALUE",
    help="For OpenSLO; may be repeated.",
)
@as_json
@api_options
def add_objective(
    api: Api,
    name: str,
    application: str | None,
    owners: tuple[str, ...],
    annotations: tuple[str, ...],
    as_json: bool,
    **fields: Any,
) -> None:
    """Write an objective, in place of the one of that name (also of a default).

    \b
    Examples:
      homing slo add delivered --sli delivered --target 99.9 --period 28d --team payments
      homing slo add shop --sli delivered --target 99.5 --application shop --owner platform
    """
    body = given_only(
        sli=fields["sli"],
        target=fields["target"],
        period=fields["period"],
        appId=application,
        owners=list(owners),
        team=fields["team"],
        description=fields["description"],
        annotations=parse_pairs(annotations),
    )
    body |= {"eventsMin": fields["events_min"], "badMin": fields["bad_min"]}
    found = api.call("PUT", "objective", name, body=body)
    if as_json:
        print_json(found)
    else:
        say(f"{found['name']}: {found['targetText']} of {found['means']}, over {found['period']}")


@click.command("remove")
@click.argument("name")
@api_options
def remove_objective(api: Api, name: str) -> None:
    """Remove an objective; where it was written over a default, that is in force again.

    \b
    Example:
      homing slo remove shop
    """
    api.call("DELETE", "objective", name)
    say(f"removed {name}")


@click.command("report")
@click.argument("names", nargs=-1)
@as_json
@api_options
def report_objectives(api: Api, names: tuple[str, ...], as_json: bool) -> None:
    """See how objectives stand: budget left, whose the bad events are, when the budget is gone.

    Of one that is named the arithmetic and examples are shown. Exit code 1: one is not kept, or
    burns so fast that somebody has to know.

    \b
    Examples:
      homing slo report
      homing slo report delivered
      homing slo report --json | jq '.[] | select(.fires) | .objective.name'
    """
    if names:
        found = [api.get("objective", name, "report") for name in names]
    else:
        found = api.get("objective", "report")["data"]
    if as_json:
        print_json(found)
    elif names:
        for one in found:
            _show_report(one)
    else:
        _show_reports(found)
    record("slo", {"reports": found})
    if any(one["fires"] for one in found):
        raise click.exceptions.Exit(_EXIT_FINDINGS)


def _show_reports(found: list[dict[str, Any]]) -> None:
    print_table(
        ("objective", "target#", "over", "good#", "bad#", "left#", "lasts for", "whose"),
        [
            (
                one["objective"]["name"],
                one["objective"]["targetText"],
                one["objective"]["period"],
                "" if _is_count(one) else f"{one['good']:,}",
                f"{one['unaccounted'] if _is_count(one) else one['bad']:,}",
                _left(one),
                _gone(one),
                _whose(one),
            )
            for one in found
        ],
    )


def _is_count(one: dict[str, Any]) -> bool:
    return one["unaccounted"] is not None


def _left(one: dict[str, Any]) -> Text:
    style = "bold red" if not one["met"] else "yellow" if one["fires"] else "green"
    return Text(one["leftText"], style=style)


def _gone(one: dict[str, Any]) -> str:
    seconds = one["exhaustedInS"]
    if seconds is None:
        return ""
    return span_text(round(seconds)) if seconds else "gone"


def _whose(one: dict[str, Any]) -> str:
    counts: dict[str, int] = {}
    for bad in one["byOwner"]:
        name = bad["owner"] if bad["counts"] else f"({bad['owner']})"
        counts[name] = counts.get(name, 0) + bad["count"]
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _show_report(one: dict[str, Any]) -> None:
    objective = one["objective"]
    say(
        Text.assemble(
            (objective["name"], "bold"),
            f": {objective['targetText']} of {objective['means']}, over {objective['period']}; ",
            _left(one),
        )
    )
    for line in one["arithmetic"]:
        say(f"  {line}")
    if one["byOwner"]:
        say()
        print_table(
            ("bad events of", "by the rule", "count#", ""),
            [
                (
                    bad["owner"],
                    bad["rule"],
                    f"{bad['count']:,}",
                    "" if bad["counts"] else "not counted",
                )
                for bad in one["byOwner"]
            ],
        )
    _show_tiers(one)
    for example in one["examples"]:
        whose = f"{example['owner']}/{example['rule']}"
        say(f"  {example['at'][:16]}Z  {whose}  {example['deliveryId']}")
    for missing in one["missing"]:
        say(Text(f"  unaccounted: {missing}", style="bold red"))
    say()


def _show_tiers(one: dict[str, Any]) -> None:
    if not one["tiers"]:
        return
    say()
    print_table(
        ("tier", "burns#", "and#", "fires above#", ""),
        [
            (
                f"{tier['severity']} {span_text(tier['longS'])} and {span_text(tier['shortS'])}",
                f"{Decimal(tier['longBurn']):.2f}",
                f"{Decimal(tier['shortBurn']):.2f}",
                f"{Decimal(tier['factor']):.2f}",
                Text("fires", style="bold red") if tier["fires"] else (tier["heldBack"] or ""),
            )
            for tier in one["tiers"]
        ],
    )


def _traffic(found: list[dict[str, Any]], since: str) -> Decimal:
    """Deliveries a second since then, to three digits; at least one in the whole time."""
    ends = (found[0]["at"], since)
    until_s, since_s = (datetime.fromisoformat(one.removesuffix("Z")).timestamp() for one in ends)
    delivered = next((one for one in found if one["objective"]["sli"] == "delivered"), None)
    events = 0
    if delivered is not None:
        others = sum(bad["count"] for bad in delivered["byOwner"] if not bad["counts"])
        events = delivered["good"] + delivered["bad"] + others
    per_s = Decimal(max(events, 1)) / max(Decimal(round(until_s - since_s)), Decimal(60))
    return Decimal(f"{per_s:.3g}")


@click.command("propose")
@click.option("--service", default="webhook delivery", show_default=True, help="What it is about.")
@click.option("--team", "teams", multiple=True, help="Who is asked to sign; may be repeated.")
@click.option(
    "--over",
    type=click.Choice(list(_WEEKS)),
    default="28d",
    show_default=True,
    help="What it is computed from.",
)
@rate_option("--drop-rate", default="0.3%", show_default=True, help="A drop to show the effect of.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write it there; default: standard output.",
)
@api_options
def propose(
    api: Api,
    service: str,
    teams: tuple[str, ...],
    over: str,
    drop_rate: Decimal,
    output: Path | None,
) -> None:
    """Write a proposal for a shared objective, from what was measured, for other teams to sign.

    \b
    Examples:
      homing slo propose --team payments --team platform --team receivers -o proposal.md
      homing slo propose --service "payment notifications" --over 14d
    """
    answered = api.get("objective", "report", period=over)
    found = answered["data"]
    since = max(found[0]["since"], answered["firstAcceptedAt"] or found[0]["at"])
    period = _WEEKS[over]
    if since > found[0]["since"]:
        period += f", as far as there are messages: since {since[:16]}Z"
    text = proposal(
        found,
        service=service,
        teams=teams or ("publishers", "platform", "receivers"),
        period=period,
        at=found[0]["at"],
        per_s=_traffic(found, since),
        drop_rate=drop_rate,
    )
    if output is None:
        click.echo(text)
    else:
        output.write_text(text, encoding="utf-8")
        note(f"wrote {output}")
