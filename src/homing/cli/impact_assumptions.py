"""The file of assumptions of `homing impact`: read, checked, and an example of it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from homing.core.errors import ConfigError
from homing.core.money import MoneyPaths
from homing.review.impact import Assumptions, Basis, DirectCost, Range, Step

EXAMPLE: Final = """\
# What a dropped webhook costs. `homing impact` measures the volume, the drop rate and the value;
# everything else is here. `basis` says where a figure comes from: "declared" (somebody owns it)
# or "assumed" (nobody measured it). A figure is one number, or [low, likely, high].

[payload]                            # in the file given as --payloads, one JSON object a line
id = "delivery_id"                   # names the delivery as the log does
event_type = "event_type"
event_types = ["payment.captured"]   # the class that is priced; a refund that is late loses no sale
amount = "data.amount"               # where the amount is
currency = "data.currency"           # where its currency is; or: currency_code = "USD"
minor_units = true                   # 4200 is 42.00

# Instead of [payload], when payloads cannot be read:
# [value]
# each = [70, 80, 95]
# currency = "USD"

[margin]                             # what is left of a sale
share = 0.55
basis = "declared"

[[abandonment]]                      # the share of buyers who have given up when confirmation
after = "0s"                         # takes so long. The first step is what happens anyway,
share = 0.0                          # and is subtracted from all others.
basis = "assumed"

[[abandonment]]
after = "5m"
share = [0.02, 0.05, 0.10]
basis = "assumed"

[[abandonment]]
after = "30m"                        # the shop releases the stock
share = [0.15, 0.25, 0.40]
basis = "assumed"

[[abandonment]]
after = "never"                      # no confirmation at all: this is what a drop is
share = [0.20, 0.35, 0.50]
basis = "assumed"

[recovery]                           # the share that comes back all the same: the buyer tries
share = [0.20, 0.40, 0.60]           # again, support mends it, the receiver reconciles
basis = "assumed"

[[direct]]                           # told beside the loss, never added to it
name = "support tickets"
each = 9.0
currency = "USD"
per_drop = 0.10                      # one in ten asks; or: count = 12 in the whole log
basis = "declared"
"""

_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
Figure = float | list[float]


class Payload(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the payloads say what a delivery is worth."""

    id: str
    amount: str
    currency: str | None = None
    currency_code: str | None = None
    minor_units: bool = False
    event_type: str = "event_type"
    event_types: list[str] = []

    @property
    def money(self) -> MoneyPaths:
        return MoneyPaths(
            amount=self.amount,
            currency=self.currency,
            currency_code=self.currency_code,
            minor_units=self.minor_units,
        )


class _Share(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    share: Figure
    basis: Literal["declared", "assumed", "measured"] = "assumed"


class _Step(_Share, frozen=True, kw_only=True, forbid_unknown_fields=True):
    after: str


class _Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    each: Figure
    currency: str
    basis: Literal["declared", "assumed"] = "declared"


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    margin: _Share
    recovery: _Share
    abandonment: list[_Step]
    payload: Payload | None = None
    value: _Value | None = None
    direct: list[DirectCost] = []


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """What the file says."""

    assumptions: Assumptions
    payload: Payload | None
    value: Range | None
    currency: str


def load_assumptions(path: Path) -> Declared:
    """Read the file.

    Raises:
        ConfigError: it cannot be used; all problems at once where they are about figures.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        file = msgspec.convert(document, _File)
    except OSError as error:
        raise ConfigError(
            [f"{path}: cannot be read ({error.strerror}); homing impact --example"]
        ) from error
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError([f"{path}: {error}; homing impact --example shows the form"]) from error
    problems: list[str] = []

    def figure(given: Any, basis: str, name: str, *, is_share: bool = True) -> Range:
        low, mode, high = given if isinstance(given, list) and len(given) == 3 else [given] * 3
        try:
            fits = 0 <= low <= mode <= high and (high <= 1 or not is_share)
        except TypeError:
            fits = False
        if not fits:
            what = "from 0 to 1" if is_share else "of 0 or more"
            problems.append(
                f"{path}: {name}: expected one number {what}, or [low, likely, high]; found {given}"
            )
            return Range(low=0, mode=0, high=0)
        return Range(low=low, mode=mode, high=high, basis=Basis(basis))

    steps = tuple(
        Step(
            after_s=_length(one.after, problems, path),
            share=figure(one.share, one.basis, f"abandonment after {one.after}"),
        )
        for one in file.abandonment
    )
    _check_steps(steps, problems, path)
    value = None
    if file.value is not None:
        value = figure(file.value.each, file.value.basis, "value.each", is_share=False)
    if (file.payload is None) == (file.value is None):
        problems.append(f"{path}: expected one of [payload] and [value]")
    paid = file.payload
    if paid is not None and (paid.currency is None) == (paid.currency_code is None):
        problems.append(f"{path}: [payload]: expected one of currency and currency_code")
    assumptions = Assumptions(
        margin=figure(file.margin.share, file.margin.basis, "margin.share"),
        recovery=figure(file.recovery.share, file.recovery.basis, "recovery.share"),
        steps=steps,
        direct=tuple(file.direct),
    )
    if problems:
        raise ConfigError(problems)
    return Declared(
        assumptions=assumptions,
        payload=file.payload,
        value=value,
        currency=file.value.currency if file.value else "",
    )


def _length(text: str, problems: list[str], path: Path) -> float | None:
    if text == "never":
        return None
    number, unit = text[:-1], text[-1:]
    try:
        return float(number) * _UNITS[unit]
    except (ValueError, KeyError):
        problems.append(f"{path}: after: expected 30s, 5m, 2h, 1d or never; found {text!r}")
        return 0.0


def _check_steps(steps: tuple[Step, ...], problems: list[str], path: Path) -> None:
    times = [step.after_s for step in steps]
    known = [at for at in times if at is not None]
    if not known or known[0] != 0 or known != sorted(known) or times[-1] is not None:
        problems.append(
            f'{path}: [[abandonment]]: expected steps from "0s" on, in order, the last "never"'
        )
