"""What is put on piles comes back: what belongs together together, and in its order."""

from __future__ import annotations

import errno
import tempfile

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.errors import HomingError
from homing.service.piles import Piles


class Number(msgspec.Struct, frozen=True, array_like=True, tag="number"):
    key: str
    value: int


class Word(msgspec.Struct, frozen=True, array_like=True, tag="word"):
    key: str
    value: str


_KEYS = st.sampled_from(["a", "b", "c", "d\u00e9", ""])
_RECORDS = st.builds(Number, _KEYS, st.integers(-9, 9)) | st.builds(Word, _KEYS, st.text())


@given(records=st.lists(_RECORDS), held_max=st.integers(0, 5))
def test_all_comes_back_by_its_key_and_in_its_order(
    records: list[Number | Word], held_max: int
) -> None:
    with Piles[Number | Word](Number | Word, held_max=held_max) as piles:
        for record in records:
            piles.put(record.key, record)
        found = list(piles)
    for key in {record.key for record in records}:
        holding = [pile for pile in found if any(one.key == key for one in pile)]
        assert len(holding) == 1
        assert [one for one in holding[0] if one.key == key] == [
            one for one in records if one.key == key
        ]
    assert sum(map(len, found)) == len(records)


def test_no_room_is_said_with_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with Piles[Number](Number, held_max=1) as piles:
        piles.put("a", Number("a", 1))
        with pytest.raises(HomingError, match=r"room for temporary files.*No space left.*TMPDIR"):
            piles.put("a", Number("a", 2))
