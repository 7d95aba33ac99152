"""A message's place in a distributed trace (W3C Trace Context, level 1). Pure.

Every id is computed from what it stands for: each process that sends a delivery names the same
spans without asking anybody, and a simulated world has the ids of a real one.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Final, NamedTuple

#: https://www.w3.org/TR/trace-context/#traceparent-header; a later version may have more fields
_TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED: Final = 0x01


class Trace(NamedTuple):
    """Which trace a message belongs to."""

    id: str  #: 32 hexadecimal digits
    parent: str | None  #: the publisher's span, 16 digits; None: the trace begins with the message
    sampled: bool  #: whether it is kept although nothing fails


def read_traceparent(text: str) -> str | None:
    """The header `traceparent` as it is kept, in the form of version 00; None: it is not valid.

    The specification asks for an invalid one to be treated as absent.
    """
    match = _TRACEPARENT.fullmatch(text.strip())
    if match is None:
        return None
    version, trace, span, flags, more = match.groups()
    if version == "ff" or (version == "00" and more) or not int(trace, 16) or not int(span, 16):
        return None
    return f"00-{trace}-{span}-{int(flags, 16) & _SAMPLED:02x}"


def trace_of(message_id: str, traceparent: str | None, share: float) -> Trace:
    """The trace of a message.

    Args:
        traceparent: what `read_traceparent` kept of its publisher.
        share: of the traces whose publisher says nothing, how many are kept, 0 to 1.
    """
    if traceparent is not None:
        _, trace, parent, flags = traceparent.split("-")
        return Trace(trace, parent, flags == "01")
    trace = _digest(16, message_id)
    return Trace(trace, None, int(trace[:13], 16) < share * 16**13)


def acceptance_span(message_id: str) -> str:
    """The id of the span in which a message was accepted."""
    return _digest(8, "accepted", message_id)


def attempt_span(message_id: str, endpoint_id: str, number: int) -> str:
    """The id of the span of a delivery's attempt with this number."""
    return _digest(8, message_id, endpoint_id, str(number))


def traceparent_of(trace: Trace, span: str) -> str:
    """The header that tells the other side to go on from `span`."""
    return f"00-{trace.id}-{span}-{'01' if trace.sampled else '00'}"


def _digest(size: int, *parts: str) -> str:
    return blake2b("/".join(parts).encode(), digest_size=size).hexdigest()
