"""The page of a review, on a telephone: nothing of it is cut, and nothing runs into another."""

from __future__ import annotations

from pathlib import Path

import msgspec
from playwright.async_api import Browser

from homing.review.incident import Incident
from homing.review.page import page
from homing.review.sections import review

RECORD = Path(__file__).parent / "records" / "founding.json"
_CUT = """() => [...document.querySelectorAll('body *')]
  .filter(one => one.getBoundingClientRect().right > innerWidth)
  .map(one => `${one.tagName} ${one.textContent.slice(0, 40)}`)"""


async def test_nothing_of_a_review_is_cut_at_390_pixels(chromium: Browser, tmp_path: Path) -> None:
    written = tmp_path / "review.html"
    incident = msgspec.json.decode(RECORD.read_bytes(), type=Incident)
    written.write_text(page(review(incident, "record.json")), encoding="utf-8")
    narrow = await chromium.new_page(viewport={"width": 390, "height": 844})
    try:
        await narrow.goto(written.as_uri())
        assert await narrow.evaluate(_CUT) == []
        assert await narrow.evaluate("document.documentElement.scrollWidth") == 390
        # of a wide table each cell says what it is, since its head is out of sight
        cell = narrow.locator("table.stacks td[data-label=when]").first
        label = await cell.evaluate("one => getComputedStyle(one, '::before').content")
        assert label == '"when" ": "' or label == '"when: "'
        await narrow.set_viewport_size({"width": 1200, "height": 844})
        assert await narrow.locator("table.stacks thead").first.is_visible()
    finally:
        await narrow.close()
