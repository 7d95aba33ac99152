"""Dead letters in a browser: found, understood, redriven, discarded, brought back."""

from __future__ import annotations

import asyncio
from typing import Any

from playwright.async_api import Locator, Page, expect
from support.pages import Looker, Site, assert_accessible, assert_fits, at_rest, follow
from support.receiver import respond


async def dead_shop(site: Site, uid: str, count: int, **answer: Any) -> str:
    """An application whose one endpoint failed so many times; the id of the issue."""
    site.receiver.script(f"/{uid}", respond(**({"status": 500} | answer)))
    await site.shop(uid, uid.capitalize())
    await site.endpoint(uid, f"/{uid}", description=f"Till of {uid}")
    await asyncio.gather(*[site.send(uid, {"order": number}) for number in range(count)])
    found = await site.until(
        f"/app/{uid}/issue", lambda found: sum(one["count"] for one in found["data"]) == count
    )
    [issue] = found["data"]
    return str(issue["id"])


def mend(site: Site, uid: str) -> None:
    site.receiver.script(f"/{uid}", respond(200))


def figure(page: Page, name: str) -> Locator:
    """The number under this name."""
    return page.locator(".figure", has_text=name).locator(".number").first


def opener(page: Page, name: str) -> Locator:
    """What opens a form to confirm."""
    return page.locator("summary", has_text=name)


async def test_an_issue_is_found_understood_and_redriven_while_somebody_watches(
    open_page: Looker, site: Site
) -> None:
    await dead_shop(site, "bakery", 9, body=b"<script>alert(1)</script> no more flour")
    page = await open_page("/dead-letters")
    row = page.get_by_role("row", name="Till of bakery")
    await expect(row).to_contain_text("payment.captured")
    await row.get_by_role("link").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("(500)")
    await expect(page.get_by_text("no more flour").first).to_be_visible()
    for link in (page.locator("article a").first, page.get_by_role("link", name="Till of bakery")):
        await link.click()  # what it leads to is there
        await expect(page.get_by_role("heading", level=1)).not_to_contain_text("(500)")
        await page.go_back()
    mend(site, "bakery")
    await page.get_by_label("Canary").fill("2")
    await page.get_by_role("button", name="See what would happen").click()
    await expect(figure(page, "Would be sent again")).to_have_text("9")
    await page.get_by_role("button", name="Redrive 9 dead letters").click()
    await expect(page.locator("#progress")).to_contain_text("finished")
    await expect(page.locator("#share")).to_have_text("100% done")
    await expect(figure(page, "Delivered")).to_have_text("9")
    await page.get_by_role("link", name="Back to the issue").click()
    await expect(page.get_by_text("No dead letter is left")).to_be_visible()
    await expect(page.locator("header .state")).to_have_text("resolved")


async def test_a_canary_that_fails_leaves_the_rest(open_page: Looker, site: Site) -> None:
    issue = await dead_shop(site, "florist", 8)
    page = await open_page(f"/dead-letters/{issue}")
    await page.get_by_label("Canary").fill("2")
    await page.get_by_role("button", name="See what would happen").click()
    await expect(page.get_by_text("latest answer was still a failure: status 500")).to_be_visible()
    await page.get_by_role("button", name="Redrive 8 dead letters").click()
    await expect(page.get_by_text("the canary failed")).to_be_visible()
    await expect(page.get_by_text("It goes on without this page")).to_have_count(0)
    await expect(page.locator("#share")).to_contain_text("dealt with")
    await expect(page.locator("#progress")).to_contain_text("latest answer: status 500")
    await expect(page.get_by_text("it is safe among the dead letters")).to_be_visible()
    await expect(figure(page, "Sent")).to_have_text("2")


async def test_a_redrive_is_paused_resumed_and_cancelled(open_page: Looker, site: Site) -> None:
    issue = await dead_shop(site, "garage", 40)  # at one a second, enough for a slow machine
    mend(site, "garage")
    page = await open_page(f"/dead-letters/{issue}")
    await page.get_by_label("Canary").fill("0")
    await page.get_by_label("At most a second").fill("1")
    await page.get_by_role("button", name="See what would happen").click()
    await page.get_by_role("button", name="Redrive 40 dead letters").click()
    await page.get_by_role("button", name="Pause").click()
    await expect(page.locator("#progress")).to_contain_text("paused")
    await page.get_by_role("button", name="Resume").click()
    await expect(page.locator("#progress .state")).to_have_text("running")
    await expect(figure(page, "Sent")).not_to_have_text("0")
    await opener(page, "Cancel").click()
    await page.get_by_role("button", name="Cancel it").click()
    await expect(page.locator("#progress .state")).to_have_text("cancelled")
    left = (await site.call("GET", f"/app/garage/issue/{issue}"))["count"]
    assert 0 < left < 40


