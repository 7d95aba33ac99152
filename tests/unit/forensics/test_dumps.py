"""Dumps of a database: their tables are read as files of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.core.errors import ConfigError
from homing.forensics.explaining import explain
from homing.forensics.investigation import Findings, investigate
from homing.forensics.judging import Verdict
from homing.forensics.operations import Op
from homing.forensics.options import Options
from homing.forensics.reading.columns import is_of_cursor
from homing.forensics.reading.dumps import dump_rows, is_dump, tables_of
from homing.forensics.reading.mapping import parse
from homing.forensics.reading.sources import Unreadable, sources_of
from homing.forensics.row_letters import row_letters

MYSQL = """-- MySQL dump 10.13
CREATE TABLE `jobs` (
  `id` int NOT NULL,
  `what` varchar(64) DEFAULT 'a,b',
  `took` decimal(6,2) DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `by_what` (`what`)
) ENGINE=InnoDB;
LOCK TABLES `jobs` WRITE;
INSERT INTO `jobs` VALUES (1,'it\\'s \\n one',2.50),(2,NULL,-3),
(3,'(4,''x'',1)',NULL);
INSERT INTO `none` VALUES (7,'no columns are told');
UNLOCK TABLES;
"""
POSTGRES = """--
-- PostgreSQL database dump
--
SET client_encoding = 'UTF8';
CREATE TABLE public.jobs (
    id bigint NOT NULL,
    what text,
    done boolean
);
COPY public.jobs (id, what, done) FROM stdin;
1\ta\\tb\tt
2\t\\N\tf
\\.
INSERT INTO public.other ("id", "at") VALUES (5, '2026-01-02 03:04:05'::timestamp);
INSERT INTO public.other ("id", "at") VALUES (6, 'C:\\');
"""


def rows_of(text: str) -> list[tuple[int, str, Any]]:
    return [(one.line, one.table, one.row) for one in dump_rows(text.splitlines(keepends=True))]


def test_what_mysqldump_writes() -> None:
    assert is_dump(MYSQL)
    assert rows_of(MYSQL) == [
        (10, "jobs", {"id": 1, "what": "it's \n one", "took": 2.5}),
        (10, "jobs", {"id": 2, "what": None, "took": -3}),
        (11, "jobs", {"id": 3, "what": "(4,'x',1)", "took": None}),
        (12, "none", {"column1": 7, "column2": "no columns are told"}),
    ]


def test_what_pg_dump_writes() -> None:
    assert is_dump(POSTGRES)
    assert rows_of(POSTGRES) == [
        (11, "jobs", {"id": "1", "what": "a\tb", "done": "t"}),
        (12, "jobs", {"id": "2", "what": None, "done": "f"}),
        (14, "other", {"id": 5, "at": "2026-01-02 03:04:05"}),
        (15, "other", {"id": 6, "at": "C:\\"}),
    ]


@pytest.mark.parametrize("text", [MYSQL, POSTGRES])
def test_the_rows_of_one_table_are_those_that_it_has_among_all(text: str) -> None:
    lines = text.splitlines(keepends=True)
    assert tables_of(lines) == list(dict.fromkeys(table for _, table, _ in rows_of(text)))
    for table in tables_of(lines):
        alone = [(one.line, one.table, one.row) for one in dump_rows(lines, table)]
        assert alone == [one for one in rows_of(text) if one[1] == table]


def test_a_table_without_rows_is_not_listed() -> None:
    assert tables_of(["COPY a (b) FROM stdin;\n", "\\.\n", "COPY c (d) FROM stdin;\n", "1\n"]) == [
        "c"
    ]


def test_what_sqlite_writes(tmp_path: Path) -> None:
    made = (
        "import sqlite3; db = sqlite3.connect(':memory:'); "
        "db.execute('CREATE TABLE \"a b\"(n INTEGER, t TEXT, CHECK (n > 0))'); "
        'db.execute(\'INSERT INTO "a b" VALUES (1, ?)\', ("it\'s; (so)\\nit is",)); '
        "print('\\n'.join(db.iterdump()))"
    )
    text = subprocess.run(
        [sys.executable, "-c", made], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert is_dump(text)
    assert [row for _, _, row in rows_of(text)] == [{"n": 1, "t": "it's; (so)\nit is"}]


def test_a_row_that_is_none_is_damaged_and_the_next_statement_begins_anew() -> None:
    text = (
        "CREATE TABLE jobs (id int, what text);\n"
        "INSERT INTO jobs VALUES (1, 'never closed),\n(2, 'x');\n"
        "INSERT INTO jobs VALUES (3, 'y', 4);\n"
        "INSERT INTO jobs VALUES (5, 'z');\n"
    )
    found = list(dump_rows(text.splitlines(keepends=True)))
    assert [(one.line, one.row, bool(one.problem)) for one in found] == [
        (2, None, True),
        (4, None, True),
        (5, {"id": 5, "what": "z"}, False),
    ]
    assert "columns" in found[1].problem


@pytest.mark.parametrize(
    "text", ['{"a": 1}\n', "a,b\n1,2\n", "2026-01-01 INSERT INTO jobs failed\n"]
)
def test_what_is_no_dump(text: str) -> None:
    assert not is_dump(text)


def test_letters_of_rows_are_known_by_their_company() -> None:
    found = row_letters(["I", "U", "D"])
    assert [found[one].op for one in "IUD"] == [Op.ACCEPTED, Op.WRITTEN, Op.PURGED]
    assert not row_letters(["I", "D"])  # levels, INFO and DEBUG
    assert not row_letters(["I", "U", "X"])


@pytest.mark.parametrize("name", ["last_id", "max_seq", "cursor", "outbox.watermark", "up_to_id"])
def test_how_far_somebody_has_read_names_nothing(name: str) -> None:
    assert is_of_cursor(name)
    assert not any(map(is_of_cursor, ("delivery_id", "id", "last_error", "startup_id")))


def dump_of(rows: Iterable[tuple[Any, ...]], runs: int) -> str:
    """A history of an outbox, and the runs of the job that reads it."""

    def value(one: Any) -> str:
        return "NULL" if one is None else f"'{one}'" if isinstance(one, str) else str(one)

    columns = "hist_id op id endpoint_id status attempts locked_by next_at error created updated"
    names = {"next_at": "next_attempt_at", "error": "last_error"}
    names |= {"created": "created_at", "updated": "updated_at"}
    made = ",\n".join(f"  `{names.get(c, c)}` varchar(64)" for c in columns.split())
    lines = ",\n".join("(" + ",".join(map(value, row)) + ")" for row in rows)
    ran = ",\n".join(f"({value(at_of(60 * n))},'dispatch',{4_000 + n})" for n in range(runs))
    return (
        f"-- MySQL dump\nCREATE TABLE `outbox_history` (\n{made}\n) ENGINE=InnoDB;\n"
        f"INSERT INTO `outbox_history` VALUES\n{lines};\n"
        "CREATE TABLE `job_runs` (\n  `ran_at` datetime,\n  `job` text,\n  `last_id` bigint\n);\n"
        f"INSERT INTO `job_runs` VALUES\n{ran};\n"
    )


def at_of(seconds: float) -> str:
    return datetime.fromtimestamp(1_780_000_000 + seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def history(count: int, lost: int) -> Iterable[tuple[Any, ...]]:
    """Of deliveries, each tenth fails once; the first of these keep their lock, and wait on."""
    number, kept = 0, 0
    for n in range(count):
        begun, name, fails = 60.0 * n, 4_000 + n, n % 10 == 3
        steps: list[tuple[str, str, int, str | None, float | None, str | None, float]] = [
            ("I", "PENDING", 0, None, 0, None, 0),
            ("U", "IN_PROGRESS", 0, "w-1", None, None, 2),
        ]
        if fails:
            is_kept = kept < lost
            kept += is_kept
            steps.append(("U", "RETRY", 1, "w-1" if is_kept else None, 60, "HTTP 503", 3))
            if n % 100 == 93:  # and the last of each hundred is deleted before its retry
                steps.append(("D", "RETRY", 1, None, 60, None, 40))
                is_kept = True
        if fails and not is_kept:
            steps.append(("U", "IN_PROGRESS", 1, "w-2", None, None, 64))
        if not fails or not is_kept:
            steps.append(("U", "SENT", 1 + fails, None, None, None, 66))
        for op, status, attempts, who, due, error, after in steps:
            number += 1
            next_at = None if due is None else at_of(begun + due)
            yield (
                *(number, op, name, n % 4, status, attempts, who, next_at, error),
                *(at_of(begun), at_of(begun + after)),
            )


def found_in(folder: Path, text: str) -> Findings:
    path = folder / "hooks.sql"
    path.write_text(text)
    return investigate([str(path)], Options(folder=str(folder)))


def test_a_history_of_rows_in_a_dump_is_a_log(tmp_path: Path) -> None:
    findings = found_in(tmp_path, dump_of(history(400, 12), 300))
    assert findings.accepted == 400
    assert findings.books[Verdict.DROPPED] == 15
    assert findings.whys["purged"] == 4
    assert findings.hypothesis.mechanism == "D1"
    assert [Path(one).name for one in findings.raw.nameless] == ["hooks.sql:job_runs"]
    # each row is dated by when it was changed, and not by when its delivery was created
    steps = findings.examples[0].steps
    assert steps[-1].at_us - steps[0].at_us == 3_000_000


def test_a_dump_without_rows_says_so(tmp_path: Path) -> None:
    path = tmp_path / "empty.sql"
    path.write_text("-- MySQL dump\nCREATE TABLE a (id int);\n")
    with pytest.raises(Unreadable, match="expected rows of tables in this dump; it has none"):
        sources_of([str(path)])


def test_the_printed_mapping_of_a_dump_leaves_out_what_was_left_out(tmp_path: Path) -> None:
    text = dump_of(history(400, 12), 300)
    first = found_in(tmp_path, text)
    [(_, printed)] = explain([str(tmp_path / "hooks.sql")], Options(folder=str(tmp_path)))
    options = Options(folder=str(tmp_path), mapping=parse(printed))
    again = investigate([str(tmp_path / "hooks.sql")], options)
    assert (again.books, again.raw.nameless) == (first.books, first.raw.nameless)
    nothing = Options(folder=str(tmp_path), mapping=parse('layout = "none"'))
    with pytest.raises(ConfigError, match="expected a file that is read"):
        investigate([str(tmp_path / "hooks.sql")], nothing)


def test_a_dump_that_is_cut_off_in_a_row_says_so(tmp_path: Path) -> None:
    whole = dump_of(history(400, 0), 300)
    lines = whole.partition("CREATE TABLE `job_runs`")[0].rstrip().rstrip(";")
    findings = found_in(tmp_path, lines[:-30])
    assert findings.raw.damage.count == 1
    assert (findings.dropped, findings.doubt.hiding) == (4, 1)  # those that were deleted


def test_tables_of_other_things_may_be_of_any_size(tmp_path: Path) -> None:
    rows = ",\n".join(f"({n},{n * n % 7919},'pia-{n}')" for n in range(5_000))
    users = (
        f"CREATE TABLE users (age int, size int, called text);\nINSERT INTO users VALUES\n{rows};\n"
    )
    findings = found_in(tmp_path, users + dump_of(history(200, 6), 10))
    assert (findings.accepted, findings.dropped) == (200, 8)
    assert "hooks.sql:users" in {Path(one).name for one in findings.raw.nameless}
