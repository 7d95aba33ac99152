"""A delivery that a damaged row names is not called dropped for its silence; others are."""

from __future__ import annotations

import gzip
import json
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("duckdb")
pytest.importorskip("ibis")
pytest.importorskip("pyarrow")

import pyarrow as arrow

from homing.cli.counted_logs import load_investigation
from homing.cli.investigate import investigate as investigate_command
from homing.core.errors import ConfigError
from homing.forensics.damaged import words_of
from homing.forensics.document import document
from homing.forensics.doubt import Doubt, damage_told
from homing.forensics.investigation import investigate
from homing.forensics.options import Options
from homing.insight.rates import exact

BEGIN_S = 1_780_000_000.0
CUT, LOST = 100, 150


def lines() -> list[str]:
    """Four hundred deliveries; of one the last line is cut, and one has none."""
    told: list[str] = []
    for number in range(400):
        at = BEGIN_S + 200 * number
        events = ["accepted", "sent", "delivered"]
        for i, event in enumerate(events[:1] if number == LOST else events):
            status = {"status": 200} if event == "delivered" else {}
            row = {"at": datetime.fromtimestamp(at + i, UTC).isoformat()}
            row |= {"event": event, "delivery_id": f"d-{number:04}", **status}
            text = json.dumps(row)
            told.append(text[:-12] if number == CUT and event == "delivered" else text)
    return told


def test_what_a_damaged_row_may_have_ended_is_no_drop(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(lines()) + "\n")
    found = document(investigate([str(path)], Options(folder=str(tmp_path))))
    assert (found["damaged_rows"], found["dropped"]) == (1, 1)
    assert [one["delivery"] for one in found["examples"]] == [f"d-{LOST:04}"]
    assert any(one.startswith("1 silent delivery may be named by") for one in found["cannot_tell"])


def test_the_words_of_damaged_rows_are_those_of_the_lines_that_were_named(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text('id,what\nd-1,accepted\nd-2,"del\nd-3,x\n')
    assert "d-2" in words_of({str(path): [3]})
    assert {"d-1", "d-3"}.isdisjoint(words_of({str(path): [3]}))


def cut_in_the_middle(told: list[str], every: int) -> list[str]:
    """Each so-many-th line, cut before it names its delivery."""
    return [text[:40] if number % every == 0 else text for number, text in enumerate(told)]


def whole_lines() -> list[str]:
    """The four hundred deliveries, none of them lost."""
    kept = [text for text in lines() if f"d-{CUT:04}" not in text and f"d-{LOST:04}" not in text]
    assert len(kept) == 3 * 398
    return kept


def test_where_lost_rows_may_be_all_that_is_missing_nothing_is_called_dropped(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(cut_in_the_middle(whole_lines(), 4)) + "\n")
    found = document(investigate([str(path)], Options(folder=str(tmp_path))))
    assert found["verdict"] == "in doubt"
    assert found["doubt"]["because"] == "damaged rows"
    assert found["summary"].startswith("299 rows are damaged and name no delivery")
    assert found["damaged_nameless"] == found["damaged_rows"] == 299
    assert found["rate"]["low"] == 0.0
    assert found["hypothesis"]["mechanism"] is None
    assert found["hypothesis"]["candidates"] == []
    assert "95%" not in found["summary"]


def test_drops_that_are_more_than_the_lost_rows_stay_drops(tmp_path: Path) -> None:
    told = [t for t in whole_lines() if not ("delivered" in t and "d-02" in t)]
    told[0] = told[0][:40]
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(told) + "\n")
    found = document(investigate([str(path)], Options(folder=str(tmp_path))))
    assert (found["verdict"], found["doubt"]) == ("dropped", None)
    assert (found["damaged_nameless"], found["dropped"]) == (1, 100)
    assert "as up to 1 of them may only have lost a row" in found["summary"]
    assert found["rate"]["low"] == pytest.approx(exact(99, found["judged"]).low)


