"""`homing impact`: what the dropped webhooks cost a week, and how sure each figure is."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec
from rich.text import Text

from homing.cli.counted_logs import count_logs
from homing.cli.forensics import as_engine
from homing.cli.impact_assumptions import EXAMPLE, Declared, load_assumptions
from homing.cli.incidents import at_option, files_of, record
from homing.cli.moments import moment
from homing.cli.output import (
    as_json,
    note,
    print_json,
    print_table,
    say,
    say_prose,
    time_text,
    why,
)
from homing.core.errors import ConfigError
from homing.core.money import MICRO, money_in
from homing.core.plurals import plural
from homing.insight.rates import excluded_rate
from homing.insight.verification import percent
from homing.lab.draws import Draws
from homing.review.impact import Affected, DirectCost, Exposure, Loss, estimate
from homing.review.impact_sentence import sentence
from homing.review.pictures import tornado_svg

if TYPE_CHECKING:
    from homing.forensics.counting import Counted

_FILE = click.Path(dir_okay=False, path_type=Path)
_BAR: Final = 34


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """What is priced of a log: all of it, or a week that is all as it was from some time on."""

    window_s: float  #: of the whole log
    since_us: int | None
    names: frozenset[str]

    def has(self, name: str) -> bool:
        """Whether a delivery is in it."""
        return self.since_us is None or name in self.names

    def time_of(self, n: int, volume: int) -> float:
        """The seconds in which so many are accepted at the volume of the whole log."""
        return self.window_s if self.since_us is None or not n else self.window_s * n / volume

    def told(self, volume: int) -> str:
        """Where the volume is from; empty: from what is counted."""
        if self.since_us is None:
            return ""
        days = self.window_s / 86_400
        return f"{volume:,} in {days:.2f} days; the rates since {time_text(self.since_us)}"


@click.command()
@click.argument("logs", metavar="LOG...", nargs=-1)
@click.option("--assumptions", type=_FILE, metavar="FILE", help="A TOML file; see --example.")
@click.option("--payloads", type=_FILE, metavar="FILE", help="JSON lines: what each was worth.")
@click.option(
    "--since",
    "since_us",
    type=moment,
    metavar="TIME",
    help="A whole week as it was from then on: rates and values since, the volume of LOG.",
)
@click.option("--late", is_flag=True, help="Price what came late as well, by steps of its delay.")
@click.option("--example", is_flag=True, help="Print assumptions to edit, and stop.")
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    metavar="N",
    help="Of the draws; the same seed gives the same figures.",
)
@click.option("--svg", type=_FILE, metavar="FILE", help="Write the sensitivity as a plot.")
@click.option("--ids", type=_FILE, metavar="FILE", help="Write the ids that are affected.")
@click.option("--mapping", metavar="FILE", help="As for `homing investigate`.")
@as_engine
@at_option
@as_json
def impact(
    logs: tuple[str, ...],
    assumptions: Path | None,
    payloads: Path | None,
    since_us: int | None,
    late: bool,
    example: bool,
    seed: int,
    svg: Path | None,
    ids: Path | None,
    mapping: str | None,
    engine: str,
    at_us: int | None,
    as_json: bool,
) -> None:
    """Say what the drop costs a week: a formula, its inputs, and an interval.

    \b
    loss = volume · drop rate · value · margin · excess abandonment · (1 - recovery)
    Volume and rate are counted in LOG, value in the payloads; the rest is in the assumptions.
    The first sentence is the one to pass on: the money, its interval, and what it rests on.
    Revenue at risk and estimated loss are told apart. Currencies are never added.
    With --late, each delivery that came later than the first step of abandonment is priced by the
    step that its delay reached, measured in LOG from its acceptance to its first success.
    Where the fault began within LOG, the week as logged has days without it: --since the beginning
    prices a week that has it all the time.

    \b
    Examples:
      homing impact --example > impact.toml
      homing impact log.jsonl --payloads payments.jsonl --assumptions impact.toml
      homing impact log.jsonl --assumptions impact.toml --json --ids affected.txt
      homing impact log.jsonl --payloads payments.jsonl --assumptions impact.toml --late
      homing impact log.jsonl --assumptions impact.toml --since 2026-11-10T10:23Z
      homing impact hooks.attempts --engine postgresql://reader@db/logs --assumptions impact.toml

    Exit codes: 0 priced, 2 the input cannot be read or does not fit.
    """
    if example:
        click.echo(EXAMPLE, nl=False)
        return
    if not logs or assumptions is None:
        raise click.UsageError("expected LOG and --assumptions FILE (homing impact --example)")
    declared = load_assumptions(assumptions)
    late_s = declared.assumptions.late_s
    counted = count_logs(
        logs,
        mapping=mapping,
        engine=engine,
        late_s=late_s,
        since_us=since_us,
        has_names=since_us is not None and declared.payload is not None,
    )
    delays: dict[str, float | None] = dict.fromkeys(counted.drops)
    if late:
        delays |= dict(counted.late)
    part = _Part(
        window_s=max(1.0, (counted.last_us - counted.log_first_us) / 1_000_000),
        since_us=since_us,
        names=counted.names,
    )
    if declared.payload is not None:
        if payloads is None:
            raise click.UsageError("the assumptions take the value from payloads: --payloads FILE")
        exposures = _from_payloads(payloads, declared, delays, part)
    else:
        exposures = [_declared(declared, counted, delays, part)]
    losses = [estimate(one, declared.assumptions, Draws(seed, 0).random) for one in exposures]
    losses.sort(key=lambda one: -one.deliveries_per_week)
    affected = [
        (one.id, exposure.currency, one.value, one.delay_s)
        for exposure in exposures
        for one in exposure.affected
    ]
    if ids is not None:
        ids.write_text("".join(map(_affected_line, affected)), encoding="utf-8")
    if svg is not None:
        svg.write_text(tornado_svg(losses[0]), encoding="utf-8")
    in_words = sentence(losses) if delays else _nothing(counted.arm.all.n)
    told = {"sentence": in_words, **document(losses, affected, seed, str(assumptions))}
    told["since"] = time_text(since_us) or None
    if as_json:
        print_json(told)
    else:
        say_prose(Text(in_words, style="bold" if delays else ""))
        if delays:
            say()
            _show_all(losses, part, declared.assumptions.direct, len(affected), ids)
            if len(affected) < len(delays):
                say_prose(Text(_unpriced(declared, len(affected), len(delays)), style="dim"))
        if counted.late and not late:
            text = f"{len(counted.late):,} had their success {late_s:g} s or more after"
            say_prose(Text(f"Not in it: {text} their acceptance; --late prices them.", style="dim"))
    read = [*files_of(logs), payloads, assumptions]
    record("impact", told, inputs=read, files=[svg, ids], at_us=at_us)


def _affected_line(one: tuple[str, str, float, float | None]) -> str:
    name, currency, value, delay_s = one
    return f"{name}\t{currency}\t{value:.2f}\t{'never' if delay_s is None else f'{delay_s:.0f}'}\n"


def document(
    losses: list[Loss],
    affected: list[tuple[str, str, float, float | None]],
    seed: int,
    source: str,
) -> dict[str, Any]:
    """Everything as plain values; `p50` is that of the currency with most deliveries."""
    first = losses[0]
    return {
        "currency": first.currency,
        "p5": first.p5,
        "p50": first.p50,
        "p95": first.p95,
        "at_risk": first.at_risk,
        "by_currency": {one.currency: msgspec.to_builtins(one) for one in losses},
        "affected": [{"id": a, "currency": c, "value": v, "delay_s": d} for a, c, v, d in affected],
        "seed": seed,
        "assumptions": source,
    }


def _lines(path: Path) -> Iterator[bytes]:
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            yield from file
    except OSError as error:
        raise ConfigError([f"--payloads {path}: cannot be read: {why(error)}"]) from error


def _from_payloads(
    path: Path, declared: Declared, delays: Mapping[str, float | None], part: _Part
) -> list[Exposure]:
    """One exposure for each currency, from JSON lines that say what each delivery was worth."""
    payload = declared.payload
    assert payload is not None
    counts: dict[str, int] = {}
    volumes: dict[str, int] = {}
    totals: dict[str, int] = {}
    affected: dict[str, list[Affected]] = {}
    unreadable = found = 0
    key = None
    for number, line in enumerate(_lines(path), 1):
        try:
            row = json.loads(line)
            key, kind = row[payload.id], row.get(payload.event_type)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            lacks = f"found none with {error}" if isinstance(error, KeyError) else f"{error}"
            text = (
                f"{path}, line {number}: expected JSON with `{payload.id}`, as [payload] of the "
                f"assumptions says; {lacks}"
            )
            raise ConfigError([text]) from error
        is_affected = key in delays
        found += is_affected
        if payload.event_types and kind not in payload.event_types:
            continue
        money = money_in(line, payload.money)
        if money is None:
            unreadable += 1
            continue
        code = money.currency
        volumes[code] = volumes.get(code, 0) + 1
        if not part.has(key):
            continue
        counts[code] = counts.get(code, 0) + 1
        totals[code] = totals.get(code, 0) + money.micro
        if is_affected:
            one = Affected(id=key, value=money.micro / MICRO, delay_s=delays[key])
            affected.setdefault(code, []).append(one)
    if delays and not found:
        text = (
            f"{path}: expected the affected deliveries, with ids such as {next(iter(delays))!r}; "
            f"found ids such as {key!r}, under `{payload.id}`, as [payload] of the assumptions says"
        )
        raise ConfigError([text])
    if unreadable:
        note(f"left out, without what they are worth as declared: {plural(unreadable, 'payload')}")
    if found < len(delays):
        note(
            f"without a payload here: {len(delays) - found:,} of "
            f"{plural(len(delays), 'affected delivery')}"
        )
    if not counts:
        raise ConfigError([f"{path}: no payload of the class says an amount and a currency"])
    return [
        Exposure(
            currency=code,
            deliveries=counts[code],
            window_s=part.time_of(counts[code], volumes[code]),
            volume=part.told(volumes[code]),
            affected=tuple(affected.get(code, ())),
            value_total=totals[code] / MICRO,
        )
        for code in counts
    ]


def _declared(
    declared: Declared, counted: Counted, delays: Mapping[str, float | None], part: _Part
) -> Exposure:
    value = declared.value
    assert value is not None
    n, volume = counted.arm.all.n, counted.log_accepted
    return Exposure(
        currency=declared.currency,
        deliveries=n,
        window_s=part.time_of(n, volume),
        volume=part.told(volume),
        affected=tuple(
            Affected(id=name, value=value.mode, delay_s=delay_s) for name, delay_s in delays.items()
        ),
        value=value,
    )


def _nothing(n: int) -> str:
    """What is said when none of n was dropped: no price, and what the zero is worth."""
    bound = f"; a rate of {percent(excluded_rate(n))} or more is excluded at 95%" if n else ""
    return f"nothing to price: none of {plural(n, 'delivery')} was dropped{bound}"


def _show_all(
    losses: list[Loss], part: _Part, direct: Sequence[DirectCost], priced: int, ids: Path | None
) -> None:
    for loss in losses:
        _show(loss, part, direct)
    if len(losses) > 1:
        say(Text("Currencies are kept apart: no exchange rate is in the data.", style="dim"))
    say_prose(Text(_of_which_week(part), style="dim"))
    if ids is not None:
        note(f"{plural(priced, 'affected id')}: in {ids}")


def _show(loss: Loss, part: _Part, direct: Sequence[DirectCost]) -> None:
    code = loss.currency
    say(
        Text.assemble(
            (f"{_money(loss.p50)} {code} a week", "bold"),
            f" of margin lost (90% between {_money(loss.p5)} and {_money(loss.p95)})",
        )
    )
    _line(
        f"  {_money(loss.at_risk)} {code} a week at risk: the whole value of {_of_what(loss, part)}"
    )
    if loss.late:
        _line(f"  {_money(loss.late_loss)} {code} a week of it by what came late, in the middle")
    _line(f"  {_money(loss.gross_p50)} {code} a week of sales lost, before the margin")
    word = "affected" if loss.late else "dropped"
    _line(
        f"  {_money(loss.per_tenth_percent)} {code} a week for each 0.1% that is {word}"
        f"{_basis(loss)}"
    )
    for name, amount in loss.direct:
        _line(f"  besides, not in it: {_money(amount)} {code} a week for {name}")
    for one in direct:
        if one.per_drop and one.currency != code:
            _line(
                f"  besides, not in it: {one.name}, declared in {one.currency} alone: "
                "none for these"
            )
    if loss.is_capped:
        _line(f"  held at {_money(loss.cap)} {code}: no more was affected")
    say()
    print_table(
        ("input", "low#", "likely#", "high#", "", "is", "from"),
        [
            (
                one.name,
                _figure(one.low, one.unit),
                _figure(one.mode, one.unit),
                _figure(one.high, one.unit),
                "" if one.unit == "share" else one.unit,
                Text(one.basis, style=_BASIS_STYLES[one.basis]),
                one.source,
            )
            for one in loss.inputs
        ],
    )
    say()
    _swings(loss)
    say()


def _line(text: str) -> None:
    """What belongs to a figure: set in, and further where it is folded."""
    say_prose(text, indent=4)


def _basis(loss: Loss) -> str:
    """From which figure a rate's price goes out: not from the middle of all draws."""
    if loss.middle is None:
        return ""
    return (
        f", with every input in its middle (all that was lost: {_money(loss.middle)}; "
        f"{_money(loss.p50)} is the middle of all draws)"
    )


