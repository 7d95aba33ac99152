"""Looking for messages and deliveries, and one of each: what a person finds, sees and does."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect
from support.making import START_US
from support.pages import Looker, Site, assert_accessible, assert_fits, follow, site_of
from support.ports import free_port
from support.processes import serving
from support.receiver import respond

from homing.core.identifiers import ENTROPY_BYTES, new_id

Serve = Callable[..., AbstractAsyncContextManager[Site]]

#: as tests/pages/conftest.py serves
QUICK: dict[str, object] = {"poll_s": 0.1, "audit_every_s": 1, "slo_every_s": 1, "workers": 1}
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>"
#: turned writing, a terminal's colours, nothing that is seen, and half of a character
ODD = "\u202eabc\u2066 \x1b[31mred \u200b"
LOUD = EVIL.encode() + ODD.encode() + b" \xff\xfe " + b"A" * 1_000_000


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def evil(site: Site) -> dict[str, str]:
    """A shop whose publisher and receiver both send hostile text; one delivery dead, one good."""
    headers = [("x-evil", EVIL), ("content-type", "text/html")]
    site.receiver.script("/evil", respond(500, LOUD, headers))
    app = await site.shop("evil", f"Evil {EVIL}")
    bad = await site.endpoint("evil", "/evil", description=f"{EVIL}{ODD}")
    good = await site.endpoint("evil", "/good", channels=["good"])
    body = {
        "eventType": "order.placed",
        "eventId": "evil-17",
        "tags": ["vip/17"],
        "channels": ["good"],
        "payload": {"text": EVIL + ODD, "unique": "needle42"},
    }
    message = (await site.call("POST", "/app/evil/msg", json=body))["id"]
    await site.until(
        "/app/evil/dead-letter", lambda found: [d for d in found["data"] if d["msgId"] == message]
    )
    return {"app": app, "bad": bad, "good": good, "message": message}


async def test_a_message_is_found_by_what_a_person_knows_of_it(
    open_page: Looker, evil: dict[str, str]
) -> None:
    page = await open_page("/messages")
    row = page.locator("tbody tr", has_text=evil["message"])
    for text in (
        evil["message"],
        "event:evil-17",
        "type:order.* after:1h",
        "tag:vip/17",
        "needle42 app:evil",
        '"alert(1)" NEEDLE42',
    ):
        await page.goto("/messages")
        await page.get_by_role("searchbox", name="Find messages").fill(text)
        await page.keyboard.press("Enter")
        if text == evil["message"]:
            await expect(page).to_have_url(f"/messages/{evil['app']}/{evil['message']}")
            continue
        await expect(row).to_have_count(1)
    await page.goto("/messages?find=needle42+nothing43")
    await expect(page.get_by_text("Nothing fits")).to_be_visible()


async def test_a_word_that_is_an_event_id_leads_to_its_message(
    open_page: Looker, serve: Serve
) -> None:
    body = {"eventType": "order.placed", "eventId": "order-17", "payload": {}}
    async with serve() as site:
        app = await site.shop("shop")
        message = (await site.call("POST", "/app/shop/msg", json=body))["id"]
        page = await open_page("/messages?find=order-17", site=site)
        await page.get_by_text("The event id of a message of").get_by_role("link").click()
        await expect(page).to_have_url(f"/messages/{app}/{message}")
        for number in range(20):
            await site.shop(f"another-{number}")
        await asyncio.sleep(1.1)  # ids tell seconds apart: the next is the last of 22
        await site.shop("last")
        body["eventId"] = "order-18"
        message = (await site.call("POST", "/app/last/msg", json=body))["id"]
        await page.goto("/messages?find=order-18")  # too many to ask each without being told to
        await page.get_by_text("As an event id:").get_by_role("link").click()
        await expect(page.locator("tbody tr", has_text=message)).to_have_count(1)
        await open_page.close()


async def test_a_delivery_is_found_by_its_status_and_endpoint(
    open_page: Looker, evil: dict[str, str]
) -> None:
    page = await open_page("/deliveries")
    await page.get_by_label("State").select_option("dead")
    await page.get_by_label("Application").select_option(evil["app"])
    await page.get_by_role("button", name="Find").click()
    rows = page.locator("tbody tr")
    await expect(rows).to_have_count(1)
    await expect(rows.locator(".state")).to_have_text("dead")
    for text, count in (
        (f"endpoint:{evil['bad']}", 1),
        (f"endpoint:{evil['good']} status:delivered", 1),
        (f"endpoint:{evil['good']} status:dead", 0),
        (f"{evil['message']} needle42", 2),
    ):
        await page.goto(f"/deliveries?find={text}")
        await expect(page.locator("tbody tr")).to_have_count(count)


async def test_what_is_not_understood_is_said_and_nothing_is_lost(open_page: Looker) -> None:
    page = await open_page("/deliveries?find=stauts:dead")
    await expect(page.get_by_role("alert")).to_contain_text("did you mean status:dead?")
    await expect(page.get_by_role("searchbox", name="Find deliveries")).to_have_value("stauts:dead")
    await page.goto("/deliveries?find=endpoint:ep_nothing")
    await expect(page.get_by_role("alert")).to_contain_text("There is no endpoint")
    await assert_accessible(page)
    open_page.expected.append("status of 404")
    await page.goto("/deliveries/msg_nothing.ep_nothing")
    await expect(page.get_by_role("heading", level=1)).to_have_text("There is nothing here")


async def test_hostile_text_is_shown_as_text(open_page: Looker, evil: dict[str, str]) -> None:
    page = await open_page(f"/deliveries/{evil['message']}.{evil['bad']}")
    alerts: list[str] = []
    page.on("dialog", lambda dialog: alerts.append(dialog.message))
    answer = page.get_by_role("region", name="Body of the answer")
    await expect(answer).to_contain_text(EVIL)
    await expect(answer).to_contain_text("⟨U+202E⟩")
    await expect(answer).to_contain_text("␛[31m")
    await expect(answer).to_contain_text("\\xff\\xfe")
    await page.locator("summary", has_text="headers of the answer").click()
    await expect(page.get_by_role("region", name="Headers of the answer")).to_contain_text(EVIL)
    html = await page.content()
    assert len(html) < 200_000
    assert not any(one in html for one in ("\u202e", "\u2066", "\x1b", "\u200b"))
    assert await page.locator("script:not([src])").count() == 0
    assert await page.locator("main img").count() == 0
    for path in (
        f"/messages/{evil['app']}/{evil['message']}",
        f"/messages?find=needle42&app={evil['app']}",
        f"/deliveries?app={evil['app']}",
        "/deliveries?find=" + EVIL,
    ):
        await page.goto(path)
        html = await page.content()
        assert not any(one in html for one in ("<script>alert", "<img src=x", "\u202e"))
    assert alerts == []


async def test_an_attempt_tells_where_its_time_went_and_that_it_was_signed(
    open_page: Looker, evil: dict[str, str]
) -> None:
    page = await open_page(f"/deliveries/{evil['message']}.{evil['bad']}")
    await page.get_by_role("link", name="Attempt 1: status 500").click()
    attempt = page.locator(".one-attempt")
    await expect(attempt.get_by_role("heading", name="Attempt 1")).to_be_visible()
    stages = attempt.locator(".waterfall th")
    await expect(stages.last).to_have_text("Reading the answer")
    await expect(attempt.locator(".signatures")).to_contain_text("verifies with the present secret")
    await attempt.locator("summary", has_text="Headers of the request").click()
    sent = attempt.get_by_role("region", name="Headers of the request")
    await expect(sent).to_contain_text("webhook-signature")
    await expect(page.locator(".timeline li")).to_have_count(4)  # accepted, and three attempts
    assert "whsec_" not in await page.content()


async def test_a_dead_letter_is_discarded_brought_back_and_redriven_by_keyboard(
    open_page: Looker, site: Site
) -> None:
    site.receiver.script("/mine", respond(500, b"no"))
    await site.shop("mine")
    endpoint = await site.endpoint("mine", "/mine")
    message = await site.send("mine", {"order": 1})
    await site.until("/app/mine/dead-letter", lambda found: found["data"])
    page = await open_page(f"/deliveries/{message}.{endpoint}", role="operator")
    await expect(page.locator("#stands .state")).to_have_text("dead")

    await page.get_by_text("Discard", exact=True).focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await page.keyboard.type("a test order")
    await page.keyboard.press("Enter")
    await expect(page.locator("#stands .state")).to_have_text("cancelled")
    await expect(page.get_by_text("It can be brought back for 7 days.")).to_be_visible()
    hands = page.get_by_role("region", name="What people and rules did")
    await expect(hands).to_contain_text("a test order")

    await page.get_by_text("Bring back", exact=True).click()
    await page.get_by_role("button", name="Bring it back").click()
    await expect(page.locator("#stands .state")).to_have_text("dead")
    site.receiver.script("/mine", respond(200, b"yes"))
    await page.get_by_text("Redrive", exact=True).click()
    await page.get_by_role("button", name="Redrive it").click()
    # it was open all the time: the page looks again by itself
    await expect(page.locator("#stands .state")).to_have_text("delivered")
    await expect(hands.locator("tbody tr")).to_have_count(3)


async def test_what_waits_can_be_resent_and_cancelled(open_page: Looker, serve: Serve) -> None:
    async with serve(retry_delays_s="0.1,3600,7200") as site:
        site.receiver.script("/fails", respond(503, b"later"))
        await site.shop("shop")
        endpoint = await site.endpoint("shop", "/fails")
        message = await site.send("shop", {"order": 1})
        which = f"{message}.{endpoint}"
        await site.until(f"/app/shop/delivery/{which}", lambda found: found["attempts"] == 2)
        page = await open_page(f"/deliveries/{which}", site=site)
        planned = page.locator(".timeline .planned")
        await expect(planned).to_have_count(2)
        await expect(planned.last).to_contain_text("the last of its schedule")
        due = await page.locator("#stands time").first.get_attribute("datetime")
        await page.get_by_text("Resend", exact=True).click()
        await page.get_by_role("button", name="Resend it").click()
        await site.until(f"/app/shop/delivery/{which}", lambda found: found["attempts"] == 3)
        # the new attempt is there without a reload, in the timeline and in full
        await expect(page.locator(".one-attempt h2")).to_have_text("Attempt 3")
        await expect(page.locator(".timeline")).to_contain_text("Attempt 3: status 503")
        stands = page.locator("#stands time").first
        await expect(stands).to_have_attribute("datetime", due or "")
        await page.get_by_text("Cancel", exact=True).click()
        await page.get_by_label("Why").fill("the order was a test")
        await page.get_by_role("button", name="Cancel the delivery").click()
        await expect(page.locator("#stands .state")).to_have_text("cancelled")
        await expect(page.locator(".timeline .planned")).to_have_count(0)


async def test_a_viewer_looks_and_can_do_nothing(open_page: Looker, evil: dict[str, str]) -> None:
    open_page.expected.append("status of 403")
    page = await open_page(f"/deliveries/{evil['message']}.{evil['bad']}", role="viewer")
    await expect(page.locator("#stands .state")).to_have_text("dead")
    assert await page.locator(".actions form").count() == 0
    key = await page.locator("input[name=form_key]").first.get_attribute("value")
    answer = await page.request.post(
        f"/deliveries/{evil['message']}.{evil['bad']}/resend", form={"form_key": key or ""}
    )
    assert answer.status == 403


async def test_nothing_of_another_organisation_is_seen(
    open_page: Looker, evil: dict[str, str]
) -> None:
    open_page.expected.append("status of 404")
    page = await open_page("/messages", org="org_other")
    await expect(page.get_by_text("No messages yet")).to_be_visible()
    for path in (
        f"/deliveries/{evil['message']}.{evil['bad']}",
        f"/messages/{evil['app']}/{evil['message']}",
    ):
        await page.goto(path)
        await expect(page.get_by_role("heading", level=1)).to_have_text("There is nothing here")
    await page.goto("/messages?find=needle42")
    await expect(page.get_by_text("Nothing fits")).to_be_visible()


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390), ("light", 820)])
async def test_the_pages_are_accessible_and_fit(
    open_page: Looker, evil: dict[str, str], theme: str, width: int
) -> None:
    page = await open_page("/messages", theme=theme, width=width)
    for path in (
        "/messages",
        "/deliveries",
        f"/deliveries/{evil['message']}.{evil['bad']}",
        f"/messages/{evil['app']}/{evil['message']}",
    ):
        await page.goto(path)
        for details in await page.locator(".one-attempt details, .words").all():
            await details.evaluate("one => one.open = true")
        if width != 820:  # one width of each theme: what axe looks at is the same in between
            await assert_accessible(page)
        await assert_fits(page)


async def test_without_a_script_everything_is_there(
    open_page: Looker, evil: dict[str, str]
) -> None:
    page = await open_page("/deliveries?find=status:dead", scripts=False)
    await page.get_by_role("link", name=evil["message"]).click()
    await expect(page.get_by_role("heading", name="What happened")).to_be_visible()
    await page.get_by_text("Redrive", exact=True).click()
    await expect(page.get_by_role("button", name="Redrive it")).to_be_visible()


async def test_a_delivery_that_is_open_while_the_service_restarts_catches_up(
    open_page: Looker, tmp_path: Path
) -> None:
    open_page.expected += ["net::ERR_", "htmx:sendError", "htmx:afterRequest"]
    listen = f"127.0.0.1:{free_port()}"
    later = QUICK | {"retry_delays_s": "0.1,3600", "listen": listen}
    async with serving(tmp_path, **later) as homing, site_of(homing, tmp_path) as site:
        site.receiver.script("/fails", respond(503, b"later"))
        await site.shop("shop")
        endpoint = await site.endpoint("shop", "/fails")
        message = await site.send("shop", {"order": 1})
        which = f"{message}.{endpoint}"
        await site.until(f"/app/shop/delivery/{which}", lambda found: found["attempts"] == 2)
        page = await open_page(f"/deliveries/{which}", site=site)
        homing.signal(signal.SIGKILL)
        await homing.wait()
        away = page.get_by_text("Homing does not answer.")
        await expect(away).to_be_visible()
        await expect(page.locator("#stands .state")).to_have_text("waiting")
    async with serving(tmp_path, **later) as homing, site_of(homing, tmp_path) as site:
        await expect(away).to_be_hidden()
        path = f"/app/shop/delivery/{which}/cancel"
        await site.call("POST", path, json={"why": "meanwhile"})
        await expect(page.locator("#stands .state")).to_have_text("cancelled")


ROWS = 10_000
#: for ever: they are of a day long ago, and what is beyond its retention goes after a minute
KEPT = {f"retain_{part}_d": 0 for part in ("payload", "attempts", "log", "dead")}


@pytest_asyncio.fixture(loop_scope="session")
async def crowded(serve: Serve) -> AsyncIterator[Site]:
    """A Homing with ten thousand deliveries, one of them dead, and one with a word of its own."""
    async with serve(**KEPT) as site:
        app = await site.shop("many", "Many")
        endpoint = await site.endpoint("many", "/many", description="Many")
        await asyncio.to_thread(_fill, next(site.folder.glob("*.db")), app, endpoint)
        site.ids.update(app=app, endpoint=endpoint)
        yield site


def _fill(path: Path, app: str, endpoint: str) -> None:
    db = sqlite3.connect(path, timeout=60)
    messages, history = [], []
    for number in range(ROWS):
        at_us = START_US + number * 1_000_000
        entropy = number.to_bytes(ENTROPY_BYTES, "big")
        name = new_id("msg_", at_us, entropy)
        payload = json.dumps({"order": f"ord{number}", "text": EVIL}).encode()
        kind = "rare.kind" if number == 40 else "payment.captured"
        messages.append(
            (name, app, kind, payload, at_us, 1, 0, None, None, '["vip"]' if number == 9 else None)
        )
        state = "dead" if number == 77 else "delivered"
        reason = "attempts_exhausted" if state == "dead" else None
        row = (name, endpoint, app, state, at_us, 2, None, None, 1, 0, 0, 0, None, None, reason)
        history.append((*row, None, None, at_us + 1))
    with db:
        db.executemany(f"INSERT INTO messages VALUES ({', '.join('?' * 10)}, NULL, NULL)", messages)
        db.executemany(f"INSERT INTO history VALUES ({', '.join('?' * 18)})", history)
    db.close()


async def test_ten_thousand_deliveries_are_looked_through_and_paged(
    open_page: Looker, crowded: Site
) -> None:
    page = await open_page("/deliveries", site=crowded)
    await expect(page.locator("tbody tr")).to_have_count(50)
    first = await page.locator("tbody tr a").first.inner_text()
    await follow(page, page.get_by_role("link", name="More"))
    await expect(page.locator("tbody tr")).to_have_count(50)
    await expect(page.locator("tbody tr a").first).not_to_have_text(first)
    await page.get_by_role("link", name="Back").click()
    await expect(page.locator("tbody tr a").first).to_have_text(first)
    # what is rare is found among all of it: by an index, by going through, by a word
    for text in ("status:dead", "type:rare.*", "tag:vip", "ord4321", "ord17"):
        await page.goto(f"/deliveries?find={text}")
        for _ in range(20):  # each look has a bound; a person goes on
            if await page.locator("tbody tr").count():
                break
            further = page.get_by_role("link", name="Look further back")
            assert await further.count(), await page.locator("main").inner_text()
            await follow(page, further)
        await expect(page.locator("tbody tr")).to_have_count(1)
    await assert_accessible(page)