async def test_what_is_discarded_for_a_reason_can_be_brought_back(
    open_page: Looker, site: Site
) -> None:
    issue = await dead_shop(site, "kiosk", 3)
    page = await open_page(f"/dead-letters/{issue}")
    await opener(page, "Discard all").click()
    await page.get_by_label("Reason (kept with each)").last.fill("paid in cash")
    await page.get_by_role("button", name="Discard 3").click()
    await expect(page.locator("#progress .state")).to_have_text("finished")
    await expect(page.get_by_text("paid in cash")).to_be_visible()
    await opener(page, "Undo").click()
    await page.locator("#progress").get_by_role("button", name="Undo").click()
    await expect(page.get_by_text("dead letters again")).to_be_visible()
    await expect(page.locator("#progress .state")).to_have_text("finished")
    await page.goto(f"/dead-letters/{issue}")
    await page.get_by_role("checkbox").first.check()
    await opener(page, "Discard those chosen").click()
    await page.get_by_label("Reason (kept with each)").first.fill("a test")
    await page.get_by_role("button", name="Discard", exact=True).click()
    await expect(page.locator("#progress")).to_contain_text("finished")
    assert (await site.call("GET", f"/app/kiosk/issue/{issue}"))["count"] == 2
    await page.goto(f"/dead-letters/{issue}?shown=discarded")
    await page.get_by_role("checkbox").first.check()
    await page.get_by_role("button", name="Bring back those chosen").click()
    await expect(page.get_by_text("Brought back.")).to_be_visible()
    assert (await site.call("GET", f"/app/kiosk/issue/{issue}"))["count"] == 3


async def test_what_is_alike_is_redriven_over_all_issues(open_page: Looker, site: Site) -> None:
    await dead_shop(site, "port", 4)
    site.receiver.script("/pier", respond(404))
    await site.endpoint("port", "/pier", description="The pier")
    await site.send("port", {}, "ship.arrived")
    await site.until(
        "/app/port/issue", lambda found: sum(one["count"] for one in found["data"]) == 6
    )
    mend(site, "port")
    page = await open_page("/dead-letters")
    await page.get_by_role("link", name="Redrive many at once").click()
    await page.get_by_label("Application").select_option(label="Port")
    await page.get_by_label("Last status").fill("500")
    await page.get_by_role("button", name="See what would happen").click()
    await expect(figure(page, "Would be sent again")).to_have_text("5")
    await expect(page.get_by_role("row", name="Till of port")).to_contain_text("5")
    await assert_accessible(page)
    await page.get_by_role("link", name="Change what is meant").click()
    await page.get_by_label("Event type").fill("payment.captured")
    await page.get_by_label("Last status").fill("404")
    await page.get_by_role("button", name="See what would happen").click()
    await expect(page.get_by_text("No dead letter is like that")).to_be_visible()
    await page.get_by_role("link", name="Change what is meant").click()
    await page.get_by_label("Last status").fill("500")
    await page.get_by_role("button", name="See what would happen").click()
    await page.get_by_role("button", name="Redrive 4 dead letters").click()
    await expect(page.locator("#progress .state")).to_have_text("finished")
    await expect(figure(page, "Delivered")).to_have_text("4")


async def test_a_redrive_is_noted_in_the_incident_that_is_about_it(
    open_page: Looker, site: Site
) -> None:
    issue = await dead_shop(site, "lighthouse", 3)
    opened = {"title": "The till of lighthouse is silent", "actor": "ada"}
    incident = (await site.call("POST", "/incident", json=opened))["id"]
    mend(site, "lighthouse")
    page = await open_page(f"/dead-letters/{issue}")
    await page.get_by_role("checkbox").nth(1).check()
    await expect(page.get_by_label("Note it in the incident")).to_have_value(incident)
    await page.get_by_role("button", name="Redrive those chosen").click()
    await expect(page.get_by_text("noted in the incident “The till of")).to_be_visible()
    await expect(page.locator("#progress .state")).to_have_text("finished")
    await page.goto(f"/dead-letters/{issue}")
    await page.get_by_role("button", name="See what would happen").click()
    chosen = page.locator("#redrive").get_by_label("Note it in the incident")
    await expect(chosen).to_have_value(incident)
    await assert_accessible(page)
    await page.get_by_role("button", name="Redrive 2 dead letters").click()
    await expect(page.get_by_text("noted in the incident “The till of")).to_be_visible()
    task = page.url.rpartition("/")[2]
    [*_, last] = (await site.call("GET", f"/incident/{incident}"))["record"]["timeline"]
    assert last["text"].startswith("began to send 2 dead letters again (Till of light")
    assert last["reference"] == f"homing dlq status {task}"
    # one that was closed meanwhile holds nothing up
    await expect(page.locator("#progress .state")).to_have_text("finished")


