"""Identifiers that sort by the time they were made.

Source: the KSUID layout that Svix's ids use: 20 bytes, of which the first four are seconds since
1,400,000,000 and the fifth counts steps of 4 ms, written as 27 base-62 digits behind a prefix.
"""

from __future__ import annotations

from typing import Final, NamedTuple

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_EPOCH_S: Final = 1_400_000_000
_DIGITS: Final = 27
# Two digits at a time, from a table that stays in the processor's cache; one of three digits does
# not, and took three times as long.
_PAIR: Final = 62**2
_PAIRS: Final = [a + b for a in ALPHABET for b in ALPHABET]
_FOUR: Final = 62**4
_WORD: Final = 62**8
_VALUE: Final = {digit: value for value, digit in enumerate(ALPHABET)}

#: how many bytes of chance one identifier takes
ENTROPY_BYTES: Final = 15

#: identifiers made within the same step of time sort by chance
STEP_US: Final = 4_000


class DeliveryId(NamedTuple):
    """Names one delivery: one message for one endpoint."""

    message_id: str
    endpoint_id: str

    def __str__(self) -> str:
        return f"{self.message_id}.{self.endpoint_id}"


def parse_delivery_id(text: str) -> DeliveryId:
    """The delivery that `text` names.

    Raises:
        ValueError: not of the form `msg_….ep_…`.
    """
    message_id, dot, endpoint_id = text.partition(".")
    if not dot or not message_id.startswith("msg_") or not endpoint_id.startswith("ep_"):
        raise ValueError(f"expected a delivery id such as msg_….ep_…, found {text!r}")
    return DeliveryId(message_id, endpoint_id)


def new_id(prefix: str, at_us: int, entropy: bytes) -> str:
    """An identifier such as `msg_2Zx…`, later ones sorting after earlier ones.

    Args:
        prefix: with its underscore, e.g. "msg_".
        at_us: when it was made, microseconds since 1970 UTC; sorted in steps of 4 ms.
        entropy: 15 bytes, uniformly distributed.
    """
    assert len(entropy) == ENTROPY_BYTES, len(entropy)
    seconds, rest_us = divmod(at_us, 1_000_000)
    head = ((seconds - _EPOCH_S) << 8) | (rest_us // STEP_US)
    return prefix + _base62((head << 120) | int.from_bytes(entropy, "big"))


def first_id(prefix: str, at_us: int) -> str:
    """The smallest identifier that can be made at `at_us` (rounded down to 4 ms): a range bound.

    Returns:
        For times before 2014-05-13 the smallest identifier of all.
    """
    return new_id(prefix, max(at_us, _EPOCH_S * 1_000_000), bytes(ENTROPY_BYTES))


def made_at_us(identifier: str) -> int:
    """When an identifier was made, microseconds since 1970 UTC, rounded down to 4 ms.

    Raises:
        ValueError: not an identifier of ours.
    """
    _, underscore, text = identifier.rpartition("_")
    if not underscore or len(text) != _DIGITS or not _VALUE.keys() >= set(text):
        raise ValueError(f"expected a prefix and {_DIGITS} base-62 digits, found {identifier!r}")
    number = 0
    for digit in text:
        number = number * 62 + _VALUE[digit]
    seconds, steps = divmod(number >> 120, 256)
    return (seconds + _EPOCH_S) * 1_000_000 + steps * STEP_US


def _base62(number: int) -> str:
    # Eight digits fit a machine word, where division is cheap.
    rest, low = divmod(number, _WORD)
    rest, middle = divmod(rest, _WORD)
    top, high = divmod(rest, _WORD)
    pairs, pair, four = _PAIRS, _PAIR, _FOUR
    a, b = divmod(high, four)
    c, d = divmod(middle, four)
    e, f = divmod(low, four)
    return (
        f"{ALPHABET[top // pair]}{pairs[top % pair]}"
        f"{pairs[a // pair]}{pairs[a % pair]}{pairs[b // pair]}{pairs[b % pair]}"
        f"{pairs[c // pair]}{pairs[c % pair]}{pairs[d // pair]}{pairs[d % pair]}"
        f"{pairs[e // pair]}{pairs[e % pair]}{pairs[f // pair]}{pairs[f % pair]}"
    )
