"""A log of three processes, each with a clock and a form of its own: objects that name their
deliveries in lists, a scheduler's syslog of whole seconds and no year, and workers who call a
delivery handed over."""

from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import duckdb
import pytest

from homing.forensics.investigation import Findings, investigate
from homing.forensics.judging import Verdict
from homing.forensics.options import Options
from homing.forensics.reading.converting import rows_of
from homing.forensics.reading.listed import apart_of
from homing.forensics.reading.seconds import place_in_seconds
from homing.forensics.reading.sources import Source, sources_of
from homing.forensics.reading.years import near_one_another, with_year

BEGIN = datetime(2024, 12, 31, 20, tzinfo=UTC)  # the year changes while it is written
COUNT = 300
LOST = frozenset(range(20, COUNT - 60, 19))
FLAKY = frozenset(range(4, COUNT, 9)) - LOST
DEAD = frozenset(range(6, COUNT - 40, 25)) - LOST - FLAKY
WITHDRAWN = 150  # by a row that names a job beside the lists of others
CET = timezone(timedelta(hours=1))
LETTERS = str.maketrans("0123456789", "abcdefabcd")


def name_of(n: int) -> str:
    """One in fifty has no digit: letters of a hexadecimal number alone."""
    name = f"{(n * 2_654_435_761) % 2**32:08x}"
    return f"q-{name.translate(LETTERS) if n % 50 == 3 else name}"


class Processes:
    """What each of them writes."""

    def __init__(self) -> None:
        self.intake: list[tuple[float, str]] = []
        self.scheduler: list[tuple[float, str]] = []
        self.workers: list[tuple[float, str]] = []

    def take_in(self, at: float, first: int) -> None:
        jobs = [{"job": name_of(n), "target": f"t{n % 7}"} for n in (first, first + 1)]
        about = {"time": int((BEGIN.timestamp() + at) * 1000), "event": {"id": f"ev{first:05}"}}
        row = {**about, "jobs": jobs, "msg": "event stored"}
        self.intake.append((at, json.dumps(row)))
        if first % 4 == 0:  # of no delivery
            probe = {"time": about["time"], "req": {"url": "/healthz"}, "msg": "request completed"}
            self.intake.append((at, json.dumps(probe)))

    def withdraw(self, at: float, n: int) -> None:
        row = {"time": int((BEGIN.timestamp() + at) * 1000), "job": name_of(n), "user": "d.walsh"}
        self.intake.append((at, json.dumps(row | {"msg": "job withdrawn"})))

    def schedule(self, at: float, text: str) -> None:
        told = (BEGIN + timedelta(seconds=at)).strftime("%b %e %H:%M:%S")
        self.scheduler.append((at, f"{told} host1 scheduler[77]: {text}"))

    def work(self, at: float, text: str) -> None:
        told = (BEGIN + timedelta(seconds=at)).astimezone(CET).isoformat(timespec="milliseconds")
        self.workers.append((at, f"[{told}] w{int(at) % 3} {text}"))

    def attempt(self, at: float, n: int, no: int, came: str) -> None:
        self.work(at + 0.1, f"{name_of(n)} > POST https://shop{n % 7}.example/in try {no}/3")
        self.work(at + 0.4, f"{name_of(n)} < {came} (300ms) try {no}/3")


def delivered(log: Processes, at: float, n: int, fault: str) -> None:
    name, is_lost = name_of(n), n in LOST
    if is_lost and fault == "D3":
        return
    log.schedule(at, f"{name} to the pool")
    if n == WITHDRAWN:
        log.attempt(at, n, 1, "503")
        log.work(at + 0.5, f"{name} again in 40s")
        log.withdraw(at + 9, n)
        return
    if n in FLAKY:
        log.attempt(at, n, 1, "503")
        log.work(at + 0.5, f"{name} again in 40s")
        at += 41
        log.schedule(at, f"{name} due, back to the pool")
        log.attempt(at, n, 2, "200")
    elif n in DEAD or (is_lost and fault == "D10"):
        for no in (1, 2, 3):
            log.attempt(at, n, no, "ECONNREFUSED" if no == 2 else "500")
            if no < 3:
                log.work(at + 0.5, f"{name} again in 40s")
                at += 41
                log.schedule(at, f"{name} due, back to the pool")
        log.work(at + 0.5, f"{name} out of tries")
        if not is_lost:  # by a clock that tells no parts of a second, and so as if before
            log.schedule(at + 0.6, f"{name} parked, see /parked/{name}")
        return
    elif is_lost and fault == "D5":
        log.attempt(at, n, 1, "102 Processing, connection closed")
    else:
        log.attempt(at, n, 1, "200")
    log.work(at + 0.45, f"{name} handed over")


def written(folder: Path, fault: str) -> list[str]:
    log = Processes()
    for n in range(0, COUNT, 2):
        at = 120.0 * n + 0.013
        log.take_in(at, n)
        for one in (n, n + 1):
            delivered(log, at + 0.7 + (one - n), one, fault)
    files = {"intake.ndjson": log.intake, "sched.log": log.scheduler, "work.log": log.workers}
    for name, lines in files.items():
        (folder / name).write_text("".join(line + "\n" for _, line in sorted(lines)))
    # as it was copied two years later
    os.utime(folder / "sched.log", (BEGIN.timestamp() + 63_000_000,) * 2)
    return [str(folder / name) for name in files]


