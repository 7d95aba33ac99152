"""Objectives in a browser: what is left, and the sum behind each figure one click away."""

from __future__ import annotations

import asyncio
import re

import pytest_asyncio
from playwright.async_api import expect
from support.pages import Looker, Site, assert_accessible, assert_fits

#: the receiver's failures count too: those of the failing endpoint break it
EVERYBODYS = {
    "sli": "delivered",
    "target": "0.99",
    "owners": ["receiver", "platform", "unattributed"],
    "eventsMin": 1,
    "badMin": 1,
    "team": "payments",
}


@pytest_asyncio.fixture(loop_scope="session")
async def promise(site: Site) -> str:
    """An objective that is broken: half of what it counts is bad."""
    name = "received"
    await site.call("PUT", f"/objective/{name}", json=EVERYBODYS)
    await site.until(
        f"/objective/{name}/report", lambda found: found["bad"] > 0 and found["good"] > 0
    )
    return name


async def test_the_sum_behind_each_figure_is_one_click_away(
    open_page: Looker, site: Site, promise: str
) -> None:
    page = await open_page("/objectives")
    row = page.locator("tr", has=page.get_by_role("link", name=promise, exact=True))
    async with asyncio.timeout(60):  # what other tests let fail may just be counted
        while True:
            told = await site.call("GET", f"/objective/{promise}/report")
            await page.goto("/objectives")
            if await row.get_by_text(f"{told['bad']:,} bad =").count():
                break
    await expect(row.locator(".state")).to_have_text("broken")
    await row.get_by_text("The sum").click()
    await expect(row.get_by_text(f"{told['bad']:,} bad =")).to_be_visible()
    await row.get_by_role("link", name=promise).click()
    await expect(page.get_by_text("Promised: 99% of deliveries answered 2xx")).to_be_visible()
    await page.locator("#sum-left summary").click()
    await expect(page.locator("#sum-left")).to_contain_text("budget = (100% - 99%) x")
    await page.locator("#sum-bad summary").click()
    await expect(page.locator("#sum-bad")).to_contain_text("by receiver")
    await page.locator("#sum-tier-1 summary").click()
    await expect(page.locator("#sum-tier-1")).to_contain_text("/ (100% - 99%) =")
    await expect(page.locator("#sum-tier-1")).to_contain_text(re.compile("it fires|it is quiet"))
    chart = page.locator("figure", has_text="Budget left")
    await chart.get_by_text("Numbers").click()
    await expect(chart.locator("td.number").first).to_be_visible()
    await expect(page.get_by_text("Bad events, the latest")).to_be_visible()
    # what is opened stays open when the part around it is renewed
    await page.wait_for_function("() => window.htmx")
    await page.evaluate("() => htmx.trigger('#figures', 'live')")
    await expect(page.locator("#sum-tier-1")).to_have_attribute("open", "")


async def test_it_is_worked_out_when_a_drop_would_be_noticed(
    open_page: Looker, site: Site, promise: str
) -> None:
    page = await open_page("/objectives/delivered")
    await page.get_by_label("Goes wrong, %").fill("5")
    await page.get_by_label("Deliveries a second").fill("10")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("5% at 99.5%: page after")).to_be_visible()
    await page.locator("#noticed-how summary").click()
    await expect(page.locator("#noticed-how")).to_contain_text("never: burns slower than 14.4")
    open_page.expected.append("Failed to load resource")
    for query in ("drop=0", "drop=101", "traffic=many", "drop=1e5", "drop=%D9%A3"):
        await page.goto(f"/objectives/delivered?{query}")
        await expect(page.locator("section.error")).to_contain_text("expected")
    await page.goto("/objectives/no-such-one")
    await expect(page.get_by_text("there is no objective 'no-such-one'")).to_be_visible()


async def test_the_pages_of_objectives_are_accessible_and_fit(
    open_page: Looker, site: Site, promise: str, each_theme: str
) -> None:
    page = await open_page("/objectives", theme=each_theme, role="viewer")
    for path in ("/objectives", f"/objectives/{promise}", "/objectives/unaccounted"):
        await page.goto(path)
        await page.evaluate(
            "() => document.querySelectorAll('details').forEach(d => d.open = true)"
        )
        await assert_accessible(page)
        await page.set_viewport_size({"width": 390, "height": 800})
        await assert_fits(page)
        await page.set_viewport_size({"width": 1440, "height": 900})


async def test_a_new_homing_says_that_nothing_has_happened(open_page: Looker, site: Site) -> None:
    page = await open_page("/objectives/delivered", org="org_brandnew")
    await expect(page.get_by_text("Nothing to draw yet")).to_be_visible()
    await expect(page.get_by_text("None yet")).to_be_visible()


