"""Identifiers that sort by the time they were made.

Source: the KSUID layout that Svix's ids use: 20 bytes, of which the first four are seconds since
1,400,000,000 and the fifth counts steps of 4 ms, written as 27 base-62 digits behind a prefix.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_EPOCH_S: Final = 1_400_000_000
_DIGITS: Final = 27
#: digits that the time decides, the same for all identifiers of one step of time
_HEAD_DIGITS: Final = 8
_VALUE: Final = {digit: value for value, digit in enumerate(ALPHABET)}
#: two digits at a time
_PAIRS: Final = [first + second for first in ALPHABET for second in ALPHABET]
#: a byte of chance → a digit
_DIGIT_OF: Final = bytes([ord(ALPHABET[byte % 62]) for byte in range(256)])

#: how many bytes of chance one identifier takes: a digit each
ENTROPY_BYTES: Final = _DIGITS - _HEAD_DIGITS

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

    Nineteen of its digits are chance, 113 bits: to write all 160 bits of the layout to base 62 took
    three times as long, and it is done twice for every delivery.

    Args:
        prefix: with its underscore, e.g. "msg_".
        at_us: when it was made, microseconds since 1970 UTC; sorted in steps of 4 ms.
        entropy: 19 bytes, uniformly distributed.
    """
    assert len(entropy) == ENTROPY_BYTES, len(entropy)
    return f"{prefix}{_head(at_us // STEP_US)}{entropy.translate(_DIGIT_OF).decode()}"


def counted(number: int) -> bytes:
    """Instead of chance: `new_id` of greater numbers, at the same time, sort after smaller ones.

    Args:
        number: 0 <= number < 62**19.
    """
    digits = bytearray(ENTROPY_BYTES)
    at = ENTROPY_BYTES
    while number:
        at -= 1
        number, digits[at] = divmod(number, 62)
    return bytes(digits)


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


@lru_cache(maxsize=64)
def _head(step: int) -> str:
    """The first digits of identifiers made in a step of time: the least that belong to it alone.

    Args:
        step: since 1970.
    """
    seconds, steps = divmod(step, 1_000_000 // STEP_US)
    least = ((seconds - _EPOCH_S) << 8 | steps) << 120
    number = -(-least // 62**ENTROPY_BYTES)  # rounded up: all that it begins are of this step
    pairs = []
    for _ in range(_HEAD_DIGITS // 2):
        number, value = divmod(number, len(_PAIRS))
        pairs.append(_PAIRS[value])
    return "".join(reversed(pairs))
