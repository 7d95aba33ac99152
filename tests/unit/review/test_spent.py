"""Whose failures spent the budgets of a running service, each figure with its source."""

from __future__ import annotations

import re
from typing import Any

from homing.review.check import check
from homing.review.incident import Incident, Result
from homing.review.markdown import markdown
from homing.review.results import condensed
from homing.review.sections import review


def report(name: str, *bad: tuple[str, str, int, bool]) -> dict[str, Any]:
    by_owner = [{"owner": o, "rule": r, "count": n, "counts": c} for o, r, n, c in bad]
    return {
        "objective": {"name": name, "target": "0.999", "targetText": "99.9%"},
        "at": "2026-11-24T09:00:00Z",
        "since": "2026-10-25T09:00:00Z",
        "good": 19_960,
        "bad": sum(n for _, _, n, counts in bad if counts),
        "byOwner": by_owner,
        "leftText": "overspent",
        "unaccounted": None,
        "examples": ["left out"],
    }


def page_of(*reports: dict[str, Any]) -> str:
    values = condensed("slo", {"reports": [*reports, {"unaccounted": 3}]})
    result = Result(step="slo", command="homing slo report", at_us=0, by="bo", values=values)
    incident = Incident(
        id="", scope="", title="refusals", created_at_us=0, updated_at_us=0,
        results={"objectives": result},
    )  # fmt: skip
    text = markdown(review(incident, "i.json"))
    assert not check(text)
    return text


def test_each_owner_has_its_share_of_the_budget() -> None:
    text = page_of(
        report("delivered", ("platform", "lost", 40, True), ("receiver", "status_5xx", 900, False))
    )
    section = text.partition("## Budget spent, by owner")[2].partition("\n## ")[0]
    # 0.1% of 20,000 is 20: 40 are twice the budget
    assert "[200%]" in section
    assert "platform" in section
    assert "[20,000]" in section
    assert "not counted against it" in section
    assert "homing slo report" in section


def test_what_is_not_counted_is_a_part_of_all_even_if_there_was_nothing_else() -> None:
    alone = report("delivered", ("receiver", "status", 3, False)) | {"good": 0, "bad": 0}
    text = page_of(alone)  # which asks that no zero stands for a whole
    assert re.search(r"\[3\]\([^)]*\) of \[3\]", text), text
    both = report("delivered", ("platform", "lost", 40, True), ("receiver", "status", 900, False))
    assert re.search(r"\[900\]\([^)]*\) of \[20,900\]", page_of(both))


def test_that_there_was_no_bad_event_is_said() -> None:
    assert "had no bad event at" in page_of(report("delivered"))
