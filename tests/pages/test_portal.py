"""The portal, for receivers: opened by a link, framed by whom Homing allows, and no way out."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import FrameLocator, Page, expect
from support.pages import QUICK, Looker, Site, assert_accessible, assert_fits, seed, site_of
from support.processes import serving
from support.receiver import respond


async def link(site: Site, app: str, **asked: Any) -> str:
    """What `app-portal-access` gives."""
    answer = await site.call("POST", f"/auth/app-portal-access/{app}", json=asked)
    return str(answer["url"])


async def enter(open_page: Looker, site: Site, app: str, **more: Any) -> Page:
    """The portal of an application, opened by its link."""
    asked = more.pop("asked", {})
    url = await link(site, app, **asked)
    page = await open_page(url, role=None, **more)
    await page.wait_for_url("**/portal/app_*")
    assert "key=" not in page.url
    return page


async def test_the_link_signs_in_by_itself_and_the_token_is_in_no_log(
    open_page: Looker, site: Site
) -> None:
    open_page.expected.append("404 (Not Found)")
    page = await enter(open_page, site, "shop")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Endpoints")
    await expect(page.get_by_role("row").nth(1)).to_contain_text("Warehouse")
    [cookie] = [c for c in await page.context.cookies() if c["name"] == "homing_portal"]
    assert (cookie["path"], cookie["httpOnly"], cookie["secure"]) == ("/portal", True, True)
    assert cookie["value"] not in "".join(site.homing.log)
    await page.goto(f"/portal/{site.ids['app']}/nothing-here")
    await page.locator("main").get_by_role("link").click()  # the only way on is not the desk
    await expect(page.get_by_role("heading", level=1)).to_have_text("Endpoints")
    await page.get_by_role("button", name="Leave").click()
    await expect(page.get_by_text("Open it from there again")).to_be_visible()
    await page.goto(f"/portal/{site.ids['app']}")
    assert page.url.endswith("/portal/enter")


async def test_pages_are_accessible_and_fit(open_page: Looker, site: Site) -> None:
    app, failing = site.ids["app"], site.ids["failing"]
    for theme, width in (("light", 390), ("dark", 820)):
        page = await enter(open_page, site, "shop", theme=theme, width=width)
        for path in (
            f"/portal/{app}",
            f"/portal/{app}/endpoints/{failing}",
            f"/portal/{app}/endpoints/new",
            f"/portal/{app}/event-types",
            f"/portal/{app}/deliveries",
            f"/portal/{app}/deliveries/{site.ids['message']}.{failing}",
            "/portal/enter",
        ):
            await page.goto(path)
            await assert_accessible(page)
            await assert_fits(page)


async def test_a_receiver_adds_tries_and_edits_an_endpoint_and_takes_its_secret(
    open_page: Looker, site: Site
) -> None:
    await site.shop("customer")
    schema = {"examples": [{"order": 7}], "properties": {"order": {"type": "integer"}}}
    body = {"name": "order.placed", "description": "An order", "schemas": {"1": schema}}
    await site.call("POST", "/event-type", json=body)
    page = await enter(open_page, site, "customer", width=820)
    await expect(page.get_by_text("No endpoints yet")).to_be_visible()
    await page.get_by_role("link", name="Add an endpoint").first.click()
    await page.get_by_label("URL").fill(site.receiver.url("/customer"))
    await page.get_by_label("order.placed").check()
    await page.get_by_role("button", name="Add the endpoint").click()
    await page.get_by_label("Example of").select_option("order.placed")
    await page.get_by_role("button", name="Send it").click()
    await expect(page.locator("#test-result")).to_contain_text("It answered 200")
    await page.get_by_role("link", name="Edit").first.click()
    await page.get_by_label("Description").fill("Orders")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Orders")
    await page.get_by_role("link", name="Show or rotate").click()
    await page.get_by_role("button", name="Rotate").click()
    await expect(page.get_by_text("whsec_").first).to_be_visible()
    await page.get_by_role("link", name="Event types").click()
    await page.get_by_role("link", name="order.placed").click()
    await expect(page.get_by_label("Example of a payload")).to_contain_text('"order": 7')


async def test_deliveries_are_found_resent_and_taken_along(open_page: Looker, site: Site) -> None:
    app = await site.shop("resent")
    site.receiver.script("/resent", *[respond(500, b"<b>no</b>")] * 3, respond(200))
    endpoint = await site.endpoint("resent", "/resent")
    await site.send("resent", {"n": 1})
    await site.until(f"/app/resent/endpoint/{endpoint}/stats", lambda found: found["fail"] == 3)
    page = await enter(open_page, site, "resent")
    await page.get_by_role("link", name="Deliveries").click()
    await page.get_by_label("State").select_option("delivered")
    await page.get_by_role("button", name="Show").click()
    await expect(page.get_by_text("No delivery matches")).to_be_visible()
    await page.get_by_label("State").select_option("dead")
    await page.get_by_role("button", name="Show").click()
    await page.get_by_role("link", name="payment.captured").click()
    await expect(page.get_by_label("What it answered").first).to_have_text("<b>no</b>")
    await page.locator("summary", has_text="Resend").click()
    await page.locator("details[open] form button.primary").click()
    await expect(page.locator("#state")).to_contain_text("delivered")
    await page.goto(f"/portal/{app}/endpoints/{endpoint}")
    async with page.expect_download() as begun:
        await page.get_by_label("As", exact=True).select_option("jsonl")
        await page.get_by_role("button", name="Download").click()
    text = (await (await begun.value).path()).read_text()
    assert text.count("\n") == 1
    assert '"state":"delivered"' in text


async def test_what_was_given_up_is_sent_again(open_page: Looker, site: Site) -> None:
    app = await site.shop("again")
    site.receiver.script("/again", *[respond(500)] * 3, respond(200))
    endpoint = await site.endpoint("again", "/again")
    await site.send("again", {"n": 1})
    await site.until("/app/again/issue", lambda found: found["data"])
    page = await enter(open_page, site, "again")
    await page.goto(f"/portal/{app}/endpoints/{endpoint}")
    await page.locator("summary", has_text="Send again what was given up").click()
    await page.locator("details[open] form button.primary").click()
    await expect(page.locator("#recent")).to_contain_text("delivered", timeout=20_000)
    await expect(page.locator("#waiting")).to_contain_text("Nothing was given up", timeout=20_000)


async def test_an_application_sees_only_itself_and_nothing_of_the_operators(
    open_page: Looker, site: Site
) -> None:
    other = await site.shop("other")
    foreign = await site.endpoint("other", "/foreign", description="Foreign")
    open_page.expected.append("404 (Not Found)")
    page = await enter(open_page, site, "shop")
    key = await page.locator("input[name=form_key]").first.input_value()
    app, request = site.ids["app"], page.context.request
    for path in (
        f"/portal/{other}",
        "/portal/other",
        f"/portal/{other}/deliveries",
        f"/portal/{other}/endpoints/{foreign}",
        f"/portal/{app}/endpoints/{foreign}",
        f"/portal/{app}/deliveries?endpoint={foreign}",
    ):
        answer = await request.get(site.url + path, headers={"accept": "text/html"})
        assert answer.status == 404, path
        assert "Foreign" not in await answer.text()
    for path in (f"/portal/{app}/endpoints/{foreign}/park", f"/portal/{other}/endpoints"):
        answer = await request.post(site.url + path, form={"form_key": key})
        assert answer.status == 404, path
    for path in ("/", "/endpoints", "/applications", f"/endpoints/{app}/{site.ids['failing']}"):
        answer = await request.get(site.url + path, max_redirects=0)
        assert answer.headers.get("location", "").startswith("/sign-in"), path
    # the cookie's text is no session of the operators' pages either
    [cookie] = [c for c in await page.context.cookies() if c["name"] == "homing_portal"]
    forged = {"cookie": f"homing_session={cookie['value']}"}
    answer = await request.get(f"{site.url}/endpoints", headers=forged, max_redirects=0)
    assert answer.headers["location"].startswith("/sign-in")
    # nor is what an operator has good for the portal
    admin = await open_page(f"/portal/{app}")
    assert admin.url.endswith("/portal/enter")


async def test_a_token_that_may_only_read_sees_no_buttons_and_is_refused(
    open_page: Looker, site: Site
) -> None:
    app, failing = site.ids["app"], site.ids["failing"]
    open_page.expected.append("403 (Forbidden)")
    page = await enter(open_page, site, "shop", asked={"readOnly": True})
    await expect(page.get_by_role("link", name="Add an endpoint")).to_have_count(0)
    await page.goto(f"/portal/{app}/endpoints/{failing}")
    await expect(page.get_by_role("button", name="Leave")).to_be_visible()
    for label in ("Edit", "Disable", "Show or rotate", "Send it", "Send again what was given up"):
        await expect(page.get_by_text(label, exact=True)).to_have_count(0)
    await expect(page.get_by_role("link", name="Send a test")).to_have_count(0)
    key = await page.locator("input[name=form_key]").first.input_value()
    one = f"{site.url}/portal/{app}/endpoints/{failing}"
    delivery = f"{site.url}/portal/{app}/deliveries/{site.ids['message']}.{failing}"
    for url in (
        *(f"{one}/{verb}" for verb in ("park", "test", "recover", "delete", "edit", "secret")),
        f"{one}/secret/rotate",
        f"{one}/headers",
        f"{delivery}/resend",
        f"{site.url}/portal/{app}/endpoints",
    ):
        answer = await page.context.request.post(url, form={"form_key": key})
        assert answer.status == 403, url
    await page.goto(f"{one}/secret")
    await expect(page.get_by_text("this one may only read")).to_be_visible()


async def test_a_session_ends_with_its_token_and_a_wrong_token_opens_nothing(
    open_page: Looker, site: Site
) -> None:
    await site.shop("ended")
    page = await enter(open_page, site, "ended")
    await site.call("POST", "/auth/app/ended/expire-all", json={})
    await page.reload()
    assert page.url.endswith("/portal/enter")
    open_page.expected.append("403 (Forbidden)")
    await page.goto("/portal/enter#key=nonsense")
    await page.reload()  # the browser does not load a page again for what is behind the #
    await expect(page.get_by_role("alert")).to_contain_text("not good any more")
    org = site.http.headers["authorization"].removeprefix("Bearer ")
    answer = await page.context.request.post(f"{site.url}/portal/enter", form={"token": org})
    assert answer.status == 403


@contextmanager
def host_page() -> Iterator[tuple[int, dict[str, str]]]:
    """A page of somebody else's application, at any host name of this machine: port and content."""
    content = {"html": ""}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = content["html"].encode()
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port, content
    finally:
        server.shutdown()
        server.server_close()


