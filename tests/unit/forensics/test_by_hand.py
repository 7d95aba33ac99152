"""A mapping that is guessed wrong, or not at all, can be mended by hand; doubts are said."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.cli.investigate import investigate as command
from homing.cli.investigate_report import report
from homing.core.errors import ConfigError
from homing.forensics.operations import Op
from homing.forensics.reading.guessing import Unmapped, guess
from homing.forensics.reading.mapping import many_to_toml, parse, to_toml
from homing.forensics.reading.sentences import NO_YEAR, sentence, stamped
from homing.forensics.reading.sources import look_at
from homing.forensics.reading.years import with_year
from homing.forensics.vocabulary import meaning, normal


def explain(path: Path, *more: str) -> str:
    result = CliRunner().invoke(command, [str(path), "--explain-mapping", *more])
    assert result.exit_code == 0, result.exception
    return result.stdout


def strange(folder: Path) -> Path:
    """A log that no name of a column helps with."""
    path = folder / "log.jsonl"
    with path.open("w") as file:
        for n in range(90):
            row = {
                "alpha": f"{n // 3 * 48_271 % 1_009}",
                "beta": 1_780_000_000 + n,
                "gamma": ("in", "go", "fin")[n % 3],
            }
            file.write(json.dumps(row) + "\n")
    return path


def test_where_nothing_can_be_guessed_a_mapping_to_fill_in_is_printed(tmp_path: Path) -> None:
    path = strange(tmp_path)
    text = explain(path)
    assert '# delivery = "..."' in text
    assert '"alpha"' in text
    filled = text.replace('# delivery = "..."', 'delivery = "alpha"').replace(
        '# at = "..."', 'op = "gamma"\nat = { column = "beta", unit = "s" }'
    )
    filled += '"in" = "accepted"\n"go" = "claimed"\n"fin" = "delivered"\n'
    (tmp_path / "mapping.toml").write_text(filled)
    again = explain(path, "--mapping", str(tmp_path / "mapping.toml"))
    assert '"fin" = "succeeded"' in again


def test_the_error_says_how_to_get_there(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, [str(strange(tmp_path))])
    assert isinstance(result.exception, Unmapped)
    assert "--explain-mapping > mapping.toml" in str(result.exception)


def test_a_mapping_of_several_files_is_one_file(tmp_path: Path) -> None:
    one = to_toml(parse('[columns]\ndelivery = "id"\nat = { column = ["a", "b"] }\n'))
    other = to_toml(parse('[columns]\ndelivery = "d"\nat = "t"\nop = { value = "dead" }\n'))
    both = parse(many_to_toml({"a.csv": one, "b.csv": other}))
    first, second = both.of_file("logs/a.csv"), both.of_file("logs/b.csv")
    assert first is not None
    assert second is not None
    assert (first.columns["at"].path, first.columns["at"].others) == ("a", ("b",))
    assert second.columns["op"].value == "dead"
    assert both.of_file("logs/c.csv") is None


@pytest.mark.parametrize("zone", ["Nowhere/City", "+02:00x"])
def test_a_zone_that_is_none_is_named(zone: str) -> None:
    with pytest.raises(ConfigError, match="expected a name such as Europe/Berlin"):
        parse(f'[columns]\ndelivery = "d"\nat = {{ column = "t", zone = "{zone}" }}\n')


def test_a_zone_moves_times_that_name_none(tmp_path: Path) -> None:
    path, mapping = tmp_path / "log.jsonl", tmp_path / "mapping.toml"
    path.write_text(
        '{"d": "1", "t": "2026-07-01 12:00:00"}\n{"d": "2", "t": "2026-07-01T12:00:00Z"}\n'
    )
    mapping.write_text(
        '[columns]\ndelivery = "d"\nat = { column = "t", unit = "iso", zone = "Europe/Berlin" }\n'
    )
    result = CliRunner().invoke(command, [str(path), "--mapping", str(mapping), "--json"])
    log = json.loads(result.stdout)["log"]
    assert (log["from"], log["to"]) == ("2026-07-01T10:00:00.000Z", "2026-07-01T12:00:00.000Z")


def test_days_that_may_be_months_are_doubted() -> None:
    rows = [
        {"delivery_id": n // 2, "at": f"03/04/2026 10:00:{n:02}", "event": "sent"}
        for n in range(40)
    ]
    assert any("may be day/month or month/day" in doubt for doubt in guess(rows).doubts)


def test_a_doubt_shows_the_columns_to_edit() -> None:
    document = {
        "log": {"doubts": ["?"], "columns": {"a.csv": {"at": {"path": "t", "unit": "iso"}}}},
        "dropped": 0, "books": {}, "accepted": 1, "rows": 1, "damaged_rows": 0, "summary": "",
        "cannot_tell": [], "next": "", "verdict": "no drop",
        "hypothesis": {"rivals": [], "candidates": []},
    }  # fmt: skip
    document["log"] |= {"from": "", "to": ""}  # type: ignore[operator]
    text = "\n".join(line.plain for line in report(document, saved=None, width=100))
    assert 'at = { column = "t", unit = "iso" }' in text
    assert "--explain-mapping > mapping.toml" in text


def test_words_of_other_tongues_are_folded() -> None:
    assert (normal("Nächster Versuch"), normal("Événement")) == ("naechster_versuch", "evenement")
    assert meaning("Échec de l'envoi").op is Op.FAILED
    assert meaning("recheck scheduled").op is not Op.FAILED


@pytest.mark.parametrize(
    ("word", "op"),
    [
        ("attempt finished", Op.ATTEMPTED),
        ("push to queue failed", Op.NOT_QUEUED),
        ("could not insert dead letter", Op.DEAD_FAILED),
        ("could not build retry record", Op.NOTED),
        ("lease extended", Op.NOTED),
        ("idempotency record INPROGRESS, returning", Op.SKIPPED),
        ("No active endpoint for event", Op.DISCARDED),
        ("Claimed outbox row", Op.CLAIMED),
        ("maxReceiveCount reached", Op.EXHAUSTED),
        ("giving up on delivery", Op.DEAD),
    ],
)
def test_sentences_are_understood(word: str, op: Op) -> None:
    assert meaning(word).op is op


def test_a_sentence_names_what_it_is_about() -> None:
    found = sentence("INFO [w-1] a.b.C - retrying job #4711 (attempt 2/5) in 1.5m: HTTP 503")
    assert (found["delivery"], found["attempt"], found["retry_in_s"]) == ("4711", "2", "90")
    assert (found["status"], found["thread"], found["level"]) == ("503", "w-1", "INFO")


def test_a_time_without_a_year_is_not_after_the_file() -> None:
    stamp = stamped("Dec 31 23:59:59 host program[1]: hello")
    assert stamp is not None
    assert stamp.iso.startswith(NO_YEAR)
    assert with_year(stamp.iso, datetime(2027, 1, 2, tzinfo=UTC)) == "2026-12-31T23:59:59"


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("[2026-11-09 01:00:01,123: INFO/W-1] Task x[1] received\n", "text"),
        ("2026-11-09 01:00:01,200,abc\n2026-11-09 01:00:02,503,abd\n", "csv"),
        ('id,at,error\n4100,2026-11-09 01:00:01,"a, b, c"\n4101,2026-11-09 01:00:02,d\n', "csv"),
        ("time,status,id\n2026-11-09 01:00:01,200,abc\n2026-11-09 01:00:02,503,abd\n", "csv"),
        ("ts=2026-11-09T01:00:01Z id=1 msg=sent\n", "logfmt"),
    ],
)
def test_the_form_of_a_file_is_seen(text: str, form: str, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(text * 3 if form == "text" else text)
    assert look_at(str(path)).form == form


def test_a_row_of_nothing_is_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    rows = [
        f"{n // 2},2026-07-01 12:{n % 60:02}:00,{n}.5,{('taken', 'done')[n % 2]}"
        for n in range(300)
    ]
    rows[100] = "\0\0,\0\0,\0\0,\0"
    path.write_text("\n".join(["job_id,at,size,event", *rows]) + "\n")
    result = CliRunner().invoke(command, [str(path), "--json"])
    assert result.exit_code in (0, 1), result.exception
