"""Endpoints, for operators: which need somebody, why one fails, and what is done about it."""

from __future__ import annotations

import asyncio
import csv
import io
import re
import signal
from pathlib import Path

import pytest
from playwright.async_api import Page, expect
from support.many import fill
from support.pages import QUICK, Looker, Site, assert_accessible, assert_fits, site_of
from support.ports import free_port
from support.processes import serving
from support.receiver import respond

HOSTILE = "<script>document.title='taken'</script>"


async def choose(page: Page, label: str) -> None:
    """Open what asks again first, and say yes."""
    await page.locator("summary", has_text=label).click()
    await page.locator("details[open] form button:not([data-close])").click()


async def test_what_needs_somebody_is_on_top_and_says_why(open_page: Looker, site: Site) -> None:
    page = await open_page("/endpoints?app=shop")
    rows = page.get_by_role("row")
    await expect(rows.nth(1)).to_contain_text("Failing")
    await expect(rows.nth(1)).to_contain_text("Warehouse")
    await expect(rows.nth(2)).to_contain_text("100%")
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/endpoints/app_*/ep_*")
    await expect(page.locator("main .state").first).to_have_text("Failing")
    why = page.get_by_role("table", name="Failed attempts by what came of them")
    await expect(why).to_contain_text("It fails to handle it")
    await expect(why).to_contain_text("100%")
    waits = page.get_by_role("table", name="What waits for this endpoint")
    await expect(waits).to_contain_text(
        "A redrive sends a few first, and the rest if these do well."
    )
    await page.get_by_role("link", name="Last hour").click()
    await expect(page.locator("figure.chart canvas").first).to_be_visible()


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 820), ("light", 390)])
async def test_pages_are_accessible_and_fit(
    open_page: Looker, site: Site, theme: str, width: int
) -> None:
    app, failing = site.ids["app"], site.ids["failing"]
    one = f"/endpoints/{app}/{failing}"
    page = await open_page("/endpoints", theme=theme, width=width)
    for path in ("/endpoints", one, f"{one}/edit"):
        await page.goto(path)
        await assert_accessible(page)
        await assert_fits(page)


async def test_smaller_pages_are_accessible_and_fit(open_page: Looker, site: Site) -> None:
    app, failing = site.ids["app"], site.ids["failing"]
    schemas = {"1": {"properties": {"a": {"type": "string"}}}}
    body = {"name": "a.kind", "description": "Something", "schemas": schemas}
    await site.call("POST", "/event-type", json=body)
    page = await open_page("/applications", theme="dark", width=390)
    for path in (
        "/applications",
        "/event-types",
        "/event-types/a.kind",
        "/endpoints/new",
        f"/endpoints/{app}/{failing}/secret",
        f"/endpoints/{app}/{failing}/headers",
    ):
        await page.goto(path)
        await assert_accessible(page)
        await assert_fits(page)


