"""The board in a browser: signed in, and on a wall."""

from __future__ import annotations

from playwright.async_api import Browser, expect
from support.pages import Looker, Site, assert_accessible, assert_fits, token


async def test_whoever_is_signed_in_goes_on_to_what_is_the_matter(
    open_page: Looker, site: Site
) -> None:
    page = await open_page("/board")
    row = page.get_by_role("row").filter(has_text="this instance")
    await expect(row).to_contain_text("dead letters wait for somebody")
    await row.locator("details summary").click()
    await row.locator("details").get_by_role("link", name="delivered").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(
        "Deliveries are received in time"
    )


async def test_a_screen_on_a_wall_needs_a_token_and_nobody(
    chromium: Browser, open_page: Looker, site: Site
) -> None:
    page = await open_page("/sign-in", role=None)
    refused = await page.request.get(f"{site.url}/board")  # a browser would ask for a password
    assert refused.status == 401
    assert 'href="/sign-in?next=%2Fboard"' in await refused.text()
    context = await chromium.new_context(
        base_url=site.url,
        http_credentials={"username": "wall", "password": token("viewer")},
        java_script_enabled=False,
    )
    open_page.contexts.append(context)
    wall = await context.new_page()
    answer = await wall.goto("/board?refresh=60")
    assert answer is not None
    assert answer.headers["refresh"] == "60"
    await expect(wall.get_by_role("row").filter(has_text="this instance")).to_be_visible()
    assert await wall.locator("nav[aria-label=Pages], main form").count() == 0
    assert await wall.get_by_role("link", name="delivered").count() == 0


async def test_the_board_is_accessible_and_fits(
    open_page: Looker, site: Site, each_theme: str
) -> None:
    for width in (390, 1440):
        page = await open_page("/board", theme=each_theme, width=width)
        await assert_accessible(page)
        await assert_fits(page)
