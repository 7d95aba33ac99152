"""Files as they are found: damaged, packed, of other forms; and what is said about them."""

from __future__ import annotations

import csv
import gzip
import json
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.delivery_logs import Service, full, minimal

pytest.importorskip("ibis")


from homing.cli.investigate import investigate as command
from homing.cli.verify import verify
from homing.core.errors import ConfigError
from homing.forensics.reading.mapping import parse, shipped, to_toml
from homing.forensics.reading.sources import Unreadable, look_at


def run(*arguments: str) -> tuple[int, str, BaseException | None]:
    result = CliRunner().invoke(command, list(arguments))
    return result.exit_code, result.stdout, result.exception


def test_damaged_lines_are_counted_and_named(tmp_path: Path) -> None:
    lines = full(Service(None, 1, deliveries=300).run())[1].splitlines()
    lines[10] = '{"broken": '
    lines[40] = "garbage"
    path = tmp_path / "log.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    _, text, _ = run(str(path), "--json")
    found = json.loads(text)
    assert found["damaged_rows"] == 2
    assert ["line 11:" in found["damaged"][0], "line 41:" in found["damaged"][1]] == [True, True]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", b"", "the file is empty"),
        ("a.txt", b"hello world\n", "line 1: expected JSON lines"),
        ("a.jsonl", b"\0\1\2\3", "binary data"),
    ],
)
def test_what_is_no_log_is_refused_with_its_line(
    name: str, content: bytes, says: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(Unreadable, match=says):
        look_at(str(path))


def test_a_mapping_can_be_printed_edited_and_used(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(minimal(Service("D4", 1, deliveries=600).run())[1])
    code, text, _ = run(str(path), "--explain-mapping")
    assert code == 0
    (tmp_path / "mapping.toml").write_text(text)
    code, text, _ = run(str(path), "--mapping", str(tmp_path / "mapping.toml"), "--json")
    assert code == 1
    assert json.loads(text)["log"]["mappings"] == {str(path): "declared"}


def test_a_mapping_that_is_given_back_as_it_was_printed_finds_the_same(tmp_path: Path) -> None:
    """What a word came to in most lines is not what it says in each: some have no answer."""
    rows = []
    for n in range(300):
        own = {"delivery_id": f"dlv_{n:05x}"}
        rows.append({"time": 1_780_000_000 + 60 * n, "event": "event accepted", **own})
        for attempt in range(1, 2 + (n % 9 == 4)):
            at = 1_780_000_000 + 60 * n + 20 * attempt
            about = {"attempt": attempt, **own}
            rows.append({"time": at, "event": "attempt started", **about})
            is_bad = n % 9 == 4 and (attempt == 1 or n % 90 == 4)
            told = {"error": "connection reset by peer"} if is_bad else {"status": 200}
            rows.append({"time": at + 1, "event": "attempt finished", **about, **told})
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    _, printed, _ = run(str(path), "--explain-mapping")
    assert '# "attempt finished" = "succeeded"' in printed
    (tmp_path / "mapping.toml").write_text(printed)
    _, guessed, _ = run(str(path), "--json")
    _, declared, _ = run(str(path), "--mapping", str(tmp_path / "mapping.toml"), "--json")
    assert json.loads(declared)["books"] == json.loads(guessed)["books"]
    assert json.loads(declared)["books"]["dead"] == 4


def test_shipped_mappings_survive_being_printed() -> None:
    for name in ("homing", "svix-attempts", "stripe-events", "job-queue"):
        mapping = shipped(name)
        again = parse(to_toml(mapping))
        assert (again.columns, again.words, again.layout) == (
            mapping.columns,
            mapping.words,
            mapping.layout,
        )


def test_a_wrong_mapping_names_every_mistake() -> None:
    with pytest.raises(ConfigError) as caught:
        parse('layout = "rows"\n[columns]\nnonsense = "a"\n[words]\nx = "y"\n')
    assert len(caught.value.problems) == 3


def test_what_a_clean_log_says_to_do_next_works(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(full(Service(None, 1, deliveries=1_200).run())[1])
    code, text, _ = run(str(path))
    assert code == 0
    line = next(line for line in text.splitlines() if line.startswith("next"))
    words = shlex.split(line.partition("homing verify")[2].partition("(")[0])
    result = CliRunner().invoke(verify, words)
    assert "excludes" in result.stdout
    assert result.exit_code in (0, 1)


@pytest.mark.parametrize("form", ["jsonl", "jsonl.gz", "csv.gz", "parquet"])
def test_a_field_that_only_late_and_rare_rows_have_is_found(form: str, tmp_path: Path) -> None:
    """An endpoint is switched off on the third day; until then no row has a reason."""
    rows = [
        {"ts": f"2026-11-09T{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}Z", "delivery_id": f"d{n}"}
        | {"event": "accepted", "error": "timeout" if n % 100 == 0 else None, "reason": None}
        for n in range(30_000)
    ]
    for row in rows[20_000:]:
        row["reason"] = "endpoint_disabled"
    path = tmp_path / f"log.{form}"
    if form == "parquet":
        table = pytest.importorskip("pyarrow").Table.from_pylist(rows)
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(table, path, row_group_size=5_000)
    elif form == "csv.gz":
        with gzip.open(path, "wt", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    else:
        lines = "".join(
            json.dumps({k: v for k, v in row.items() if v is not None}) + "\n" for row in rows
        )
        path.write_bytes(gzip.compress(lines.encode()) if form.endswith("gz") else lines.encode())
    code, text, _ = run(str(path), "--explain-mapping")
    assert code == 0
    assert 'reason = "reason"' in text


@pytest.mark.parametrize(
    ("memory", "says"),
    [("20MB", "20MB of memory are too little"), ("banana", "expected a size such as 1400MB")],
)
def test_too_little_memory_is_a_sentence(memory: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(full(Service(None, 1, deliveries=3_000).run())[1])
    _, _, error = run(str(path), "--memory", memory)
    assert isinstance(error, Unreadable | ConfigError)
    assert says in str(error)


@pytest.mark.parametrize(("judged", "is_told"), [(2, False), (28, False), (29, True)])
def test_a_zero_of_few_deliveries_is_no_headline(
    tmp_path: Path, judged: int, *, is_told: bool
) -> None:
    rows = [
        f"d-{n},{1_780_000_000 + 100 * n + at},{event}"
        for n in range(judged + 1)
        for at, event in ((0, "accepted"), (1, "delivered"))
    ]
    path, page = tmp_path / "log.csv", tmp_path / "page.html"
    path.write_text("delivery_id,ts,event\n" + "\n".join(rows[:-1]) + "\n")
    code, text, _ = run(str(path), "--html", str(page))
    assert code == 0
    head = text.splitlines()[0]
    told = f"zero in {judged:,} excludes a rate" if is_told else "excludes only a rate of"
    assert head.startswith("no drop: " if is_told else "too short a log to tell: ")
    assert told in head
    assert ("Too short a log to tell: " in page.read_text()) is not is_told
    assert "1 delivery is too young to judge" in text