def _of_what(loss: Loss, part: _Part) -> str:
    """Which deliveries are worth the revenue at risk, and how many a week that makes."""
    counts = plural(loss.dropped, "dropped delivery")
    if loss.late:
        counts += f" and {plural(loss.late, 'late one')}"
    if part.since_us is not None:
        return f"{counts}, at their rate since {time_text(part.since_us)}, for a week"
    days = loss.window_s / 86_400
    if round(days, 1) == 7:
        return counts
    return f"{counts} in {days:.2f} days, at this pace for a week"


_BASIS_STYLES: Final = {"measured": "green", "declared": "cyan", "assumed": "yellow"}


def _swings(loss: Loss) -> None:
    """One input alone at its 5% and its 95% point, as bars on one scale."""
    high = max((one.high for one in loss.swings), default=0.0)
    if high <= 0:
        return
    say(Text("the loss a week if one input alone is at its 5% or 95% end", style="bold"))
    if loss.middle is not None:
        text = f"the others in their middle; all of them there give {_money(loss.middle)}, "
        text += f"and the middle of all draws is {_money(loss.p50)}"
        say(Text(text, style="dim"))
    rows = []
    for one in loss.swings:
        start, end = (round(_BAR * value / high) for value in (one.low, one.high))
        bar = " " * start + "█" * max(1, end - start)
        rows.append((one.name, _money(one.low), _money(one.high), bar, one.basis))
    print_table(("input", "from#", "to#", "", "is"), rows)


def _of_which_week(part: _Part) -> str:
    days = f"{part.window_s / 86_400:.2f} days of log"
    if part.since_us is None:
        return f"A week as logged, from {days}; nothing is annualised."
    since = time_text(part.since_us)
    return f"A week of the volume of {days}, all of it as it was since {since}."


def _unpriced(declared: Declared, priced: int, found: int) -> str:
    """Why fewer are priced than were dropped."""
    kinds = declared.payload.event_types if declared.payload else ()
    why = f"are not {' or '.join(kinds)}, or " if kinds else ""
    return (
        f"Not in it: {found - priced:,} of the {found:,} affected, which {why}have no payload that "
        "can be read."
    )


def _money(amount: float) -> str:
    return f"{amount:,.0f}"


def _figure(value: float, unit: str) -> str:
    if unit == "share":
        return f"{value:.{3 if value < 0.01 else 2 if value < 0.1 else 0}%}"
    return f"{value:,.0f}" if unit == "deliveries" else f"{value:,.2f}"
