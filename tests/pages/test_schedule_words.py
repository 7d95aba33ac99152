"""The page of a schedule: no word of its table is broken where there is room."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from playwright.async_api import Browser

from homing.sim.pages import document, table

_BROKEN = """() => [...document.querySelectorAll('td, th')].flatMap(cell => {
  const text = cell.firstChild;
  return text === null ? [] : [...text.data.matchAll(/[a-z]+/gi)].filter(word => {
    const part = document.createRange();
    part.setStart(text, word.index);
    part.setEnd(text, word.index + word[0].length);
    return new Set([...part.getClientRects()].map(one => one.top)).size > 1;
  }).map(word => word[0]);
})"""


@pytest.mark.parametrize("width", [1280, 800, 390])
async def test_words_of_a_schedule_stay_whole(
    chromium: Browser, tmp_path: Path, width: int
) -> None:
    long = "put d1: state=pending due_at=t+72.0 holder=None lease_until=None " * 2
    row = SimpleNamespace(
        at_s=10.2, cells=(long, long, "faults have stopped; a fresh worker starts"),
        state="processing", version=long, is_crossing=True,
    )  # fmt: skip
    told = SimpleNamespace(lanes=("worker A", "worker B", "others"), rows=(row, row))
    path = tmp_path / "schedule.html"
    path.write_text(document("one", table(told, "all", "fields")), "utf-8")  # type: ignore[arg-type]
    page = await chromium.new_page(viewport={"width": width, "height": 844})
    try:
        await page.goto(path.as_uri())
        if width > 390:  # there the head is out of sight
            assert await page.evaluate(_BROKEN) == []
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
    finally:
        await page.close()
