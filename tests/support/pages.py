"""Pages in a real browser: a running Homing with something in it, and people who look at it.

    async def test_x(open_page, site):
        page = await open_page("/endpoints", role="viewer", theme="dark", width=390)
        await page.get_by_role("link", name="Failing").click()
        await assert_accessible(page)

`open_page` signs in, gathers what the console says, and fails at the end of the test if it
complained. `site` is shared by the tests of one process: what a test changes it makes for itself
(`await site.shop("my-own")`). A test that needs a Homing for itself takes `serve`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import Browser, BrowserContext, Error, Locator, Page, expect

from homing.service.tokens import DEFAULT_ORG_ID, Role, sign_org_token
from homing.system import SystemClock
from support.processes import SECRET, Homing
from support.receiver import Receiver, respond

AXE = Path(__file__).parents[1] / "pages/vendor/axe.min.js"
THEMES = ("light", "dark")
WIDTHS = (390, 820, 1440)
#: quick enough for tests: retries end within a second, and the books are audited every second
QUICK: dict[str, object] = {
    "retry_delays_s": "0.1,0.1",
    "poll_s": 0.1,
    "audit_every_s": 1,
    "slo_every_s": 1,
    "workers": 1,
}
#: the libraries that a page needs have come, which they do after its first paint
_AT_REST = """() =>
  (window.htmx || !document.querySelector("[data-live]"))
  && [...document.querySelectorAll(".chart[data-chart] .plot")].every(
    (one) => one.firstChild || !one.clientWidth)
"""
#: longest wait for a browser that may hang, seconds
BROWSER_S = 60.0
#: how long its closing may take
_CLOSE_S = 20.0
#: longest wait for what a page is to show: nothing of Homing's is that slow, but a busy machine is
_WAIT_MS = 60_000.0
expect.set_options(timeout=_WAIT_MS)
#: what a page is looked at in unless a test says otherwise
_HEIGHT = 900


@cache
def token(role: str = "admin", org: str = DEFAULT_ORG_ID) -> str:
    """A token that `serving` takes; the same each time."""
    at_us = SystemClock().now_us()
    return sign_org_token(
        SECRET, at_us=at_us, org_id=org, role=Role(role), read_only=role == "viewer"
    )


@dataclass
class Site:
    """A Homing, a receiver that it may reach, and a client with an admin's token."""

    homing: Homing
    folder: Path
    receiver: Receiver
    http: httpx.AsyncClient  #: base: /api/v1
    org: str = DEFAULT_ORG_ID
    ids: dict[str, str] = field(default_factory=dict)  #: of what `seed` made, by a word
    contexts: list[BrowserContext] = field(default_factory=list)  #: who look at it

    @property
    def url(self) -> str:
        return self.homing.url

    async def call(self, method: str, path: str, **more: Any) -> Any:
        """One request to the API; its JSON."""
        answer = await self.http.request(method, path, **more)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def shop(self, uid: str, name: str = "") -> str:
        """An application; its id."""
        body = {"uid": uid, "name": name or uid}
        made = await self.call("POST", "/app", params={"get_if_exists": "true"}, json=body)
        return str(made["id"])

    async def endpoint(self, app: str, path: str, **more: Any) -> str:
        """An endpoint at the receiver's `path`; its id."""
        body = {"url": self.receiver.url(path), **more}
        return str((await self.call("POST", f"/app/{app}/endpoint", json=body))["id"])

    async def send(self, app: str, payload: Any, event_type: str = "payment.captured") -> str:
        """A message; its id."""
        body = {"eventType": event_type, "payload": payload}
        return str((await self.call("POST", f"/app/{app}/msg", json=body))["id"])

    async def until(self, path: str, holds: Any, **params: Any) -> Any:
        """The answer of the API once `holds(answer)`."""
        async with asyncio.timeout(60):
            while True:
                found = await self.call("GET", path, params=params)
                if holds(found):
                    return found
                await asyncio.sleep(0.1)


@asynccontextmanager
async def site_of(homing: Homing, folder: Path, org: str = DEFAULT_ORG_ID) -> AsyncIterator[Site]:
    """What a test needs around a running Homing."""
    async with (
        Receiver() as receiver,
        httpx.AsyncClient(
            base_url=f"{homing.url}/api/v1",
            headers={"authorization": f"Bearer {token(org=org)}"},
            timeout=60,
            trust_env=False,
        ) as http,
    ):
        yield Site(homing, folder, receiver, http, org)


