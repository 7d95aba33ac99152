"""The loss in one sentence, for whoever reads no tables: the money, and what it rests on. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from homing.review.impact import WEEK_S, Input, Loss

#: an interval that is wider than this share of its middle is told in two digits
_WIDE: Final = 0.1


def sentence(losses: Sequence[Loss]) -> str:
    """What a week costs, how sure that is, and the figures that it is the product of.

    Args:
        losses: one for each currency, n >= 1; the first one is told in full.
    """
    first, *others = losses
    besides = "".join(
        f"; besides {_amount(one)}, on {_counted(one)} worth {_worth(one)} each" for one in others
    )
    return (
        f"The drop costs about {_amount(first, ' of margin')}: {_counted(first)}, worth "
        f"{_worth(first)} each, of whose buyers {_who_gives_up(first)} give up and "
        f"{_mode(first, 'comes back (R)')} of those come back, at a margin of "
        f"{_mode(first, 'margin (m)')} ({'; '.join(_bases(first))}){besides}."
    )


def _amount(loss: Loss, of_what: str = "") -> str:
    is_wide = loss.p95 - loss.p5 > _WIDE * loss.p50
    middle, low, high = (
        _rounded(x) if is_wide else f"{x:,.0f}" for x in (loss.p50, loss.p5, loss.p95)
    )
    return f"{middle} {loss.currency}{of_what} a week (90% between {low} and {high})"


def _rounded(amount: float) -> str:
    """Two digits that count: of an interval from 5,268 to 11,680 more would say nothing."""
    return f"{float(f'{amount:.2g}'):,.0f}"


def _counted(loss: Loss) -> str:
    """How many a week; of fewer than ten, with a decimal."""
    weeks = loss.window_s / WEEK_S

    def each(count: int) -> str:
        number = count / weeks
        return f"{number:,.1f}" if 0 < number < 9.95 and round(number, 1) % 1 else f"{number:,.0f}"

    late = f" and {each(loss.late)} late" if loss.late else ""
    is_one = loss.dropped + loss.late == 1 and each(1) == "1"
    return f"{each(loss.dropped)} lost{late} {'delivery' if is_one else 'deliveries'} a week"


def _worth(loss: Loss) -> str:
    """The mean value of one that is affected."""
    a_week = (loss.dropped + loss.late) * WEEK_S / loss.window_s
    mean = loss.at_risk / a_week if a_week else _input(loss, "value of one (v)").mode
    return f"{mean:,.2f} {loss.currency}"


def _who_gives_up(loss: Loss) -> str:
    """Because the confirmation did not come: who gives up in any case is not counted."""
    anyway = _input(loss, "gives up anyway (A₀)").mode
    shares = [max(0.0, one.mode - anyway) for one in _giving_up(loss)]
    low, high = f"{min(shares):.0%}", f"{max(shares):.0%}"
    return high if low == high else f"{low} to {high}"


def _giving_up(loss: Loss) -> list[Input]:
    return [one for one in loss.inputs if one.name.endswith("gives up (A)")]


def _mode(loss: Loss, name: str) -> str:
    return f"{_input(loss, name).mode:.0%}"


def _input(loss: Loss, name: str) -> Input:
    return next(one for one in loss.inputs if one.name == name)


def _bases(loss: Loss) -> Iterator[str]:
    """Which of the figures are measured, declared and assumed, in this order."""
    figures = [
        ("deliveries", _input(loss, "drop rate (p)")),
        ("value", _input(loss, "value of one (v)")),
        *(("who gives up", one) for one in _giving_up(loss)),
        ("who comes back", _input(loss, "comes back (R)")),
        ("margin", _input(loss, "margin (m)")),
    ]
    for basis in ("measured", "declared", "assumed"):
        named = list(dict.fromkeys(name for name, one in figures if one.basis == basis))
        if named:
            yield f"{basis}: {', '.join(named)}"
