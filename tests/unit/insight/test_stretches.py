"""A life that is read in parts is judged as one that is read whole, and as one line by line."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.lifecycle import State
from homing.core.records import LogEntry
from homing.insight import steps
from homing.insight.stretches import Stretch, present
from homing.sim.world import World
from homing.store.memory.store import MemoryStore

_FIELDS = (
    "version_before",
    "version_after",
    "from_state",
    "to_state",
    "lease_epoch",
    "op",
    "actor",
)


def _lived() -> MemoryStore:
    world = World(7)
    assert not world.run().breaches
    return world.store


_STORE = _lived()
_LIVES: dict[tuple[str, str], list[LogEntry]] = {}
for _line in _STORE.lines:
    if _line is not None:
        _LIVES.setdefault((_line.message_id, _line.endpoint_id), []).append(_line)


def stretch_of(lines: Iterable[LogEntry]) -> Stretch:
    stretch = Stretch("msg_1", "ep_1", 0, 0)
    for line in lines:
        stretch.read(line)
    return stretch


@given(data=st.data())
def test_parts_say_what_the_lines_say(data: st.DataObject) -> None:
    lines = list(data.draw(st.sampled_from(sorted(_LIVES.values(), key=repr))))
    if data.draw(st.booleans()):  # a field of one line as another line has it, of any life
        at = data.draw(st.integers(0, len(lines) - 1))
        name = data.draw(st.sampled_from(_FIELDS))
        other = data.draw(st.sampled_from([one for some in _LIVES.values() for one in some]))
        lines[at] = msgspec.structs.replace(lines[at], **{name: getattr(other, name)})
    if data.draw(st.booleans()):
        lines.insert(data.draw(st.integers(0, len(lines))), data.draw(st.sampled_from(lines)))
    written = [line for line in lines if line.rows_written]
    is_sound = all(
        not steps.wrongs(before, line) for before, line in pairwise([None, *written]) if line
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(lines)), max_size=4)))
    parts = [
        stretch_of(lines[low:high]) for low, high in pairwise([0, *cuts, len(lines)]) if low < high
    ]
    packed = msgspec.msgpack.encode(parts)
    joined, *later = msgspec.msgpack.decode(packed, type=list[Stretch])
    for part in later:
        joined.join(part)
    assert joined == stretch_of(lines)
    assert (joined.is_sound and joined.first is None) == is_sound
    assert joined.lines == len(lines)
    assert joined.decided == sum(line.attempt_id is not None for line in written)


def test_each_row_is_the_end_of_its_life_and_of_no_other_state() -> None:
    rows = {**_STORE.hot, **_STORE.history}
    assert rows
    for which, row in rows.items():
        life = stretch_of(_LIVES[which])
        made = present(row, life.decided)
        assert made.is_end_of(life, some_are_purged=False)
        for wrong in (
            {"version": row.version + 1},
            {"state": State.DEAD if row.state is not State.DEAD else State.DELIVERED},
            {"is_shaped": False},
        ):
            assert not msgspec.structs.replace(made, **wrong).is_end_of(life, some_are_purged=True)
        none = msgspec.structs.replace(made, attempts=0)
        assert none.is_end_of(life, some_are_purged=True)
        assert none.is_end_of(life, some_are_purged=False) == (not life.decided)


def test_a_second_birth_is_not_sound() -> None:
    lines = max(_LIVES.values(), key=len)
    whole = stretch_of(lines)
    whole.join(stretch_of(lines))
    assert whole.first is None
    assert not whole.is_sound


@pytest.mark.parametrize("which", sorted(_LIVES)[:3])
def test_a_life_without_its_beginning_is_not_whole(which: tuple[str, str]) -> None:
    written = [line for line in _LIVES[which] if line.rows_written]
    assert stretch_of(written[1:]).first is not None or len(written) == 1
