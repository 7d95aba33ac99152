"""Lines of a log behind a count: all of a delivery's, no other's, and only of the recorded log."""

from __future__ import annotations

import gzip
from pathlib import Path

import msgspec
import pytest

from homing.cli.incidents import digest_of
from homing.cli.walkthrough.rows import lines_of, logs_of
from homing.core.errors import ConfigError
from tests.support.walkthrough import LAB

LOG = "a-1 accepted\na-11 accepted\na-1 claimed\nb a-1-x\n"


@pytest.mark.parametrize("name", ["log.txt", "log.gz"])
def test_a_delivery_has_its_own_lines_and_no_others(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(LOG.encode()) if name.endswith("gz") else LOG.encode())
    found = lines_of([path], ["a-1", "a-2"])
    assert found == {
        "a-1": [(str(path), 1, "a-1 accepted"), (str(path), 3, "a-1 claimed")],
        "a-2": [],
    }


def test_a_log_that_is_no_text_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    path.write_bytes(b"PAR1\xff\xfe")
    with pytest.raises(ConfigError, match="expected lines of text"):
        lines_of([path], ["a-1"])


def test_only_the_log_that_was_investigated_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(LOG)
    result = msgspec.structs.replace(LAB.results["investigate"], inputs=(digest_of(path),))
    record = msgspec.structs.replace(LAB, results={"investigate": result})
    assert logs_of(record, "record.json") == [path]
    path.write_text(LOG + "one more\n")
    with pytest.raises(ConfigError, match="its hash differs"):
        logs_of(record, "record.json")
    path.unlink()
    with pytest.raises(ConfigError, match="it is neither here nor beside"):
        logs_of(record, "record.json")


def test_a_log_beside_the_records_file_is_found_from_anywhere(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text(LOG)
    kept = tmp_path / "record.json"
    digest = msgspec.structs.replace(digest_of(tmp_path / "log.jsonl"), name="log.jsonl")
    result = msgspec.structs.replace(LAB.results["investigate"], inputs=(digest,))
    record = msgspec.structs.replace(LAB, results={"investigate": result})
    kept.write_bytes(msgspec.json.encode(record))
    assert logs_of(record, str(kept)) == [tmp_path / "log.jsonl"]
