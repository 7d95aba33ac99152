"""What dropped webhooks cost a week: a formula, its inputs, and how sure each of them is.

    loss = Σ V · p · v · m · [A(d) - A(0)] · (1 - R)        and direct costs, apart

summed over the steps of A: V deliveries of the class in a week, p the share of them that came so
late, or never (the last step), v the value of one, m the margin, A(d) the share of buyers who give
up when confirmation takes d, R the share that comes back all the same. Revenue at risk (all of the
value that is affected) and estimated loss are different numbers, and both are told. Currencies are
never added.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from enum import StrEnum
from statistics import NormalDist
from typing import Final

import msgspec

from homing.core.plurals import plural
from homing.insight.rates import Rate, beta_quantile, exact

WEEK_S: Final = 604_800.0
DRAWS: Final = 10_000
#: chances at which the distribution of a rate is tabulated, to draw from it quickly
_GRID: Final = 400

Random = Callable[[], float]


class Basis(StrEnum):
    """Where an input comes from."""

    MEASURED = "measured"  #: counted in the log or the payloads
    DECLARED = "declared"  #: said by the people who own the figure
    ASSUMED = "assumed"  #: nobody measured it


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """A figure that is known to lie between two others; triangular when drawn."""

    low: float
    mode: float
    high: float
    basis: Basis = Basis.ASSUMED

    def at(self, share: float) -> float:
        """The figure below which it falls with this chance."""
        low, mode, high = self.low, self.mode, self.high
        if high <= low:
            return mode
        turn = (mode - low) / (high - low)
        if share < turn:
            return low + math.sqrt(share * (high - low) * (mode - low))
        return high - math.sqrt((1 - share) * (high - low) * (high - mode))


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """From this delay of the confirmation on, so many buyers have given up."""

    after_s: float | None  #: None: never confirmed
    share: Range


class DirectCost(msgspec.Struct, frozen=True, kw_only=True):
    """What is paid besides lost sales, on a line of its own: tickets, fees, credits, hours."""

    name: str
    each: float
    currency: str
    #: per dropped delivery
    per_drop: float = 0.0
    #: in the whole window, whatever was dropped
    count: float = 0.0
    basis: Basis = Basis.DECLARED


class Assumptions(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the log does not say."""

    margin: Range
    steps: tuple[Step, ...]
    recovery: Range
    direct: tuple[DirectCost, ...] = ()

    @property
    def late_s(self) -> float | None:
        """From this delay on a confirmation is late; None: there is no step between at once and
        never."""
        return next((one.after_s for one in self.steps if one.after_s), None)

    def step_of(self, delay_s: float | None) -> Step:
        """The last step that a delay has reached; None as a delay: never confirmed."""
        reached = self.steps[0]
        for step in self.steps:
            if delay_s is None or (step.after_s is not None and delay_s >= step.after_s):
                reached = step
        return reached


