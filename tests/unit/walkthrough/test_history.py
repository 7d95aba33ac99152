"""What is kept of somebody's tries, and how all of it goes."""

from __future__ import annotations

import stat
from pathlib import Path

import msgspec
import pytest
from support.stories import AT_US, packs, story

from homing.core.errors import ConfigError
from homing.walkthrough import rehearse
from homing.walkthrough.history import Entry, History, folder_of
from homing.walkthrough.rehearse import Rehearsal

PLACE = ("lost-update", "sde2", "ownership")


def entry(text: str = "") -> Entry:
    return Entry(
        at_us=AT_US, mode="mock", scenario="lost-update", version=1, level="sde2",
        lens="ownership", text=text,
    )  # fmt: skip


def walk() -> Rehearsal:
    return rehearse.begin(
        story(), packs().levels["sde2"], packs().principles["ownership"], at_us=AT_US
    )


def test_walks_are_appended_and_numbered(tmp_path: Path) -> None:
    history = History(tmp_path / "new")
    assert history.entries() == []
    assert [history.add(entry(text)).number for text in ("a", "b\nc", "ü")] == [1, 2, 3]
    assert [one.text for one in History(tmp_path / "new").entries()] == ["a", "b\nc", "ü"]


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    history = History(tmp_path / "new")
    history.add(entry())
    kept = history.save("mock", walk())
    for path in (tmp_path / "new" / "attempts.jsonl", kept):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_an_open_walk_is_found_again_until_it_is_over(tmp_path: Path) -> None:
    history, state = History(tmp_path), rehearse.keep(walk(), "half", at_us=AT_US)
    history.save("rehearse", walk())
    history.save("rehearse", state)
    assert history.load("rehearse", *PLACE, Rehearsal) == state
    assert history.open_walks() == [("rehearse", *PLACE)]
    history.drop("rehearse", state)
    history.drop("rehearse", state)
    assert history.load("rehearse", *PLACE, Rehearsal) is None


def test_a_walk_at_another_level_or_for_another_lens_is_another_walk(tmp_path: Path) -> None:
    history, first = History(tmp_path), rehearse.keep(walk(), "mine", at_us=AT_US)
    history.save("rehearse", first)
    senior = msgspec.structs.replace(first, level="senior", draft="older")
    history.save("rehearse", senior)
    assert history.load("rehearse", *PLACE, Rehearsal) == first
    assert history.load("rehearse", "lost-update", "senior", "ownership", Rehearsal) == senior
    assert len(history.open_walks()) == 2


def test_a_walk_of_another_version_is_begun_anew(tmp_path: Path) -> None:
    path = History(tmp_path).save("rehearse", walk())
    path.write_text('{"scenario": 1}')
    assert History(tmp_path).load("rehearse", *PLACE, Rehearsal) is None


def test_a_line_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.add(entry())
    with (tmp_path / "attempts.jsonl").open("a") as file:
        file.write("torn\n")
    with pytest.raises(ConfigError, match="line 2"):
        history.entries()


def test_wipe_deletes_all_that_was_kept_and_nothing_else(tmp_path: Path) -> None:
    history = History(tmp_path / "kept")
    assert history.wipe() == 0
    history.add(entry())
    history.save("rehearse", walk())
    other = tmp_path / "kept" / "mine.txt"
    other.write_text("not Homing's")
    assert history.wipe() == 2
    assert [one.name for one in (tmp_path / "kept").iterdir()] == ["mine.txt"]
    other.unlink()
    history.add(entry())
    assert history.wipe() == 1
    assert not (tmp_path / "kept").exists()


def test_the_folder_follows_the_xdg_variable_where_it_is_a_path() -> None:
    home = Path("/somebody")
    usual = home / ".local/state/homing/walkthrough"
    assert folder_of({}, home) == usual
    assert folder_of({"XDG_STATE_HOME": "relative"}, home) == usual
    assert folder_of({"XDG_STATE_HOME": "/s"}, home) == Path("/s/homing/walkthrough")
