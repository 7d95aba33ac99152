"""A Homing with a day behind it, to look at: `python -m bench.showcase` serves it until Ctrl-C,
`python -m bench.showcase --pictures docs/pages` takes pictures of its pages (`make screenshots`).

A shop sends payments and orders. Its warehouse has answered 500 for two hours, so that there are
dead letters, an issue, alerts and a budget that burns; its newsletter is switched off, so that
deliveries wait; its fraud check is slow in the afternoon. Needs Chromium for the pictures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, async_playwright
from playwright.async_api import Error as PlaywrightError

from bench.page_urls import PICTURED, page_urls
from bench.past import Answer, Behaviour, Past, Sent
from bench.processes import SECRET, Node, Setup, token
from bench.shrink import shrink
from homing.core.outcome import Reason
from homing.core.queries import Page
from homing.core.resources import Application, Endpoint
from homing.core.sealing import Seals
from homing.service.tokens import DEFAULT_ORG_ID
from homing.store import open_store

_HOUR_US = 3_600_000_000
_SEED = 20
#: the record of the lab's incident, from the first suspicion to its price
_LAB = Path(__file__).parents[1] / "tests/walkthrough/records/lab.json"
#: how long before the present the warehouse's last delivery was given up
_LAST_US = 600_000_000
#: what the watch of a real service does in minutes is done in seconds here
_SETTINGS = {
    "HOMING_AUDIT_EVERY_S": "2",
    "HOMING_SLO_EVERY_S": "1",
    "HOMING_ALERTS_EVERY_S": "1",
    "HOMING_NAME": "payments-webhooks",
    "HOMING_OWNER": "platform",
}
#: what the warehouse answers while it fails
BROKEN = b'{"error": "relation \\"stock_moves\\" does not exist"}'
WIDTHS = (1440, 820, 390)
THEMES = ("light", "dark")
_HEIGHT = 900


def healthy(low_ms: float, high_ms: float, failing: float = 0.002) -> Behaviour:
    """Answers 2xx, now and then 503."""

    def behave(chance: random.Random, at_us: int, number: int) -> Answer:
        took_ms = chance.uniform(low_ms, high_ms) * (1 + chance.paretovariate(4) - 1)
        if chance.random() < failing:
            return Answer(503, took_ms, b'{"error": "try again"}')
        return Answer(200, took_ms, b'{"ok": true}')

    return behave


def broken_since(since_us: int) -> Behaviour:
    """Healthy, and then 500 for ever."""
    well = healthy(40, 120)

    def behave(chance: random.Random, at_us: int, number: int) -> Answer:
        if at_us < since_us:
            return well(chance, at_us, number)
        return Answer(500, chance.uniform(20, 60), BROKEN)

    return behave


def slow_between(since_us: int, until_us: int) -> Behaviour:
    """Slow for some hours, and sometimes too slow."""
    well = healthy(60, 200)

    def behave(chance: random.Random, at_us: int, number: int) -> Answer:
        if not since_us <= at_us < until_us:
            return well(chance, at_us, number)
        if chance.random() < 0.2:
            return Answer(None, 15_000, reason=Reason.FIRST_BYTE_TIMEOUT)
        return Answer(200, chance.uniform(2_000, 9_000), b'{"risk": "low"}')

    return behave


def configure(node: Node, warehouse: str) -> None:
    """Applications, event types and endpoints, by the API.

    Args:
        warehouse: the URL of the one that fails.
    """
    money = {"amount": "amount", "currency": "currency"}
    for name, text in (
        ("payment.captured", "Money has come in."),
        ("payment.refunded", "Money has gone back."),
        ("order.created", "Somebody has ordered something."),
        ("order.shipped", "A parcel is on its way."),
        ("customer.updated", "A customer has another address."),
    ):
        body: dict[str, Any] = {"name": name, "description": text}
        if name.startswith("payment"):
            body["money"] = money
        node.api("POST", "/event-type", body)
    for uid, name in (("shop", "Shop"), ("partners", "Partners")):
        node.api("POST", "/app", {"uid": uid, "name": name})
    for app, uid, text, host, types in (
        ("shop", "accounting", "Accounting", "books.example.com", ["payment"]),
        ("shop", "warehouse", "Warehouse", "warehouse.example.com", ["order", "payment"]),
        ("shop", "fraud", "Fraud check", "risk.example.net", ["payment"]),
        ("shop", "crm", "Customer desk", "crm.example.org", ["order", "customer"]),
        ("shop", "newsletter", "Newsletter", "mail.example.org", ["customer"]),
        ("partners", "search", "Search index", "search.example.com", ["order"]),
    ):
        kinds = [one for one in EVENT_TYPES if one.partition(".")[0] in types]
        body = {
            "uid": uid,
            "description": text,
            "url": warehouse if uid == "warehouse" else f"https://{host}/webhooks/homing",
            "filterTypes": kinds,
        }
        node.api("POST", f"/app/{app}/endpoint", body)
    node.api("PATCH", "/app/shop/endpoint/newsletter", {"disabled": True})
    schedule = {"retryDelaysSeconds": [60, 300]}
    node.api("PATCH", "/app/shop/endpoint/warehouse", schedule)


EVENT_TYPES = (
    "payment.captured",
    "payment.refunded",
    "order.created",
    "order.shipped",
    "customer.updated",
)
#: how often each is sent beside the others
_WEIGHTS = (8, 1, 8, 6, 2)


def payload_of(chance: random.Random, event_type: str, number: int) -> bytes:
    """What a shop would say."""
    said: dict[str, Any] = {"id": f"{event_type[:3]}_{number:06d}"}
    if event_type.startswith("payment"):
        said |= {"amount": f"{chance.uniform(8, 240):.2f}", "currency": "EUR"}
    if event_type.startswith("order"):
        said |= {"order": 10_000 + number, "lines": chance.randrange(1, 6)}
    if event_type.startswith("customer"):
        said |= {"customer": chance.randrange(1_000, 9_999), "city": "Bergen"}
    return json.dumps(said).encode()


def sent(
    apps: dict[str, Application],
    endpoints: dict[str, Endpoint],
    behaviours: dict[str, Behaviour],
    until_us: int,
    per_hour: int,
) -> list[Sent]:
    """A day of messages, more of them by day than by night."""
    chance = random.Random(_SEED)
    found = []
    for hour in range(25, 0, -1):
        begin_us = until_us - hour * _HOUR_US
        of_day = (begin_us // _HOUR_US) % 24
        wave = 0.35 + 0.65 * max(0.0, 1 - abs(of_day - 14) / 9)
        for number in range(round(per_hour * wave)):
            event_type = chance.choices(EVENT_TYPES, _WEIGHTS)[0]
            is_partner = event_type.startswith("order") and chance.random() < 0.2
            app = apps["partners" if is_partner else "shop"]
            at_us = begin_us + chance.randrange(_HOUR_US)
            # What would still be tried again: the service would find no such host.
            is_last = at_us > until_us - _LAST_US
            wanted = [
                (one, behaviours[one.uid or ""])
                for one in endpoints.values()
                if event_type in one.event_types
                and is_partner == (one.uid == "search")
                and not (is_last and one.uid == "warehouse")
            ]
            found.append(
                Sent(
                    at_us=min(at_us, until_us - 2_000_000),
                    app=app,
                    endpoints=wanted,
                    event_type=event_type,
                    payload=payload_of(chance, event_type, hour * 1_000 + number),
                    tags=("eu",) if chance.random() < 0.3 else (),
                )
            )
    # The last one is plain, delivered at once to one endpoint: `bench.fill` copies it.
    plain = (endpoints["accounting"], healthy(30, 90, failing=0))
    found.append(
        Sent(
            at_us=until_us - 1_000_000,
            app=apps["shop"],
            endpoints=[plain],
            event_type="payment.captured",
            payload=payload_of(chance, "payment.captured", 0),
        )
    )
    return found


async def write_day(url: str, until_us: int, per_hour: int) -> None:
    """Fill the configured database with a day of traffic."""
    store = await open_store(url, migrate=False)
    try:
        listed = await store.list(Application, DEFAULT_ORG_ID, Page(limit=10))
        apps = {one.uid or one.id: one for one in listed}
        endpoints: dict[str, Endpoint] = {}
        for app in apps.values():
            for one in await store.list(Endpoint, app.id, Page(limit=20)):
                endpoints[one.uid or one.id] = one
        behaviours = {
            "accounting": healthy(30, 90),
            "warehouse": broken_since(until_us - 2 * _HOUR_US),
            "fraud": slow_between(until_us - 9 * _HOUR_US, until_us - 7 * _HOUR_US),
            "crm": healthy(80, 300, failing=0.01),
            "newsletter": healthy(80, 300),
            "search": healthy(5, 25),
        }
        await Past(store, until_us, _SEED, seals=Seals(SECRET)).write(
            sent(apps, endpoints, behaviours, until_us, per_hour)
        )
    finally:
        await store.close()


def add_stories(node: Node) -> None:
    """An incident, the record of the lab's, and an objective that a team has written."""
    promise = {
        "sli": "delivered",
        "target": "99%",
        "period": "30d",
        "team": "fulfilment",
        "description": "What the shop sends is received within a minute.",
        "owners": ["platform", "receiver", "configuration", "unattributed"],
    }
    node.api("PUT", "/objective/shop-received", promise)
    incident = {
        "title": "Orders do not reach the warehouse",
        "severity": "high",
        "owner": "fulfilment",
        "service": "warehouse",
    }
    node.api("POST", "/incident", incident)
    record = json.loads(_LAB.read_text("utf-8"))
    node.api("PUT", f"/incident/{record['id']}", {"record": record})