class Affected(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery that was dropped, or came late."""

    id: str
    value: float  #: in units of its currency
    delay_s: float | None = None  #: None: it never came


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """What one currency had at stake in the window that was looked at."""

    currency: str
    deliveries: int  #: of the class, in this currency
    window_s: float  #: the time in which so many are accepted
    affected: tuple[Affected, ...]
    volume: str = ""  #: where the volume is counted, in words; empty: in that time
    value_total: float = 0.0  #: of all its deliveries, where payloads say it
    value_basis: Basis = Basis.MEASURED
    #: the value of one where payloads do not say it
    value: Range | None = None


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """One input of the formula, for the table."""

    name: str
    low: float
    mode: float
    high: float
    unit: str
    basis: Basis
    source: str


class Swing(msgspec.Struct, frozen=True, kw_only=True):
    """What the loss is when one input alone is at its low or high end."""

    name: str
    low: float  #: loss a week
    high: float
    basis: Basis


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """The estimate for one currency. Amounts are in units of it, per week."""

    currency: str
    rate: Rate
    deliveries_per_week: float
    dropped: int
    late: int  #: of those that are priced: they came, but late
    late_loss: float  #: of the margin lost, by what came late; every input in its middle
    window_s: float
    at_risk: float  #: value of all that is affected in a week
    p5: float  #: of the margin lost
    p50: float
    p95: float
    gross_p50: float  #: of the sales lost, before the margin
    per_tenth_percent: float  #: margin lost a week for each 0.1% that is dropped
    cap: float  #: value of the affected ids, a week: the loss is never above it
    is_capped: bool  #: some of the draws were
    inputs: tuple[Input, ...]
    swings: tuple[Swing, ...]
    direct: tuple[tuple[str, float], ...]  #: name and amount a week, not in the loss
    #: the margin lost with every input in its middle, from which each swing goes out; not the p50,
    #: which is the middle of what all inputs together come to. None: of an earlier version
    middle: float | None = None


class _Model(msgspec.Struct, frozen=True, kw_only=True):
    """The formula with all but what is drawn filled in."""

    per_week: float  #: deliveries
    values: tuple[float, ...]  #: of one affected delivery, by step
    errors: tuple[float, ...]  #: standard error of each
    steps: tuple[Range, ...]
    base: Range  #: who gives up although all is prompt
    margin: Range
    recovery: Range
    cap: float

    def gross(self, rates: Sequence[float], value: float, gives_up: float, back: float) -> float:
        """Sales lost a week.

        Args:
            rates: share of deliveries affected, by step.
            value, gives_up, back: chances in (0, 1) at which value, abandonment and recovery are
                taken; one for all steps, so that a later step never loses less than an earlier.
        """
        z = _normal(value)
        lost = 0.0
        for rate, mean, error, share in zip(
            rates, self.values, self.errors, self.steps, strict=True
        ):
            excess = max(0.0, share.at(gives_up) - self.base.at(gives_up))
            lost += self.per_week * rate * max(0.0, mean + z * error) * excess
        return min(lost * (1 - self.recovery.at(back)), self.cap)


def estimate(exposure: Exposure, assumed: Assumptions, random: Random, draws: int = DRAWS) -> Loss:
    """What a week costs in one currency.

    Args:
        exposure: what was counted.
        assumed: the rest.
        random: numbers in [0, 1); the same ones give the same estimate.
        draws: of the Monte Carlo, >= 100.

    Returns:
        Zeros where nothing is affected, with the interval that the count leaves open.

    Raises:
        ValueError: there are no deliveries, or more affected ones than deliveries.
    """
    n = exposure.deliveries
    if n <= 0 or len(exposure.affected) > n or exposure.window_s <= 0:
        raise ValueError("expected some deliveries in some time, and no more affected than those")
    groups = _groups(exposure, assumed)
    model = _model(exposure, assumed, groups)
    counts = [len(group) for _, group in groups]
    tables = [_table(k, n) for k in counts]
    results = sorted(_draw(model, tables, random) for _ in range(draws))
    capped = sum(one[2] for one in results)
    net = [one[0] for one in results]
    gross = sorted(one[1] for one in results)
    rates = [k / n for k in counts]
    middle = model.gross(rates, 0.5, 0.5, 0.5) * model.margin.at(0.5)
    dropped = sum(one.delay_s is None for one in exposure.affected)
    weeks = exposure.window_s / WEEK_S
    share = sum(rates)
    return Loss(
        currency=exposure.currency,
        rate=exact(len(exposure.affected), n),
        deliveries_per_week=n / weeks,
        dropped=dropped,
        late=len(exposure.affected) - dropped,
        late_loss=model.gross([*rates[:-1], 0.0], 0.5, 0.5, 0.5) * model.margin.at(0.5),
        window_s=exposure.window_s,
        at_risk=sum(one.value for one in exposure.affected) / weeks,
        p5=_at(net, 0.05),
        p50=_at(net, 0.5),
        p95=_at(net, 0.95),
        gross_p50=_at(gross, 0.5),
        per_tenth_percent=middle / share * 0.001 if share else _of_one(model) * 0.001,
        cap=model.cap,
        is_capped=capped > 0,
        inputs=_inputs(exposure, assumed, model, groups),
        swings=_swings(model, counts, n, assumed),
        middle=middle,
        direct=_direct(exposure, assumed, weeks),
    )


def _groups(exposure: Exposure, assumed: Assumptions) -> list[tuple[Step, tuple[Affected, ...]]]:
    """The affected, by the step that their delay has reached; the last step at least."""
    found: dict[int, list[Affected]] = {len(assumed.steps) - 1: []}
    for one in exposure.affected:
        step = assumed.step_of(one.delay_s)
        found.setdefault(assumed.steps.index(step), []).append(one)
    return [(assumed.steps[index], tuple(found[index])) for index in sorted(found)]


def _model(
    exposure: Exposure,
    assumed: Assumptions,
    groups: Sequence[tuple[Step, tuple[Affected, ...]]],
) -> _Model:
    values, errors = [], []
    for _, group in groups:
        mean, error = _mean_of([one.value for one in group], exposure)
        values.append(mean)
        errors.append(error)
    per_week = exposure.deliveries * WEEK_S / exposure.window_s
    weeks = exposure.window_s / WEEK_S
    return _Model(
        per_week=per_week,
        values=tuple(values),
        errors=tuple(errors),
        steps=tuple(step.share for step, _ in groups),
        base=assumed.steps[0].share,
        margin=assumed.margin,
        recovery=assumed.recovery,
        cap=sum(one.value for one in exposure.affected) / weeks,
    )


def _mean_of(values: Sequence[float], exposure: Exposure) -> tuple[float, float]:
    """The value of one affected delivery, and its standard error.

    Of few affected ones, the value of one among all; of a declared value, a third of its range.
    """
    if exposure.value is not None:
        return exposure.value.mode, (exposure.value.high - exposure.value.low) / 4
    if len(values) < 2:
        return exposure.value_total / exposure.deliveries, 0.0
    mean = math.fsum(values) / len(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return mean, math.sqrt(variance / len(values))


def _table(k: int, n: int) -> list[float]:
    """Quantiles of the rate that k of n leave likely: a beta(k + 1/2, n - k + 1/2) variable.

    Source:
        Jeffreys' prior; Brown, Cai and DasGupta, Statistical Science 16 (2001).
    """
    if k == 0:
        return [0.0] * (_GRID + 1)
    edge = 0.25 / _GRID
    return [
        beta_quantile(min(1 - edge, max(edge, i / _GRID)), k + 0.5, n - k + 0.5)
        for i in range(_GRID + 1)
    ]


def _look_up(table: Sequence[float], share: float) -> float:
    place = share * (len(table) - 1)
    index = min(int(place), len(table) - 2)
    return table[index] + (place - index) * (table[index + 1] - table[index])


def _draw(
    model: _Model, tables: Sequence[Sequence[float]], random: Random
) -> tuple[float, float, bool]:
    """Net loss, gross loss, and whether the cap held it down."""
    rates = [_look_up(table, random()) for table in tables]
    gross = model.gross(rates, random(), random(), random())
    return gross * model.margin.at(random()), gross, 0 < model.cap <= gross


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _of_one(model: _Model) -> float:
    """Margin lost a week if everything were dropped: the slope, where nothing was."""
    uncapped = msgspec.structs.replace(model, cap=math.inf)
    rates = [0.0] * (len(model.values) - 1) + [1.0]
    return uncapped.gross(rates, 0.5, 0.5, 0.5) * model.margin.at(0.5)


def _normal(share: float) -> float:
    """The standard normal quantile; the ends are cut off at about three and a half."""
    return NormalDist().inv_cdf(min(0.9998, max(0.0002, share)))


_LOW, _HIGH = 0.05, 0.95


def _swings(
    model: _Model, counts: Sequence[int], n: int, assumed: Assumptions
) -> tuple[Swing, ...]:
    """One input at a time at its 5% and 95% point, the others in the middle; widest first."""
    rates = [k / n for k in counts]
    ends = [(_table(k, n)[round(_LOW * _GRID)], _table(k, n)[round(_HIGH * _GRID)]) for k in counts]
    free = msgspec.structs.replace(model, cap=math.inf)
    half = model.margin.at(0.5)

    def loss(rates: Sequence[float], *chances: float) -> float:
        return free.gross(rates, *chances) * half

    middle = free.gross(rates, 0.5, 0.5, 0.5)
    swings = [
        Swing(
            name="drop rate" if len(counts) == 1 else "rates of lateness and drop",
            low=loss([low for low, _ in ends], 0.5, 0.5, 0.5),
            high=loss([high for _, high in ends], 0.5, 0.5, 0.5),
            basis=Basis.MEASURED,
        ),
        Swing(
            name="value of one",
            low=loss(rates, _LOW, 0.5, 0.5),
            high=loss(rates, _HIGH, 0.5, 0.5),
            basis=Basis.MEASURED,
        ),
        Swing(
            name="excess abandonment",
            low=loss(rates, 0.5, _LOW, 0.5),
            high=loss(rates, 0.5, _HIGH, 0.5),
            basis=assumed.steps[-1].share.basis,
        ),
        Swing(
            name="recovery",
            low=loss(rates, 0.5, 0.5, _HIGH),
            high=loss(rates, 0.5, 0.5, _LOW),
            basis=assumed.recovery.basis,
        ),
        Swing(
            name="margin",
            low=middle * model.margin.at(_LOW),
            high=middle * model.margin.at(_HIGH),
            basis=assumed.margin.basis,
        ),
    ]
    return tuple(sorted(swings, key=lambda one: one.low - one.high))


def _inputs(
    exposure: Exposure,
    assumed: Assumptions,
    model: _Model,
    groups: Sequence[tuple[Step, tuple[Affected, ...]]],
) -> tuple[Input, ...]:
    n, affected = exposure.deliveries, len(exposure.affected)
    value, error = model.values[-1], model.errors[-1]
    days = exposure.window_s / 86_400
    counted = exposure.volume or f"{n:,} in {days:.2f} days"
    basis = exposure.value_basis if exposure.value is None else exposure.value.basis
    of_value = (
        f"mean of {plural(affected, 'affected payload')}" if exposure.value is None else "declared"
    )

    def of(name: str, one: Range, source: str) -> Input:
        return Input(
            name=name,
            low=one.low,
            mode=one.mode,
            high=one.high,
            unit="share",
            basis=one.basis,
            source=source,
        )

    def flat(name: str, value: float, unit: str, source: str) -> Input:
        return Input(
            name=name,
            low=value,
            mode=value,
            high=value,
            unit=unit,
            basis=Basis.MEASURED,
            source=source,
        )

    def share(name: str, k: int) -> Input:
        rate = exact(k, n)
        return Input(
            name=name,
            low=rate.low,
            mode=rate.value,
            high=rate.high,
            unit="share",
            basis=Basis.MEASURED,
            source=f"{k:,} of {n:,}, exact 95% interval",
        )

    (never, dropped), *later = reversed(groups)
    late = [
        one
        for step, group in reversed(later)
        for one in (
            share(f"late, from {step.after_s:g} s on (p)", len(group)),
            of("… gives up (A)", step.share, f"assumptions: abandonment, after {step.after_s:g} s"),
        )
    ]
    return (
        flat("volume a week (V)", model.per_week, "deliveries", counted),
        share("drop rate (p)", len(dropped)),
        Input(
            name="value of one (v)",
            low=max(0.0, value - 1.96 * error),
            mode=value,
            high=value + 1.96 * error,
            unit=exposure.currency,
            basis=basis,
            source=of_value,
        ),
        of("margin (m)", assumed.margin, "assumptions: margin"),
        of("gives up (A)", never.share, "assumptions: abandonment, never confirmed"),
        of("gives up anyway (A₀)", assumed.steps[0].share, "assumptions: abandonment, prompt"),
        of("comes back (R)", assumed.recovery, "assumptions: recovery"),
        *late,
    )


def _direct(
    exposure: Exposure, assumed: Assumptions, weeks: float
) -> tuple[tuple[str, float], ...]:
    drops = sum(one.delay_s is None for one in exposure.affected)
    return tuple(
        (one.name, one.each * (one.count + one.per_drop * drops) / weeks)
        for one in assumed.direct
        if one.currency == exposure.currency
    )