async def test_an_endpoint_is_made_tried_edited_parked_and_removed(
    open_page: Looker, site: Site
) -> None:
    await site.shop("made", "Made here")
    site.receiver.script("/tried", respond(200, f"thanks {HOSTILE}".encode()))
    open_page.expected.append("422 (Unprocessable")
    page = await open_page("/endpoints/new?app=made")
    await page.get_by_label("URL").fill("http://10.0.0.1/inside")
    await page.get_by_label("Description").fill(HOSTILE)
    await page.get_by_role("button", name="Add the endpoint").click()
    await expect(page.get_by_text("expected a public address")).to_be_visible()
    await assert_accessible(page)
    await expect(page.get_by_label("Description")).to_have_value(HOSTILE)
    await page.get_by_label("URL").fill(site.receiver.url("/tried"))
    await page.get_by_label("Rate limit").fill("20")
    await page.get_by_role("button", name="Add the endpoint").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    assert await page.title() != "taken"
    await expect(page.get_by_text("20 attempts a second")).to_be_visible()

    await page.get_by_role("button", name="Send it").click()
    await expect(page.locator("#test-result")).to_contain_text("It answered 200")
    await expect(page.locator("#test-result pre")).to_have_text(f"thanks {HOSTILE}")
    # what the test changed is told everywhere, and with the same answer: sooner than by themselves
    await expect(page.locator("#health")).to_contain_text("of 1 attempt", timeout=4_500)
    await expect(page.locator("#condition .state")).to_have_text("Fine", timeout=4_500)
    await expect(page.locator("#recent")).to_contain_text("delivered", timeout=4_500)

    await page.get_by_role("link", name="Edit").first.click()
    await page.get_by_label("Description").fill("Ledger")
    await page.get_by_label("Retry delays").fill("5, soon")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_label("Retry delays")).to_have_attribute("aria-invalid", "true")
    await page.get_by_label("Retry delays").fill("5, 60")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("3 attempts, the next after 5 s, 1 min")).to_be_visible()

    await choose(page, "Park")
    await expect(page.get_by_text("It is disabled by hand")).to_be_visible()
    await site.send("made", {"n": 1})
    await page.reload()
    await expect(page.locator("#waiting")).to_contain_text("Enabling it sends all of them")
    await page.locator("#recent tbody a").first.click()
    await expect(page.locator("summary", has_text="Enable the endpoint")).to_be_visible()
    await page.go_back()
    await choose(page, "Enable")
    await expect(page.locator("#recent")).to_contain_text("delivered")
    await expect(page.locator("#waiting")).to_contain_text("Nothing is parked")

    await page.locator("summary", has_text="Remove this endpoint").click()
    await page.get_by_label("Type the word delete").fill("delete")
    await page.get_by_role("button", name="Remove", exact=True).click()
    await expect(page.get_by_role("status")).to_contain_text("Removed")


async def test_the_address_of_a_form_leads_back_to_its_page(open_page: Looker, site: Site) -> None:
    app, failing = site.ids["app"], site.ids["failing"]
    page = await open_page(f"/endpoints/{app}/{failing}/secret/rotate")
    await expect(page).to_have_url(f"{site.url}/endpoints/{app}/{failing}/secret")
    await page.goto(f"/endpoints/{app}/{failing}/park")
    await expect(page).to_have_url(f"{site.url}/endpoints/{app}/{failing}")


async def test_the_keyboard_alone_tests_and_parks(open_page: Looker, site: Site) -> None:
    await site.shop("keyed")
    endpoint = await site.endpoint("keyed", "/keyed", description="By keys")
    page = await open_page("/endpoints?app=keyed")
    for key in ("j", "Enter"):
        await page.keyboard.press(key)
    await page.wait_for_url(f"**/{endpoint}")
    await page.get_by_label("Example of").focus()
    for key in ("Tab", "Enter"):
        await page.keyboard.press(key)
    await expect(page.locator("#test-result")).to_contain_text("It answered 200")
    await page.locator("summary", has_text="Park").focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Escape")
    await expect(page.locator("details.confirm[open]")).to_have_count(0)
    for key in ("Enter", "Tab", "Enter"):
        await page.keyboard.press(key)
    await expect(page.get_by_text("It is disabled by hand")).to_be_visible()


async def test_dead_letters_are_redriven_a_few_first(open_page: Looker, site: Site) -> None:
    await site.shop("mended")
    site.receiver.script("/mended", *[respond(500)] * 3, respond(200))
    endpoint = await site.endpoint("mended", "/mended", description="Mended")
    await site.send("mended", {"n": 1})
    stats = f"/app/mended/endpoint/{endpoint}/stats"
    await site.until(stats, lambda found: found["fail"] == 3)
    await site.until("/app/mended/issue", lambda found: found["data"])
    page = await open_page(f"/endpoints/mended/{endpoint}")
    await page.get_by_role("link", name="Redrive its dead letters").click()
    await page.get_by_role("button", name="See what would happen").click()
    await expect(page.get_by_text("latest answer was still a failure: status 500")).to_be_visible()
    await page.get_by_role("button", name="Redrive 1 dead letter").click()
    await expect(page.locator("#progress .state")).to_have_text("finished", timeout=20_000)
    await page.goto(f"/endpoints/mended/{endpoint}")
    await expect(page.locator("#recent")).to_contain_text("delivered")
    await expect(page.locator("#waiting")).to_contain_text("Nothing was given up")


