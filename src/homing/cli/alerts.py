"""`homing alerts`: what is the matter, who is told, and whether that works."""

from __future__ import annotations

from typing import Any, Final

import click
from rich.text import Text

from homing.cli.client import Api, api_options, limit_option
from homing.cli.groups import Group
from homing.cli.output import as_json, note, print_json, print_table, say
from homing.core.errors import ConfigError

_EXIT_FINDINGS: Final = 1
#: the colours say how urgent it is
_STYLES: Final = {"page": "bold red", "ticket": "yellow", "resolved": "green"}
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DAYS_MAX: Final = 90


class Length(click.ParamType[int]):
    """A length of time such as 30m, 2h or 1d; in seconds."""

    name = "time"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        text = str(value).strip()
        number, unit = text[:-1], text[-1:]
        if not number.isdecimal() or unit not in _UNITS:
            self.fail(f"expected a time such as 30m, 2h or 1d, found {value!r}", param, ctx)
        seconds = int(number) * _UNITS[unit]
        if seconds > _DAYS_MAX * _UNITS["d"]:
            self.fail(f"expected at most {_DAYS_MAX}d, found {value!r}", param, ctx)
        return seconds


@click.group(cls=Group)
def alerts() -> None:
    """Alerts: what is the matter, whose it is, and who has been told.

    They are on as soon as HOMING_ALERTS names a channel; without one they are in the log, in
    /metrics, in operational webhooks, and here.

    \b
    Examples:
      homing alerts list
      homing alerts show first_dead_letter.ep_2Zx…
      homing alerts test
    """


@alerts.command("list")
@click.option("--all", "all_of_them", is_flag=True, help="Also those resolved in the last week.")
@limit_option
@as_json
@api_options
def list_alerts(api: Api, all_of_them: bool, limit: int, as_json: bool) -> None:
    """List what is the matter now. Exit code 1: something is.

    \b
    Examples:
      homing alerts list
      homing alerts list --all --json | jq -r '.[].what'
    """
    found = api.pages("alert", limit=limit, status=None if all_of_them else "firing")
    found.sort(key=lambda one: (one["status"] != "firing", one["severity"], one["since"]))
    if as_json:
        print_json(found)
    else:
        for one in found:
            _show_line(one)
        if not found:
            note("no alerts" if all_of_them else "nothing is the matter")
    if any(one["status"] == "firing" for one in found):
        raise click.exceptions.Exit(_EXIT_FINDINGS)


def _show_line(one: dict[str, Any]) -> None:
    """A line for what it is, and one for how to go on."""
    word = one["severity"] if one["status"] == "firing" else one["status"]
    marks = [f"{one['owner']}'s"]
    if one["acknowledgedBy"]:
        marks.append("acknowledged")
    if one["silencedUntil"]:
        marks.append(f"silent until {one['silencedUntil'][:19]}Z")
    say(Text.assemble((word, _STYLES[word]), f" {one['what']}"))
    say(Text(f"  {', '.join(marks)}, since {one['since'][:19]}Z; {one['id']}", style="dim"))


@alerts.command("show")
@click.argument("alert")
@as_json
@api_options
def show_alert(api: Api, alert: str, as_json: bool) -> None:
    """Show one alert: what, since when, how many, whose, how much money, examples, who was told.

    \b
    Example:
      homing alerts show unaccounted
    """
    found = api.get("alert", alert)
    if as_json:
        print_json(found)
        return
    notices = found.pop("notices")
    rows = [(name, _line_of(value)) for name, value in found.items() if value not in (None, [], {})]
    print_table(("", ""), rows)
    say()
    print_table(
        ("told through", "status", "tries#", "at", "error"),
        [
            (
                one["channel"],
                one["status"],
                str(one["tries"]),
                (one["finishedAt"] or one["createdAt"])[:19] + "Z",
                one["error"] or "",
            )
            for one in notices
        ],
        empty="nobody was told through a channel",
    )


def _line_of(value: Any) -> str:
    if isinstance(value, list):
        return "\n".join(map(str, value))
    if isinstance(value, dict) and "confidence" in value:
        low, high = value["low"], value["high"]
        confidence = f"exact {value['confidence']:.0%} interval"
        return f"{value['value']:.4%} ({confidence} {low:.4%} to {high:.4%})"
    if isinstance(value, dict):
        return ", ".join(f"{amount} {currency}" for currency, amount in value.items())
    return str(value)


@alerts.command("test")
@click.argument("channel", required=False)
@as_json
@api_options
def test_alerts(api: Api, channel: str | None, as_json: bool) -> None:
    """Send a test, marked as one, through a channel (or all); say whether it was taken.

    Exit code 1: one was not taken.

    \b
    Examples:
      homing alerts test
      homing alerts test mailto-1
    """
    names = [channel] if channel else [one["id"] for one in api.get("alert-channel")["data"]]
    if not names:
        raise ConfigError(
            [
                "HOMING_ALERTS: no channel is configured where `homing serve` runs; set it to a "
                "URL such as mailto://user:password@example.org and restart"
            ]
        )
    results = {name: api.call("POST", "alert-channel", name, "test") for name in names}
    if as_json:
        print_json(results)
    else:
        for name, one in results.items():
            verdict = ("taken", "green") if one["accepted"] else ("NOT TAKEN", "bold red")
            say(Text.assemble(f"{name}: ", verdict, f" {one['error'] or ''}".rstrip()))
    if not all(one["accepted"] for one in results.values()):
        raise click.exceptions.Exit(_EXIT_FINDINGS)


@alerts.command("silence")
@click.argument("alert")
@click.option("--for", "for_s", type=Length(), metavar="TIME", help="30m, 2h, 1d; at most 90d.")
@click.option("--end", is_flag=True, help="Tell of it again.")
@api_options
def silence_alert(api: Api, alert: str, for_s: int | None, end: bool) -> None:
    """Tell nothing of an alert for a time; it is kept and shown all the same.

    \b
    Examples:
      homing alerts silence first_dead_letter.ep_2Zx… --for 2h
      homing alerts silence first_dead_letter.ep_2Zx… --end
    """
    if (for_s is None) != end:
        raise click.UsageError("expected either --for TIME or --end")
    found = api.call("POST", "alert", alert, "silence", body={"forS": for_s or 0})
    until = found["silencedUntil"]
    say(f"{alert}: " + (f"silent until {until[:19]}Z" if until else "told again"))


@alerts.command("acknowledge")
@click.argument("alert")
@api_options
def acknowledge_alert(api: Api, alert: str) -> None:
    """Say that somebody looks after an alert: no more reminders; its end is still told.

    \b
    Example:
      homing alerts acknowledge unaccounted
    """
    api.call("POST", "alert", alert, "acknowledge")
    say(f"{alert}: acknowledged")


@alerts.command("channels")
@as_json
@api_options
def list_channels(api: Api, as_json: bool) -> None:
    """List the channels that alerts go through, without their credentials.

    \b
    Example:
      homing alerts channels
    """
    found = api.get("alert-channel")["data"]
    if as_json:
        print_json(found)
        return
    print_table(
        ("channel", "url"),
        [(one["id"], one["url"]) for one in found],
        empty="no channel: set HOMING_ALERTS to a URL such as mailto://user:password@example.org",
    )