def framed(url: str) -> str:
    icon = '<link rel="icon" href="data:,">'
    return f'<!doctype html>{icon}<title>Shop</title><iframe src="{url}" title="Webhooks"></iframe>'


async def test_it_works_in_a_frame_of_an_allowed_site_and_in_no_other(
    open_page: Looker, tmp_path: Path
) -> None:
    """`localhost` and `127.0.0.1` are two sites to a browser: the cookie is a third party's."""
    with host_page() as (port, content):
        allowed = f"http://localhost:{port}"
        async with (
            serving(tmp_path, **(QUICK | {"portal_origins": allowed})) as homing,
            site_of(homing, tmp_path) as site,
        ):
            await seed(site)
            content["html"] = framed(await link(site, "shop"))
            page = await open_page(allowed, role=None, site=site)
            frame = page.frame_locator("iframe")
            await expect(frame.get_by_role("heading", level=1)).to_have_text("Endpoints")
            await follow(frame)
            [cookie] = await page.context.cookies()
            assert cookie["sameSite"] == "None"
            assert cookie.get("partitionKey") == "http://localhost"

            open_page.expected += ["frame-ancestors", "ERR_BLOCKED", "X-Frame-Options"]
            other = await open_page(f"http://127.0.0.1:{port}", role=None, site=site)
            inside = other.frame_locator("iframe")
            await expect(inside.get_by_role("heading", level=1)).to_have_count(0)
            async with asyncio.timeout(60):  # the console tells of it in its own time
                while not any("frame-ancestors" in one for one in open_page.complaints):
                    await asyncio.sleep(0.05)

            # what is not the portal is framed by nobody
            content["html"] = framed(f"{site.url}/sign-in")
            page = await open_page(allowed, role=None, site=site)
            inside = page.frame_locator("iframe")
            await expect(inside.get_by_role("heading", level=1)).to_have_count(0)


async def follow(frame: FrameLocator) -> None:
    """A link, a form and what it says afterwards, inside the frame."""
    await frame.get_by_role("link", name="Accounting").click()
    await frame.get_by_role("button", name="Send it").click()
    await expect(frame.locator("#test-result")).to_contain_text("It answered 200")
    await frame.locator("summary", has_text="Disable").click()
    await frame.locator("details[open] form button.danger").click()
    await expect(frame.get_by_role("status").first).to_contain_text("Disabled.")


@pytest.mark.parametrize("dark", ["true", "false"])
async def test_whoever_frames_it_chooses_dark_or_light(
    open_page: Looker, site: Site, dark: str
) -> None:
    url = await link(site, "shop")
    page = await open_page(f"{url}&darkMode={dark}", role=None)
    await page.wait_for_url("**/portal/app_*")
    chosen = "dark" if dark == "true" else "light"
    await expect(page.locator("html")).to_have_attribute("data-theme", chosen)
