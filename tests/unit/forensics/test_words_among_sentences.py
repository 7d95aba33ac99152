"""Words for what happened to deliveries, and a framework's own sentences in the same column."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.investigation import Findings, investigate
from homing.forensics.judging import Verdict
from homing.forensics.options import Options
from homing.forensics.reading.guessing import guess
from homing.forensics.reading.kinds import kind_of
from homing.forensics.reading.mapping import KINDS, Column

Row = dict[str, Any]
BEGIN_S = 1_780_000_000.0
COUNT = 240
SENTENCE = "Task shop.tasks.send[#] received"
LOST = range(7, COUNT - 20, 31)


def life(number: int, *, is_lost: bool, is_named: bool = False) -> Iterator[Row]:
    """One delivery: the service names its steps, the framework tells of its tasks.

    Args:
        is_named: a sentence with a name in it stands in a row that names the delivery.
    """
    at = BEGIN_S + 40.0 * number
    beside = {"delivery_id": f"{number:08x}-aaaa-4bbb-8ccc-{number:012x}"}

    def said(event: str, **fields: Any) -> Row:
        nonlocal at
        at += 0.1
        when = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
        return {"event": event, "logger": "shop.hooks", "timestamp": when, **fields}

    yield said("delivery_created", **beside, endpoint_id=f"ep_{number % 9}")
    for attempt in (1, 2):
        task = {"task_id": f"{number:08x}-{attempt:04}-4eee-8fff-{number:012x}"}
        extra = beside if is_named else {}
        yield said(f"Task shop.tasks.send[{task['task_id']}] received", **extra)
        yield said("task_started", **task, task="shop.tasks.send")
        yield said("delivery_attempt_started", **task, **beside, attempt=attempt)
        if attempt == 2 or (number % 5 and not is_lost):
            yield said("delivery_succeeded", **beside, attempt=attempt, status_code=200)
            return
        yield said("delivery_attempt_failed", **beside, attempt=attempt, status_code=503)
        due = datetime.fromtimestamp(at + 10, UTC).isoformat(timespec="milliseconds")
        yield said("delivery_retry_scheduled", **beside, attempt=attempt, next_attempt_at=due)
        if is_lost:
            return
        at += 10


def rows(*, named_every: int = 0) -> list[Row]:
    told = [
        row
        for number in range(COUNT)
        for row in life(
            number,
            is_lost=number in LOST,
            is_named=bool(named_every) and number % named_every == 3,
        )
    ]
    return sorted(told, key=lambda row: row["timestamp"])


def written(folder: Path, **kwargs: Any) -> str:
    path = folder / "service.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows(**kwargs)))
    return str(path)


def investigated(folder: Path, **kwargs: Any) -> Findings:
    return investigate([written(folder, **kwargs)], Options(drops=folder / "drops.txt"))


def test_words_of_deliveries_are_the_measure_and_not_the_sentences_beside_them() -> None:
    assert guess(rows()).columns["op"] == Column(path="event", unit=KINDS)


def test_a_column_of_words_alone_is_taken_as_it_is() -> None:
    plain = [row for row in rows() if " " not in row["event"]]
    assert guess(plain).columns["op"] == Column(path="event")


def test_what_all_tasks_are_called_names_no_delivery() -> None:
    assert guess(rows()).columns["delivery"] == Column(path="delivery_id")


def test_the_drops_of_such_a_log_are_found(tmp_path: Path) -> None:
    found = investigated(tmp_path)
    assert (tmp_path / "drops.txt").read_text().split() == [
        f"{number:08x}-aaaa-4bbb-8ccc-{number:012x}" for number in LOST
    ]
    assert found.hypothesis is not None
    assert found.hypothesis.mechanism == "D1"


def test_a_sentence_is_one_word_whatever_it_names(tmp_path: Path) -> None:
    found = investigated(tmp_path, named_every=40)
    assert [word for word in found.events.words if " " in word] == [SENTENCE]


def test_so_it_is_in_a_table(tmp_path: Path) -> None:
    import duckdb

    name, file = "service", tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(file)) as connection:
        path = written(tmp_path, named_every=40)
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM read_json('{path}')")
    found = investigate([name], Options(engine=f"duckdb://{file}", threads=1))
    assert [word for word in found.events.words if " " in word] == [SENTENCE]


def test_an_identifier_beside_a_text_is_a_text(tmp_path: Path) -> None:
    import duckdb

    file = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(file)) as connection:
        path = written(tmp_path)
        plain = "CASE event WHEN 'delivery_created' THEN delivery_id::VARCHAR END"
        connection.execute(
            f"CREATE TABLE service AS SELECT * REPLACE (CASE WHEN event <> 'delivery_created' "
            f"THEN delivery_id::UUID END AS delivery_id), {plain} AS made FROM read_json('{path}')"
        )
    mapping = guess(rows())
    both = Column(path="delivery_id", others=("made",))
    mapping = replace(mapping, columns={**mapping.columns, "delivery": both})
    options = Options(engine=f"duckdb://{file}", threads=1, mapping=mapping)
    assert investigate(["service"], options).books[Verdict.DROPPED] == len(LOST)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Task shop.tasks.send[1e4af1ff-4047-40b4-ba52-b4468d6a1665] received", SENTENCE),
        ("http_2xx", "http_2xx"),
        ("answered 503", "answered 503"),
    ],
)
def test_what_is_left_of_a_sentence(text: str, kind: str) -> None:
    assert kind_of(text) == kind
