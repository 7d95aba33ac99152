"""Incidents in a browser: opened, written down, read, carried away."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from playwright.async_api import Page, expect
from support.pages import Looker, Site, assert_accessible, assert_fits, follow

FOUNDING = json.loads((Path(__file__).parent / "records/founding.json").read_text())


async def bring(site: Site, **changes: Any) -> str:
    """The record of a real investigation, in the service; its id."""
    await site.call("PUT", f"/incident/{FOUNDING['id']}", json={"record": FOUNDING | changes})
    return str(FOUNDING["id"])


async def write(page: Page, kind: str, **fields: str) -> None:
    """Fill in one of the forms of a record, and send it."""
    part = page.locator(f"#add-{kind}")
    await part.locator("summary").first.click()
    for label, text in fields.items():
        await part.get_by_label(label.replace("_", " ")).first.fill(text)
    await follow(page, part.locator("button").first)
    await expect(page.get_by_text("Written down.")).to_be_visible()


async def test_an_incident_is_opened_written_down_and_closed(open_page: Looker, site: Site) -> None:
    page = await open_page("/incidents")
    await page.get_by_text("Open an incident").click()
    await page.get_by_label("What is wrong").fill("orders are late")
    await page.get_by_label("Your name").fill("Ana Ünal")
    await page.get_by_label("How it was noticed").fill("a shop asked")
    await page.get_by_role("button", name="Open", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("orders are late")
    await expect(page.get_by_text("noticed; no alert fired: a shop asked")).to_be_visible()
    await write(page, "said", What="the lease is too short")
    await write(page, "linked", Address="https://git.example/change", What_it_is="the change")
    await expect(page.get_by_role("link", name="https://git.example/change")).to_be_visible()
    await write(page, "mended", What_it_does="a longer lease")
    await write(page, "deployed", Commit="abc")
    await expect(page.locator("header .state")).to_have_text("mitigated")
    await write(page, "planned", What="alert on it", Owner="platform", Due="2026-12-01")
    await page.get_by_role("button", name="Done").click()
    await expect(page.get_by_text("done: alert on it")).to_be_visible()
    await write(page, "adopted", What="the alert, in another team's service")
    assert await page.get_by_role("cell", name="Ana Ünal").count() > 5, "the name is remembered"
    await write(page, "closed", Last_words="told")
    await expect(page.locator("header .state")).to_have_text("closed")
    assert await page.locator("main form").count() == 0
    found = await site.call("GET", f"/incident/{page.url.rpartition('/')[2]}")
    assert found["status"] == "closed"


async def test_a_number_without_a_source_is_refused(open_page: Looker, site: Site) -> None:
    made = await site.call("POST", "/incident", json={"title": "a count"})
    page = await open_page(f"/incidents/{made['id']}")
    key = await page.locator("input[name=form_key]").first.get_attribute("value")
    for fields, problem in (
        ({"kind": "said", "text": "we lost 30 of them", "by": "ana"}, "a number needs a source"),
        ({"kind": "said", "text": "", "by": "ana"}, "expected what is to be written down"),
        ({"kind": "odd", "by": "ana"}, "expected one of said"),
        ({"kind": "planned", "text": "x", "owner": "y", "due": "soon", "by": "z"}, "a day such as"),
        ({"kind": "deployed", "at": "yesterday", "by": "z"}, "expected a time such as"),
        ({"kind": "said", "text": "x"}, "expected your name"),
    ):
        answer = await page.request.post(
            f"{site.url}/incidents/{made['id']}/add",
            form=fields | {"form_key": key or ""},
            headers={"accept": "text/html"},
        )
        assert answer.status == 422, fields
        assert problem in await answer.text()


async def test_a_record_shows_what_was_found_and_its_review_says_where_from(
    open_page: Looker, site: Site
) -> None:
    name = await bring(site)
    page = await open_page("/incidents")
    await page.get_by_role("link", name="payment webhooks are missing").click()
    await expect(page.get_by_text("silently dropped 58")).to_be_visible()
    await expect(page.locator(".drawing svg")).to_have_count(6)
    await page.locator("#lines summary").click()
    await expect(page.locator("#lines .crossed")).to_have_count(3)
    part = page.locator("details", has_text="Whether the fix holds")
    await part.locator("summary").click()
    await part.locator("a.value").first.click()
    await expect(page).to_have_url(f"{site.url}/incidents/{name}/review#source-verify")
    await expect(page.locator(".source:target")).to_contain_text("homing verify")
    for link, words in (
        ("Download the page", "<!doctype html>"),
        ("Download Markdown", "# Incident review"),
    ):
        async with page.expect_download() as waiting:
            await page.get_by_role("link", name=link).click()
        path = await (await waiting.value).path()
        assert path.read_text().startswith(words)
    answer = await page.request.get(f"{site.url}/incidents/{name}/review.html")
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    carried = await (await page.request.get(f"{site.url}/incidents/{name}/record.json")).json()
    assert carried["timeline"] == FOUNDING["timeline"]


async def test_hostile_words_of_a_record_stay_words(open_page: Looker, site: Site) -> None:
    hostile = '<img src=x onerror="document.title=1"><script>alert(1)</script>'
    record = json.loads(json.dumps(FOUNDING))
    record["id"] = "inc_" + FOUNDING["id"][4:-1] + "A"
    record["title"] = hostile
    record["fix"]["diff"] = record["fix"]["link"] = hostile
    record["timeline"][0]["text"] = record["timeline"][0]["reference"] = hostile
    record["results"]["investigate"]["values"]["suspects"][0]["name"] = hostile
    record["results"]["reproduce"]["values"]["story"]["lanes"][0] = hostile
    for line in record["results"]["investigate"]["values"]["examples"][0]["rows"]:
        line["what"] = line["lane"] = line["state"] = hostile
    await site.call("PUT", f"/incident/{record['id']}", json={"record": record})
    for path in ("", "/review"):
        page = await open_page(f"/incidents/{record['id']}{path}")
        assert await page.locator("main img, main script").count() == 0
    record["id"] = "inc_" + FOUNDING["id"][4:-1] + "B"
    record["results"]["investigate"]["values"]["windows"] = "broken"
    await site.call("PUT", f"/incident/{record['id']}", json={"record": record})
    page = await open_page(f"/incidents/{record['id']}")
    await expect(page.get_by_text("is not as `homing` writes it")).to_be_visible()
    await expect(page.get_by_role("heading", name="Timeline")).to_be_visible()


async def test_the_pages_of_incidents_are_accessible_and_fit(
    open_page: Looker, site: Site, each_theme: str
) -> None:
    name = await bring(site)
    page = await open_page("/incidents", theme=each_theme)
    for path in ("/incidents", f"/incidents/{name}", f"/incidents/{name}/review"):
        await page.goto(path)
        await page.evaluate(
            "() => document.querySelectorAll('details').forEach(d => d.open = true)"
        )
        await assert_accessible(page)
        await page.set_viewport_size({"width": 390, "height": 800})
        await assert_fits(page)
        await page.set_viewport_size({"width": 1440, "height": 900})
    page = await open_page("/incidents", org="org_brandnew")
    await expect(page.get_by_text("No incidents")).to_be_visible()
