"""Outboxes, tables and states: what names a delivery, what names none, what was never listed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.dropped import make_dropped, make_step
from support.in_duckdb import in_duckdb

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

import ibis

from homing.forensics.association import Suspect
from homing.forensics.facts import LogFacts
from homing.forensics.hypothesis import form
from homing.forensics.investigation import Findings, investigate
from homing.forensics.judging import Verdict, Why
from homing.forensics.mechanisms import recognise
from homing.forensics.neighbours import Neighbours
from homing.forensics.operations import Op
from homing.forensics.options import Options
from homing.forensics.others import word_column, words_of_others
from homing.forensics.reading.guessing import guess
from homing.forensics.sweeps import runs

COUNT = 300
BEGIN = 1_790_000_000.0
Row = dict[str, Any]


def is_hit(number: int) -> bool:
    return number > COUNT // 3 and number % 15 == 5


HITS = sum(map(is_hit, range(COUNT)))


def found(folder: Path, rows: list[Row]) -> Findings:
    rows = sorted(rows, key=lambda row: float(row["ts"]))
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return investigate([str(path)], Options(folder=str(folder)))


def dropped(findings: Findings) -> int:
    return findings.books.get(Verdict.DROPPED, 0)


def name_of(number: int) -> str:
    return f"dlv_{number * 7919 % 10_007:05}"


# -- a log of states -----------------------------------------------------------------------------


def changes(states: tuple[str, ...], name: str, begin: float) -> list[Row]:
    """The rows of one thing that goes through so many states, a second each."""
    return [
        {"ts": begin + i, "entity_id": name, "from_state": was, "to_state": state}
        for i, (was, state) in enumerate(zip((None, *states), states, strict=False))
    ]


def test_workers_that_are_named_beside_deliveries_in_a_log_of_states_are_none(
    tmp_path: Path,
) -> None:
    whole = ("accepted", "queued", "leased", "delivered")
    rows: list[Row] = []
    for number in range(COUNT):
        states = whole[:3] if is_hit(number) else whole
        rows += changes(states, name_of(number), BEGIN + 60 * number)
        if number % 8 == 3:
            started = ("booting", "ready", "draining")
            rows += changes(started, f"prc_{number:05}", BEGIN + 60 * number + 7)
    findings = found(tmp_path, rows)
    assert findings.events.others == ("booting", "draining", "ready")
    assert (findings.accepted, dropped(findings)) == (COUNT, HITS)


def table_of(*lines: tuple[str | None, str, str]) -> Any:
    """Raw rows of a log of states: what they name, the state, the layout of their file."""
    names = ("delivery", "to_raw", "layout")
    columns = {name: [line[i] for line in lines] for i, name in enumerate(names)}
    columns["rowid"] = list(range(len(lines)))  # type: ignore[arg-type]
    table = in_duckdb(columns, schema=dict.fromkeys(names, "string") | {"rowid": "int64"})
    nothing = dict.fromkeys(("op_raw", "message", "endpoint", "worker"), ibis.null("string"))
    numbers = {name: ibis.null("int64") for name in ("changed_us", "status", "rows_written")}
    times = {"at_us": table["rowid"], **numbers}
    return table.mutate(**nothing, **times)


ALIVE = [(f"d{n}", word, "events") for n in range(20) for word in ("accepted", "delivered")]


def test_rows_are_told_apart_by_their_states_where_none_has_an_operation() -> None:
    assert (word_column(True), word_column(False)) == ("op_raw", "to_raw")
    theirs = [("w1", "booting", "events"), ("w2", "ready", "events")]
    assert words_of_others(table_of(*ALIVE, *theirs), "to_raw", {}) == ["booting", "ready"]


def test_what_a_table_alone_says_of_a_delivery_is_no_word_of_others() -> None:
    theirs = [("d30", "archived", "deliveries"), ("d31", "archived", "deliveries")]
    assert words_of_others(table_of(*ALIVE, *theirs), "to_raw", {}) == []


def test_a_clean_up_is_known_by_its_states_too() -> None:
    swept: list[tuple[str | None, str, str]] = [(None, "old rows purged", "events")] * 3
    assert runs(table_of(*swept)) == [(0, 1, 2)]
    named = [("sweep-1", "old rows purged", "events")] * 3
    assert runs(table_of(*named)) == []
    assert runs(table_of(*named), ["old rows purged"]) == [(0, 1, 2)]


OPS = frozenset({Op.ACCEPTED, Op.QUEUED, Op.CLAIMED, Op.SUCCEEDED})
USUAL = {Op.ACCEPTED: 1.0, Op.QUEUED: 1.0, Op.CLAIMED: 1.0}
FIELDS = frozenset({"to_state", "worker", "attempt", "status"})
ACCEPTED, QUEUED = make_step(Op.ACCEPTED, 1), make_step(Op.QUEUED, 2)


@pytest.mark.parametrize(("is_of_states", "twins"), [(True, ("D3",)), (False, ())])
def test_a_state_of_waiting_may_be_written_before_the_queue_has_it(
    is_of_states: bool, twins: tuple[str, ...]
) -> None:
    log = LogFacts(fields=FIELDS, ops=OPS, usual=USUAL, is_of_states=is_of_states)
    match = recognise(make_dropped(Why.SILENT, ACCEPTED, QUEUED), log)
    assert (match.mechanism, match.twins) == ("D4", twins)


def test_the_time_in_a_tables_own_row_is_no_word_of_the_queue() -> None:
    log = LogFacts(fields=FIELDS, ops=OPS, usual=USUAL)
    row = make_step(Op.ACCEPTED, 1, is_row=True, line=1)
    match = recognise(make_dropped(Why.SILENT, row, QUEUED._replace(line=1)), log)
    assert (match.mechanism, match.twins) == ("D4", ("D3",))
    match = recognise(make_dropped(Why.SILENT, row, QUEUED._replace(line=9)), log)
    assert (match.mechanism, match.twins) == ("D4", ())


# -- created before it was accepted --------------------------------------------------------------


def polled(apart_s: float, *, has_number: bool) -> list[Row]:
    """What was created long before its line was written is never listed."""
    rows: list[Row] = []
    for number in range(COUNT + 20):
        begin = BEGIN + apart_s * number
        is_lost = is_hit(number) and number < COUNT
        lag = 20.0 if is_lost else 0.05
        about: Row = {"created_at": begin - lag}
        about |= {"seq": 5_000 + number} if has_number else {}
        named = {"delivery_id": name_of(number)}
        rows.append({"ts": begin, "event": "accepted", **named, **about})
        if not is_lost:
            who = {"worker": f"w-{number % 3}", "attempt": 1}
            rows.append({"ts": begin + 0.7, "event": "claimed", **named, **who})
            rows.append({"ts": begin + 1.2, "event": "response", **named, **who, "status": 200})
    return rows


@pytest.mark.parametrize(
    ("apart_s", "has_number", "mechanism", "candidates"),
    [(5, True, "D12", []), (60, False, None, ["D12", "D3"])],
)
def test_what_was_accepted_long_after_it_was_created_was_not_listed(
    apart_s: float, has_number: bool, mechanism: str | None, candidates: list[str], tmp_path: Path
) -> None:
    """A number shows that others of a lower one were created later; a lag alone may be a death."""
    findings = found(tmp_path, polled(apart_s, has_number=has_number))
    assert dropped(findings) == HITS
    assert findings.hypothesis.mechanism == mechanism
    assert [one.mechanism for one in findings.hypothesis.candidates] == candidates


LATE = Suspect("committed later than 5 s", "number", 40, 40, 0.2, 1, 0.9, 1, 9, 0, 0)


@pytest.mark.parametrize(("suspects", "is_left"), [([], False), ([LATE], True)])
def test_numbers_rule_no_late_commit_out_where_what_was_lost_lags(
    suspects: list[Suspect], is_left: bool
) -> None:
    """A poller may go by the time of creation."""
    log = LogFacts(fields=FIELDS, ops=OPS - {Op.QUEUED}, usual={Op.ACCEPTED: 1.0, Op.CLAIMED: 1.0})
    lost = [
        make_dropped(Why.SILENT, ACCEPTED, name=f"d-{n}", accepted_us=n * 60_000_000)
        for n in range(30)
    ]
    near = Neighbours(overtaken=0.0, overtaken_fine_long=0.1, is_counted=True)
    found = form(lost, [], suspects, log, busiest_share=0.1, near=near)
    assert ("D12" in [one.mechanism for one in found.candidates]) == is_left


@pytest.mark.parametrize(("lift", "found"), [(3.0, ["D12"]), (9.0, ["D12", "D3"])])
def test_a_late_commit_is_told_from_a_death_where_nothing_tells_more(
    lift: float, found: list[str]
) -> None:
    """What comes in bulk commits late, and whoever hands it over may as well die of it."""
    late = Suspect("committed later by at least 0.02 s", "number", 300, 30, 1.0, 0, 0, 0, 4, 0, 0)
    bulk = Suspect("event type tariff", "who", 90, 30, 1.0, 0, 0, 0, lift, 0, 0)
    log = LogFacts(
        fields=FIELDS | {"committed_at"},
        ops=OPS - {Op.QUEUED},
        usual={Op.ACCEPTED: 1.0, Op.CLAIMED: 1.0},
    )
    lost = [
        make_dropped(Why.SILENT, ACCEPTED, name=f"d-{n}", accepted_us=n * 60_000_000)
        for n in range(30)
    ]
    told = form(lost, [], [late, bulk], log, busiest_share=0.1)
    assert [told.mechanism or one.mechanism for one in told.candidates or [told]] == found


# -- what a column is called, and what it is -----------------------------------------------------


def outbox(hooks: int) -> list[Row]:
    rows: list[Row] = []
    for number in range(COUNT):
        beside = {"outbox_id": number + 1, "hook_id": f"hk{number % hooks * 7919 % 10_007:05}x"}
        for i, word in enumerate(("accepted", "claimed", "delivered")):
            rows.append({"ts": BEGIN + 60 * number + i, "event": word, **beside})
    return rows


@pytest.mark.parametrize(("hooks", "delivery"), [(COUNT - 20, "hook_id"), (20, "outbox_id")])
def test_a_hook_that_is_sent_once_is_the_delivery_and_not_its_endpoint(
    hooks: int, delivery: str
) -> None:
    columns = guess(outbox(hooks)).columns
    assert columns["delivery"].path == delivery
    assert ("endpoint" in columns) == (delivery != "hook_id")


def deliveries(*nodes: str) -> list[Row]:
    """A table with a row a delivery, and a machine in each column of these names."""
    return [
        {
            "delivery_id": name_of(number),
            "state": "delivered" if number % 9 else "pending",
            "created_at": f"2026-10-01T{number // 60:02}:{number % 60:02}:00Z",
            "updated_at": f"2026-10-01T{number // 60:02}:{number % 60:02}:05Z",
            "status": 200 if number % 9 else 503,
        }
        | {name: f"{name}-{number % 3}" for name in nodes}
        for number in range(COUNT)
    ]


@pytest.mark.parametrize("name", ["app_node", "web_node", "ingest_node"])
def test_who_brought_a_delivery_in_is_no_worker_of_it(name: str) -> None:
    assert "worker" not in guess(deliveries(name)).columns
    both = guess(deliveries(name, "node")).columns
    assert both["worker"].path == "node"


@pytest.mark.parametrize("name", ["ack_at", "callback_ts", "answered_at"])
def test_what_has_been_is_not_waited_for(name: str) -> None:
    """By the receiver's clock, which is ahead, it is later than its row."""

    def at(second: float) -> str:
        return datetime.fromtimestamp(second, UTC).isoformat()

    def answered(column: str) -> list[Row]:
        return [
            row
            | {"ts": at(row["ts"])}
            | ({column: at(row["ts"] + 30)} if row["event"] == "delivered" else {})
            for row in outbox(COUNT)
        ]

    assert "due" not in guess(answered(name)).columns
    assert guess(answered("horizon")).columns["due"].path == "horizon"


