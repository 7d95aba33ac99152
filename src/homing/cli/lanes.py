"""A delivery's rows as text: a column for each worker, or set in by worker where room is short."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from rich.text import Text

from homing.forensics.telling import places_told

_LANES_MAX: Final = 3
_TIME: Final = 13  #: columns of the mark and the time
_STEP: Final = 3  #: columns by which each next worker is set in, where there is no room for lanes


def lanes_text(rows: list[dict[str, Any]], width: int) -> Iterator[Text]:
    """The rows under their head, none wider than `width` if they fit in any form.

    Args:
        rows: as `homing investigate` writes them: after_s, lane, what, state, epoch, file, line.
        width: columns of the screen.
    """
    lanes = sorted({row["lane"] for row in rows if row["lane"]})[:_LANES_MAX]
    if not lanes or any(row["lane"] not in lanes for row in rows):
        lanes.append("")  # what nobody in particular did, and what a fourth worker did
    cells = [(_lane(row, lanes), _what(row, lanes)) for row in rows]
    states = [_state(row) for row in rows]
    places = places_told(rows)
    ends = max(map(len, states)) + 2 + max(map(len, places))
    room = width - _TIME - ends
    told, heads = _side_by_side(cells, lanes)
    if len(heads) > room:
        cells = [(lane, _short(what)) for lane, what in cells]
        told, heads = _side_by_side(cells, lanes)
    if len(heads) > room:
        told, heads = _set_in(cells, lanes)
    state = max(map(len, states)) + 2
    yield Text(f"  {'time':>9}  {heads}{'state':<{state}}line", style="dim")
    for row, one, stand, place in zip(rows, told, states, places, strict=True):
        mark = "▶ " if row["is_crossing"] else "  "
        style = "bold red" if row["is_crossing"] else ""
        line = f"{mark}{row['after_s']:>8.3f}s  {one}{stand:<{state}}{place}"
        yield Text(line, style=style)


def _side_by_side(cells: list[tuple[str, str]], lanes: list[str]) -> tuple[list[str], str]:
    """A column for each lane: the rows, and the head."""
    titles = {lane: _title(lane, lanes) for lane in lanes}
    wide = {lane: max(len(titles[lane]), _longest(cells, lane)) + 2 for lane in lanes}
    told = [
        "".join(f"{what if lane == own else '':<{wide[lane]}}" for lane in lanes)
        for own, what in cells
    ]
    return told, "".join(f"{titles[lane]:<{wide[lane]}}" for lane in lanes)


def _set_in(cells: list[tuple[str, str]], lanes: list[str]) -> tuple[list[str], str]:
    """One column, the rows of each next lane set in a little more: the rows, and the head."""
    told = [
        " " * _STEP * lanes.index(own) + (f"{own} " if own else "") + what for own, what in cells
    ]
    span = max(map(len, told)) + 2
    return [f"{one:<{span}}" for one in told], f"{'worker: what':<{span}}"


def _lane(row: dict[str, Any], lanes: list[str]) -> str:
    return str(row["lane"]) if row["lane"] in lanes else ""


def _what(row: dict[str, Any], lanes: list[str]) -> str:
    return str(row["what"]) if row["lane"] in lanes else f"{row['lane']} {row['what']}"


def _short(what: str) -> str:
    """The same in fewer columns: `failed #1, status 503, after 0.1 s`."""
    return what.replace(" · attempt ", " #").replace(" · ", ", ")


def _title(lane: str, lanes: list[str]) -> str:
    return f"worker {lane}" if lane else "log" if len(lanes) == 1 else "others"


def _longest(cells: list[tuple[str, str]], lane: str) -> int:
    return max((len(what) for own, what in cells if own == lane), default=0)


def _state(row: dict[str, Any]) -> str:
    return f"{row['state']} epoch {row['epoch']}" if row["epoch"] else str(row["state"])