async def test_an_objective_is_tried_written_changed_and_removed(
    open_page: Looker, site: Site, promise: str
) -> None:
    open_page.expected.append("422 (Unprocessable")
    page = await open_page("/objectives")
    await page.get_by_role("link", name="New objective").click()
    await page.get_by_label("Name").fill("Not A Name")
    await page.get_by_label("How much of it").fill("100%")
    await page.get_by_role("button", name="See what it would have said").click()
    await expect(page.locator("#w-target")).to_contain_text("above 0 and below 100%")
    await page.get_by_label("How much of it").fill("99%")
    await page.get_by_role("button", name="See what it would have said").click()
    await expect(page.locator("#w-name")).to_contain_text("lower-case letters")
    await page.get_by_label("Name").fill(promise)
    await page.get_by_role("button", name="See what it would have said").click()
    await expect(page.locator("#w-name")).to_contain_text("of this name already")
    await page.get_by_label("Name").fill("orders-received")
    await page.get_by_label("What is promised, in a sentence").fill("Orders arrive.")
    await page.get_by_label("Of", exact=True).select_option(label="Shop")
    await page.get_by_role("button", name="See what it would have said").click()
    preview = page.locator("#preview")
    await expect(preview).to_contain_text("Promised: 99% of deliveries answered 2xx")
    # nothing was promised of this application: it is not counted yet, and all of them are told of
    await expect(preview).to_contain_text("this is what it would have said of all applications")
    good = await preview.locator(".figure", has_text="Good").locator(".number").inner_text()
    bad = await preview.locator(".figure", has_text="Bad").locator(".number").inner_text()
    assert (int(good) >= 12, int(bad) >= 12) == (True, True)
    answer = await site.http.get("/objective/orders-received")
    assert answer.status_code == 404, "nothing is promised by looking"
    await assert_accessible(page)
    await page.get_by_role("button", name="Promise this").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Orders arrive")
    told = await site.call("GET", "/objective/orders-received")
    assert (told["target"], told["appId"]) == ("0.99", site.ids["app"])
    # a change that somebody else made while this one was looked at is not written over
    await page.get_by_role("link", name="Change").click()
    await page.get_by_label("How much of it").fill("40%")
    await page.get_by_role("button", name="See what it would have said").click()
    await expect(preview).to_contain_text("As it is now,")
    other = {"sli": "delivered", "target": "0.98"}
    await site.call("PUT", "/objective/orders-received", json=other)
    await page.get_by_role("button", name="Promise this instead").click()
    await expect(page.get_by_role("alert")).to_contain_text("Somebody has written")
    await page.get_by_role("button", name="See what it would have said").click()
    await page.get_by_role("button", name="Promise this instead").click()
    assert (await site.call("GET", "/objective/orders-received"))["target"] == "0.4"
    await page.locator("summary", has_text="Remove").click()
    await page.get_by_role("button", name="Remove it").click()
    await expect(page.get_by_text("orders-received is promised no more.")).to_be_visible()
    await expect(page.locator("table")).not_to_contain_text("orders-received")


async def test_a_default_is_written_over_and_reset(open_page: Looker, site: Site) -> None:
    page = await open_page("/objectives/retries/edit")
    await page.get_by_label("How much of it").fill("99.5%")
    await page.get_by_label("Team").fill("delivery")
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Promise this instead").click()
    await expect(page.get_by_text("Promised: 99.5% of retries")).to_be_visible()
    await page.locator("summary", has_text="Reset").click()
    await page.get_by_role("button", name="Reset it").click()
    await expect(page.get_by_text("It is again as it is without configuration.")).to_be_visible()
    await expect(page.get_by_text("Promised: 99.9% of retries")).to_be_visible()
    # that nothing is missing has no share to change
    await page.goto("/objectives/unaccounted/edit")
    await expect(page.get_by_label("How much of it")).to_have_count(0)
    await page.get_by_label("Team").fill("platform")
    await page.get_by_role("button", name="See what it would have said").click()
    await expect(page.locator("#preview")).to_contain_text("0 unaccounted for")


async def test_only_an_admin_writes_objectives(open_page: Looker, site: Site, promise: str) -> None:
    open_page.expected.append("403 (Forbidden)")
    page = await open_page(f"/objectives/{promise}", role="operator")
    await expect(page.get_by_role("link", name="Change")).to_have_count(0)
    key = await page.locator("input[name=form_key]").first.input_value()
    for path in ("/objectives", f"/objectives/{promise}/edit", f"/objectives/{promise}/remove"):
        answer = await page.context.request.post(site.url + path, form={"form_key": key})
        assert answer.status == 403, path
    await page.goto("/objectives/new")
    await expect(page.get_by_text("this needs the role admin")).to_be_visible()