async def seed(site: Site) -> None:
    """A shop with a healthy endpoint and one that fails: deliveries delivered, waiting and dead."""
    site.receiver.script("/fails", respond(500))
    shop = await site.shop("shop", "Shop")
    healthy = await site.endpoint("shop", "/healthy", description="Accounting")
    failing = await site.endpoint("shop", "/fails", description="Warehouse")
    messages = [await site.send("shop", {"order": number, "paid": True}) for number in range(12)]
    site.ids.update(app=shop, healthy=healthy, failing=failing, message=messages[0])
    await site.until(
        "/app/shop/issue", lambda found: sum(one["count"] for one in found["data"]) == 12
    )


async def sign_in(context: BrowserContext, url: str, text: str) -> None:
    """Give the browser a session, as the form does."""
    answer = await context.request.post(f"{url}/sign-in", form={"token": text}, max_redirects=0)
    assert answer.status == 303, await answer.text()


@dataclass
class Looker:
    """Opens pages, and remembers what their consoles complained of."""

    browser: Browser
    site: Site
    complaints: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)
    #: what is known to be said and no mistake, e.g. while the service is away
    expected: list[str] = field(default_factory=list)

    async def __call__(
        self,
        path: str,
        *,
        role: str | None = "admin",
        theme: str = "light",
        width: int = 1440,
        scripts: bool = True,
        site: Site | None = None,
        org: str | None = None,
    ) -> Page:
        """A page, loaded and at rest.

        Args:
            role: of whoever looks; None: nobody is signed in.
            site: default: the shared one.
        """
        site = site or self.site
        context = await self.browser.new_context(
            viewport={"width": width, "height": _HEIGHT},
            color_scheme=theme,  # type: ignore[arg-type]
            java_script_enabled=scripts,
            base_url=site.url,
            reduced_motion="reduce",
        )
        self.contexts.append(context)
        site.contexts.append(context)
        if role is not None:
            await sign_in(context, site.url, token(role, org or site.org))
        page = await context.new_page()
        page.set_default_timeout(_WAIT_MS)
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        await page.goto(path)
        if scripts:
            await at_rest(page)
        return page

    def _note(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text} {message.location}")

    async def close(self) -> None:
        for context in self.contexts:
            await leave(context)

    def unexpected(self) -> list[str]:
        return [c for c in self.complaints if not any(one in c for one in self.expected)]


async def at_rest(page: Page) -> None:
    """Until a page that was come to has run its scripts: before that, it hears no key."""
    await whole(page)
    await page.wait_for_function(_AT_REST)


async def leave(context: BrowserContext) -> None:
    """Close somebody's browser, once its pages are there: one on its way would keep it open.

    On a busy machine Chromium now and then never says that it has closed. That says nothing of
    Homing: such a one is left to the end of all.
    """
    for page in context.pages:
        with suppress(Error):  # it went away, or another came while this one was asked
            await whole(page)
    with suppress(TimeoutError):
        async with asyncio.timeout(_CLOSE_S):
            await context.close()


async def whole(page: Page) -> None:
    """Until all of the page is there.

    Playwright takes a new page for loaded when it has heard of its beginning and not yet that the
    end of the page before is void.
    """
    async with asyncio.timeout(BROWSER_S):
        while await page.evaluate("() => document.readyState") != "complete":
            await asyncio.sleep(0.02)


async def follow(page: Page, link: Locator) -> None:
    """Press what leads to another page, until that is there whole."""
    async with page.expect_navigation():
        await link.click()
    await whole(page)


async def press(page: Page, key: str) -> None:
    """Press a key that leads to another page, until that is there whole and hears the next key."""
    async with page.expect_navigation():
        await page.keyboard.press(key)
    await whole(page)


#: Rules whose findings never are serious are not asked for; what cannot be told is not brought.
_FIND = """async () => {
  const grave = (one) => ["serious", "critical"].includes(one.impact);
  const others = axe._audit.rules.filter((rule) => rule.impact && !grave(rule));
  const rules = Object.fromEntries(others.map((rule) => [rule.id, { enabled: false }]));
  return (await axe.run({ resultTypes: ["violations"], rules })).violations.filter(grave);
}"""


async def findings(page: Page) -> list[str]:
    """What axe-core finds serious or critical, a line each."""
    async with asyncio.timeout(BROWSER_S):  # `evaluate` has none of its own
        if not await page.evaluate("() => 'axe' in window"):
            await page.evaluate(AXE.read_text())  # not a script element: the policy would refuse it
        found = await page.evaluate(_FIND)
    return [
        f"{one['id']}: {one['help']}: {node['html'][:200]} {node.get('failureSummary', '')[:200]}"
        for one in found
        for node in one["nodes"]
    ]


async def assert_accessible(page: Page) -> None:
    """No serious finding of axe-core."""
    found = await findings(page)
    assert not found, "\n".join(found)


async def assert_fits(page: Page) -> None:
    """The page itself does not scroll sideways; tables do so inside themselves."""
    wide = await page.evaluate(
        "() => document.scrollingElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert wide <= 0, f"the page is {wide} px wider than its window"