class Warehouse:
    """The receiver that fails: 500 to all, until somebody posts to `/mend`; `/break` undoes it."""

    def __init__(self) -> None:
        self.is_mended = False
        warehouse = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                if self.path in ("/mend", "/break"):
                    warehouse.is_mended = self.path == "/mend"
                told = self.path in ("/mend", "/break")
                body = b'{"ok": true}' if warehouse.is_mended or told else BROKEN
                self.send_response(200 if warehouse.is_mended or told else 500)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()


class Showcase:
    """The running service."""

    def __init__(self, folder: Path, per_hour: int) -> None:
        self.folder = folder
        self.setup = Setup(f"sqlite:///{folder}/homing.db", settings=_SETTINGS)
        self.node = Node(self.setup, folder)
        self._per_hour = per_hour
        self.warehouse = Warehouse()

    def start(self, fill: Callable[[str], object] = lambda url: None) -> None:
        """Make it, and serve it.

        Args:
            fill: puts more into its database while nobody serves it.
        """
        self._serve()
        configure(self.node, f"{self.warehouse.url}/webhooks/homing")
        self.node.stop()  # what is written is a past: nobody may send any of it now
        asyncio.run(write_day(self.setup.url, round(time.time() * 1_000_000), self._per_hour))
        self._date_back()
        fill(self.setup.url)
        self._serve()
        add_stories(self.node)
        self.wait_until(self._is_told)
        # Whoever counted before the restart has a lease of a minute.
        self.wait_until(self._is_counted)

    def _date_back(self) -> None:
        """What was configured just now was there before the first message."""
        before_us = round(time.time() * 1_000_000) - 30 * 24 * _HOUR_US
        with closing(sqlite3.connect(self.folder / "homing.db", timeout=30)) as db:
            db.execute(
                "UPDATE resources SET document = json_set(document, '$.created_at_us', ?, "
                "'$.updated_at_us', ?) WHERE kind IN ('application', 'endpoint', 'event_type')",
                (before_us, before_us),
            )
            db.execute(
                "UPDATE resources SET document = json_set(document, '$.disabled_at_us', ?) "
                "WHERE kind = 'endpoint' AND json_extract(document, '$.disabled_at_us') > 0",
                (before_us,),
            )
            db.commit()

    def _is_told(self) -> bool:
        """Whether the alert fires that comes last: of the objective that is broken."""
        alerts = self.node.api("GET", "/alert")["data"]
        return any(one["kind"] == "burn_rate" for one in alerts)

    def _is_counted(self) -> bool:
        """Whether objectives are counted up to the end of the log."""
        with closing(sqlite3.connect(self.folder / "homing.db", timeout=30)) as db:
            [(last,)] = db.execute("SELECT MAX(line) FROM delivery_log")
            found = db.execute(
                "SELECT json_extract(document, '$.cursor.line') FROM resources "
                "WHERE kind = 'measured'"
            ).fetchall()
        return bool(found) and (found[0][0] or 0) >= last - 1_000

    def _serve(self) -> None:
        self.node.start()
        self.node.wait_until_ready()

    def wait_until(self, holds: Callable[[], object]) -> None:
        """Raises: RuntimeError: it does not come to be within half an hour."""
        for _ in range(3_600):
            if holds():
                return
            time.sleep(0.5)
        raise RuntimeError(f"the showcase did not become what it should:\n{self.node.log_end()}")


