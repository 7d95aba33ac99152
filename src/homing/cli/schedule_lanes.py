"""The schedule of an explored worker as text that fits a screen: who did what, what it changed."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from itertools import zip_longest
from typing import Final

from rich.text import Text

from homing.cli.output import STATE_STYLES
from homing.sim.story import Row
from homing.sim.workers.story import Story

_TIME: Final = 11  #: columns of the mark, the time, and what parts it from the lanes
_LANE_MAX: Final = 46
#: columns for how the row stands, at least and at most
_ROW_MIN, _ROW_MAX = 22, 64
#: the fields that a call read or wrote
_FIELDS: Final = re.compile(r"\b((?:get|put|put_if) [^\s:]+): \w+=[^”;]*")
_LOOK, _GAP = "find: ", "… "


def schedule_lines(story: Story, width: int) -> Iterator[Text]:
    """Its rows under their head, none wider than `width` where that is 60 or more.

    A column for each worker, and for the row what has changed in it; what nobody in particular did
    goes across the lanes. ⋮ is where something was left out, ▶ what crossed.
    """
    lanes = story.lanes[:-1]
    row_width = min(_ROW_MAX, max(_ROW_MIN, (width - _TIME) * 3 // 10))
    lane_width = min(_LANE_MAX, (width - _TIME - row_width) // max(1, len(lanes)))
    head = "".join(f"{lane:{lane_width}}" for lane in lanes)
    yield Text(f"{'time s':>{_TIME - 2}}  {head}the row", style="bold")
    before: tuple[str, dict[str, str]] | None = None
    is_after_gap = False
    for row in story.rows:
        is_gap = row.cells[-1].startswith(_GAP)
        is_look = any(cell.startswith(_LOOK) for cell in row.cells) and not row.is_crossing
        if is_gap or is_look:  # what was found shows by what is done with it
            is_after_gap = True
            continue
        now = (row.state, _fields(row.version)) if row.state or row.version else before
        stands = "" if now is None or now == before else _changed(before, now)
        before = now
        mark = "▶" if row.is_crossing else "⋮" if is_after_gap else " "
        is_after_gap = False
        yield from _lines(row, mark, stands, len(lanes), (lane_width, row_width))


def _lines(row: Row, mark: str, stands: str, lanes: int, widths: tuple[int, int]) -> Iterator[Text]:
    lane_width, row_width = widths
    place = next((i for i, cell in enumerate(row.cells) if cell), lanes)
    is_across = place >= lanes
    room = lane_width * (lanes if is_across else 1) - 2
    what = textwrap.wrap(calls(row.cells[place]) if row.cells else "", room) or [""]
    told = textwrap.wrap(stands, row_width, break_on_hyphens=False) or [""]
    indent = " " * (0 if is_across else lane_width * place)
    for number, (left, right) in enumerate(zip_longest(what, told, fillvalue="")):
        time = f"{mark} {row.at_s:>7.3f}" if number == 0 else ""
        line = Text(f"{time:{_TIME}}{indent + left:{lane_width * lanes}}{right}")
        if row.is_crossing:
            line.stylize("bold black on yellow")
        elif is_across:
            line.stylize("dim")
        elif right and number == 0 and (style := STATE_STYLES.get(row.state)):
            line.stylize(style, len(line) - len(right), len(line) - len(right) + len(row.state))
        yield line


def calls(text: str) -> str:
    """The text without the fields that calls in it read or wrote: they stand beside it."""
    return _FIELDS.sub(r"\1", text)


def _fields(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in re.split(r" (?=\w+=)", text) if "=" in part)


def _changed(before: tuple[str, dict[str, str]] | None, now: tuple[str, dict[str, str]]) -> str:
    """The state, and the fields that are not as they were."""
    state, fields = now
    was = fields if before is None else before[1]
    changed = (f"{name}={value}" for name, value in fields.items() if was.get(name) != value)
    return " ".join([state, *changed]).strip()
