"""What people and programs read: log lines, tables, moments, the audit's verdict."""

from __future__ import annotations

import io
import json
import logging
import os
import re

import click
import pytest
from rich.console import Console

from homing.cli.audit import report_document, verdict
from homing.cli.logs import JsonFormatter, TextFormatter
from homing.cli.moments import iso_moment, moment
from homing.cli.output import Patient, clock_text, print_table, state_text, time_text
from homing.cli.table_layout import widths
from homing.core.identifiers import DeliveryId
from homing.core.queries import LedgerRow, Misfit
from homing.insight.ledger import report


def record(**extra: object) -> logging.LogRecord:
    made = logging.makeLogRecord(
        {
            "name": "homing.x",
            "levelname": "WARNING",
            "msg": "it took %d s",
            "args": (3,),
            "created": 0,
        }
    )
    vars(made).update(extra)
    return made


def test_a_text_line_ends_with_its_fields() -> None:
    line = TextFormatter().format(record(endpoint="ep_1"))
    assert line == "1970-01-01T00:00:00.000Z warning homing.x: it took 3 s (endpoint=ep_1)"


def test_a_json_line_has_its_fields_as_keys() -> None:
    line = json.loads(JsonFormatter().format(record(endpoint="ep_1", of=object())))
    assert (line["message"], line["endpoint"], line["level"]) == ("it took 3 s", "ep_1", "warning")


def test_a_json_line_keeps_the_traceback_in_one_line() -> None:
    try:
        raise ValueError("x")
    except ValueError as error:
        made = record(exc_info=(ValueError, error, error.__traceback__))
    text = JsonFormatter().format(made)
    assert "\n" not in text
    assert "ValueError: x" in json.loads(text)["traceback"]


@pytest.mark.parametrize(
    ("text", "at_us"),
    [
        ("1970-01-02T00:00Z", 86_400_000_000),
        ("1970-01-02", 86_400_000_000),
        ("1970-01-01T01:00:00+01:00", 0),
    ],
)
def test_a_moment_is_iso_8601(text: str, at_us: int) -> None:
    assert moment(text) == at_us


def test_a_moment_may_be_how_long_ago() -> None:
    assert moment("1h") - moment("2h") == pytest.approx(3_600e6, abs=1e6)


@pytest.mark.parametrize("text", ["", "soon", "5", "h", "5y", "2026-13-01", "9999999999w"])
def test_anything_else_is_no_moment(text: str) -> None:
    with pytest.raises(click.BadParameter, match="expected a time"):
        moment(text)


def test_the_api_is_given_a_moment_with_its_zone() -> None:
    assert iso_moment("2026-11-23") == "2026-11-23T00:00:00+00:00"
    assert re.fullmatch(r"[-0-9]{10}T[:0-9]{8}\+00:00", iso_moment("2h"))


def test_times_are_utc_and_sortable() -> None:
    assert time_text(1_000_000) == "1970-01-01T00:00:01Z"
    assert time_text(None) == ""
    assert clock_text(3_723_004_000) == "01:02:03.004"


def test_a_wide_table_fits_into_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    print_table(("id", "url", "ms#"), [("ep_" + "x" * 27, "https://" + "y" * 90, "12")])
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) <= 80


FIRED = (
    ("alert", "by", "severity", "would have fired", "after#", "why"),
    (
        *("HomingDeliveriesUnaccounted", "max(homing_unaccounted) > 0", "page"),
        *("2026-11-10T10:24:00Z", "42 s", "1 delivery in no column of the books"),
    ),
)


@pytest.mark.parametrize("columns", ["60", "80", "100", "120", "160"])
def test_names_and_times_of_a_table_are_never_broken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    print_table(FIRED[0], [FIRED[1], FIRED[1]])
    out = capsys.readouterr().out
    assert max(len(line) for line in out.splitlines()) <= int(columns)
    for cell in FIRED[1]:
        for word in cell.split():
            assert word in out
    assert out.count("HomingDeliveriesUnaccounted") == 2


def test_a_screen_too_narrow_for_a_table_has_a_line_for_each_cell(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    print_table(FIRED[0], [FIRED[1]])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "alert             HomingDeliveriesUnaccounted"
    assert lines[4] == "after             42 s"


def test_what_is_left_of_the_screen_is_shared_by_the_columns_that_need_it() -> None:
    rows = [["a", "b"], ["x" * 10, " ".join(["word"] * 20)]]
    assert widths(rows, 200) == [10, 99]
    assert widths(rows, 40) == [10, 28]
    assert widths(rows, 15) is None
    assert widths([["at stake"], ["12 h"]], 8, numbers=[0]) == [8]
    assert widths([["at stake"], ["12 h"]], 5, numbers=[0]) == [5]
    assert widths([["at stake"], ["12 hours"]], 5, numbers=[0]) is None
    assert widths([["url"], ["https://example.com/a/long/way"]], 26) == [26]


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, coloured in (("FORCE_COLOR", True), ("NO_COLOR", False)):
        monkeypatch.setenv(name, "1")
        out = io.StringIO()
        Console(file=out).print(state_text("dead"))
        assert ("\x1b[" in out.getvalue() and "31m" in out.getvalue()) is coloured


def _report(*, delivered: int, misfits: tuple[Misfit, ...] = ()) -> object:
    row = LedgerRow(
        endpoint_id="ep_1", app_id="app_1", window_at_us=0, accepted=3, delivered=delivered, dead=1
    )
    return report([row], misfits, at_us=0, since_us=None, until_us=1)


def test_a_balanced_ledger_is_one_line() -> None:
    assert verdict(_report(delivered=2)).plain == "balanced: 3 accepted = 2 delivered + 1 dead"  # type: ignore[arg-type]


def test_an_unbalanced_ledger_says_how_many_are_missing_and_names_them() -> None:
    lost = Misfit(delivery=DeliveryId("msg_1", "ep_1"), kind="unaccounted")
    found = _report(delivered=1, misfits=(lost,))
    assert verdict(found).plain.startswith("1 unaccounted for: 3 accepted ≠")  # type: ignore[arg-type]
    document = report_document(found)  # type: ignore[arg-type]
    assert (document["balanced"], document["unaccounted"]) == (False, 1)
    assert document["misfits"] == [{"delivery": "msg_1.ep_1", "kind": "unaccounted"}]


def test_what_nobody_reads_any_more_goes_nowhere_and_stops_nothing() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        out = Patient(stream)
        for _ in range(3):
            assert out.write("what was found\n" * 10_000) > 0
            out.flush()
        assert not out.isatty()
