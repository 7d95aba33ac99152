"""Names that say of what they are, names of several kinds in one column, and entries of queues."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.dropped import make_dropped, make_step
from support.tables import write_table
from support.whole_log import books, found

from homing.forensics.facts import LogFacts
from homing.forensics.investigation import _queued_by_acceptor
from homing.forensics.judging import Verdict, Why
from homing.forensics.mechanisms import recognise
from homing.forensics.operations import Op, Stand
from homing.forensics.reading.alternatives import _shared
from homing.forensics.reading.guessing import guess
from homing.forensics.reading.lines import text_row
from homing.forensics.reading.sampling import SAMPLE_ROWS, sample
from homing.forensics.reading.sources import look_at
from homing.forensics.vocabulary import meaning

Row = dict[str, Any]
COUNT = 240
LOST = frozenset(range(10, 200, 20))


# --- what a name is of


def audit() -> list[Row]:
    """Changes of deliveries, workers, batches and endpoints, each named by its kind and a key."""
    rows: list[Row] = []
    for n in range(COUNT):
        steps = [(0, None, "accepted"), (1, "accepted", "queued"), (2, "queued", "running")]
        steps += [] if n in LOST else [(3, "running", "delivered")]
        rows += [
            {"time": 60.0 * n + at, "entity": f"delivery/{n:06x}", "from": old, "to": new}
            for at, old, new in steps
        ]
        if n % 4 == 0:
            rows += [
                {"time": 60.0 * n + at, "entity": f"worker/w{n}", "from": old, "to": new}
                for at, old, new in ((9, None, "open"), (20, "open", "stopping"))
            ]
            batch = [(0, None, "accepted"), (1, "accepted", "queued")]  # and read by nobody
            rows += [
                {"time": 60.0 * n + at, "entity": f"batch/b{n}", "from": old, "to": new}
                for at, old, new in batch
            ]
        if n % 9 == 0:
            name = f"endpoint/e{n}"
            rows.append({"time": 60.0 * n, "entity": name, "from": None, "to": "active"})
    return rows


def test_what_is_named_otherwise_is_none_where_deliveries_are_named_so(tmp_path: Path) -> None:
    findings = found(tmp_path, audit())
    assert findings.accepted == COUNT
    assert books(findings)[Verdict.DROPPED] == len(LOST)


def envelopes(subject: str) -> Iterator[Row]:
    """Lines in CloudEvents' form: each has an id of its own, and a subject."""
    for n in range(60):
        for i, word in enumerate(("accepted", "claimed", "succeeded")):
            row = {"specversion": "1.0", "id": f"{n:05x}-{i}", "source": "/hooks"}
            row |= {"type": f"com.acme.webhook.delivery.{word}", "subject": f"{subject}{n:06x}"}
            yield row | {"time": 1_790_000_000 + 60 * n + i, "data.eventId": f"evt_{n // 2:07x}"}


@pytest.mark.parametrize("subject", ["deliveries/dlv_", "dlv_"])
def test_an_envelope_of_a_line_says_what_it_is_about_by_its_subject(subject: str) -> None:
    mapping = guess(list(envelopes(subject)))
    assert mapping.columns["delivery"].path == "subject"
    assert mapping.columns["op"].path == "type"
    assert mapping.layout == "events"


def test_an_id_of_lines_without_an_envelope_may_name_deliveries() -> None:
    rows = [
        {"id": f"dlv_{n:06x}", "source": "/hooks", "type": word, "time": 1_790_000_000 + 60 * n + i}
        for n in range(60)
        for i, word in enumerate(("accepted", "claimed", "succeeded"))
    ]
    assert guess(rows).columns["delivery"].path == "id"


# --- names in two columns


def spans(ours: list[str], theirs: list[str]) -> list[Row]:
    return [{"deliver.id": name} for name in ours] + [{"id": name} for name in theirs]


def test_of_two_columns_the_one_with_fewer_names_is_asked() -> None:
    names = [f"0196{n:06x}" for n in range(90)]
    assert _shared(spans(names[:60], names), "deliver.id", "id") == 1.0
    assert _shared(spans(names, names[:60]), "deliver.id", "id") == 1.0
    assert _shared(spans(names[:60], names[30:]), "deliver.id", "id") == 0.5


def test_a_few_small_numbers_are_among_those_of_anything() -> None:
    numbers = [str(n) for n in range(90)]
    assert _shared(spans(numbers[:9], numbers), "deliver.id", "id") == 0.1


def test_a_column_that_few_rows_have_is_seen_in_a_table(tmp_path: Path) -> None:
    rows = [[n, "done", ""] for n in range(SAMPLE_ROWS + 2_000)]
    rows[SAMPLE_ROWS + 1_000] = [SAMPLE_ROWS + 1_000, "cancelled", "m.ilves"]
    path = write_table(tmp_path / "history.csv", "delivery,state,actor", rows)
    some = sample(look_at(path))
    assert sum(row["actor"] is not None for row in some) == 1
    assert len(some) < SAMPLE_ROWS + 100


def test_beside_dates_the_number_of_the_next_attempt_is_no_time() -> None:
    rows: list[Row] = []
    for n in range(60):
        about = {"delivery": f"d{n:05}", "time": f"2026-09-01T06:{n:02}:00Z"}
        rows.append(about | {"msg": "claimed", "attempt": 1 + n % 3})
        then = {"next_attempt": 2 + n % 3, "at": f"2026-09-01T07:{n:02}:00Z"}
        rows.append(about | {"msg": "will retry"} | then)
    columns = guess(rows).columns
    assert columns["at"].path == "time"
    assert columns["due"].path == "at"


# --- who hands over


