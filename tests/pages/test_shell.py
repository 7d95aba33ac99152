"""The frame around every page: signing in, keys, themes, widths, and what a browser is told."""

from __future__ import annotations

from support.pages import Looker, Site, assert_accessible, assert_fits, token


async def test_whoever_signs_in_comes_to_where_they_wanted_to_go(
    open_page: Looker, site: Site
) -> None:
    page = await open_page("/?from=bookmark", role=None)
    assert "/sign-in" in page.url
    await page.get_by_label("Token").fill(token())
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/?from=bookmark")
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_text("You are signed out.").wait_for()
    await page.goto("/")
    assert "/sign-in" in page.url


async def test_a_page_is_accessible_and_fits(
    open_page: Looker, each_theme: str, each_width: int
) -> None:
    for role in ("admin", None):
        page = await open_page("/", role=role, theme=each_theme, width=each_width)
        await assert_accessible(page)
        await assert_fits(page)
