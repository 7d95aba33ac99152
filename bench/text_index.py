"""What indexing the words of payloads costs, and looking for one: `python -m bench.text_index`.

Processor time and bytes, on SQLite, in a folder of its own. The payloads are like a payment's: some
700 bytes of JSON, a third of it identifiers that no other message has.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sqlite3
import string
import tempfile
from pathlib import Path
from time import process_time

from homing.core.identifiers import ENTROPY_BYTES, new_id
from homing.service.text_index import TextIndexer
from homing.service.text_search import TextSearch
from homing.store import open_store
from homing.system import SystemClock

_LETTERS = string.ascii_letters + string.digits


def payload(draw: random.Random, number: int) -> bytes:
    """A payment, whose number is a word that only it has."""

    def name(length: int = 24) -> str:
        return "".join(draw.choices(_LETTERS, k=length))

    return json.dumps(
        {
            "type": "payment.captured",
            "id": f"pay_{name()}",
            "number": f"no{number}",
            "amount": draw.randrange(100_000),
            "currency": draw.choice(["EUR", "USD"]),
            "customer": {
                "id": f"cus_{name()}",
                "email": f"{name(8).lower()}@example.com",
                "name": f"{draw.choice(['Ada', 'Grace', 'Alan'])} {name(7)}",
                "address": {"line1": f"{draw.randrange(999)} Main Street", "city": "Berlin"},
            },
            "created": 1_700_000_000 + draw.randrange(10**7),
            "metadata": {"order_id": f"ord_{name(12)}", "source": "web", "campaign": name(6)},
            "description": f"Payment for invoice {draw.randrange(10**6)}",
            "lines": [{"sku": name(10), "price": draw.randrange(9_999)} for _ in range(3)],
        }
    ).encode()


def fill(path: Path, count: int, until_us: int) -> int:
    """So many messages, a millisecond apart; the bytes of their payloads."""
    draw = random.Random(1)
    db = sqlite3.connect(path)
    size = 0
    for start in range(0, count, 10_000):
        rows = []
        for number in range(start, min(start + 10_000, count)):
            at_us = until_us - (count - number) * 1_000
            content = payload(draw, number)
            size += len(content)
            name = new_id("msg_", at_us, number.to_bytes(ENTROPY_BYTES, "big"))
            rows.append((name, "app_1", "payment.captured", content, at_us))
        with db:
            db.executemany(
                "INSERT INTO messages (id, app_id, event_type, payload, accepted_at_us, fanout, "
                "is_raw) VALUES (?, ?, ?, ?, ?, 1, 0)",
                rows,
            )
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return size


async def measure(count: int, folder: Path) -> None:
    path, clock = folder / "homing.db", SystemClock()
    url = f"sqlite:///{path}"
    await (await open_store(url)).close()
    text_bytes = fill(path, count, clock.now_us() - 120_000_000)
    before = path.stat().st_size
    store = await open_store(url)
    indexer = TextIndexer(store, clock, "bench", share=0.999)
    began = process_time()
    while await indexer.step():
        pass
    indexed = process_time() - began
    after = await store.segments("msg_~", limit=1_000)
    done = sum(one.messages for one in after)
    await store.close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    print(f"{count:,} messages of {text_bytes / count:.0f} bytes; {done:,} indexed")
    print(f"  processor time per message   {indexed / done * 1e6:.1f} µs, with reading and writing")
    print(f"  bytes of index per message   {(path.stat().st_size - before) / done:.0f}")

    store = await open_store(url)
    for what, words in (
        ("a word that one old message has", [f"no{count // 10}"]),
        ("a word that no message has", ["nowhere17"]),
        ("two words that all have, together in none", ['"Berlin Ada"', "Street"]),
    ):
        search = TextSearch(
            _Service(store, clock),  # type: ignore[arg-type]
            words,
            app_ids=["app_1"],
            low="msg_",
            high="msg_~",
            until_us=clock.mono_us() + 120_000,
        )
        trips, began = store.round_trips, process_time()  # type: ignore[attr-defined]
        found = await search.more(50)
        took = process_time() - began
        trips = store.round_trips - trips  # type: ignore[attr-defined]
        end = "all of it" if search.is_done else "stopped at its bound"
        print(f"  {what}: {len(found)} found, {took * 1e3:.0f} ms, {trips} queries, {end}")
    await store.close()


class _Service:
    """What a search needs of the service."""

    def __init__(self, store: object, clock: object) -> None:
        self.store = store
        self.clock = clock


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=200_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(given.messages, Path(folder)))


if __name__ == "__main__":
    main()
