"""The frame around every page: signing in, keys, themes, widths, and what a browser is told."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from playwright.async_api import expect
from support.pages import (
    QUICK,
    Looker,
    Site,
    assert_accessible,
    assert_fits,
    follow,
    press,
    seed,
    site_of,
    token,
)
from support.ports import free_port
from support.processes import serving

from .conftest import Serve


async def test_whoever_signs_in_comes_to_where_they_wanted_to_go(
    open_page: Looker, site: Site
) -> None:
    page = await open_page("/?from=bookmark", role=None)
    assert "/sign-in" in page.url
    await assert_accessible(page)
    await page.get_by_label("Token").fill(token())
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/?from=bookmark")
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_text("You are signed out.").wait_for()
    await page.goto("/")
    assert "/sign-in" in page.url


async def test_a_wrong_token_is_said_to_be_wrong_and_many_of_them_have_to_wait(
    open_page: Looker, serve: object
) -> None:
    async with serve() as site:  # type: ignore[operator]
        open_page.expected.append("403 (Forbidden)")
        open_page.expected.append("429 (Too Many")
        page = await open_page("/sign-in", role=None, site=site)
        for _ in range(5):
            await page.get_by_label("Token").fill("not a token")
            await page.get_by_role("button", name="Sign in").click()
            await expect(page.get_by_role("alert")).to_contain_text("does not know this token")

        async def sign_in() -> None:
            await page.get_by_label("Token").fill(token())
            await follow(page, page.get_by_role("button", name="Sign in"))

        await sign_in()
        while "/sign-in" not in page.url:  # slower than the wait: another wrong one doubles that
            await page.context.clear_cookies()
            await page.request.post(f"{site.url}/sign-in", form={"token": "not a token"})
            await page.goto("/sign-in")
            await sign_in()
        await expect(page.get_by_role("alert")).to_contain_text("Too many wrong tokens")
        while "/sign-in" in page.url:
            await asyncio.sleep(0.5)
            await sign_in()
        await page.wait_for_function("() => window.htmx && window.uPlot")  # before it goes away


async def test_everything_can_be_done_without_a_script(open_page: Looker) -> None:
    page = await open_page("/", scripts=False, width=390)
    await page.get_by_role("link", name="Admin").click()
    await expect(page.get_by_role("heading", name="You", exact=True)).to_be_visible()
    await page.get_by_role("button", name="Dark").click()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_text("You are signed out.").wait_for()


async def test_the_theme_can_be_chosen_and_is_remembered(open_page: Looker) -> None:
    page = await open_page("/")
    ground = "() => getComputedStyle(document.body).backgroundColor"
    light = await page.evaluate(ground)
    await page.get_by_role("button", name="Dark").click()
    assert await page.evaluate(ground) != light
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert await page.evaluate(ground) != light


async def test_the_keyboard_alone_reaches_everything(open_page: Looker) -> None:
    page = await open_page("/you")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#content")).to_be_focused()
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
    await page.keyboard.press("/")
    await expect(page.get_by_role("searchbox")).to_be_focused()
    await page.keyboard.type("gh")  # typed into the field, and not taken as keys
    await page.keyboard.press("Escape")
    home = page.url.removesuffix("you#content")
    await page.keyboard.press("g")
    await press(page, "h")
    assert page.url == home


async def test_the_menu_of_a_phone_opens_and_closes(open_page: Looker) -> None:
    page = await open_page("/", width=390)
    link = page.get_by_role("link", name="Home", exact=True)
    await expect(link).to_be_hidden()
    await page.get_by_role("button", name="Menu").click()
    await expect(link).to_be_visible()
    await assert_accessible(page)
    await assert_fits(page)


async def test_a_form_from_elsewhere_does_nothing(open_page: Looker, site: Site) -> None:
    page = await open_page("/")
    request = page.context.request
    for form in ({}, {"form_key": "0" * 32}):
        answer = await request.post(f"{site.url}/sign-out", form=form)
        assert answer.status == 403
    other = await request.post(
        f"{site.url}/theme", form={"theme": "dark"}, headers={"sec-fetch-site": "cross-site"}
    )
    assert other.status == 403
    await page.reload()
    await expect(page.get_by_role("button", name="Sign out")).to_be_visible()


async def test_signing_out_everywhere_ends_every_session_of_the_token_and_no_other(
    open_page: Looker,
) -> None:
    first = await open_page("/", role="operator")
    second = await open_page("/", role="operator")
    admin = await open_page("/", role="admin")
    await first.get_by_role("link", name="Operator").click()
    await assert_accessible(first)
    await first.locator("summary", has_text="Sign out everywhere").click()
    await first.get_by_role("button", name="Sign out everywhere").click()
    await first.get_by_text("Every session that was begun with this token").wait_for()
    await second.reload()
    assert "/sign-in" in second.url
    await admin.reload()
    await expect(admin.get_by_role("button", name="Sign out")).to_be_visible()


async def test_organisations_are_kept_apart(open_page: Looker, site: Site) -> None:
    page = await open_page("/", org="org_other")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Nothing was accepted")
    assert "Warehouse" not in await page.content()
    await expect(page.get_by_text("Nothing has been sent yet")).to_be_visible()


async def test_a_browser_is_told_to_run_nothing_that_is_not_ours(
    open_page: Looker, site: Site
) -> None:
    page = await open_page("/")
    for path in ("/", "/sign-in", "/nothing-here"):
        answer = await page.context.request.get(site.url + path, headers={"accept": "text/html"})
        headers = answer.headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"
    cookies = {one["name"]: one for one in await page.context.cookies()}
    assert cookies["homing_session"]["httpOnly"]
    assert cookies["homing_session"]["sameSite"] == "Lax"


async def test_the_stylesheet_and_the_scripts_are_kept_until_they_change(
    open_page: Looker, site: Site
) -> None:
    page = await open_page("/")
    urls = await page.eval_on_selector_all(
        "script[src], link[rel=stylesheet]", "found => found.map(one => one.src || one.href)"
    )
    assert len(urls) == 5
    for url in urls:
        answer = await page.context.request.get(url)
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        stale = await page.context.request.get(url.partition("?")[0] + "?v=0")
        assert stale.headers["cache-control"] == "no-cache"


async def test_what_is_not_there_is_said_by_a_page(open_page: Looker) -> None:
    open_page.expected.append("404 (Not Found)")
    page = await open_page("/nothing-here")
    await expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
    await expect(page.get_by_role("navigation", name="Pages")).to_be_visible()
    await assert_accessible(page)


async def test_a_page_that_is_open_while_the_service_restarts_says_so_and_comes_back(
    open_page: Looker, tmp_path: Path
) -> None:
    open_page.expected += ["ERR_CONNECTION_REFUSED", "htmx:sendError", "htmx:afterRequest"]
    given = QUICK | {"listen": f"127.0.0.1:{free_port()}"}
    async with serving(tmp_path, **given) as homing, site_of(homing, tmp_path) as site:
        page = await open_page("/", site=site)
        homing.signal(signal.SIGTERM)
        await homing.wait()
        notice = page.get_by_text("Homing does not answer.")
        await expect(notice).to_be_visible()
        await assert_accessible(page)
    async with serving(tmp_path, **given):
        await expect(notice).to_be_hidden()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Nothing was accepted")


async def test_lists_fit_a_tablet(open_page: Looker, serve: Serve) -> None:
    """With names of usual length, and endpoints with any."""
    async with serve() as site:
        await seed(site)
        await site.call("POST", "/app", json={"name": "Warehouse" * 12, "uid": "long"})
        body = {"url": site.receiver.url("/" + "long" * 40), "description": "Notifications" * 9}
        await site.call("POST", "/app/long/endpoint", json=body)
        page = await open_page("/", width=820, site=site)
        for path in ("messages", "deliveries", "endpoints", "dead-letters", "objectives", "board"):
            await page.goto(f"/{path}")
            cut = await page.locator(".table").evaluate_all(
                "all => all.filter(one => one.scrollWidth > one.clientWidth)"
                ".map(one => [one.ariaLabel, one.scrollWidth, one.clientWidth])"
            )
            assert not cut, path
