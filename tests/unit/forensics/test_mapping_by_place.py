"""What a column is taken for by where it stands: beside which lines, in which file, in a text."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.investigation import Findings, investigate
from homing.forensics.judging import Verdict
from homing.forensics.options import Options
from homing.forensics.reading.guessing import guess
from homing.forensics.reading.mapping import ANSWER, Column, Mapping, parse, to_toml
from homing.forensics.reading.order import leader_of

COUNT = 300
BEGIN = 1_790_000_000.0
Row = dict[str, Any]


def is_hit(number: int) -> bool:
    return number > COUNT // 3 and number % 12 == 5


HITS = sum(map(is_hit, range(COUNT)))


def lines(tell: Callable[[int, Callable[..., None]], None], count: int = COUNT) -> list[Row]:
    """The rows of a log where each delivery's are told by `tell`."""
    found: list[Row] = []
    for number in range(count):

        def say(event: str, second: float, number: int = number, **told: Any) -> None:
            name = f"dlv_{number * 7919 % 10_007:05}"
            at = round(BEGIN + 60 * number + second, 3)
            found.append({"ts": at, "event": event, "delivery_id": name, **told})

        tell(number, say)
    return sorted(found, key=lambda row: float(row["ts"]))


def saved(path: Path, rows: list[Row]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def here(folder: Path, rows: list[Row]) -> Findings:
    return investigate([saved(folder / "log.jsonl", rows)], Options(folder=str(folder)))


def there(folder: Path, rows: list[Row]) -> Findings:
    """The same, by the way of tables that are read where they live."""
    import duckdb

    path, file = saved(folder / "rows.jsonl", rows), folder / "warehouse.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute(f"CREATE TABLE changes AS SELECT * FROM read_json('{path}')")
    return investigate(["changes"], Options(engine=f"duckdb://{file}", threads=1))


WAYS = pytest.mark.parametrize("way", [here, there])


def dropped(findings: Findings) -> int:
    return findings.books.get(Verdict.DROPPED, 0)


def told_in_text(number: int, say: Callable[..., None]) -> None:
    """A service that writes what was answered into a text."""
    say("accepted", 0)
    say("taken", 1, worker=f"w-{number % 3}")
    is_bad = is_hit(number) or number % 10 == 7
    said = ("HTTP 503", "answer 429", "responded with 500")[number % 3] if is_bad else "answer 200"
    say("attempt finished", 1.4, note=said, worker=f"w-{number % 3}")
    if is_bad and not is_hit(number):
        say("taken", 31, worker="w-9")
        say("attempt finished", 32, note="status 200", worker="w-9")


@WAYS
def test_a_status_within_a_text_is_the_answer(
    way: Callable[[Path, list[Row]], Findings], tmp_path: Path
) -> None:
    findings = way(tmp_path, lines(told_in_text))
    assert dropped(findings) == HITS
    assert findings.books[Verdict.DELIVERED] == COUNT - HITS


def test_a_text_with_good_answers_too_has_the_status_and_a_last_error_has_none() -> None:
    rows = lines(told_in_text)
    column = guess(rows).columns["status"]
    assert (column.path, column.unit) == ("note", ANSWER)
    errors = [row for row in rows if not str(row.get("note")).endswith("200")]
    assert "status" not in guess(errors).columns


def test_the_unit_answer_is_written_and_read_back() -> None:
    column = Column(path="note", unit=ANSWER, others=("says",))
    named = {name: Column(path=name) for name in ("delivery", "at")}
    text = to_toml(Mapping(layout="events", columns={**named, "status": column}))
    assert 'status = { column = ["note", "says"], unit = "answer" }' in text
    assert parse(text).columns["status"] == column


def test_a_declared_answer_is_read_in_all_its_columns(tmp_path: Path) -> None:
    """Also in the second one, and a number that nobody answered is none."""

    def tell(number: int, say: Callable[..., None]) -> None:
        say("accepted", 0)
        if is_hit(number):
            say("attempt finished", 1, note="took 200 ms, answer 503")
        else:
            say("attempt finished", 1, **{("note", "says")[number % 2]: "took 503 ms: HTTP 200"})

    named = {"delivery": "delivery_id", "op": "event"}
    columns = {name: Column(path=path) for name, path in named.items()}
    columns["at"] = Column(path="ts", unit="s")
    columns["status"] = Column(path="note", unit=ANSWER, others=("says",))
    mapping = Mapping(layout="events", columns=columns)
    path = saved(tmp_path / "log.jsonl", lines(tell))
    findings = investigate([path], Options(folder=str(tmp_path), mapping=mapping))
    assert findings.books[Verdict.DELIVERED] == COUNT - HITS


def letters(number: int, say: Callable[..., None]) -> None:
    """Jobs that post, and one that parks what nobody took; for some that is only scheduled."""
    post = {"job_class": "PostWebhook"}
    say("accepted", 0)
    say("started", 1, **post)
    if number % 10 != 5:
        say("response", 1.5, status=200, **post)
        return
    say("response", 1.5, status=503, **post)
    say("scheduled", 2, job_class="ParkDeadLetter")
    if not is_hit(number):
        say("completed", 3, job_class="ParkDeadLetter")


@WAYS
def test_a_job_that_parks_a_dead_letter_ends_with_it(
    way: Callable[[Path, list[Row]], Findings], tmp_path: Path
) -> None:
    findings = way(tmp_path, lines(letters))
    parked = sum(n % 10 == 5 and not is_hit(n) for n in range(COUNT))
    assert findings.books[Verdict.DEAD] == parked
    assert dropped(findings) == sum(n % 10 == 5 and is_hit(n) for n in range(COUNT))


def test_jobs_have_their_column_only_where_one_of_them_parks_dead_letters() -> None:
    rows = lines(letters)
    assert guess(rows).columns["job"].path == "job_class"
    only = [row for row in rows if row.get("job_class") != "ParkDeadLetter"]
    assert "job" not in guess(only).columns


def test_a_column_that_counts_within_each_delivery_is_no_key() -> None:
    rows = [
        {"eid": no, "hook": f"h{n * 7919 % 10_007:05}x", "ts": BEGIN + 60 * n + no, "event": word}
        for n in range(60)
        for no, word in enumerate(
            ("accepted", "taken", "posted", "tick", "tick", "tick", "done"), 1
        )
    ]
    mapping = guess(rows)
    assert mapping.key
    assert "eid" not in {mapping.columns[field].path for field in mapping.key}


def test_a_number_that_stands_beside_no_delivery_is_no_status() -> None:
    def tell(number: int, say: Callable[..., None]) -> None:
        say("accepted", 0)
        say("delivered", 1)

    beside = [{"ts": BEGIN + 60 * i, "event": "sweep", "code": 200 + i % 3} for i in range(100)]
    rows = sorted([*lines(tell), *beside], key=lambda row: float(row["ts"]))
    assert "status" not in guess(rows).columns
    named = [row | {"delivery_id": "dlv_x"} if row["event"] == "sweep" else row for row in rows]
    assert guess(named).columns["status"].path == "code"


def test_an_error_is_the_reason_before_a_note_which_may_have_two_columns() -> None:
    def tell(number: int, say: Callable[..., None]) -> None:
        say("accepted", 0, note="first seen" if number % 2 else "seen before")
        say("failed", 1, err="connection refused" if number % 3 else "reset by peer")
        say("parked", 2, remark="kept for later" if number % 3 else "kept on purpose")

    columns = guess(lines(tell)).columns
    assert columns["reason"].path == "err"
    assert (columns["note"].path, columns["note"].others) == ("note", ("remark",))


def test_by_names_the_workers_where_the_process_stands_beside_no_delivery() -> None:
    """Also where another column says which person did something."""

    def tell(number: int, say: Callable[..., None]) -> None:
        say("accepted", 0)
        say("listed", 0.5)
        say("taken", 1, by=f"w-{number % 3}")
        say("answered", 2, status=200 if number % 3 else 503)
        if number % 3 == 0:
            say("taken", 31, by=f"w-{(number + 1) % 3}")
            say("answered", 32, status=200)
        if number % 20 == 3:
            say("resumed", 40, actor="m.okafor" if number % 40 == 3 else "j.adeyemi")

    beside = [
        {"ts": BEGIN + 90 * i, "event": "heartbeat", "process": f"p-{i % 4}"} for i in range(150)
    ]
    rows = sorted([*lines(tell), *beside], key=lambda row: float(row["ts"]))
    columns = guess(rows).columns
    assert (columns["worker"].path, columns["actor"].path) == ("by", "actor")
    held = [row | {"process": row["by"]} if "by" in row else row for row in rows]
    assert guess(held).columns["worker"].path == "process"


ROWS = [("events", at) for at in range(10, 50)]
TABLE = [("attempts", at) for at in range(10, 20)]


@pytest.mark.parametrize(
    ("raw", "begins", "leader"),
    [
        ([*ROWS, *TABLE], [40], range(40)),
        ([*TABLE, *ROWS], [10], range(10, 50)),
        ([*ROWS, *ROWS], [40], None),
        ([*reversed(ROWS), *TABLE], [40], None),
        ([*TABLE, *TABLE], [10], None),
    ],
)
def test_one_file_of_events_in_order_leads_the_tables_beside_it(
    raw: list[tuple[str, int]], begins: list[int], leader: range | None
) -> None:
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE raw (layout VARCHAR, at_us BIGINT)")
        connection.executemany("INSERT INTO raw VALUES (?, ?)", raw)
        assert leader_of(connection, begins) == leader


def _beside(folder: Path, mine: list[Row], other: list[Row], name: str) -> Findings:
    """What is found in a log and another file beside it: a table, if its name ends so."""
    paths = [saved(folder / "lines.jsonl", mine)]
    if name.endswith("csv"):
        with (folder / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, list(other[0]))
            writer.writeheader()
            writer.writerows(other)
        paths.append(str(folder / name))
    else:
        paths.append(saved(folder / name, other))
    return investigate(paths, Options(folder=str(folder)))


@pytest.mark.parametrize("is_swapped", [False, True])
def test_of_equal_times_beside_a_table_the_order_of_the_lines_counts(
    is_swapped: bool, tmp_path: Path
) -> None:
    """A dead letter that was brought back in the same second lives; one that died then is dead."""
    table: list[Row] = []

    def tell(number: int, say: Callable[..., None]) -> None:
        is_bad = number % 10 == 7 or is_hit(number)
        say("accepted", 0)
        say("taken", 1, attempt=1, worker=f"w-{number % 3}")
        answered(number, 1, 2, 503 if is_bad else 200)
        if is_bad:
            words = ["dead-lettered", "resumed"]
            for word in reversed(words) if is_swapped and is_hit(number) else words:
                say(word, 10)
            if is_hit(number):
                return
            say("taken", 12, attempt=2, worker="w-3")
            answered(number, 2, 13, 200)
        say("delivered", 15)

    def answered(number: int, attempt: int, second: float, status: int) -> None:
        name = f"dlv_{number * 7919 % 10_007:05}"
        row = {"delivery_id": name, "attempt": attempt, "status": status}
        table.append(row | {"finished_at": BEGIN + 60 * number + second})

    findings = _beside(tmp_path, lines(tell), table, "attempts.csv")
    assert dropped(findings) == (0 if is_swapped else HITS)
    assert findings.books.get(Verdict.DEAD, 0) == (HITS if is_swapped else 0)


def test_reasons_of_words_with_few_are_kept_beside_a_word_with_hundreds(tmp_path: Path) -> None:
    """Why a turn passed a delivery over decides, whatever texts another line has."""

    def tell(number: int, say: Callable[..., None]) -> None:
        letters = "".join(chr(97 + int(digit)) for digit in str(number))
        say("accepted", 0, reason=f"order of {letters}")
        say("taken", 1, attempt=1, worker=f"w-{number % 3}")
        if is_hit(number):
            say("done", 1.1, attempt=1, reason="endpoint disabled")
            return
        say("done", 2, attempt=1, status=200, reason="well answered")

    findings = here(tmp_path, lines(tell))
    assert dropped(findings) == HITS
    assert findings.hypothesis.mechanism == "D9"
