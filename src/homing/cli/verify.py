"""`homing verify`: whether a change fixed the drop, with what stands behind the answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, NamedTuple

import click
import msgspec
from rich.text import Text

from homing.cli.counted_logs import (
    arm_of,
    as_count,
    count_logs,
    guilty_of,
    is_investigation,
    load_investigation,
)
from homing.cli.forensics import as_engine
from homing.cli.incidents import at_option, files_of, open_here, place_of, record
from homing.cli.moments import moment
from homing.cli.output import as_json, print_json, print_table, say, say_prose
from homing.cli.watching import Asked, watch_log
from homing.core.errors import ConfigError
from homing.core.plurals import plural
from homing.insight.rates import deliveries_to_exclude
from homing.insight.verification import (
    Arm,
    Comparison,
    Count,
    Model,
    Verdict,
    Verification,
    percent,
)
from homing.insight.verification import verify as verified
from homing.system import SystemClock

_EXIT_NOT: Final = 1
_STYLES: Final = {
    Verdict.FIXED: "bold green",
    Verdict.BETTER: "bold yellow",
    Verdict.UNPROVEN: "bold yellow",
    Verdict.SAME: "bold red",
    Verdict.WORSE: "bold red",
}
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("logs", metavar="[BEFORE AFTER]", nargs=-1)
@click.option("--before", callback=as_count, metavar="K/N", help="Dropped of deliveries.")
@click.option("--after", callback=as_count, metavar="K/N", help="The same, after the change.")
@click.option("--incident", type=_FILE, metavar="FILE", help="What `investigate --save` wrote.")
@click.option("--guilty", metavar="NAME", help="The stratum to look into; see `--json`.")
@click.option("--model", type=_FILE, metavar="FILE", help="JSON of a model check of the fix.")
@click.option(
    "--since",
    metavar="TIME",
    help="Of AFTER: accepted from then on; `now`, or `deployed`: the open incident's last fix.",
)
@click.option("--mapping", metavar="FILE", help="As for `homing investigate`.")
@as_engine
@click.option("--watch", is_flag=True, help="Read AFTER again until it proves something.")
@click.option(
    "--every",
    type=click.FloatRange(0.1),
    default=30.0,
    show_default=True,
    metavar="S",
    help="With --watch: how often AFTER is read, seconds.",
)
@at_option
@as_json
def verify(
    logs: tuple[str, ...],
    before: Count | None,
    after: Count | None,
    incident: Path | None,
    guilty: str | None,
    model: Path | None,
    since: str | None,
    mapping: str | None,
    engine: str,
    watch: bool,
    every: float,
    at_us: int | None,
    as_json: bool,
) -> None:
    """Say whether a change fixed the drop, and what a zero is worth.

    \b
    BEFORE and AFTER are delivery logs as `homing investigate` reads them, or what it saved.
    It says "fixed" only if the run after could have shown the fault: enough deliveries to
    exclude the rate before, enough where the fault lives, and the same kind of traffic.

    \b
    Examples:
      homing verify before.jsonl after.jsonl --incident incident.json
      homing verify incident.json after.jsonl --model reproduced.json
      homing verify --before 30/10000 --after 0/2000
      homing verify incident.json hooks.attempts --engine postgresql://reader@db/logs --since now
      homing verify incident.json sqlite:homing.db --since 2026-11-24T09:00Z --watch
      homing verify incident.json https://homing.example.com --since deployed --watch

    Exit codes: 0 fixed; 1 not fixed, or nothing is proven; 2 the input cannot be read.
    """
    since_us = _since_us(since)
    document = load_investigation(incident) if incident else None
    left, right = _two(logs, before, after)
    if isinstance(left, str) and is_investigation(left):
        document = document or load_investigation(Path(left))
    read = _Reading(mapping, engine)
    arm = _arm(left, read, None)
    name = guilty or guilty_of(arm, document)
    _known(name, guilty, arm, document)
    arm = _with_strata(arm, document)
    checked = None if model is None else _model(model)
    if watch:
        if not isinstance(right, str):
            raise click.UsageError("--watch: expected AFTER to be a log, a database or a server")
        asked = Asked(log=right, mapping=mapping, engine=engine, since_us=since_us, every_s=every)
        found = watch_log(
            asked, arm, lambda after: verified(arm, after, guilty=name, model=checked),
            say=None if as_json else say,
        )  # fmt: skip
    else:
        found = verified(arm, _arm(right, read, since_us), guilty=name, model=checked)
    told = {"verdict": found.verdict, "is_fixed": found.is_fixed, **_plain(found)}
    if as_json:
        print_json(told)
    else:
        _show(found)
    rests_on = [one for one in (left, right) if isinstance(one, str)]
    record("verify", told, inputs=[*files_of(rests_on), incident, model], at_us=at_us)
    if not found.is_fixed:
        raise click.exceptions.Exit(_EXIT_NOT)


def _two(
    logs: tuple[str, ...], before: Count | None, after: Count | None
) -> tuple[str | Count, str | Count]:
    """BEFORE and AFTER, each either named as an option or the next argument."""
    rest = list(logs)
    given: list[str | Count] = []
    for count, word in ((before, "BEFORE"), (after, "AFTER")):
        if count is not None:
            given.append(count)
        elif rest:
            given.append(rest.pop(0))
        else:
            option = f"--{word.lower()} K/N"
            raise click.UsageError(f"expected {word}: a log, a saved investigation, or {option}")
    if rest:
        raise click.UsageError(f"expected two: BEFORE and AFTER; {rest[0]} is one too many")
    return given[0], given[1]


class _Reading(NamedTuple):
    """How logs are read."""

    mapping: str | None
    engine: str


def _arm(given: str | Count, read: _Reading, since_us: int | None) -> Arm:
    if isinstance(given, Count):
        return Arm(all=given)
    if is_investigation(given):
        return arm_of(load_investigation(Path(given)))
    return count_logs([given], mapping=read.mapping, engine=read.engine, since_us=since_us).arm


def _with_strata(arm: Arm, document: dict[str, Any] | None) -> Arm:
    """Counts of strata from the investigation, where the log before was not read again."""
    if document is None or arm.strata:
        return arm
    return msgspec.structs.replace(arm, strata=arm_of(document).strata)


def _known(name: str | None, guilty: str | None, arm: Arm, document: dict[str, Any] | None) -> None:
    strata = arm.strata.keys() | (arm_of(document).strata.keys() if document else set())
    if guilty is not None and name not in strata:
        known = ", ".join(f"“{one}”" for one in sorted(strata)) or "none: give a log or --incident"
        raise ConfigError([f"--guilty: expected one of {known}; found {guilty!r}"])


def _model(path: Path) -> Model:
    """What checking found: the JSON of `homing simulate --exhaustive` or of `homing reproduce`.

    Raises:
        ConfigError: it is neither.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if "states" in document:
            violations = document["violations"]
            return Model(
                states=int(document["states"]),
                violations=violations if isinstance(violations, int) else len(violations),
                is_closed=bool(document.get("is_closed", False)),
                source=path.name,
            )
        is_pinned = "reproduced" in document
        return Model(
            states=int(document["times" if is_pinned else "runs"]),
            unit="schedules",
            violations=int(document["reproduced" if is_pinned else "found"]),
            is_closed=False,
            source=path.name,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        text = "expected JSON of `homing reproduce` or of `homing simulate --exhaustive`"
        raise ConfigError([f"--model {path}: {text}; {error!r}"]) from error


def _since_us(text: str | None) -> int | None:
    """The instant that `--since` names.

    Raises:
        ConfigError: no incident is open here, or it has no deployment of a fix.
    """
    if text is None:
        return None
    if text == "now":
        return SystemClock().now_us()
    if text != "deployed":
        return moment(text)
    name = open_here()
    if name is None:
        raise ConfigError(
            ["--since deployed: no incident is open here; homing incident open TITLE, or a time"]
        )
    fixes = [one for one in place_of(name).load().deployments if one.what == "fix"]
    if not fixes:
        text = "has no deployment of a fix; homing incident deployed --by NAME --commit ID"
        raise ConfigError([f"--since deployed: incident {name} {text}"])
    return fixes[-1].at_us


def _plain(found: Verification) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(found)
    return plain


def _show(found: Verification) -> None:
    say_prose(
        Text.assemble(
            (f"{found.verdict}: ", _STYLES[found.verdict]),
            found.sentence.removeprefix("not proven: "),
        )
    )
    say()
    rows = [_row("all deliveries", found.all)]
    if found.guilty is not None:
        rows.append(_row(f"“{found.guilty_name}”", found.guilty))
    print_table(("", "before#", "after#", "rate before (95%)", "rate after (95%)", "p#"), rows)
    say()
    for line in _zeros(found):
        say_prose(line, indent=2)
    for reason in found.reasons:
        say_prose(Text.assemble(("· ", "yellow"), reason), indent=2)
    if found.model is not None:
        say_prose(_model_line(found.model), indent=2)
    if any(found.too_young):
        counts = " and ".join(
            f"{n:,} {word}"
            for n, word in zip(found.too_young, ("before", "after"), strict=True)
            if n
        )
        say(Text(f"Not counted: {counts}, still on their way when the log ends.", style="dim"))
    if found.is_fixed and found.guilty is None:
        say(Text("Where the fault lives is not known here: --incident, or --guilty.", style="dim"))
    say(Text("p: Fisher's exact test that nothing changed. Intervals are exact.", style="dim"))
    say(Text("All of it holds for traffic like this, and if drops are independent.", style="dim"))


def _row(name: str, one: Comparison) -> tuple[str, ...]:
    def of(count: Count) -> str:
        return f"{count.k:,}/{count.n:,}"

    before, after = one.rate_before, one.rate_after
    return (
        name,
        of(one.before),
        of(one.after),
        f"{before.value:.3%} ({before.low:.3%} to {before.high:.3%})",
        f"{after.value:.3%} ({after.low:.3%} to {after.high:.3%})" if one.after.n else "nothing",
        f"{one.p_two_sided:.2g}",
    )


def _zeros(found: Verification) -> list[str]:
    lines = []
    for what, one in (("all", found.all), ("where the fault lives", found.guilty)):
        if one is None or one.zero is None or not one.after.n:
            continue
        zero = one.zero
        need = (
            f"; excluding the rate before took {zero.needed_95:,} (95%), {zero.needed_99:,} (99%)"
            if zero.needed_95
            else ""
        )
        lines.append(
            f"zero, {what}: 0 of {zero.deliveries:,} excludes {percent(zero.excludes_95)} "
            f"at 95%, {percent(zero.excludes_99)} at 99%{need}"
        )
    if lines:
        tenth = deliveries_to_exclude(found.all.rate_before.value / 10) if found.all.before.k else 0
        if tenth and found.all.after.n < tenth:
            lines.append(f"to exclude a tenth of the rate before takes {tenth:,} at 95%")
    return lines


def _model_line(model: Model) -> str:
    closed = "every order within its bounds" if model.is_closed else "a part of all orders"
    found = "no loss" if not model.violations else f"{plural(model.violations, 'way')} to lose one"
    return f"model ({model.source}): {model.states:,} {model.unit}, {closed}: {found}"
