"""Alerts in a browser: what is the matter, and what people do about it."""

from __future__ import annotations

from playwright.async_api import expect
from support.pages import Looker, Site, assert_accessible, assert_fits, seed
from support.receiver import respond

from .conftest import Serve


async def test_an_alert_is_understood_acknowledged_and_silenced(
    open_page: Looker, serve: Serve
) -> None:
    async with serve(alerts_every_s=1, alerts="") as site:
        page = await open_page("/alerts", site=site)
        await expect(page.get_by_text("No alert is firing")).to_be_visible()
        await expect(page.get_by_text("Nobody is told")).to_be_visible()
        await assert_accessible(page)
        await seed(site)
        alert = "first_dead_letter." + site.ids["failing"]
        await site.until("/alert", lambda found: any(one["id"] == alert for one in found["data"]))
        card = page.locator(f"[id='{alert}']")
        await expect(card).to_contain_text("had no dead letters has one")  # by itself: it is live
        await card.locator("summary", has_text="Acknowledge").click()
        await card.get_by_role("button", name="Acknowledge").click()
        await expect(page.get_by_text("Acknowledged: no more reminders")).to_be_visible()
        await expect(page.get_by_text("looks after it.", exact=False).first).to_be_visible()
        await page.locator("summary", has_text="Silence").click()
        await page.get_by_label("For").select_option(label="1 day")
        await page.get_by_role("button", name="Silence").click()
        await expect(page.get_by_text("Silent until")).to_be_visible()
        await page.locator("summary", has_text="Tell again").click()
        await page.get_by_role("button", name="Tell again").click()
        await expect(page.get_by_text("It is told again.")).to_be_visible()
        for theme in ("light", "dark"):
            look = await open_page("/alerts", site=site, theme=theme, role="viewer")
            for path in ("/alerts", f"/alerts/{alert}"):
                await look.goto(path)
                await assert_accessible(look)
                assert await look.locator("main form").count() == 0
                await look.set_viewport_size({"width": 390, "height": 800})
                await assert_fits(look)
                await look.set_viewport_size({"width": 1440, "height": 900})
        await page.get_by_role("link", name="Its dead letters").click()
        await expect(page.get_by_role("row").filter(has_text="Warehouse")).to_be_visible()
        await open_page.close()


async def test_a_channel_is_tested_and_says_whether_it_reaches(
    open_page: Looker, serve: Serve, site: Site
) -> None:
    url = site.receiver.url("/hook").removeprefix("http://")
    async with serve(alerts=f"json://{url}") as own:
        page = await open_page("/alerts", site=own)
        await expect(page.get_by_text("never used")).to_be_visible()
        for answer, said in ((200, "took a test."), (500, "did not take a test")):
            site.receiver.script("/hook", respond(answer))
            await page.locator("#channels ~ .table summary", has_text="Test").click()
            await page.get_by_role("button", name="Send a test").click()
            await expect(page.get_by_role("status").get_by_text(said)).to_be_visible()
        await open_page.close()