def found(folder: Path, fault: str) -> Findings:
    return investigate(written(folder, fault), Options(folder=str(folder)))


@pytest.mark.parametrize("fault", ["", "D3", "D5", "D10"])
def test_what_three_clocks_tell_is_one_story(tmp_path: Path, fault: str) -> None:
    findings = found(tmp_path, fault)
    lost = len(LOST) if fault else 0
    assert sum(findings.books.values()) == COUNT
    assert findings.books[Verdict.DEAD] == len(DEAD)
    assert findings.books[Verdict.CANCELLED] == 1
    assert findings.books.get(Verdict.DROPPED, 0) == lost
    if fault:
        assert findings.hypothesis is not None
        named = findings.hypothesis.mechanism or findings.hypothesis.candidates[0].mechanism
        assert named == fault


def _copied(folder: Path, name: str, *lines: str) -> str:
    path = folder / name
    path.write_text("".join(line + "\n" for line in lines))
    os.utime(path, (datetime(2027, 3, 1, tzinfo=UTC).timestamp(),) * 2)
    return str(path)


SYSLOG = ("Dec 31 23:59:58 host1 relay[7]: q-1 taken", "Jan  1 00:00:02 host1 relay[7]: q-1 sent")


@pytest.mark.parametrize(
    ("beside", "years"),
    [
        ((), ("2026", "2027")),  # nothing is near but the file's own time
        (('{"time": 1735689600123, "id": "q-1"}',), ("2024", "2025")),
        (('{"at": "2024-12-31T23:00:00Z", "id": "q-1"}',), ("2024", "2025")),
    ],
)
def test_lines_without_a_year_are_near_those_that_have_one(
    tmp_path: Path, beside: Sequence[str], years: tuple[str, str]
) -> None:
    names = [_copied(tmp_path, "sys.log", *SYSLOG * 3)]
    names += [_copied(tmp_path, "other.jsonl", *beside * 3)] if beside else []
    sources = {Path(one.path).name: one for one in near_one_another(sources_of(names)[0])}
    rows = [row for _, row, _ in rows_of(sources["sys.log"]) if row is not None]
    assert tuple(row["time"][:4] for row in rows[:2]) == years


def test_a_file_is_near_the_dates_in_its_own_sentences(tmp_path: Path) -> None:
    planned = "Dec 31 23:59:58 host1 relay[7]: q-1 next attempt at 2019-01-01 00:04:00"
    (source,) = near_one_another(sources_of([_copied(tmp_path, "sys.log", *[planned] * 3)])[0])
    row = next(row for _, row, _ in rows_of(source) if row is not None)
    assert row["time"] == "2018-12-31T23:59:58"


def test_a_time_that_names_its_year_keeps_it() -> None:
    assert with_year("2019-02-03T04:05:06", datetime(2026, 1, 1, tzinfo=UTC))[:4] == "2019"


def _placed(second: Sequence[tuple[int, str]]) -> list[int]:
    connection = duckdb.connect()
    connection.execute("CREATE TABLE parts (at_us BIGINT, op_raw VARCHAR)")
    fine = [(1_000_000 * n + 13, "sent") for n in range(30)]
    connection.executemany("INSERT INTO parts VALUES (?, ?)", [*fine, *second])
    place_in_seconds(connection, [(0, 30), (30, 30 + len(second))])
    times = connection.execute("SELECT at_us FROM parts WHERE rowid >= 30").fetchall()
    return [at for (at,) in times]


def test_of_whole_seconds_an_end_is_the_last_and_a_beginning_the_first() -> None:
    whole = [(7_000_000, "enqueued"), (7_000_000, "parked"), (8_000_000, "zorp")] * 10
    assert _placed(whole)[:3] == [7_000_000, 7_999_999, 8_000_000]


def test_a_file_that_tells_parts_of_seconds_is_left_as_it_is() -> None:
    fine = [(7_000_004, "parked"), (7_000_000, "parked")] * 10
    assert _placed(fine) == [at for at, _ in fine]


@pytest.mark.parametrize(
    ("jobs", "is_apart"),
    [
        ([[f"j{n}a", f"j{n}b"] for n in range(20)], True),
        ([["j1", "j2"]] * 20, False),  # the same over and over are no jobs of one message
        ([["j1", "j2"]], False),  # too few to tell
    ],
)
def test_lists_of_jobs_of_which_none_is_there_twice_name_deliveries(
    jobs: list[list[str]], is_apart: bool
) -> None:
    rows = [{"id": n, "jobs": [{"job": one} for one in some]} for n, some in enumerate(jobs)]
    assert [one.name for one in apart_of(rows, None)] == (["job"] if is_apart else [])


def test_a_document_of_one_line_is_not_read_whole_for_its_dates(tmp_path: Path) -> None:
    listed = ",".join(f'{{"id": "q-{n}", "at": "2024-12-31T23:00:00Z"}}' for n in range(60_000))
    names = [
        _copied(tmp_path, "sys.log", *SYSLOG * 3),
        _copied(tmp_path, "all.json", f"[{listed}]"),
    ]
    tracemalloc.start()
    sources = near_one_another(sources_of(names[:1])[0] + [Source(names[1], "json")])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < len(listed)
    assert sources[0].near is not None
    assert sources[0].near.year == 2024
