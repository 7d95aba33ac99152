"""Lines as a collector ships them, objects within texts, and names that only their shape tells."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from support.whole_log import found

from homing.forensics.explaining import explain
from homing.forensics.investigation import Findings, investigate
from homing.forensics.options import Options
from homing.forensics.reading.columns import name_score
from homing.forensics.reading.guessing import guess
from homing.forensics.reading.lines import (
    flat,
    objects_in,
    spanned,
    spans,
    text_row,
    twofold,
    unfold,
)
from homing.forensics.reading.mapping import parse
from homing.forensics.reading.particulars import shape_in, with_noun
from homing.forensics.reading.sentences import sentence, stamped

Row = dict[str, Any]
BEGIN_S = 1_780_000_000
COUNT = 240
LOST = frozenset(range(7, COUNT, 24))


def names_of(folder: Path, files: list[Path]) -> tuple[Findings, set[str]]:
    drops = folder / "drops.txt"
    options = Options(folder=str(folder), drops=str(drops))
    findings = investigate([str(file) for file in files], options)
    return findings, set(drops.read_text().split())


# --- objects and texts


def life(number: int) -> Iterator[tuple[str, float, Row]]:
    """Who says what of a delivery, and when; what is lost was taken by a worker that died."""
    about = {"delivery_id": f"wd_{number:05}K"}
    begun = BEGIN_S + 20.0 * number
    yield "intake", begun, {"event": "delivery.accepted", "endpoint_id": f"ep_{number % 5}"} | about
    yield "intake", begun + 0.1, {"event": "delivery.enqueued"} | about
    turn = about | {"attempt": 1, "worker": number % 3}
    yield "sender", begun + 0.2, {"event": "attempt.start"} | turn
    if number in LOST:
        return
    yield "sender", begun + 0.4, {"event": "attempt.finished", "status_code": 200} | turn
    yield "sender", begun + 0.5, {"event": "delivery.state", "state": "delivered"} | about


def collected(host: str, at: float, said: Row) -> Row:
    """The lines of senders are shipped as they stand, and those of the intake as objects."""
    return {"time": at, "host": host, "message": json.dumps(said) if host == "sender" else said}


def test_a_line_shipped_as_text_is_read_like_one_shipped_as_an_object(tmp_path: Path) -> None:
    rows = [collected(*said) for number in range(COUNT) for said in life(number)]
    findings = found(tmp_path, rows)
    assert (findings.accepted, findings.dropped) == (COUNT, len(LOST))
    assert findings.hypothesis.mechanism == "D4"


def test_only_what_is_an_object_elsewhere_is_taken_for_one() -> None:
    rows = [flat({"a": {"b": 1}, "body": '{"c": 2}'}), flat({"a": '{"b": 2}', "body": '{"c": 3}'})]
    assert twofold(rows) == {"a"}
    assert twofold(rows[:1]) == twofold(rows[1:]) == frozenset()
    assert unfold({"a": '{"b": 2}'}, frozenset({"a"})) == {"a": {"b": 2}}
    assert unfold({"a": {"b": 2}}, frozenset({"a"})) == {"a": {"b": 2}}


def test_a_column_of_objects_tells_of_attempts(tmp_path: Path) -> None:
    """Two tables: the messages, and what happened to them with an object of what is known of it."""
    events, messages = tmp_path / "message_events.csv", tmp_path / "messages.csv"
    with events.open("w", newline="") as told, messages.open("w", newline="") as stored:
        event, message = csv.writer(told), csv.writer(stored)
        event.writerow(("id", "message_id", "occurred_at", "kind", "data"))
        message.writerow(("id", "endpoint_id", "status", "attempts", "created_at"))
        line = 0
        for number in range(COUNT):
            stand = "sending" if number in LOST else "delivered"
            begun = BEGIN_S + 20.0 * number
            message.writerow((5_000 + number, number % 7, stand, 1, begun))
            turn = json.dumps({"attempt": 1, "worker": f"sender-{number % 3}"})
            answer = json.dumps({"attempt": 1, "http": 200, "ms": 31})
            said = [("accepted", "{}"), ("queued", '{"by":"dispatch"}'), ("started", turn)]
            said += [] if number in LOST else [("response", answer), ("delivered", "{}")]
            for after, (kind, data) in enumerate(said):
                line += 1
                event.writerow((line, 5_000 + number, begun + after / 10, kind, data))
    findings, _ = names_of(tmp_path, [events, messages])
    mapping = next(m for p, m in findings.raw.mappings.items() if p.endswith("events.csv"))
    paths = {field: mapping.columns[field].path for field in ("status", "attempt", "worker")}
    assert paths == {"status": "data.http", "attempt": "data.attempt", "worker": "data.worker"}
    assert (findings.accepted, findings.dropped) == (COUNT, len(LOST))
    assert findings.hypothesis.mechanism == "D4"
    files = [str(events), str(messages)]
    printed = "\n".join(text for _, text in explain(files, Options(folder=str(tmp_path))))
    given = Options(folder=str(tmp_path), mapping=parse(printed))
    assert investigate(files, given).books == findings.books


def test_a_column_is_of_objects_if_each_of_its_texts_is_one() -> None:
    rows: list[Row] = [{"a": "{}", "b": '{"c": 1}'}, {"a": '{"d": 2}', "b": "{so}"}, {"a": None}]
    assert objects_in(rows) == {"a"}
    assert objects_in([{"a": "{}"}, {"a": {"d": 2}}]) == frozenset()


# --- spans


def test_the_spans_around_a_line_name_what_it_is_about() -> None:
    listed = [{"name": "worker", "worker": "w1"}, {"name": "deliver", "attempt": 2}]
    assert spans(listed) == {"name": "deliver", "worker": "w1", "attempt": 2}
    assert spans([{"worker": "w1"}]) is None
    assert spans([]) is spans("deliver") is None
    assert spanned([{"spans": listed}, {"others": listed}]) == {"spans"}


def test_a_delivery_may_be_named_by_the_span_or_by_the_line() -> None:
    """A worker's lines have it in their span, and the reaper's among their own fields."""
    rows = []
    for number in range(200):
        name = f"dlv_{number:06}"
        span = {"delivery": name, "attempt": 1, "name": "deliver"}
        at = BEGIN_S + number
        rows.append({"timestamp": at, "fields": {"message": "sending"}, "span": span})
        told = {"message": "delivery completed", "status": 200}
        rows.append({"timestamp": at + 0.2, "fields": told, "span": span})
        if number % 5 == 0:
            lapsed = {"message": "lease expired, requeued", "delivery": name}
            rows.append({"timestamp": at + 0.5, "fields": lapsed})
        if number % 50 == 0:  # and some of them say it twice
            rows.append({"timestamp": at + 0.6, "fields": lapsed, "span": span})
    columns = guess([flat(row) for row in rows]).columns
    named = {columns["delivery"].path, *columns["delivery"].others}
    assert named == {"span.delivery", "fields.delivery"}
    assert columns["status"].path == "fields.status"


# --- names


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("[wd_19510] POST https://c314.customers.example/hooks try 1/8", "wd_19510"),
        ("WebhookDelivery wd_19510 created endpoint=314", "wd_19510"),
        ("wd_19510 (jid 8ee5c7897713f9b233b6b096) lost its worker", "wd_19510"),
        ("answered 503 by port_80", None),
    ],
)
def test_a_short_mark_and_a_number_is_a_name(text: str, name: str | None) -> None:
    assert sentence(text).get("delivery") == name


def test_who_wrote_a_line_does_not_keep_it_from_having_a_name() -> None:
    head = "Mar  5 06:49:53 hk-send01 hookworker[18620]: "
    row = text_row(f"{head}retry of wd_19510 planned")
    assert row is not None
    assert (row["pid"], row["delivery"]) == ("18620", "wd_19510")


def test_a_thread_is_no_delivery() -> None:
    assert sentence("[worker-3] sending")["thread"] == "worker-3"
    assert "delivery" not in sentence("[worker-3] sending")


def test_a_later_time_in_a_sentence_is_not_when_it_was_written() -> None:
    head = "<134>Mar  5 06:49:53 hk-send01 hookworker[18620]: "
    row = text_row(f"{head}Will try wd2wfbg6h7 again at 2024-03-05 06:50:57.")
    assert row is not None
    assert row["time"].endswith("-03-05T06:49:53")
    assert row["then"] == "2024-03-05 06:50:57"
    assert "attempt" not in row
    # a collector's time before the service's own is less exact
    both = stamped("Mar  5 06:49:53 hk app[12]: 2024-03-05T06:49:53.123Z INFO sent")
    assert both is not None
    assert both.iso == "2024-03-05T06:49:53.123Z"


def drawn(count: int, seed: int = 5) -> list[str]:
    chance = random.Random(seed)
    return ["wd" + "".join(chance.choices("abcdefghjkmnpqrst2345", k=8)) for _ in range(count)]


def test_names_are_known_by_their_shape() -> None:
    with_digits = [name for name in drawn(300) if any(c.isdigit() for c in name)]
    shape = shape_in(with_digits)
    assert shape is not None
    assert with_noun("Posting wdabcdefgh to crm.", shape) == "Posting delivery=wdabcdefgh  to crm."
    assert with_noun("Posting wdabcdefghi to crm.", shape) == "Posting wdabcdefghi to crm."
    told = "sent delivery=wdabcdefgh"
    assert with_noun(told, shape) == told


@pytest.mark.parametrize(
    "names",
    [
        drawn(30),  # too few
        [f"d{number:09}" for number in range(100)],  # one letter is no mark
        [f"de{number:08}" for number in range(100)],  # so may a word begin
        [f"wd{'7' * (number % 9 + 2)}x{number}" for number in range(100)],  # each of its own length
    ],
)
def test_what_has_no_shape_of_its_own(names: list[str]) -> None:
    assert shape_in(names) is None


def test_a_name_without_digits_is_a_name_like_the_others(tmp_path: Path) -> None:
    names = drawn(COUNT, seed=9)
    plain = [name for name in names if not any(c.isdigit() for c in name)]
    assert len(plain) > 5
    lost = {names.index(name) for name in plain[:5]} | {100, 150, 200}
    lines = []
    for number, name in enumerate(names):
        minute, second = divmod(20 * number, 60)
        head = f"2026-03-05T{minute // 60:02}:{minute % 60:02}:{second:02}"
        lines.append(f"{head}.000Z INFO api Accepted delivery {name} for endpoint crm-{number % 3}")
        lines.append(f"{head}.100Z INFO api Put delivery {name} on the queue")
        if number in lost:
            continue
        lines.append(f"{head}.200Z INFO sender-{number % 2} Posting {name} to crm, try 1 of 7")
        lines.append(f"{head}.400Z INFO sender-{number % 2} crm answered 200 to {name} (try 1)")
        lines.append(f"{head}.500Z INFO sender-{number % 2} Delivery {name} is done")
    log = tmp_path / "hooks.log"
    log.write_text("".join(f"{line}\n" for line in lines))
    findings, dropped = names_of(tmp_path, [log])
    assert findings.accepted == COUNT
    assert dropped == {names[number] for number in lost}


# --- columns


@pytest.mark.parametrize("path", ["actor.login", "cancelled_by.email", "user.name", "by_name"])
def test_a_person_may_be_an_object(path: str) -> None:
    assert name_score("actor", path) > 60


def test_which_of_how_many_attempts_allows_so_many() -> None:
    row = text_row("ts=2026-03-05T06:49:53Z msg=POST delivery=d-1 attempt=3/6") or sentence(
        "msg=POST delivery=d-1 attempt=3/6"
    )
    assert (row["attempt"], row["max_attempt"]) == ("3", "6")
    assert name_score("max_attempts", "max_attempt") > 60
