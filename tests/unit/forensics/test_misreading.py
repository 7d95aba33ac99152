"""A log of which hardly any row names a delivery: read as it is meant, or refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.investigation import Findings, investigate
from homing.forensics.judging import Verdict
from homing.forensics.options import Options
from homing.forensics.reading.columns import look
from homing.forensics.reading.naming import choose_key
from homing.forensics.reading.sentences import sentence
from homing.forensics.reading.sources import Unreadable

COUNT = 240
BEGIN_MS = 1_780_000_000_000
#: left after their first failure
LOST = (40, 121, 190)
#: the first attempt of each so many fails
FAILING = 10


def named(number: int) -> str:
    """A name of letters and digits, another for each number."""
    return f"{number * 7_919_333 + 90_000_001:x}"


def keyed(rows: list[dict[str, Any]]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    choose_key(rows, look(rows), found.__setitem__, set())
    return found


def count_of(findings: Findings) -> tuple[int, int]:
    return sum(findings.books.values()), findings.books.get(Verdict.DROPPED, 0)


def test_a_number_before_a_unit_names_nothing() -> None:
    said = sentence("INFO call=PX-K3J try=2 failed: no answer within 30s (30000 ms)")
    assert "delivery" not in said
    assert "delivery" not in sentence("forwarded 120000 events to the archive of 98304 bytes")
    assert sentence("gave up on 482193 after 3 tries")["delivery"] == "482193"


def lines_of(number: int) -> Iterator[dict[str, Any]]:
    """What is said of one: by its parcel, and the one who gets it has a column of his own."""
    own = {"parcel": named(number)}
    yield own | {"says": "accepted", "receiver": f"shop-{number % 7}"}
    yield own | {"says": "sent", "try": 1}
    if (
        number % 40 == 0
    ):  # and now and then a row has a number of another thing, called as a delivery's
        yield own | {"says": "failed", "try": 1, "delivery": number % 3 + 1}
    yield own | {"says": "succeeded"}


def test_what_hardly_a_row_is_called_by_names_no_delivery() -> None:
    rows = [row for n in range(COUNT) for row in lines_of(n)]
    assert sum("delivery" in row for row in rows) < 0.02 * len(rows)
    found = keyed([{"at": BEGIN_MS + n, **row} for n, row in enumerate(rows)])
    assert found["delivery"] == "parcel"
    assert found["endpoint"] == "receiver"
    # the receiver may be called a hook, and so may what he gets
    told = [{"hook": r.pop("parcel"), "endpoint": r.pop("receiver", None), **r} for r in rows]
    found = keyed([{"at": BEGIN_MS + n, **row} for n, row in enumerate(told)])
    assert (found["delivery"], found["endpoint"]) == ("hook", "endpoint")


def of_an_application(tmp_path: Path, key: str, *, ends: bool) -> Path:
    """A log in which one row in twenty is of a delivery, and where it ends each of a session."""
    path = tmp_path / "app.jsonl"
    with path.open("w") as file:
        number = 0
        for n in range(COUNT):
            own = [{key: named(n), "event": "webhook accepted"}]
            if ends and n not in LOST:
                own.append({key: named(n), "event": "webhook delivered"})
            other = [{"event": "page served", "path": "/cart"}, {"event": "cache miss"}] * 20
            for row in [*own, *other]:
                number += 1
                whose = {"session": f"s{named(number // 3)}"} if ends else {}
                file.write(json.dumps({"ts": BEGIN_MS + 1_000 * number, **whose, **row}) + "\n")
    return path


def test_few_rows_of_deliveries_are_read_beside_others(tmp_path: Path) -> None:
    findings = investigate([str(of_an_application(tmp_path, "delivery_id", ends=True))], Options())
    assert count_of(findings) == (COUNT, len(LOST))


def test_few_rows_that_tell_of_no_end_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"rows name a delivery by the columns .* --mapping"):
        investigate([str(of_an_application(tmp_path, "delivery_id", ends=False))], Options())


def steps_of(number: int) -> Iterator[dict[str, Any]]:
    """The states of one, by short keys."""
    own = {"id": named(number), "ep": f"r{number % 5}", "by": f"w{number % 3}"}
    yield own | {"to": "NEW", "n": 0, "by": "api"}
    yield own | {"to": "RUN", "n": 1}
    is_failing = number % FAILING == 0
    yield own | {"to": "FAILED" if is_failing else "OK", "n": 1, "rc": 503 if is_failing else 200}
    if is_failing and number not in LOST:
        yield own | {"to": "RUN", "n": 2}
        yield own | {"to": "OK", "n": 2, "rc": 200}


def test_the_file_of_a_short_day_is_no_other_log(tmp_path: Path) -> None:
    """One day has many times the rows of the other, and but a few deliveries are in both."""
    rows = [
        {"tm": BEGIN_MS + 20_000 * n + 900 * i, "dv": step}
        for n in range(4 * COUNT)
        for i, step in enumerate(steps_of(n))
    ]
    cut = len(rows) - len(rows) // 12 + 1
    for day, part in (("01", rows[:cut]), ("02", rows[cut:])):
        text = "".join(json.dumps(row) + "\n" for row in part)
        (tmp_path / f"day-{day}.jsonl").write_text(text)
    findings = investigate([str(tmp_path)], Options())
    assert sum(findings.books.values()) == 4 * COUNT
    assert not findings.raw.nameless