async def test_a_secret_is_shown_when_asked_for_and_rotated_with_an_overlap(
    open_page: Looker, site: Site
) -> None:
    await site.shop("keys")
    endpoint = await site.endpoint("keys", "/keys")
    secret = (await site.call("GET", f"/app/keys/endpoint/{endpoint}/secret"))["key"]
    page = await open_page(f"/endpoints/keys/{endpoint}/secret")
    assert secret not in await page.content()
    await page.get_by_role("button", name="Show the secret").click()
    await expect(page.get_by_text(secret, exact=True)).to_be_visible()
    await page.get_by_role("button", name="Rotate").click()
    await expect(page.get_by_text("This is the new secret")).to_be_visible()
    assert secret not in await page.content()
    await expect(page.get_by_text("1 older secret still signs beside it")).to_be_visible()
    await assert_accessible(page)


async def test_headers_are_set_and_sensitive_ones_are_not_shown_again(
    open_page: Looker, site: Site
) -> None:
    await site.shop("heads")
    endpoint = await site.endpoint("heads", "/heads")
    open_page.expected.append("422 (Unprocessable")
    page = await open_page(f"/endpoints/heads/{endpoint}/headers")
    await page.get_by_label("Headers, one on each line").fill("no colon")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("line 1: expected Name: value")).to_be_visible()
    text = "X-Region: north\nAuthorization: Bearer abc"
    await page.get_by_label("Headers, one on each line").fill(text)
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("X-Region: north")).to_be_visible()
    await expect(page.get_by_text("Authorization: ••••••")).to_be_visible()
    await page.goto(f"/endpoints/heads/{endpoint}/headers")
    await page.get_by_label("Headers, one on each line").fill("")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Authorization: ••••••")).to_be_visible()
    await expect(page.get_by_text("X-Region")).to_have_count(0)


async def test_who_may_less_sees_less_and_is_refused(open_page: Looker, site: Site) -> None:
    app, failing = site.ids["app"], site.ids["failing"]
    one = f"/endpoints/{app}/{failing}"
    open_page.expected.append("403 (Forbidden)")
    viewer = await open_page(one, role="viewer")
    for label in ("Edit", "Park", "Send it", "Redrive its dead letters", "Remove this endpoint"):
        await expect(viewer.get_by_text(label, exact=True)).to_have_count(0)
    operator = await open_page(one, role="operator")
    await expect(operator.locator("summary", has_text="Park")).to_be_visible()
    await expect(operator.get_by_text("Show or rotate")).to_have_count(0)
    await operator.goto(f"{one}/secret")
    await expect(operator.get_by_text("this needs the role admin")).to_be_visible()
    key = await viewer.locator("input[name=form_key]").first.input_value()
    answer = await viewer.context.request.post(f"{site.url}{one}/park", form={"form_key": key})
    assert answer.status == 403


async def test_what_was_sent_can_be_taken_along(open_page: Looker, site: Site) -> None:
    app, failing = site.ids["app"], site.ids["failing"]
    page = await open_page(f"/endpoints/{app}/{failing}")
    async with page.expect_download() as begun:
        await page.get_by_role("button", name="Download").click()
    path = await (await begun.value).path()
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    assert len(rows) == 12
    assert {row["state"] for row in rows} == {"dead"}
    assert site.ids["message"] in {row["id"] for row in rows}