# -- fewer attempts than a column allows ---------------------------------------------------------


@pytest.mark.parametrize("has_letters", [False, True])
def test_fewer_attempts_than_allowed_are_the_end_only_where_letters_were_made_after_them(
    has_letters: bool, tmp_path: Path
) -> None:
    """Eight are allowed, and some have no more than four, of which the last may have no answer."""
    rows: list[Row] = []
    for number in range(COUNT):
        begin, named = BEGIN + 60 * number, {"delivery_id": name_of(number)}
        rows.append({"ts": begin, "event": "accepted", **named, "max_attempts": 8})
        bad = 4 if number % 15 == 5 else number % 3
        is_buried = has_letters and bad == 4 and not is_hit(number)
        for attempt in range(1, bad + 2 if bad < 4 else 5):
            who = {"worker": f"w-{number % 4}", "attempt": attempt}
            at, status = begin + 30 * attempt, 503 if attempt <= bad else 200
            rows.append({"ts": at, "event": "claimed", **named, **who})
            if not (is_buried and attempt == 4 and number % 60 == 5):
                rows.append({"ts": at + 1, "event": "response", **named, **who, "status": status})
        if is_buried:
            rows.append({"ts": begin + 122, "event": "dead_lettered", **named})
    findings = found(tmp_path, rows)
    assert dropped(findings) == (HITS if has_letters else COUNT // 15)
    assert findings.hypothesis.shares[0].mechanism == ("D10" if has_letters else "D2")
