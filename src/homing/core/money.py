"""What a payload says is at stake: exact decimals, and currencies are never added together."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

import msgspec

#: amounts are kept as whole millionths, which both databases add without rounding
MICRO: Final = 1_000_000
#: larger ones are no amounts of money; as millionths they fit 64 bits
_AMOUNT_MAX: Final = Decimal(10) ** 12
#: an amount with more digits than this is taken for something else; decimals of fewer than 28 are
#: calculated with exactly
_DIGITS_MAX: Final = 24
#: longest text of a number
_TEXT_MAX: Final = 40
#: decimal places of currencies that do not have two. Source: ISO 4217, list one
_WITH_NONE: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_WITH_THREE: Final = "BHD IQD JOD KWD LYD OMR TND"
_PLACES: Final = (
    dict.fromkeys(re.findall(r"\w+", _WITH_NONE), 0)
    | dict.fromkeys(re.findall(r"\w+", _WITH_THREE), 3)
    | {"CLF": 4, "UYW": 4}
)
_LETTERS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


class MoneyPaths(msgspec.Struct, frozen=True, kw_only=True):
    """Where the payloads of an event type say what is at stake.

    A path is the names of members from the outermost on, with dots between; a number is a place in
    a list: `data.amount`, `lines.0.total`.
    """

    amount: str
    currency: str | None = None  #: path of the currency's code
    currency_code: str | None = None  #: the code itself, where all payloads are in one currency
    minor_units: bool = False  #: the amount counts the currency's smallest unit, such as cents


class Money(msgspec.Struct, frozen=True, gc=False):
    """An amount in one currency."""

    currency: str  #: ISO 4217, three capital letters
    micro: int  #: millionths of the currency's unit; may be negative


def money_in(payload: bytes | None, paths: MoneyPaths | None) -> Money | None:
    """What a payload says is at stake.

    Returns:
        None when nothing is declared, or the payload does not say it in the declared way: no such
        member, no number, more than six decimal places, or no three-letter currency.
    """
    if payload is None or paths is None:
        return None
    try:
        body = json.loads(payload, parse_float=Decimal, parse_int=Decimal)
    except (ValueError, RecursionError, InvalidOperation):
        return None
    code = paths.currency_code if paths.currency is None else _at(body, paths.currency)
    amount = _decimal(_at(body, paths.amount))
    if not isinstance(code, str) or amount is None:
        return None
    currency = code.upper()
    if len(currency) != 3 or not _LETTERS.issuperset(currency):
        return None
    if paths.minor_units:
        amount = amount.scaleb(-_PLACES.get(currency, 2))
    micro = amount.scaleb(6)
    if micro != micro.to_integral_value():
        return None
    return Money(currency, int(micro))


def _at(body: object, path: str) -> object:
    """The member that a path leads to; None: there is none."""
    for name in path.split("."):
        if isinstance(body, dict):
            body = body.get(name)
        elif isinstance(body, list) and name.isdecimal() and int(name) < len(body):
            body = body[int(name)]
        else:
            return None
    return body


def _decimal(value: object) -> Decimal | None:
    """A number, or the text of one, as it is written."""
    if isinstance(value, str) and len(value) <= _TEXT_MAX:
        try:
            value = Decimal(value)
        except InvalidOperation:
            return None
    if not isinstance(value, Decimal) or not value.is_finite() or abs(value) >= _AMOUNT_MAX:
        return None
    return value if len(value.as_tuple().digits) <= _DIGITS_MAX else None


def decimal_text(micro: int) -> str:
    """Millionths as an exact decimal with at least two places: 12.50, -3.00, 0.000001."""
    sign, micro = ("-", -micro) if micro < 0 else ("", micro)
    whole, rest = divmod(micro, MICRO)
    places = f"{rest:06d}".rstrip("0").ljust(2, "0")
    return f"{sign}{whole}.{places}"


def amounts(micro_by_currency: Mapping[str, int]) -> dict[str, str]:
    """Totals as exact decimals, by currency, in order."""
    return {code: decimal_text(micro_by_currency[code]) for code in sorted(micro_by_currency)}
