"""The page of an investigation: what its plots say, and that nothing of it is out of reach."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from homing.forensics.page import _lane, _rivals
from homing.forensics.plots import interval_width, length_text, lifts, rate_over_time

BEGIN = datetime(2026, 11, 9, tzinfo=UTC)


def at(hours: float) -> str:
    return (BEGIN + timedelta(hours=hours)).isoformat()


def windows() -> list[dict[str, Any]]:
    return [
        {"start": at(n), "accepted": 1_000, "dropped": 10 if n >= 50 else 0} for n in range(100)
    ]


def since(low: float, high: float) -> dict[str, Any]:
    return {"at": at(high), "low": at(low), "high": at(high), "until": None, "is_change": True}


def feature(name: str) -> dict[str, Any]:
    return {"name": name, "coverage": 1.0, "risk": 0.5, "low": 0.4, "high": 0.6, "lift": 100.0}


def test_deliveries_and_their_rate_have_a_panel_and_an_axis_each() -> None:
    plot = rate_over_time(windows(), since(45, 50))
    assert "deliveries accepted per 2 h" in plot
    assert "share of them that was dropped, with its 95% interval" in plot
    bars = [float(y) for y in re.findall(r'class="bar"[^>]* y="([\d.]+)"', plot)]
    drops = [float(y) for y in re.findall(r'class="drop"[^>]* y="([\d.]+)"', plot)]
    assert bars
    assert drops
    assert max(bars) < min(drops)  # one panel above the other


def test_bars_begin_at_full_hours_and_marks_stand_at_midnights() -> None:
    odd = [one | {"start": at(1.7 * n)} for n, one in enumerate(windows()[:94])]
    plot = rate_over_time(odd, since(45, 50))
    assert "deliveries accepted per 2 h" in plot
    # a window across the edge of two bars is shared out between them: a steady flow looks steady
    heights = [float(one) for one in re.findall(r'class="bar"[^>]* height="([\d.]+)"', plot)]
    assert max(heights[1:-1]) - min(heights[1:-1]) < 1
    marks = re.findall(r'text-anchor="\w+"(?: class="aside")?>(\d[^<]*Nov[^<]*)<', plot)
    assert marks == ["9 Nov UTC", *(f"{day} Nov" for day in range(10, 16))]


def test_the_interval_of_the_beginning_is_as_wide_as_it_is() -> None:
    wide = interval_width(windows(), since(45, 50))
    assert 40 < wide < 43
    shown = re.search(
        r'class="span"[^>]* width="([\d.]+)"', rate_over_time(windows(), since(45, 50))
    )
    assert shown is not None
    assert abs(float(shown[1]) - wide) < 1
    assert interval_width(windows(), since(49.9, 50)) < 1


def test_a_constant_rate_has_no_line() -> None:
    assert "edge" not in rate_over_time(windows(), None)
    assert "edge" not in rate_over_time(windows(), since(0, 0) | {"is_change": False})


def test_the_name_of_a_suspect_is_never_cut() -> None:
    name = "the response came after the lease had run out, and " * 4 + "it was taken twice"
    lines = re.findall(r'class="ink"[^>]*>([^<]*)<', lifts([feature(name), feature("short")]))
    assert " ".join(lines) == f"{name} short"
    assert len(lines) == 4
    narrow = lifts([feature(name), feature("short")], is_narrow=True)
    lines = re.findall(r'class="ink"[^>]*>([^<]*)<', narrow)
    assert " ".join(lines) == f"{name} short"
    assert max(map(len, lines)) <= 47
    assert 'viewBox="0 0 340 ' in narrow, "a telephone shows it whole, with letters to be read"


def test_a_length_of_time_is_in_a_unit_that_fits() -> None:
    lengths = [45, 720, 6_840, 86_400 * 3]
    assert [*map(length_text, lengths)] == ["45 s", "12 min", "1.9 h", "3 d"]


def test_a_lane_says_in_words_what_crossed_and_has_no_column_that_is_empty() -> None:
    row = {"lane": "a", "what": "claimed", "state": "x", "is_crossing": False, "after_s": 0.1}
    one: dict[str, Any] = {
        "delivery": "d", "accepted_at": at(1), "crossings": ["two_holders"],
        "crossed": ["two workers held it at once"], "rows": [row | {"epoch": "", "line": 3}],
    }  # fmt: skip
    told = _lane(one, "dropped")
    assert "dropped: two workers held it at once" in told
    assert "epoch" not in told
    one["rows"][0]["epoch"] = "7"
    assert ">epoch</th>" in _lane(one, "dropped")


def test_what_tells_two_mechanisms_apart_is_a_sentence() -> None:
    rival = {
        "mechanism": "D5", "name": "called delivered without success", "excluded": "yes",
        "why": "told apart by worker: whether the same worker wrote", "figure": "0 of 9 are",
    }  # fmt: skip
    told = _rivals({"candidates": [], "rivals": [rival]})
    assert "what tells the two apart in this log: worker: whether the same worker wrote" in told
