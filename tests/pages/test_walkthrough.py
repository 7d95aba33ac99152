"""The walkthrough in a browser: three modes, the story of a record, and what the browser keeps."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, expect
from support.pages import WIDTHS, Looker, Site, assert_accessible, assert_fits, follow, press
from support.stories import story, strong, weak
from support.walkthrough import LAB_FILE

#: with a title of its own: other tests look for theirs among all incidents
RECORD: dict[str, Any] = json.loads(LAB_FILE.read_text()) | {"title": "three in a thousand"}
NAME = str(RECORD["id"])
FOUNDING = "/walkthrough/lost-update"
LISTENER = "level=sde2&lens=ownership"
HOSTILE = '<img src=x onerror="document.title=1"><script>alert(1)</script>'
FIRST = "We noticed that some webhooks were missing. Then it was fixed."
SECOND = (
    "At work I noticed that 598 of 199,478 payment webhooks never arrived, 0.3% in a week, "
    "so shops kept paid orders waiting."
)


def url(mode: str, **more: str) -> str:
    query = "".join(f"&{name}={value}" for name, value in more.items())
    return f"{FOUNDING}/{mode}?{LISTENER}{query}"


async def bring(site: Site) -> None:
    await site.call("PUT", f"/incident/{NAME}", json={"record": RECORD})


async def tell(page: Page, words: str, button: str) -> None:
    await page.locator("#text").fill(words)
    await follow(page, page.get_by_role("button", name=button, exact=True))


async def kept(page: Page) -> dict[str, Any]:
    """What the browser keeps, by key."""
    found: dict[str, str] = await page.evaluate("() => ({...localStorage})")
    return {k: json.loads(v) for k, v in found.items() if k.startswith("homing-walk:")}


# --- learn ---


async def test_learning_to_its_end_by_keys_alone(open_page: Looker) -> None:
    page = await open_page(url("learn"))
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
    count = 0
    while await page.locator("[data-next]").count():
        count += 1
        title = await page.locator("#card").text_content()
        if count % 4 == 2 and await page.locator("button.choice").count():
            await press(page, "1")
            await expect(page.locator(".choice.chosen")).to_have_count(1)
            assert await page.get_by_text("right", exact=True).count() >= 1, title
        await press(page, "n")
        await expect(page.locator("#card")).not_to_have_text(title or "")
        assert count < 60
    assert count > 20
    await expect(
        page.get_by_text(re.compile(r"Right at the first try: \d+ of \d+"))
    ).to_be_visible()
    assert asked == {urlsplit(page.url).netloc}
    [walk] = (await kept(page)).values()
    assert walk["done"]


# --- rehearse ---


async def test_a_stage_is_told_twice_with_a_hint_and_what_changed(open_page: Looker) -> None:
    page = await open_page(url("rehearse"))
    await page.get_by_role("button", name="A hint").click()
    hint = story().told(story().at("sde2").stages[0].hints[0])
    await expect(page.get_by_text(hint)).to_be_visible()
    await tell(page, FIRST, "Tell it")
    marked = page.locator("#found ~ .told-text mark")
    await expect(marked.first).to_be_visible()
    for text in await marked.all_text_contents():
        assert re.sub(r"\d+$", "", text) in FIRST, "a finding is on words of the answer"
    await expect(page.locator("#found ~ .findings .state.warn").first).to_be_visible()
    await tell(page, SECOND, "Tell it again")
    await expect(page.get_by_text("told 2 times")).to_be_visible()
    await expect(page.locator("del").filter(has_text="fixed")).to_be_visible()
    await expect(page.locator("ins").filter(has_text="598")).to_be_visible()
    await expect(page.get_by_text("Sentences: weak → met")).to_be_visible()
    await page.get_by_role("button", name="To Task").click()
    await expect(page.get_by_role("heading", name="Task")).to_be_visible()
    await page.get_by_role("button", name="The whole").click()
    await expect(page.get_by_text("Verdict by the table")).to_be_visible()


async def test_the_clock_informs_and_ends_nothing(open_page: Looker) -> None:
    page = await open_page("/walkthrough")
    await page.clock.install()
    await page.goto(url("rehearse"))
    target = int(await page.locator("[data-clock]").get_attribute("data-clock") or 0)
    clock, says = page.locator("[data-clock]"), page.locator("[data-clock-says]")
    await page.locator("#text").fill(SECOND)
    await expect(page.locator("#count")).to_contain_text("22 words, about 0:09 to say")
    now_ms = await page.evaluate("() => Date.now()")
    # Far enough ahead for any machine to be there in time; nothing is counted before the start.
    await page.clock.pause_at(datetime.fromtimestamp(now_ms / 1000 + 3_600, UTC))
    await page.get_by_role("button", name="Start the clock").click()
    told = []
    for share, pace in (
        (0.5, "on track"),
        (0.85, "wrap up"),
        (1.1, "over time"),
        (1.6, "well over"),
    ):
        at = round(share * target)
        shown = await page.locator("[data-clock-face]").text_content() or "0:00"
        await page.clock.run_for((at - int(shown[2:]) - 60 * int(shown[0])) * 1000)
        await expect(page.locator("[data-clock-pace]")).to_have_text(pace)
        await expect(clock).to_have_attribute("data-pace", pace)
        told.append(await says.text_content())
    assert told[0] == "", "only thresholds are announced"
    assert [one.partition(":")[0] for one in told[1:]] == ["wrap up", "over time", "well over"]
    await page.get_by_role("button", name="Pause").click()
    stands = await page.locator("[data-clock-face]").text_content()
    await page.clock.run_for(5000)
    await expect(page.locator("[data-clock-face]")).to_have_text(stands or "")
    await expect(page.locator("#text")).to_be_editable()
    await page.get_by_role("button", name="Tell it").click()
    await expect(page.locator("#found")).to_contain_text(f"{stands} by the clock")
    await page.get_by_role("button", name="No clock").click()
    await expect(page.locator("[data-clock-face]")).to_be_hidden()
    await page.goto(url("mock"))
    await expect(page.locator("[data-clock-face]")).to_be_hidden()
    await page.get_by_role("button", name="With a clock").click()
    await expect(page.locator("[data-clock-face]")).to_be_visible()


# --- mock ---


@pytest.mark.parametrize(("words", "step"), [(weak, "lean no"), (strong, "strong yes")])
async def test_the_founding_answers_get_their_verdicts_after_probes(
    open_page: Looker, words: Any, step: str
) -> None:
    page = await open_page(url("mock"))
    assert await page.locator(".findings").count() == 0
    await page.locator("#text").fill(words())
    await page.locator("#text").focus()
    await press(page, "Control+Enter")
    probes = 0
    while await page.get_by_text("They ask:").count():
        probes += 1
        reply = story().told(story().at("sde2").probes[0].strong.text)
        await tell(page, reply, "That is my answer")
    assert 2 <= probes <= 4
    await expect(page.locator("#verdict")).to_have_text(re.compile(step, re.IGNORECASE))
    await page.get_by_text("The table: the first row that holds decides").click()
    await expect(page.locator(".rows .decides")).to_have_count(1)
    await expect(page.get_by_text("not what an interviewer would decide")).to_be_visible()


# --- the story ---


async def test_levels_and_listeners_tell_the_same_story_otherwise(open_page: Looker) -> None:
    page = await open_page(f"{FOUNDING}?{LISTENER}")
    question = await page.locator(".question").text_content()
    before = await page.locator(".told-text").all_text_contents()
    await follow(page, page.get_by_role("link", name="SDE1"))
    await expect(page.get_by_text("In all 2:00")).to_be_visible()
    assert await page.locator(".told-text").all_text_contents() != before
    assert await page.locator(".question").text_content() == question
    lead = await page.locator(".told-text").first.text_content()
    await follow(page, page.get_by_role("link", name="Dive Deep"))
    await expect(page.get_by_role("link", name="Dive Deep")).to_have_attribute(
        "aria-current", "true"
    )
    assert await page.locator(".told-text").first.text_content() != lead
    await expect(page.get_by_role("link", name="SDE1")).to_have_attribute("aria-current", "true")


# --- from the record ---


async def test_a_number_of_the_draft_leads_to_its_log_rows(open_page: Looker, site: Site) -> None:
    await bring(site)
    page = await open_page(f"/incidents/{NAME}")
    await page.get_by_role("link", name="Tell this incident").click()
    number = page.locator("a.slot", has_text="598")
    target = (await number.get_attribute("href") or "")[1:]
    part = page.locator(f"#{target}")
    await expect(part).to_be_hidden()
    await number.click()
    await expect(part).to_be_visible()
    await expect(part).to_contain_text("homing investigate")
    await expect(part.locator("tbody tr").first).to_contain_text(re.compile(r":\d+"))
    await expect(page.get_by_text("Gaps to fill")).to_be_visible()


async def bring_rows(site: Site, name: str = NAME, logs: tuple[str, ...] | None = None) -> None:
    """598 lost deliveries, 727 of a suspect, a sample of all; with words that are hostile."""
    inputs = RECORD["results"]["investigate"]["inputs"]
    for which, lost, kept in (("lost", 598, 598), ("suspects.0", 537, 727), ("judged", 0, 40)):
        pages = range(0, kept, 20)
        if which != "judged":  # the first, those around the last lost one, the last
            pages = range(0, kept, 20)[:: max(1, len(pages) - 1)]
            pages = sorted({*pages, (lost - 1) // 20 * 20, 20})
        for start in pages:
            deliveries = [
                {
                    "id": f"dlv_{which}_{at}",
                    "is_lost": at < lost,
                    "rows": [{"file": "deliveries.jsonl.gz", "line": at + 1, "text": HOSTILE}],
                }
                for at in range(start, min(start + 20, kept))
            ]
            path = f"/incident/{name}/rows/{which}/{start // 20 + 1}"
            await site.call("PUT", path, json={"deliveries": deliveries})
    lists = [
        {"name": "lost", "title": "lost deliveries", "total": 598, "lost": 598, "kept": 598},
        {"name": "suspects.0", "title": "deliveries with “it was late”", "total": 727,
         "lost": 537, "kept": 727},
        {"name": "judged", "title": "deliveries that were judged", "total": 199_478, "lost": 598,
         "kept": 40},
    ]  # fmt: skip
    body = {"logs": logs or [one["sha256"] for one in inputs], "lists": lists}
    await site.call("PUT", f"/incident/{name}/rows", json=body)


async def test_a_number_leads_to_all_that_it_counts(
    open_page: Looker, site: Site, each_theme: str
) -> None:
    await bring(site)
    await bring_rows(site)
    page = await open_page(f"/incidents/{NAME}/story?me=ana", theme=each_theme)
    await page.locator("a.slot", has_text="598").click()
    await page.get_by_role("link", name="598 lost deliveries: row by row").first.click()
    listed = page.locator("ol.counted > li")
    await expect(listed).to_have_count(20)
    await expect(listed.first).to_contain_text("dlv_lost_0")
    await expect(listed.first.locator("tbody tr")).to_contain_text("deliveries.jsonl.gz:1")
    assert await page.locator("main img, main script").count() == 0
    await assert_accessible(page)
    await page.get_by_role("link", name="More").click()
    await expect(listed.first).to_contain_text("dlv_lost_20")
    await listed.nth(1).locator("summary").click()
    await expect(listed.nth(1).locator("tbody tr")).to_be_visible()
    await expect(page.get_by_text("21 to 40 of 598")).to_be_visible()
    await page.goto(page.url.replace("page=2", "page=30"))
    await expect(listed).to_have_count(18)
    await expect(page.get_by_role("link", name="More")).to_have_count(0)
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": 800})
        await assert_fits(page)
    await page.get_by_role("link", name="Its story").click()
    await expect(page.locator("#me")).to_have_value("ana")


async def test_the_counts_of_a_part_lead_to_that_part(open_page: Looker, site: Site) -> None:
    await bring(site)
    await bring_rows(site)
    page = await open_page(f"/incidents/{NAME}/story?me=ana&level=senior&lens=dive-deep")
    part = page.locator("ol.evidence > li", has_text="suspects.0.dropped")
    await part.locator("summary").click()
    await part.get_by_role("link", name="537 that were lost, of 727").click()
    await page.goto(f"{page.url}&page=27")
    listed = page.locator("ol.counted > li")
    await expect(listed).to_have_count(17)
    await expect(listed.last).to_contain_text("dlv_suspects.0_536")
    await page.goto(f"/incidents/{NAME}/rows/suspects.0?page=27")
    await expect(listed).to_have_count(20)
    await expect(listed.last).to_contain_text("not lost")
    await page.goto(f"/incidents/{NAME}/rows/judged")
    await expect(page.get_by_text("40 of 199,478 deliveries that were judged")).to_be_visible()
    await expect(page.get_by_text("homing walkthrough rows --of judged")).to_be_visible()
    for path in ("lost?page=31", "lost?page=x", "nothing", "suspects.0?only=lost&page=28"):
        answer = await page.request.get(f"{site.url}/incidents/{NAME}/rows/{path}")
        assert answer.status == 404, path


async def test_rows_of_a_log_that_the_record_no_longer_names_are_not_shown(
    open_page: Looker, site: Site
) -> None:
    await bring(site)
    other = RECORD["results"]["impact"]["inputs"][1]["sha256"]
    await bring_rows(site, logs=(other,))
    page = await open_page(f"/incidents/{NAME}/story?me=ana")
    await page.locator("a.slot", has_text="598").click()
    await expect(page.get_by_text("homing walkthrough rows --of lost").first).to_be_visible()
    await expect(page.get_by_role("link", name="row by row")).to_have_count(0)
    answer = await page.request.get(f"{site.url}/incidents/{NAME}/rows/lost")
    assert answer.status == 404


async def test_an_edit_against_the_record_is_told_and_export_leaves_names_out(
    open_page: Looker, site: Site, tmp_path: Path
) -> None:
    await bring(site)
    page = await open_page(f"/incidents/{NAME}/story?me=ana")
    draft = await page.locator("#text").input_value()
    assert "0.3%" in draft
    edited = draft.replace("0.3%", "0.5%", 1) + f" Bob Müller of bob@shop.example helped. {HOSTILE}"
    await tell(page, edited, "Hold it against the record")
    await expect(page.locator("mark", has_text="0.5%")).to_be_visible()
    await expect(page.get_by_text(re.compile("the record says 0.3"))).to_be_visible()
    assert await page.locator("main img, main script").count() == 0
    async with page.expect_download() as waiting:
        await page.get_by_role("button", name="Export").click()
    text = (await (await waiting.value).path()).read_text()
    assert "bob@shop.example" not in text
    assert "## Situation" in text
    await page.goto(f"/incidents/{NAME}/story?me=ana")
    await expect(page.locator("#text")).to_have_value(edited)
    await page.get_by_role("button", name="Back to the draft").click()
    await expect(page.locator("#text")).to_have_value(draft)


async def test_a_record_is_rehearsed_and_mocked(open_page: Looker, site: Site) -> None:
    await bring(site)
    page = await open_page(f"/incidents/{NAME}/story?me=ana")
    draft = await page.locator("#text").input_value()
    await follow(page, page.get_by_role("link", name="Rehearse"))
    await expect(page.locator("#text")).to_have_value(re.compile("598"))
    await tell(page, "I counted 700 lost of 199,478 deliveries.", "Tell it")
    await expect(page.locator("#found ~ .findings")).to_contain_text("As the record has it")
    await follow(page, page.get_by_role("link", name="evidence"))
    await follow(page, page.get_by_role("link", name="Mock"))
    await tell(page, draft.replace("0.3%", "4.5%", 1), "That is my answer")
    while await page.get_by_text("They ask:").count():
        await tell(page, "I held it against the log.", "That is my answer")
    await expect(page.get_by_role("heading", name="Against the record")).to_be_visible()
    await expect(page.get_by_text("the record says").first).to_be_visible()


# --- what the browser keeps ---


async def test_what_was_begun_survives_and_one_button_deletes_it(open_page: Looker) -> None:
    page = await open_page(url("rehearse"))
    await tell(page, FIRST, "Tell it")
    await expect(page.locator("#found")).to_be_visible()
    await page.locator("#text").fill("half a sentence")
    await page.goto("/walkthrough")
    begun = page.locator("[data-begun]")
    await expect(begun).to_contain_text("Rehearse: Three webhooks in a thousand, SDE2, Ownership")
    await begun.get_by_role("button", name="Go on").click()
    await expect(page.locator("#text")).to_have_value("half a sentence")
    await expect(page.get_by_text("told 1 time")).to_be_visible()
    await page.goto(url("rehearse"))
    await page.get_by_role("button", name="Go on where you were").click()
    await expect(page.locator("#text")).to_have_value("half a sentence")
    await page.goto(url("rehearse"))
    await page.get_by_role("button", name="Begin anew").click()
    await page.locator("#text").fill("another beginning")
    async with asyncio.timeout(60):  # kept once nothing was typed for a moment
        while len(await kept(page)) < 2:  # a new walk costs no earlier one
            await page.wait_for_timeout(50)
    await page.goto("/walkthrough")
    await page.get_by_text("Delete all of it").first.click()
    await page.get_by_role("button", name="Delete all of it").last.click()
    await expect(page.get_by_text("All of it is deleted from this browser.")).to_be_visible()
    assert not await kept(page)
    await page.reload()
    await expect(begun).to_be_hidden()


async def test_words_that_were_typed_survive_a_reload(open_page: Looker) -> None:
    page = await open_page(url("mock"))
    await page.locator("#text").fill(SECOND)
    await page.reload()
    await expect(page.locator("#text")).to_have_value(SECOND)
    assert len(await kept(page)) == 1


async def test_what_the_browser_keeps_is_no_way_to_another_site(open_page: Looker) -> None:
    page = await open_page("/walkthrough")
    for number, place in enumerate(
        ("javascript:alert(1)", "https://evil.example/walkthrough/x/mock?")
    ):
        entry = json.dumps({"name": HOSTILE, "url": place, "walk": "x", "at": 1})
        await page.evaluate(
            "([k, v]) => localStorage.setItem(k, v)", [f"homing-walk:{number}", entry]
        )
    await page.reload()
    await expect(page.locator("[data-begun]")).to_be_hidden()


# --- hostile input, no script ---


def _walk(page_text: str) -> dict[str, Any]:
    found = re.search(r'name="walk" value="([^"]+)"', page_text)
    assert found
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(found[1]))
    return decoded


async def test_a_changed_walk_and_hostile_words_are_pages_and_no_tracebacks(
    open_page: Looker, site: Site
) -> None:
    page = await open_page(url("rehearse"))
    key = await page.locator("input[name=form_key]").first.get_attribute("value") or ""

    async def send(mode: str, walk: Any, **fields: str) -> tuple[int, str]:
        text = walk
        if not isinstance(walk, str):
            text = base64.urlsafe_b64encode(json.dumps(walk).encode()).decode()
        answer = await page.request.post(
            site.url + url(mode),
            form={"form_key": key, "walk": text, **fields},
            headers={"accept": "text/html"},
        )
        return answer.status, await answer.text()

    good = {
        m: _walk(await (await page.request.get(url(m))).text())
        for m in ("learn", "rehearse", "mock")
    }
    attempt = {"text": "x", "at_us": 1}
    for mode, walk in (
        ("rehearse", "no walk"),
        ("rehearse", "é"),
        ("rehearse", ""),
        ("rehearse", "A" * 700_000),
        ("rehearse", good["rehearse"] | {"level": "senior"}),
        ("rehearse", good["rehearse"] | {"stage": -9}),
        ("rehearse", good["rehearse"] | {"stage": 99}),
        ("rehearse", good["rehearse"] | {"attempts": {"nowhere": [attempt]}}),
        ("rehearse", good["rehearse"] | {"attempts": {"task": []}}),
        ("rehearse", good["rehearse"] | {"attempts": {"task": [attempt | {"text": "x" * 99_999}]}}),
        ("learn", good["learn"] | {"place": -1}),
        ("learn", good["learn"] | {"seed": 10**40}),
        ("learn", good["learn"] | {"at_us": 10**30}),
        ("mock", good["mock"] | {"probes": ["nothing"], "answer": attempt}),
        ("mock", good["mock"] | {"replies": [attempt], "answer": attempt}),
        ("mock", good["mock"] | {"answer": attempt | {"took_s": 1e300}}),
    ):
        status, body = await send(mode, walk, does="tell", text="words")
        assert status == 422, (mode, walk)
        assert "Traceback" not in body
    for does, fields in (("go", {"stage": "²"}), ("go", {"stage": "x"}), ("go", {})):
        assert (await send("rehearse", good["rehearse"], does=does, **fields))[0] in (200, 422)
    status, body = await send("rehearse", good["rehearse"], does="tell", text="  ", said_s="9" * 99)
    assert status == 200
    assert "expected some words" in body
    status, body = await send("rehearse", good["rehearse"], does="tell", text="x" * 50_000)
    assert status == 200
    assert "expected at most" in body
    for path in ("nothing/learn", "lost-update?level=x", "lost-update/mock?incident=inc_none"):
        answer = await page.request.get(f"/walkthrough/{path}", headers={"accept": "text/html"})
        assert answer.status == 404, path
    await tell(page, HOSTILE + " ﷽" * 50 + "\u202e\u0000", "Tell it")
    await expect(page.locator("#found ~ .told-text").first).to_contain_text("<script>alert(1)")
    assert await page.locator("main img, main script").count() == 0


async def test_without_a_script_forms_do_it_all(open_page: Looker) -> None:
    page = await open_page(url("rehearse"), scripts=False, role="viewer")
    await expect(page.get_by_role("button", name="Start the clock")).to_be_hidden()
    await tell(page, SECOND, "Tell it")
    await expect(page.locator("#found")).to_be_visible()
    await page.get_by_role("button", name="To Task").click()
    await expect(page.get_by_role("heading", name="Task")).to_be_visible()
    await page.goto(url("learn"))
    await follow(page, page.get_by_role("button", name="Go on"))
    await follow(page, page.locator("button.choice").first)
    await expect(page.locator(".choice.chosen")).to_have_count(1)


# --- how they look ---


async def test_the_pages_are_accessible_and_fit(
    open_page: Looker, site: Site, each_theme: str
) -> None:
    await bring(site)
    page = await open_page("/walkthrough", theme=each_theme)

    async def look() -> None:
        await page.evaluate(
            "() => document.querySelectorAll('main details').forEach(d => d.open = true)"
        )
        await assert_accessible(page)
        for width in WIDTHS if each_theme == "light" else ():  # colours move nothing
            await page.set_viewport_size({"width": width, "height": 900})
            await assert_fits(page)

    await page.goto(url("mock"))
    await tell(page, FIRST, "That is my answer")
    await look()
    while await page.get_by_text("They ask:").count():
        await tell(page, FIRST, "That is my answer")
    await look()
    await page.goto(url("rehearse"))
    await tell(page, FIRST, "Tell it")
    await tell(page, SECOND, "Tell it again")
    await look()
    await page.goto(url("learn"))
    await follow(page, page.get_by_role("button", name="Go on"))
    await follow(page, page.locator("button.choice").first)
    await look()
    for path in ("/walkthrough", f"{FOUNDING}?{LISTENER}"):
        await page.goto(path)
        await look()
    await page.goto(f"/incidents/{NAME}/story?me=ana")
    text = (await page.locator("#text").input_value()).replace("0.3%", "0.5%")
    await tell(page, text, "Hold it against the record")
    await look()