async def test_an_application_and_an_event_type_are_made(open_page: Looker, site: Site) -> None:
    open_page.expected.append("422 (Unprocessable")
    page = await open_page("/applications")
    await page.get_by_label("Name", exact=True).fill("Bakery")
    await page.get_by_role("button", name="Add the application").click()
    await expect(page.get_by_role("status")).to_contain_text("Bakery is made")
    await page.goto("/event-types")
    await page.get_by_label("Name").fill("bread.baked")
    await page.get_by_label("JSON Schema").fill('{"type": 7}')
    await page.get_by_role("button", name="Add the event type").click()
    await expect(page.get_by_role("alert")).to_contain_text("expected a JSON Schema")
    schema = '{"properties":{"loaf":{"type":"string"}},"examples":[{"loaf":"<b>rye</b>"}]}'
    await page.get_by_label("JSON Schema").fill(schema)
    await page.get_by_role("button", name="Add the event type").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("bread.baked")
    await expect(page.get_by_label("Example of a payload")).to_contain_text("<b>rye</b>")
    await expect(page.get_by_role("rowheader", name="loaf")).to_be_visible()


async def test_the_list_works_without_a_script_and_says_when_it_is_empty(
    open_page: Looker, site: Site
) -> None:
    await site.shop("empty")
    page = await open_page("/endpoints?app=empty", scripts=False)
    await expect(page.get_by_text("No endpoint matches")).to_be_visible()
    await page.get_by_label("Find by URL").fill("warehouse")
    await page.get_by_label("Application").select_option("")
    await page.get_by_role("button", name="Show").click()
    await expect(page.get_by_role("link", name="Warehouse")).to_be_visible()
    open_page.expected.append("404 (Not Found)")
    await page.goto("/endpoints?app=nobody")
    await expect(page.get_by_text("there is no application 'nobody'")).to_be_visible()
    other = await open_page("/endpoints", org="org_other")
    await expect(other.get_by_text("No endpoints yet")).to_be_visible()


async def test_ten_thousand_deliveries_and_a_thousand_endpoints_are_bounded(
    open_page: Looker, tmp_path: Path
) -> None:
    """And a page that is open while the service restarts goes on by itself."""
    open_page.expected += ["ERR_CONNECTION", "htmx:sendError", "htmx:afterRequest"]
    given = QUICK | {"listen": f"127.0.0.1:{free_port()}"}
    async with serving(tmp_path, **given) as homing, site_of(homing, tmp_path) as site:
        app = await site.shop("many")
        endpoint = await site.endpoint("many", "/many")
        url = f"sqlite:///{tmp_path}/homing.db"
        await fill(url, "many", endpoint, deliveries=10_000, endpoints=1_000)
        site.receiver.script("/new", respond(500))
        await site.endpoint("many", "/new", description="The newest, and failing")
        await site.send("many", {"n": 1})
        await site.until("/app/many/issue", lambda found: found["data"])
        page = await open_page("/endpoints", site=site)
        rows = page.get_by_role("row")
        async with asyncio.timeout(60):  # what failed is written down every few seconds
            while "failing" not in await rows.nth(1).inner_text():
                await asyncio.sleep(0.5)
                await page.reload()
        await expect(rows).to_have_count(52)
        await page.get_by_role("link", name="More").click()
        await expect(page.get_by_role("row")).to_have_count(51)
        await page.get_by_label("Find by URL").fill("receiver-999.")
        await page.get_by_role("button", name="Show").click()
        await expect(page.get_by_role("row")).to_have_count(2)
        await page.goto(f"/endpoints/{app}/{endpoint}?range=1h")
        await expect(page.get_by_text("Of a busier one the newest 1,000 attempts")).to_be_visible()
        await expect(page.locator(".figure", has_text="Dead letters")).to_contain_text("1,000")
        await expect(page.locator(".figure", has_text="Success")).to_contain_text(
            re.compile(r"(89|90)(\.\d+)?%")
        )
        await assert_fits(page)

        homing.process.send_signal(signal.SIGTERM)
        await homing.process.wait()
        await expect(page.locator("#away")).to_be_visible()
        async with serving(tmp_path, **given):
            await expect(page.locator("#away")).to_be_hidden()
            await expect(page.locator("#recent")).to_contain_text("delivered")