async def test_people_say_what_they_make_of_an_issue(open_page: Looker, site: Site) -> None:
    issue = await dead_shop(site, "library", 1)
    page = await open_page(f"/dead-letters/{issue}")
    await opener(page, "Acknowledge").focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await page.keyboard.type("ada is on the phone with them")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Acknowledged: somebody is at it.")).to_be_visible()
    await expect(page.get_by_text("ada is on the phone with them")).to_be_visible()
    await opener(page, "Mute").click()
    await page.get_by_role("button", name="Mute").click()
    await expect(page.locator("header .state")).to_have_text("muted")


async def test_a_redrive_needs_no_mouse(open_page: Looker, site: Site) -> None:
    await dead_shop(site, "orchard", 2)
    mend(site, "orchard")
    page = await open_page("/")

    async def tab_to(words: str) -> None:
        for _ in range(80):
            await page.keyboard.press("Tab")
            if await page.evaluate("() => document.activeElement.textContent.trim()") == words:
                return
        raise AssertionError(f"the Tab key does not lead to {words!r}")

    await page.keyboard.press("g")
    await page.keyboard.press("l")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Dead letters")
    await at_rest(page)
    await page.keyboard.press("j")  # the newest issue is the first row
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Till of orchard").first).to_be_visible()
    await tab_to("See what would happen")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Redrive 2 dead letters")).to_be_visible()
    await tab_to("Redrive 2 dead letters")
    await page.keyboard.press("Enter")
    await expect(page.locator("#progress .state")).to_have_text("finished")


async def test_a_viewer_sees_and_does_nothing(open_page: Looker, site: Site) -> None:
    issue = await dead_shop(site, "museum", 1)
    page = await open_page(f"/dead-letters/{issue}", role="viewer")
    await expect(page.get_by_role("heading", name="Dead letters")).to_be_visible()
    assert await page.locator("main form[method=post], main input[type=checkbox]").count() == 0
    answer = await page.request.post(f"{site.url}/dead-letters/{issue}/redrive", form={})
    assert answer.status == 403


async def test_the_desk_works_without_a_script(open_page: Looker, site: Site) -> None:
    issue = await dead_shop(site, "mill", 2)
    mend(site, "mill")
    page = await open_page("/dead-letters?state=all", scripts=False)
    await follow(page, page.get_by_role("row", name="Till of mill").get_by_role("link"))
    assert page.url.endswith(issue)
    await page.get_by_role("button", name="See what would happen").click()
    await page.get_by_role("button", name="Redrive 2 dead letters").click()
    await page.wait_for_url("**/dead-letters/tasks/*")
    task = page.url.rpartition("/")[2]
    await site.until(f"/background-task/{task}", lambda found: found["status"] == "finished")
    await page.reload()
    await expect(page.locator("#share")).to_have_text("100% done")


async def test_wrong_numbers_and_other_peoples_issues_are_told(
    open_page: Looker, site: Site
) -> None:
    open_page.expected.append("Failed to load resource")
    issue = await dead_shop(site, "bank", 1)
    page = await open_page(f"/dead-letters/{issue}?check=yes&canary=many")
    await expect(page.get_by_text("expected a number from 0 to 1000")).to_be_visible()
    for path in ("/dead-letters/iss_nothing", "/dead-letters?state=odd", "/dead-letters/tasks/q"):
        await page.goto(path)
        await expect(page.locator("section.error")).to_be_visible()
    other = await open_page(f"/dead-letters/{issue}", org="org_somebodyelse")
    await expect(other.get_by_text("there is no issue")).to_be_visible()
    await other.goto("/dead-letters")
    await expect(other.get_by_text("No dead letters", exact=True)).to_be_visible()


async def test_the_pages_of_the_desk_are_accessible_and_fit(
    open_page: Looker, site: Site, each_theme: str
) -> None:
    issue = await dead_shop(site, f"{each_theme}-theatre", 2)
    page = await open_page("/dead-letters", theme=each_theme)
    for path in ("/dead-letters", "/dead-letters/many", f"/dead-letters/{issue}?check=yes"):
        await page.goto(path)
        await assert_accessible(page)
        await page.set_viewport_size({"width": 390, "height": 800})
        await assert_fits(page)
        await page.set_viewport_size({"width": 1440, "height": 900})
    await page.get_by_role("button", name="Redrive 2 dead letters").click()
    await expect(page.locator("#progress")).to_contain_text("finished")
    await assert_accessible(page)
    await page.set_viewport_size({"width": 390, "height": 800})
    await assert_fits(page)
