"""`homing slo fired`: when the alerts would have fired in an incident, by its own log."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import click
import yaml
from rich.text import Text

from homing.cli.counted_logs import count_logs
from homing.cli.forensics import as_engine
from homing.cli.incidents import at_option, files_of, record
from homing.cli.objectives.options import period_option, target_option
from homing.cli.output import as_json, print_json, print_table, say, say_prose, time_text, why
from homing.core.errors import ConfigError
from homing.core.objectives import Objective
from homing.insight.figures import exact, span_text
from homing.insight.firing import Fired, Past, burns, fired_of
from homing.insight.objectives import default_objectives
from homing.insight.period import Period
from homing.insight.rules.prometheus import rules_of
from homing.system import SystemClock


@click.command()
@click.argument("logs", metavar="LOG...", nargs=-1, required=True)
@click.option(
    "--rules",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Those installed there by `homing slo rules --to`; default: those of the defaults.",
)
@target_option(
    help="Also the burn-rate alerts of this target, such as 99.9, if drops count as bad."
)
@period_option(default="30d", show_default=True, help="What the budget of --target is for.")
@click.option("--mapping", metavar="FILE", help="As for `homing investigate`.")
@as_engine
@at_option
@as_json
def fired(
    logs: tuple[str, ...],
    folder: Path | None,
    target: Decimal | None,
    period: Period,
    mapping: str | None,
    engine: str,
    at_us: int | None,
    as_json: bool,
) -> None:
    """Say when each alert would have fired in a log, and how long after the first drop.

    \b
    Has every minute of LOG again as an audit at its end would have found the books, and asks the
    rules. A delivery that the log loses is unaccounted for from its last line on, or from when it
    was due or its lease ended after that. Of the objectives, a log can tell those on unaccounted
    deliveries and, where it has none, on dead letters. An incident that is open here keeps what
    was found, and its review shows it.

    \b
    Examples:
      homing slo fired log.jsonl
      homing slo rules --defaults --to rules && homing slo fired log.jsonl --rules rules
      homing slo fired log.jsonl --target 99.9 --json | jq .sentence

    Exit codes: 0 it is said, 2 the log or the rules cannot be read.
    """
    objectives = default_objectives("")
    if folder is not None:
        objectives = [one for one in objectives if _is_installed(one, folder)]
        if not objectives:
            text = "expected rules of Homing's objectives in it; homing slo rules --defaults --to"
            raise ConfigError([f"--rules {folder}: {text} {folder}"])
    past = count_logs(logs, mapping=mapping, engine=engine, has_past=True).past
    assert past is not None
    found = fired_of(past, objectives)
    if target is not None:
        found += burns(past, target, period_s=period.length_s(SystemClock().now_us()))
    told = _document(past, found, target)
    if as_json:
        print_json(told)
    else:
        _show(past, found)
    rules = [] if folder is None else [_installed(one, folder) for one in objectives]
    record("fired", told, inputs=[*files_of(logs), *rules], at_us=at_us)


def _installed(objective: Objective, folder: Path) -> Path:
    return folder / f"homing-slo-{objective.id}.rules.yml"


def _is_installed(objective: Objective, folder: Path) -> bool:
    """Whether the folder has the rules of an objective.

    Raises:
        ConfigError: it has others under that name, which nobody here can evaluate.
    """
    path = _installed(objective, folder)
    if not path.exists():
        return False
    try:
        there = _expressions(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        raise ConfigError([f"{path}: expected rules of Prometheus; {why(error)}"]) from error
    if there != _expressions(rules_of(objective)):
        text = "expected the rules as `homing slo rules` writes them; others need promtool"
        raise ConfigError([f"{path}: {text}"])
    return True


def _expressions(document: Any) -> dict[str, str]:
    """Alert or record → its expression."""
    return {
        rule.get("alert") or rule["record"]: " ".join(rule["expr"].split())
        for group in document["groups"]
        for rule in group["rules"]
    }


def _sentence(past: Past, found: list[Fired]) -> str:
    told = [one for one in found if one.at_us is not None]
    if past.first_us is None:
        return "nothing was dropped, so no alert had anything to say"
    first = f"the first drop, accepted at {time_text(past.first_us)}"
    if not told:
        return f"no alert would have fired after {first}"
    soonest = min(told, key=lambda one: one.at_us or 0)
    return (
        f"{soonest.alert} ({soonest.severity}) would have fired at {time_text(soonest.at_us)}, "
        f"{_span(soonest.after_s)} after {first}"
    )


def _span(seconds: float | None) -> str:
    return "" if seconds is None else span_text(round(seconds))


def _document(past: Past, found: list[Fired], target: Decimal | None) -> dict[str, Any]:
    return {
        "sentence": _sentence(past, found),
        "target": None if target is None else exact(target),
        "firstDropAt": time_text(past.first_us) or None,
        "unaccountedFrom": time_text(past.lost_us) or None,
        "alerts": [
            {
                "alert": one.alert,
                "rule": one.rule,
                "severity": one.severity,
                "firedAt": time_text(one.at_us) or None,
                "afterS": one.after_s,
                "why": one.why,
            }
            for one in found
        ],
    }


_STYLES: Final = {True: "green", False: "yellow"}


def _show(past: Past, found: list[Fired]) -> None:
    is_told = any(one.at_us is not None for one in found)
    say_prose(Text(_sentence(past, found), style=f"bold {_STYLES[is_told]}"))
    if past.lost_us is not None:
        say(Text(f"unaccounted for from {time_text(past.lost_us)} on", style="dim"))
    say()
    print_table(
        ("alert", "by", "severity", "would have fired", "after", "why"),
        [
            (
                one.alert,
                one.rule,
                one.severity,
                Text(time_text(one.at_us) or "never", style=_STYLES[one.at_us is not None]),
                _span(one.after_s),
                one.why,
            )
            for one in found
        ],
    )