async def take_pictures(
    showcase: Showcase, folder: Path, widths: Sequence[int], only: Collection[str] = ()
) -> None:
    """A picture of each page, at each width and in both themes.

    Args:
        only: page, width and theme of those that are wanted; empty: all.
    """
    path = os.environ.get("HOMING_TEST_CHROMIUM") or shutil.which("chromium")
    if path is None:
        sys.exit("expected Chromium for the pictures; scripts/install-browser installs it")
    folder.mkdir(parents=True, exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for theme in THEMES:
            for width in widths:
                await _pictures_of(browser, showcase, folder, theme, width, only)
        await browser.close()


async def _pictures_of(
    browser: Browser,
    showcase: Showcase,
    folder: Path,
    theme: str,
    width: int,
    only: Collection[str],
) -> None:
    context = await browser.new_context(
        viewport={"width": width, "height": _HEIGHT},
        color_scheme=theme,  # type: ignore[arg-type]
        reduced_motion="reduce",
    )
    url, text = showcase.node.url, token(showcase.setup)
    await context.request.post(f"{url}/sign-in", form={"token": text}, max_redirects=0)
    page = await context.new_page()
    for name, path in page_urls(showcase.node).items():
        if only and f"{name}-{width}-{theme}" not in only:
            continue
        try:
            answer = await page.goto(url + path)
        except PlaywrightError as error:
            answer = None
            print(f"{name}: {error.message.splitlines()[0]}", file=sys.stderr)
        if answer is None or not answer.ok:
            print(f"{name}: {path} is not there", file=sys.stderr)
            continue
        if name == "home":  # the books of a busy machine may take a while
            await page.get_by_text("is accounted for").wait_for(timeout=60_000)
            await page.reload()
        await page.wait_for_timeout(400)
        picture = folder / f"{name}-{width}-{theme}.png"
        await page.screenshot(path=picture, full_page=width < 1000)
        shrink(picture)
    await context.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="take them, and end")
    parser.add_argument("--few", action="store_true", help="only those that the documents show")
    parser.add_argument("--per-hour", type=int, default=160, metavar="N", help="messages")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="homing-showcase-"))
    showcase = Showcase(folder, given.per_hour)
    try:
        showcase.start()
        if given.pictures is None:
            print(f"{showcase.node.url}\ntoken: {token(showcase.setup)}")
            print(f"the warehouse fails until: curl -X POST {showcase.warehouse.url}/mend")
            print("Ctrl-C ends it", flush=True)
            while showcase.node.is_running:
                time.sleep(1)
        else:
            only = PICTURED if given.few else ()
            asyncio.run(take_pictures(showcase, given.pictures, WIDTHS, only))
            if given.few:
                _keep_few(given.pictures)
    except KeyboardInterrupt:
        pass
    finally:
        showcase.node.abandon()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _keep_few(folder: Path) -> None:
    """Take away the pictures that no document shows."""
    for picture in folder.glob("*.png"):
        if picture.stem not in PICTURED:
            picture.unlink()


if __name__ == "__main__":
    sys.exit(main())
