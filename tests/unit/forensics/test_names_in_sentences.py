"""Names that nothing marks as such, in the sentences of a log of text."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.investigation import investigate
from homing.forensics.options import Options
from homing.forensics.reading.particulars import names_in, without_names

HOUSES = [f"{a}-{b}" for a in ("saffron", "hollow", "velo", "quay") for b in "abcdefghij"]
KINDS = ("sets off to {}", "took in notice for {}:", "is in the hands of {} in")


def test_what_stands_where_many_others_do_is_a_name() -> None:
    told = [kind.format(house) for kind in KINDS for house in HOUSES]
    assert names_in(told) == set(HOUSES)
    # in one kind of sentence it may be a word, and of few sentences each may be one
    assert (
        names_in([KINDS[0].format(h) for h in HOUSES] + [f"line {h}" for h in "xyz" * 40]) == set()
    )
    assert names_in(told[:60]) == set()
    ends = ("delivered", "failed", "cancelled", "retried", "skipped", "parked")
    states = [f"{kind} {end}" for kind in ("now", "it is") for end in ends]
    assert not names_in(told + states) & set(ends)


def test_a_sentence_without_its_names_is_of_its_kind() -> None:
    names = frozenset(HOUSES)
    row = without_names({"text": "is in the hands of velo-c: in", "delivery": "7"}, names)
    assert row == {"text": "is in the hands", "endpoint": "velo-c", "delivery": "7"}
    marked = without_names({"text": "sets off to velo-c", "endpoint": "ep_1"}, names)
    assert (marked["endpoint"], marked["text"]) == ("ep_1", "sets off")
    assert without_names({"text": "velo-c"}, names)["text"] == "-"


def test_a_log_of_sentences_with_names_is_read(tmp_path: Path) -> None:
    lines = []
    for n in range(400):
        at, house = f"2026-09-01 {n // 60:02}:{n % 60:02}", HOUSES[n % len(HOUSES)]
        lines += [
            f"{at}:01,000 postrider.gate INFO: took in notice {70_000 + n} for {house}",
            f"{at}:02,000 postrider.rider INFO: sets off with notice {70_000 + n} to {house}",
        ]
        if n not in (100, 200, 300):
            told = f"notice {70_000 + n} is in the hands of {house}: 200 in 0.{n:03}s"
            lines.append(f"{at}:03,000 postrider.rider INFO: {told}")
    path = tmp_path / "postrider.log"
    path.write_text("\n".join(lines) + "\n")
    found = investigate([str(path)], Options())
    assert (found.accepted, found.dropped) == (400, 3)
    assert len(found.events.names["endpoint"]) == len(HOUSES)
