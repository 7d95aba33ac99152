"""Words and names of columns that are cut to a few letters, and words of an end and its reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.habits import Kind
from homing.forensics.investigation import Findings, investigate
from homing.forensics.judging import Verdict
from homing.forensics.operations import Op, Stand
from homing.forensics.options import Options
from homing.forensics.reading.columns import look, name_score
from homing.forensics.reading.guessing import guess
from homing.forensics.reading.happenings import best_telling
from homing.forensics.vocabulary import meaning
from homing.forensics.words import line_of

COUNT = 240
BEGIN = 1_790_000_000.0
Row = dict[str, Any]
Move = Callable[..., None]


def is_hit(number: int) -> bool:
    return number > COUNT // 3 and number % 15 == 5


HITS = sum(map(is_hit, range(COUNT)))


def moved(tell: Callable[[int, Move], None]) -> list[Row]:
    """The rows of a table of changes in short keys, each delivery's told by `tell`."""
    rows: list[Row] = []
    for number in range(COUNT):
        was = ""

        def move(state: str, second: float, number: int = number, **told: Any) -> None:
            nonlocal was
            name = f"{number * 7919 % 10_007:05}-dlv"
            change = {"id": name, "ts": BEGIN + 60 * number + second, "fr": was or None}
            rows.append(change | {"to": state} | told)
            was = state

        tell(number, move)
    return sorted(rows, key=lambda row: float(row["ts"]))


def here(folder: Path, rows: list[Row]) -> Findings:
    path = folder / "changes.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return investigate([str(path)], Options(folder=str(folder)))


def dropped(findings: Findings) -> int:
    return findings.books.get(Verdict.DROPPED, 0)


@pytest.mark.parametrize(
    ("short", "op", "stand"),
    [
        ("QUE", Op.QUEUED, Stand.WAITING),
        ("PND", Op.QUEUED, Stand.WAITING),
        ("CLM", Op.CLAIMED, Stand.LEASED),
        ("WIP", Op.CLAIMED, Stand.LEASED),
        ("DLV", Op.SUCCEEDED, Stand.DELIVERED),
        ("DNE", Op.SUCCEEDED, Stand.DELIVERED),
        ("FLD", Op.FAILED, Stand.FAILED),
        ("CXL", Op.CANCELLED, Stand.CANCELLED),
        ("DRP", Op.DISCARDED, Stand.GONE),
        ("SKP", Op.SKIPPED, Stand.GONE),
    ],
)
def test_states_of_three_letters(short: str, op: Op, stand: Stand) -> None:
    word = meaning(short, is_state=True)
    assert (word.op, word.stand) == (op, stand)


@pytest.mark.parametrize("word", ["developer", "procedure", "quest", "clmx"])
def test_letters_within_a_longer_word_are_no_word(word: str) -> None:
    assert meaning(word, is_state=True).op is Op.UNKNOWN


def short_states(number: int, move: Move) -> None:
    move("QUE", 0)
    move("CLM", 1, wrk=f"w{number % 3}")
    if is_hit(number):
        move("FLD", 2, code=503)
        return
    if number % 10 == 3:
        move("FLD", 2, code=503)
        move("QUE", 2.1, due=BEGIN + 60 * number + 30)
        move("CLM", 31, wrk=f"w{number % 3}")
    move("DLV", 33, code=200)


def test_a_log_of_states_of_three_letters_is_read(tmp_path: Path) -> None:
    def tell(number: int, move: Move) -> None:
        if number % 24 == 11:
            move("QUE", 0)
            move("CXL", 1, usr="m.okafor")
            return
        short_states(number, move)

    called_off = sum(number % 24 == 11 for number in range(COUNT))
    findings = here(tmp_path, moved(tell))
    lost = sum(is_hit(number) and number % 24 != 11 for number in range(COUNT))
    assert dropped(findings) == lost
    assert findings.books[Verdict.CANCELLED] == called_off
    assert findings.hypothesis.mechanism == "D2"


@pytest.mark.parametrize("name", ["fr", "frm"])
def test_where_a_change_leads_from_is_called_so_in_short(name: str) -> None:
    assert name_score("from_state", name) >= 80
    rows = [{name if key == "fr" else key: v for key, v in r.items()} for r in moved(short_states)]
    columns = guess(rows).columns
    assert (columns["from_state"].path, columns["to_state"].path) == (name, "to")


def test_of_columns_of_one_name_the_fuller_tells() -> None:
    rows: list[Row] = [
        {"id": f"{n:05}-dlv", "detail.old_state": "QUE", "meta.old_state": None if n % 4 else "CLM"}
        for n in range(100)
    ]
    seen = {path: one for path, one in look(rows).items() if path != "id"}
    assert len({name_score("from_state", path) for path in seen}) == 1
    assert best_telling("from_state", seen, rows, ["id"], True) == "detail.old_state"


@pytest.mark.parametrize(
    ("op", "reason", "told"),
    [
        ("FAIL", "lease", Op.LAPSED),
        ("QUE", "lease", Op.LAPSED),
        ("FAIL", "visibility", Op.LAPSED),
        ("FAIL", "refused", Op.FAILED),
    ],
)
def test_what_failed_or_waits_again_because_of_its_lease_lapsed(
    op: str, reason: str, told: Op
) -> None:
    kind = Kind("events", None, "CLM", op, None, reason, "none")
    assert line_of(kind, {}, {}).op is told
