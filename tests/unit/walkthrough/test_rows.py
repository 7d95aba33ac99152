"""The rows behind a record's counts: only of the recorded log, and as many as the record says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from homing.cli.incident_rows import Listed, logs_of, require_same
from homing.cli.incidents import digest_of
from homing.core.errors import ConfigError
from homing.review.evidence import (
    PAGE,
    Behind,
    Counted,
    Wanted,
    behind,
    lists_of,
    page_id,
    paged,
)
from homing.walkthrough import packs
from homing.walkthrough.claims import draft
from homing.walkthrough.record import Record
from tests.support.walkthrough import LAB, with_values

LOG = "a-1 accepted\na-11 accepted\na-1 claimed\nb a-1-x\n"
SUSPECT = LAB.results["investigate"].values["suspects"][0]["name"]


def test_only_the_log_that_was_investigated_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(LOG)
    digests = (digest_of(path),)
    assert logs_of(digests, "record.json") == {str(path): str(path)}
    path.write_text(LOG + "one more\n")
    with pytest.raises(ConfigError, match="its hash differs"):
        logs_of(digests, "record.json")
    path.unlink()
    with pytest.raises(ConfigError, match="it is neither here nor beside"):
        logs_of(digests, "record.json")


def test_a_log_beside_the_records_file_is_found_from_anywhere(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text(LOG)
    kept = tmp_path / "record.json"
    kept.write_bytes(msgspec.json.encode(LAB))
    digest = msgspec.structs.replace(digest_of(tmp_path / "log.jsonl"), name="log.jsonl")
    assert logs_of([digest], str(kept)) == {str(tmp_path / "log.jsonl"): "log.jsonl"}


def test_a_log_that_comes_to_other_counts_is_refused() -> None:
    wanted = lists_of(LAB)[0]
    require_same(LAB, Listed(wanted, 598, 598, ()))
    with pytest.raises(ConfigError, match="the record has 598 lost deliveries, the log 600"):
        require_same(LAB, Listed(wanted, 600, 600, ()))


@pytest.mark.parametrize(
    ("source", "path", "expected"),
    [
        ("investigate", "dropped", Behind("lost", True)),
        ("investigate", "rate.value", Behind("lost", True)),
        ("investigate", "judged", Behind("judged", False)),
        ("investigate", "suspects.0.dropped", Behind("suspects.0", True)),
        ("investigate", "suspects.0.having", Behind("suspects.0", False)),
        ("verify", "all.before.k", Behind("lost", True)),
        ("verify", "all.before.n", Behind("judged", False)),
        ("verify", "all.rate_before.value", Behind("lost", True)),
        ("verify", "all.after.n", Behind("after.judged", False)),
        ("verify", "all.zero.excludes_95", Behind("after.judged", False)),
        ("verify", "guilty.before.k", Behind("suspects.0", True)),
        ("verify", "guilty.before.n", Behind("suspects.0", False)),
        ("verify", "guilty.after.n", Behind("after.guilty", False)),
        ("impact", "p50", Behind("lost", True)),
        ("impact", "at_risk", Behind("lost", True)),
        ("investigate", "rows", None),
        ("reproduce", "times", None),
        ("record", "title", None),
    ],
)
def test_a_count_names_its_list(source: str, path: str, expected: Behind | None) -> None:
    assert behind(LAB, source, path) == expected


def test_where_the_fault_lives_has_a_list_of_its_own_if_no_suspect_is_called_so() -> None:
    other = with_values(LAB, "verify", "guilty_name", "an attempt failed")
    assert behind(other, "verify", "guilty.before.k") == Behind("guilty", True)
    assert [one.name for one in lists_of(other) if one.group == "an attempt failed"] == [
        "guilty", "after.guilty",
    ]  # fmt: skip


def test_every_list_that_a_count_names_is_listed() -> None:
    lists = {one.name: one for one in lists_of(LAB)}
    record = Record(LAB)
    library = packs.shipped()
    told = draft(record, "ana", library.levels["senior"], library.principles["dive-deep"])
    named = [one.behind for claim in told.claims for one in claim.references if one.behind]
    assert {"lost", "judged", "suspects.0", "after.judged"} <= {one.name for one in named}
    assert {one.name for one in named} <= lists.keys()
    assert lists["suspects.0"].group == SUSPECT
    before, after = lists["lost"].logs, lists["after.judged"].logs
    assert [one.name for one in (*before, *after)] == ["deliveries.jsonl.gz", "after.jsonl.gz"]


def test_pages_hold_all_and_nothing_twice() -> None:
    some = [Counted(id=str(at), is_lost=True, rows=()) for at in range(2 * PAGE + 1)]
    pages = list(paged(some))
    assert [number for number, _ in pages] == [1, 2, 3]
    assert [one for _, page in pages for one in page] == some
    assert list(paged([])) == [(1, ())]
    assert page_id("lost", 7) < page_id("lost", 10)


def test_a_record_without_a_log_has_no_lists() -> None:
    none: dict[str, Any] = {}
    assert lists_of(msgspec.structs.replace(LAB, results=none)) == []
    assert Wanted("lost", "lost deliveries", "lost", ()).logs == ()
