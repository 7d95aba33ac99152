"""How fast the pages are with a million deliveries behind them, and what they take from the
dispatcher: `python -m bench.pages`.

    python -m bench.pages                              1,000,000 deliveries, every page
    python -m bench.pages --deliveries 20000 --only home endpoints
    python -m bench.pages --json out.json

First it fills a SQLite database: a day of traffic by the rules (`bench.past`), and finished
deliveries beyond it. Then a real Chromium opens every page several times, each time with nothing
in its cache, and does on it what people do: opens the keys, steps through rows, switches the theme,
opens what can be opened. Told are the first contentful paint, from the click to the paint, and the
longest time from a key or click to the next picture (the browser's own Event Timing).

Last, load runs with and without somebody who clicks through all the pages, in turns; told is the
ratio of the deliveries recorded in a second. A page that holds the dispatcher up is one of many, so
the ratio alone would hide it: meanwhile the service is asked every 10 ms whether it lives, which
the dispatcher's own thread answers, and told is the page during which that took longest.
Bars: paint 200 ms, interaction 100 ms, ratio 0.9, and 100 ms more than without pages for that
answer. Exit code 1 where one is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import os
import shutil
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

import msgspec
from playwright.async_api import Browser, BrowserContext, async_playwright
from playwright.async_api import Error as PlaywrightError

from bench import fill, load
from bench.page_urls import page_urls
from bench.processes import Publisher, Receiver, token
from bench.scenarios import recorded
from bench.showcase import Showcase

PAINT_MS_MAX = 200.0
INTERACTION_MS_MAX = 100.0
RATIO_MIN = 0.9
HELD_MS_MAX = 100.0
_PULSE_S = 0.01
#: how long somebody looks at a page before the next click, seconds
_LOOK_S = 1.0
_VIEWPORT = {"width": 1440, "height": 900}

#: remembers the paint and the slowest interaction of the page that it is put into
_WATCH = """
window.__slowest = 0;
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) {
    if (one.interactionId) window.__slowest = Math.max(window.__slowest, one.duration);
  }
}).observe({ type: "event", durationThreshold: 16, buffered: true });
"""
_PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
_FIRST_BYTE = "() => performance.getEntriesByType('navigation')[0].responseStart"


class PageFigures(msgspec.Struct, kw_only=True):
    """One page, over its rounds, milliseconds."""

    name: str
    path: str
    status: int
    paint_ms: float  #: median
    paint_worst_ms: float
    first_byte_ms: float  #: median: what the service took
    interaction_ms: float  #: the slowest; 0: below 16 ms, which the browser does not tell


class Toll(msgspec.Struct, kw_only=True):
    """What somebody who clicks takes from the dispatcher."""

    alone: list[float]  #: deliveries a second, a round each
    watched: list[float]
    views: int  #: pages that were looked at meanwhile
    alone_ms: float = 0.0  #: slowest sign of life of each second under load alone, their median
    held_ms: dict[str, float] = {}  #: the same while a page was answered, by page

    @property
    def worst(self) -> tuple[str, float]:
        """The page that held the dispatcher up longest, and by how much, milliseconds."""
        name = max(self.held_ms, key=lambda one: self.held_ms[one], default="none")
        return name, max(0.0, self.held_ms.get(name, 0.0) - self.alone_ms)

    @property
    def ratio(self) -> float:
        return median(self.watched) / median(self.alone)


@asynccontextmanager
async def browsing() -> AsyncIterator[Browser]:
    """A Chromium."""
    path = os.environ.get("HOMING_TEST_CHROMIUM") or shutil.which("chromium")
    if path is None:
        sys.exit("expected Chromium; scripts/install-browser installs it")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        await browser.close()


async def signed_in(browser: Browser, showcase: Showcase) -> BrowserContext:
    context = await browser.new_context(viewport=_VIEWPORT)  # type: ignore[arg-type]
    answer = await context.request.post(
        f"{showcase.node.url}/sign-in",
        form={"token": token(showcase.setup)},
        max_redirects=0,
    )
    assert answer.status == 303, answer.status
    await context.add_init_script(_WATCH)
    return context


async def measure_page(
    browser: Browser, showcase: Showcase, name: str, path: str, rounds: int
) -> PageFigures:
    """Open one page several times."""
    paints, first_bytes, slowest, status = [], [], 0.0, 0
    for _ in range(rounds):
        context = await signed_in(browser, showcase)
        page = await context.new_page()
        answer = await page.goto(showcase.node.url + path)
        status = answer.status if answer else 0
        await page.wait_for_function(_PAINT)
        paints.append(float(await page.evaluate(_PAINT)))
        first_bytes.append(float(await page.evaluate(_FIRST_BYTE)))
        await page.wait_for_timeout(300)
        for key in ("?", "Escape", "j", "j", "k", "/", "Escape"):
            await page.keyboard.press(key)
            await page.wait_for_timeout(60)
        for word in ("Dark", "Light"):
            await page.get_by_role("button", name=word, exact=True).click()
            await page.wait_for_timeout(60)
        summary = page.locator("main summary:visible").first
        if await summary.count():
            await summary.click()
            await page.wait_for_timeout(60)
        await page.wait_for_timeout(150)
        slowest = max(slowest, float(await page.evaluate("() => window.__slowest")))
        await context.close()
    return PageFigures(
        name=name,
        path=path,
        status=status,
        paint_ms=median(paints),
        paint_worst_ms=max(paints),
        first_byte_ms=median(first_bytes),
        interaction_ms=slowest,
    )


class Pulse:
    """Asks a service all the time whether it lives; a context manager."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._answers: list[tuple[float, float]] = []  # asked and answered, monotonic seconds

    def __enter__(self) -> Pulse:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()

    def slowest_ms(self, since_s: float, until_s: float) -> float:
        """The longest answer that was waited for at some time between."""
        within = [
            answered_s - asked_s
            for asked_s, answered_s in self._answers
            if answered_s >= since_s and asked_s <= until_s
        ]
        return max(within, default=0.0) * 1_000

    def by_second_ms(self) -> list[float]:
        """The slowest answer of each second."""
        if not self._answers:
            return []
        first_s, last_s = self._answers[0][0], self._answers[-1][1]
        return [
            self.slowest_ms(first_s + at, first_s + at + 1) for at in range(int(last_s - first_s))
        ]

    def _ask(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        while not self._over.wait(_PULSE_S):
            asked_s = time.monotonic()
            connection.request("GET", "/health")
            connection.getresponse().read()
            self._answers.append((asked_s, time.monotonic()))
        connection.close()


def click_around(
    showcase: Showcase, urls: dict[str, str], stop: threading.Event, pulse: Pulse
) -> dict[str, list[float]]:
    """Somebody who looks at one page after the other; how long each held the service up, ms.

    Without a browser, whose own work would count against the dispatcher on the same machine: what
    is asked of the service is the same.
    """
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    form = urlencode({"token": token(showcase.setup)}).encode()
    opener.open(f"{showcase.node.url}/sign-in", form, timeout=60).close()
    looked: list[tuple[str, float, float]] = []
    while not stop.is_set():
        for name, path in urls.items():
            began_s = time.monotonic()
            with opener.open(showcase.node.url + path, timeout=60) as answer:
                answer.read()
            looked.append((name, began_s, time.monotonic()))
            if stop.wait(_LOOK_S):
                break
    time.sleep(10 * _PULSE_S)  # the answer that is under way counts too
    found: dict[str, list[float]] = {}
    for name, began_s, ended_s in looked:
        found.setdefault(name, []).append(pulse.slowest_ms(began_s, ended_s))
    return found


async def measure_toll(showcase: Showcase, count: int, rounds: int) -> Toll:
    """Load alone and load with somebody who clicks, in turns."""
    with Receiver(showcase.folder) as receiver:
        urls = page_urls(showcase.node)
        app = showcase.node.api("POST", "/app", {"name": "load", "uid": "load"})["id"]
        showcase.node.api("POST", f"/app/{app}/endpoint", {"url": f"{receiver.url}/load"})
        found = Toll(alone=[], watched=[], views=0)
        quiet: list[float] = []
        held: dict[str, list[float]] = {}
        await publish(showcase, app, count // 4)  # warm
        for _ in range(rounds):
            with Pulse(showcase.node.port) as pulse:
                found.alone.append(await publish(showcase, app, count))
            quiet += pulse.by_second_ms()
            stop = threading.Event()
            with Pulse(showcase.node.port) as pulse:
                clicking = asyncio.create_task(
                    asyncio.to_thread(click_around, showcase, urls, stop, pulse)
                )
                found.watched.append(await publish(showcase, app, count))
                stop.set()
                for name, times in (await clicking).items():
                    held.setdefault(name, []).extend(times)
        found.views = sum(map(len, held.values()))
        found.alone_ms = median(quiet) if quiet else 0.0
        found.held_ms = {name: median(times) for name, times in held.items()}
        return found


async def publish(showcase: Showcase, app: str, count: int) -> float:
    """Send messages until all are delivered; deliveries a second."""
    before = recorded(showcase.node)
    plan = load.Plan(
        urls=(showcase.node.url,),
        app=app,
        token=token(showcase.setup),
        count=count,
        connections=64,
        rate=0.0,
        seconds_max=600.0,
    )
    began_s = time.monotonic()
    publisher = Publisher(showcase.folder, plan, f"load-{began_s}")
    report = await asyncio.to_thread(publisher.report, 600.0)
    assert not report.refused, report.refused
    while recorded(showcase.node) < before + count:
        await asyncio.sleep(0.05)
    return count / (time.monotonic() - began_s)


async def measure(showcase: Showcase, rounds: int, only: list[str]) -> list[PageFigures]:
    """Every page."""
    found = []
    async with browsing() as browser:
        for name, path in page_urls(showcase.node).items():
            if only and name not in only:
                continue
            try:
                one = await measure_page(browser, showcase, name, path, rounds)
            except PlaywrightError as error:
                print(f"{name}: {error.message.splitlines()[0]}", file=sys.stderr)
                continue
            found.append(one)
            missed = one.paint_ms > PAINT_MS_MAX or one.interaction_ms > INTERACTION_MS_MAX
            print(
                f"{one.name:14} {one.status}  paint {one.paint_ms:6.0f} ms "
                f"(worst {one.paint_worst_ms:6.0f})  first byte {one.first_byte_ms:6.0f} ms  "
                f"interaction {one.interaction_ms:4.0f} ms{'  MISSED' if missed else ''}",
                flush=True,
            )
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--deliveries", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--only", nargs="*", default=[], metavar="PAGE", help="home, endpoints, …")
    parser.add_argument("--load", type=int, default=40_000, metavar="N", help="messages; 0: none")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all figures")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="homing-pages-"))
    showcase = Showcase(folder, 400)
    try:
        print(f"filling {given.deliveries:,} deliveries", flush=True)
        showcase.start(lambda url: asyncio.run(fill.finished(url, given.deliveries)))
        pages = asyncio.run(measure(showcase, given.rounds, given.only))
        found = None
        if given.load:
            found = asyncio.run(measure_toll(showcase, given.load, max(2, given.rounds // 2)))
            print(
                f"load alone {median(found.alone):,.0f}/s, with {found.views} page views "
                f"{median(found.watched):,.0f}/s: ratio {found.ratio:.3f}"
                f"{'  MISSED' if found.ratio < RATIO_MIN else ''}"
            )
            name, more_ms = found.worst
            print(
                f"slowest sign of life under load: alone {found.alone_ms:.0f} ms; most while "
                f"{name} was answered: {more_ms:.0f} ms more, bar {HELD_MS_MAX:.0f}"
                f"{'  MISSED' if more_ms > HELD_MS_MAX else ''}"
            )
    finally:
        showcase.node.abandon()
        shutil.rmtree(folder, ignore_errors=True)
    if given.json:
        given.json.write_bytes(msgspec.json.encode({"pages": pages, "toll": found}))
    is_slow = any(
        one.status != 200 or one.paint_ms > PAINT_MS_MAX or one.interaction_ms > INTERACTION_MS_MAX
        for one in pages
    )
    is_held_up = found is not None and (found.ratio < RATIO_MIN or found.worst[1] > HELD_MS_MAX)
    return 1 if is_slow or is_held_up else 0


if __name__ == "__main__":
    sys.exit(main())
