"""The lines of the week's log counted by hand, and what such a count hides."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Final

import msgspec

_OF: Final = re.compile(rb'"event":"(\w+)","delivery_id":"([^"]+)"')
_ENDS: Final = (b"succeeded", b"dead")
#: a last line that has one of these: another attempt is planned, or one is under way
_GOES_ON: Final = (b'"next_attempt_at"', b'"lease_until"')


class Lines(msgspec.Struct, frozen=True, kw_only=True):
    """What the log says line by line, and delivery by delivery."""

    accepted: int
    succeeded: int
    dead: int
    repeated: int  #: lines of an end that are not the first of their delivery
    waiting: int  #: deliveries without an end that go on when the log ends

    @property
    def missing(self) -> int:
        """Accepted, less the lines of an end."""
        return self.accepted - self.succeeded - self.dead

    @property
    def lost(self) -> int:
        """Deliveries without an end that do not go on."""
        return self.missing + self.repeated - self.waiting


def count_lines(log: Path) -> Lines:
    """Count the lines of a log that `homing lab` has written.

    Args:
        log: gzip, one JSON line for each change of a delivery.

    Raises:
        OSError: it cannot be read.
    """
    counts = dict.fromkeys((b"accepted", *_ENDS), 0)
    ended: set[bytes] = set()
    goes_on: dict[bytes, bool] = {}
    with gzip.open(log) as file:
        for line in file:
            found = _OF.search(line)
            if found is None:
                continue
            event, delivery = found.groups()
            if event in counts:
                counts[event] += 1
            if event in _ENDS:
                ended.add(delivery)
            goes_on[delivery] = any(word in line for word in _GOES_ON)
    return Lines(
        accepted=counts[b"accepted"],
        succeeded=counts[b"succeeded"],
        dead=counts[b"dead"],
        repeated=sum(counts[end] for end in _ENDS) - len(ended),
        waiting=sum(goes_on[delivery] for delivery in goes_on.keys() - ended),
    )
