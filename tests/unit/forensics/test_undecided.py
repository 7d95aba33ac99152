"""Where a log lacks what tells two mechanisms apart, neither is named; where it has it, one is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.cli.investigate_report import report
from homing.forensics.document import document
from homing.forensics.investigation import investigate
from homing.forensics.options import Options
from homing.forensics.page import page
from homing.lab.incidents import write_incident

#: used for tuning
SEED = 31


def findings(name: str, fields: str, folder: Path) -> dict[str, Any]:
    log = folder / "log.jsonl"
    write_incident(name, seed=SEED, size=1_500, fields=fields, form="jsonl", log=log)
    return document(investigate([str(log)], Options(folder=str(folder))))


@pytest.mark.parametrize(
    ("name", "between", "lacking"),
    [
        ("passed-by", {"D3", "D4", "D12"}, "commit time"),
        ("at-most-once", {"D1", "D8"}, "line for a worker's turn"),
    ],
)
def test_a_thin_log_is_said_to_be_undecidable(
    name: str, between: set[str], lacking: str, tmp_path: Path
) -> None:
    one = findings(name, "camel/thin", tmp_path)["hypothesis"]
    assert one["mechanism"] is None
    assert {each["mechanism"] for each in one["candidates"]} == between
    assert one["sentence"].startswith("cannot tell D")
    assert f"the log has no {lacking}" in one["sentence"]
    assert all(each["skeleton"]["steps"] for each in one["candidates"])


@pytest.mark.parametrize(
    ("name", "fields", "mechanism"),
    [
        ("passed-by", "service/usual", "D12"),  # with its commit time
        ("at-most-once", "service/usual", "D8"),  # with the lines of workers' turns
        ("unread-retries", "camel/thin", "D1"),  # a state after which nothing ever went on
        ("forgotten-tail", "camel/thin", "D1"),  # a number of attempts after which nothing did
    ],
)
def test_a_log_that_shows_it_is_decided(
    name: str, fields: str, mechanism: str, tmp_path: Path
) -> None:
    one = findings(name, fields, tmp_path)["hypothesis"]
    assert one["mechanism"] == mechanism
    assert one["candidates"] == []


def test_the_report_and_the_page_say_so(tmp_path: Path) -> None:
    found = findings("passed-by", "camel/thin", tmp_path)
    text = "\n".join(line.plain for line in report(found, saved=None, width=100))
    assert "suspect  cannot tell D3 (stored but never queued) from D" in text
    assert "or       D12 passed by the poller's cursor: the poller's cursor moves past rows" in text
    html = page(found)
    assert "Suspect mechanism: undecided" in html
    assert "D12 passed by the poller" in html
    boxes = html.count('<div class="scroll')
    assert html.count('tabindex="0" role="region" aria-label="') == boxes
    # the plot of the suspects fits any width, and needs none
    assert html.count("<table>") + html.count("<svg") - 1 == boxes
    assert "grey" not in html