def test_who_hands_over_is_asked_of_each_way_by_which_deliveries_come_in() -> None:
    def came(word: str, *more: Any) -> Any:
        accepted = make_step(Op.ACCEPTED, 0, word=word, worker="api")
        return make_dropped(Why.NONE, accepted, *more)

    pushed = make_step(Op.QUEUED, 5, worker="api")
    picked = make_step(Op.CLAIMED, 9, worker="w1")
    fine = [came("POST accepted", pushed)] * 3 + [came("import row", picked)] * 3
    words = _queued_by_acceptor(fine)
    assert words == {"POST accepted"}
    ops = frozenset({Op.ACCEPTED, Op.QUEUED, Op.CLAIMED})
    usual = {Op.ACCEPTED: 1.0, Op.QUEUED: 0.6, Op.CLAIMED: 1.0}
    facts = LogFacts(fields=frozenset(), ops=ops, usual=usual, queued_by_acceptor=words)
    lost = [make_dropped(Why.SILENT, *came(word).steps) for word in ("POST accepted", "import row")]
    assert ["D12" in recognise(trace, facts).twins for trace in lost] == [False, True]


@pytest.mark.parametrize(("turns", "named"), [(2, "D8"), (1, "D4")])
def test_a_later_turn_that_gives_it_back_at_once_found_the_mark_of_the_first(
    turns: int, named: str
) -> None:
    steps = [make_step(Op.ACCEPTED, 0)]
    for no in range(1, turns + 1):
        at = 60_000_000 * no
        steps += [make_step(Op.LAPSED, at - 9)] if no > 1 else []
        steps += [make_step(Op.CLAIMED, at, attempt=no, worker=f"w{no}")]
    steps.append(make_step(Op.RELEASED, at + 900, attempt=turns, stand=Stand.WAITING))
    facts = LogFacts(fields=frozenset(), ops=frozenset({Op.ACCEPTED, Op.CLAIMED, Op.RELEASED}))
    assert recognise(make_dropped(Why.SILENT, *steps), facts).mechanism == named


# --- entries of queues


def handled() -> list[Row]:
    """A framework's queue names its entries, and is done with each whatever came of it."""
    rows: list[Row] = []
    for n in range(COUNT):
        entries = 2 if n % 6 == 0 else 1
        rows.append({"time": 300.0 * n, "delivery": f"d{n:05}", "event": "accepted delivery"})
        for no in range(1, entries + 1):
            at, fails = 300.0 * n + 100 * no, no < entries or n in LOST
            entry = {"message_id": f"m-{n:05}-{no}"}
            about = entry | {"delivery": f"d{n:05}"}
            rows.append(about | {"time": at, "event": "Received message A\\B"})
            answer = {"event": "response", "attempt": no, "status": 503 if fails else 200}
            rows.append(about | {"time": at + 1} | answer)
            if fails:
                due = {"next_attempt_at": at + 90}
                rows.append(about | {"time": at + 1.1, "event": "delivery postponed"} | due)
            else:
                rows.append(about | {"time": at + 1.1, "event": "delivery delivered"})
            rows.append(entry | {"time": at + 1.2, "event": "A\\B was handled successfully"})
    return rows


def test_an_entry_that_is_done_with_is_no_delivery_that_is_delivered(tmp_path: Path) -> None:
    findings = found(tmp_path, handled())
    want = {Verdict.DELIVERED: COUNT - len(LOST), Verdict.DROPPED: len(LOST)}
    assert books(findings) == want
    assert findings.hypothesis is not None
    assert findings.hypothesis.mechanism != "D5"  # nobody called them delivered


# --- lines and words


def test_a_level_before_the_part_that_writes_is_no_host() -> None:
    row = text_row("2026-02-02 11:17:20,200 INFO worker.sender: [648] sending delivery D46207")
    assert row is not None
    assert "host" not in row
    assert row["level"] == "INFO"
    syslog = text_row("2026-02-02 11:17:20,200 node-7 sender: sending delivery D46207")
    assert syslog is not None
    assert syslog["host"] == "node-7"


@pytest.mark.parametrize(
    ("text", "op", "stand"),
    [
        ("row dead-lettered after attempts (read timeout", Op.DEAD, Stand.DEAD),
        ("Rejected message, will be sent to the failure transport", Op.DEAD, Stand.DEAD),
        ("Error thrown. Sending for retry using delay. Error", Op.RETRY, Stand.WAITING),
        ("Task terminating ** (FunctionClauseError)", Op.NOTED, Stand.NONE),
        ("Claiming abandoned message from pending list", Op.LAPSED, Stand.NONE),
        ("has been with a worker for, putting it back", Op.LAPSED, Stand.NONE),
        ("has been with a worker for, set to failed", Op.LAPSED, Stand.FAILED),
        ("dlv.acc", Op.ACCEPTED, Stand.WAITING),
        ("dlv.acc.dup", Op.SKIPPED, Stand.GONE),
        ("dlv.clm.held", Op.SKIPPED, Stand.GONE),
        ("lse.exp", Op.LAPSED, Stand.NONE),
        ("dlv.try.err", Op.FAILED, Stand.FAILED),
        ("dlv.try.old", Op.NOTED, Stand.NONE),
        ("dlv.rty", Op.RETRY, Stand.WAITING),
        ("rty.enq", Op.QUEUED, Stand.WAITING),
        ("dlv.cxl", Op.CANCELLED, Stand.CANCELLED),
        ("q.back", Op.RELEASED, Stand.WAITING),
    ],
)
def test_words_mean(text: str, op: Op, stand: Stand) -> None:
    assert (meaning(text).op, meaning(text).stand) == (op, stand)
