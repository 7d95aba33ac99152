"""What is said of files that are no logs, and what becomes of them in a folder of logs."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.document import document
from homing.forensics.investigation import investigate
from homing.forensics.options import Options
from homing.forensics.reading.sources import Unreadable, find_files, look_at, sources_of

ROW = '{"at": "2026-11-09T00:00:%02dZ", "event": "%s", "delivery_id": "d-%d"}\n'


def log(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "log.jsonl"
    path.write_text(
        "".join(ROW % (n, event, n) for n in range(40) for event in ("accepted", "delivered"))
    )
    return path


def test_what_is_no_log_is_left_out_of_a_folder_and_told(tmp_path: Path) -> None:
    folder = log(tmp_path / "logs").parent
    (folder / "readme.txt").write_text("These are my notes.\nSee the wiki.\n")
    (folder / "nothing.jsonl").write_text("")
    (folder / "today.csv").write_text("at,event,delivery_id\n")
    found = document(investigate([str(folder)], Options()))
    assert found["accepted"] == 40
    told = [one for one in found["cannot_tell"] if one.startswith("left out, as it is no log: ")]
    assert [Path(one.split(": ")[1].split(",")[0]).name for one in told] == [
        "nothing.jsonl",
        "readme.txt",
        "today.csv",
    ]


def test_one_that_was_named_is_not_left_out(tmp_path: Path) -> None:
    path = log(tmp_path / "logs")
    notes = path.with_name("readme.txt")
    notes.write_text("These are my notes.\nSee the wiki.\n")
    with pytest.raises(Unreadable, match="found 'These are my notes"):
        sources_of([str(path), str(notes)])


def test_a_folder_of_nothing_else_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("These are my notes.\nSee the wiki.\n")
    with pytest.raises(Unreadable, match="found 'These are my notes"):
        sources_of([str(tmp_path)])


def test_a_log_of_a_folder_that_cannot_be_unpacked_is_not_left_out(tmp_path: Path) -> None:
    folder = log(tmp_path / "logs").parent
    (folder / "more.jsonl.gz").write_text("hello, this is not gzip\n")
    with pytest.raises(Unreadable, match=r"ends in \.gz, and it is no gzip: give it the ending"):
        sources_of([str(folder)])


def test_a_folder_without_files_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="in this folder; it has none"):
        find_files([str(tmp_path)])


def test_what_is_no_json_is_shown_where_it_is_none(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(
        "".join((ROW % (n % 60, "accepted", n)).strip()[:-4] + "\n" for n in range(100))
    )
    complaint = r"line 1: expected an object of JSON on each line, .* from character \d+ on: '.*d"
    with pytest.raises(Unreadable, match=complaint):
        document(investigate([str(path)], Options()))


def test_a_name_that_promises_zstd_is_held_to_it(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl.zst"
    path.write_text("hello, this is not zstd\n")
    with pytest.raises(Unreadable, match=r"ends in \.zst, and it is no zstd"):
        look_at(str(path))
