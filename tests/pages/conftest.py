"""Fixtures of the pages' tests: one Chromium and one seeded Homing for all tests of a process.

`site`: the shared Homing. `open_page`: see `support.pages`. `serve`: a Homing for one test alone,
`async with serve(audit_every_s=1) as site:`. `each_theme`, `each_width`: parameters.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright
from support.pages import BROWSER_S, QUICK, THEMES, WIDTHS, Looker, Site, leave, seed, site_of
from support.processes import serving

HERE = Path(__file__).parent

#: Playwright turns these off; what is said last counts, so they are said again
_OFF = (
    *("AimEnabled", "AvoidCorsURLLoaderRestartOnRedirect", "AvoidUnnecessaryBeforeUnloadCheckSync"),
    *("DestroyProfileOnBrowserClose", "HttpsFirstBalancedModeAutoEnable", "HttpsUpgrades"),
    *("LensOverlay", "MediaRouter", "NetworkTimeServiceQuerying", "OptimizationHints"),
    *("PaintHolding", "PreconnectToSearch", "TcpPortRandomizationWin"),
    "ThirdPartyStoragePartitioning",
)
#: pages of Chromium's own behind its address bar, which nobody sees: each window had two of them in
#: processes of their own, and they took as long as ours; and processes for pages that may come
_UNSEEN = (
    *("WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup"),
    "SpareRendererForSitePerProcess",
)
FLAGS = (
    *("--no-sandbox", "--disable-dev-shm-usage", "--force-color-profile=srgb"),
    # There is no graphics card: a process less for what paints in its place.
    *("--disable-gpu", "--disable-software-rasterizer", "--in-process-gpu"),
    f"--disable-features={','.join((*_OFF, *_UNSEEN))}",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here needs the browser, and shares its event loop."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium(missing: Callable[[str, str], None]) -> AsyncIterator[Browser]:
    """Debian's Chromium, without a window."""
    path = os.environ.get("HOMING_TEST_CHROMIUM") or shutil.which("chromium")
    if path is None:
        missing("browser", "no `chromium` on PATH; scripts/install-browser installs it")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        with suppress(TimeoutError):  # it ends with Playwright then
            async with asyncio.timeout(BROWSER_S):
                await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """A Homing with a healthy endpoint and a failing one; shared."""
    folder = tmp_path_factory.mktemp("pages")
    async with serving(folder, **QUICK) as homing, site_of(homing, folder) as site:
        await seed(site)
        yield site


Serve = Callable[..., AbstractAsyncContextManager[Site]]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """A Homing for this test alone, with nothing in it."""

    @asynccontextmanager
    async def serve(**settings: object) -> AsyncIterator[Site]:
        async with (
            serving(tmp_path, **(QUICK | settings)) as homing,
            site_of(homing, tmp_path) as site,
        ):
            yield site
            for context in site.contexts:  # before it is away, which they would complain of
                await leave(context)

    return serve


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(chromium: Browser, site: Site) -> AsyncIterator[Looker]:
    """Opens pages; at the end no console may have complained."""
    looker = Looker(chromium, site)
    yield looker
    await looker.close()
    assert not looker.unexpected(), "\n".join(looker.unexpected())


@pytest.fixture(params=THEMES)
def each_theme(request: pytest.FixtureRequest) -> str:
    """Both themes, in turn."""
    return str(request.param)


@pytest.fixture(params=WIDTHS)
def each_width(request: pytest.FixtureRequest) -> int:
    """A phone, a tablet and a desk, in turn."""
    return int(request.param)
