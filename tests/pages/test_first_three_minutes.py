"""Somebody who has never seen Homing: from Home to a mended endpoint, by visible words alone."""

from __future__ import annotations

import re

from playwright.async_api import expect
from support.pages import Looker, seed
from support.receiver import respond

from .conftest import Serve

#: as many as a person who looks around presses in three minutes without hurry
CLICKS_MAX = 12


async def test_a_newcomer_finds_why_redrives_and_reads_the_objective(
    open_page: Looker, serve: Serve
) -> None:
    async with serve() as site:
        await seed(site)
        site.receiver.script("/fails", respond(500, body=b"the stock database is down"))
        page = await open_page("/", site=site)
        clicks = 0

        async def press(role: str, words: str) -> None:
            nonlocal clicks
            clicks += 1
            named = page.get_by_role(role, name=re.compile(words))  # type: ignore[arg-type]
            await named.first.click()

        # which endpoint fails, and why
        await press("link", "^12 dead letters at Warehouse")
        await expect(page.get_by_role("heading", level=1)).to_contain_text("fails to handle it")
        await expect(
            page.get_by_text("The receiver's own log says what went wrong")
        ).to_be_visible()
        await expect(page.get_by_text("Warehouse").first).to_be_visible()
        await press("link", "^Warehouse$")
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Warehouse")
        await page.go_back()
        # its people mend it; what is dead is sent again
        site.receiver.script("/fails", respond(200))
        await press("link", "^Redrive$")
        await press("button", "^See what would happen$")
        await press("button", "^Redrive 12 dead letters$")
        await expect(page.get_by_text("100% done")).to_be_visible()
        await expect(page.locator(".figure", has_text="Delivered")).to_contain_text("12")
        # is the promise kept?
        await press("link", "^Objectives$")
        await press("link", "^Deliveries are received in time$")
        await expect(page.get_by_text(re.compile("^Promised: 99.5% of deliveries"))).to_be_visible()
        await expect(page.locator(".figure", has_text="Budget left")).to_be_visible()
        clicks += 1
        await page.get_by_text("The sum", exact=True).first.click()
        await expect(page.get_by_text(re.compile("^budget = "))).to_be_visible()
        # and nothing needs a person any more
        await press("link", "^Home$")
        await expect(page.get_by_text("dead letters at Warehouse")).to_have_count(0)
        assert clicks <= CLICKS_MAX
        await open_page.close()