def test_only_rows_that_told_of_an_end_hide_drops() -> None:
    """Of sixty lost rows, in a log of ten rows to a delivery, six are expected to be last ones."""
    doubt = Doubt(nameless=60, ending=0.1)
    assert doubt.hiding == 16
    assert (doubt.is_total(16), doubt.is_total(17)) == (True, False)
    assert (doubt.hides_suspect(32), doubt.hides_suspect(33)) == (True, False)
    assert doubt.sure(40) == 24
    assert Doubt(nameless=1, ending=0.5).hiding == 1


def test_a_file_that_is_cut_off_says_up_to_when_it_can_be_read(tmp_path: Path) -> None:
    packed = gzip.compress("\n".join(whole_lines()).encode())
    for name, text in (
        ("log.jsonl.gz", packed[: len(packed) // 2]),
        ("log.jsonl.zst", _zstd("\n".join(_long_lines()))[:-20_000]),
    ):
        path = tmp_path / name
        path.write_bytes(text)
        found = document(investigate([str(path)], Options(folder=str(tmp_path))))
        until = found["log"]["to"]
        assert found["cut_off"] == [{"file": str(path), "until": until}]
        assert (found["dropped"], found["verdict"]) == (0, "in doubt")
        assert found["doubt"]["because"] == "cut off"
        assert found["summary"].startswith(f"{path} is cut off and can be read up to {until}")


def _long_lines() -> list[str]:
    """Of more than one block of zstd, which is read whole or not at all."""
    chance = random.Random(1)
    return [f'{t[:-1]}, "body": "{chance.randbytes(200).hex()}"}}' for t in whole_lines()]


def _zstd(text: str) -> bytes:
    out = arrow.BufferOutputStream()
    with arrow.CompressedOutputStream(out, "zstd") as file:
        file.write(text.encode())
    return bytes(out.getvalue())


def test_a_file_cut_off_beside_others_that_go_on_leaves_all_in_doubt(tmp_path: Path) -> None:
    told = whole_lines()
    one = [t for n, t in enumerate(told) if n // 3 % 2 and "accepted" not in t]
    packed = gzip.compress("\n".join(one).encode())
    (tmp_path / "others.jsonl").write_text("\n".join(t for t in told if t not in one) + "\n")
    (tmp_path / "one.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    found = document(investigate([f"{tmp_path}/o*.jsonl*"], Options()))
    assert found["dropped"] > 50
    assert (found["verdict"], found["doubt"]["because"]) == ("in doubt", "cut off")
    assert found["hypothesis"]["mechanism"] is None


@pytest.mark.parametrize(("every", "code"), [(4, 2), (0, 0)])
def test_the_exit_code_says_that_it_is_in_doubt(tmp_path: Path, every: int, code: int) -> None:
    path = tmp_path / "log.jsonl"
    told = cut_in_the_middle(whole_lines(), every) if every else whole_lines()
    path.write_text("\n".join(told) + "\n")
    page = tmp_path / "page.html"
    result = CliRunner().invoke(investigate_command, [str(path), "--html", str(page)])
    assert result.exit_code == code
    assert result.stdout.startswith("in doubt: 299 rows" if every else "no drop: ")
    assert ('class="verdict warn"' in page.read_text()) is bool(every)


def test_too_many_damaged_rows_are_not_said_to_have_been_looked_at() -> None:
    told = damage_told(Doubt(nameless=15_000), 20_000, 5_000, 30_000)
    assert told.startswith("20,000 rows are damaged, too many to see of each which delivery")


def test_nothing_is_compared_with_what_is_in_doubt(tmp_path: Path) -> None:
    path, saved = tmp_path / "log.jsonl", tmp_path / "saved.json"
    path.write_text("\n".join(cut_in_the_middle(whole_lines(), 4)) + "\n")
    CliRunner().invoke(investigate_command, [str(path), "--save", str(saved)])
    with pytest.raises(ConfigError, match="it is in doubt whether anything was dropped"):
        load_investigation(saved)
