"""What the implementations of purging share."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from homing.core.retention import Part, Standing


def sorted_out(
    standings: Iterable[Standing], decide: Callable[[Standing], frozenset[Part]]
) -> dict[Part, list[str]]:
    """The ids of the messages that lose each part; one that goes whole is under MESSAGE only."""
    going: dict[Part, list[str]] = {part: [] for part in Part}
    for standing in standings:
        parts = decide(standing)
        for part in [Part.MESSAGE] if Part.MESSAGE in parts else parts:
            going[part].append(standing.message_id)
    return going
