"""Home: is everything accounted for, and what needs a person?"""

from __future__ import annotations

import sqlite3

from playwright.async_api import expect
from support.pages import Looker, Site, assert_accessible, assert_fits, seed

from .conftest import Serve


async def test_home_is_accessible_and_fits(
    open_page: Looker, each_theme: str, each_width: int
) -> None:
    page = await open_page("/", theme=each_theme, width=each_width)
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Everything is accounted")
    await assert_accessible(page)
    await assert_fits(page)


async def test_the_books_say_where_every_delivery_stands(open_page: Looker, site: Site) -> None:
    page = await open_page("/")
    ledger = page.locator("#ledger")
    await expect(ledger).to_contain_text("Accepted")
    total = (await site.call("GET", "/ledger"))["total"]
    await expect(ledger.locator(".accepted .number")).to_have_text(f"{total['accepted']:,}")
    for name, at_least in (("Delivered", 12), ("Dead", 12)):
        number = f"{total[name.lower()]:,}"
        assert total[name.lower()] >= at_least
        await expect(ledger.locator("dl > div").filter(has_text=name)).to_contain_text(number)
    columns = await ledger.locator("dl > div").all_inner_texts()
    counts = {text.split("\n")[0]: int(text.split("\n")[1].replace(",", "")) for text in columns}
    assert sum(counts.values()) == total["accepted"]


async def test_what_needs_a_person_is_on_top_and_leads_to_it(
    open_page: Looker, serve: Serve
) -> None:
    async with serve() as site:
        await seed(site)
        page = await open_page("/", site=site)
        matters = page.get_by_role("region", name="Needs a person")
        link = matters.get_by_role("link", name="dead letters at Warehouse: answered 500")
        assert (await link.get_attribute("href") or "").startswith("/dead-letters/iss_")
        await open_page.close()


async def test_books_that_balance_do_not_look_as_if_all_were_well(open_page: Looker) -> None:
    page = await open_page("/")
    title = page.get_by_role("heading", level=1)
    await expect(title).to_contain_text("Everything is accounted for")
    await expect(page.locator("#books").get_by_role("link")).to_contain_text("a person")
    async with page.expect_response("**/?part=books&needs=*"):
        pass
    await expect(title).not_to_have_class("sentence good")  # nor when it was counted again


async def test_the_books_stay_fresh_by_themselves(open_page: Looker, site: Site) -> None:
    page = await open_page("/")
    number = page.locator("#ledger .accepted .number")
    before = (await site.call("GET", "/ledger"))["total"]["accepted"]
    await expect(number).to_have_text(f"{before:,}")  # what came before is counted
    app = await site.shop("fresh")
    await site.endpoint("fresh", "/fresh")
    await site.send(app, {"fresh": True})
    await expect(number).to_have_text(f"{before + 1:,}")


async def test_a_tab_that_nobody_sees_asks_for_nothing(open_page: Looker) -> None:
    page = await open_page("/")
    asked: list[str] = []
    hide = "Object.defineProperty(document, 'hidden', { configurable: true, get: () => %s })"
    await page.evaluate(hide % "true")  # and only now: until now it asks
    page.on("request", lambda request: asked.append(request.headers.get("hx-request", "")))
    await page.wait_for_timeout(4_500)
    assert "true" not in asked
    await page.evaluate(hide % "false")
    async with page.expect_request("**/?part=books*"):
        await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


async def test_the_numbers_of_a_chart_are_there_as_a_table(open_page: Looker) -> None:
    page = await open_page("/")
    figure = page.locator("figure.chart").first
    await expect(figure.locator("canvas")).to_be_visible()
    await figure.get_by_text("Numbers").click()
    await expect(figure.get_by_role("table")).to_be_visible()
    await assert_accessible(page)


async def test_a_home_with_nothing_in_it_says_how_to_begin(
    open_page: Looker, serve: object
) -> None:
    async with serve() as site:  # type: ignore[operator]
        page = await open_page("/", site=site)
        await expect(page.get_by_text("Nothing has been sent yet")).to_be_visible()
        await expect(page.get_by_role("heading", name="Nothing needs a person")).to_be_visible()
        await assert_accessible(page)


async def test_a_delivery_that_is_lost_is_said_in_the_first_sentence(
    open_page: Looker, serve: object
) -> None:
    async with serve() as site:  # type: ignore[operator]
        app = await site.shop("shop")
        await site.endpoint("shop", "/ok")
        await site.send(app, {"n": 1})
        await site.until(
            "/app/shop/delivery", lambda found: [d["state"] for d in found["data"]] == ["delivered"]
        )
        page = await open_page("/", site=site)
        title = page.get_by_role("heading", level=1)
        await expect(title).to_contain_text("Everything is accounted for")
        with sqlite3.connect(site.folder / "homing.db", timeout=60) as db:
            assert db.execute("DELETE FROM history").rowcount == 1
        db.close()
        await expect(title).to_contain_text("1 delivery is unaccounted for")
        await assert_accessible(page)
