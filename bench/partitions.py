"""What partitions would cost PostgreSQL: the same batches on tables that are cut differently.

    python -m bench.partitions                     batches of 64, a few minutes
    python -m bench.partitions --batch 16          smaller batches: each statement weighs more

A server of our own holds one database per way to cut the tables, for the 400 days that the log is
kept by default. Each round accepts and settles the same number of messages on every one in turn,
and the processor time of its server processes is compared with that on whole tables in the same
round, because the machine is noisy. Ids are those of today, so one partition takes all writes.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

import asyncpg
import uvloop

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from support import postgres
from support.making import make_acceptance, make_application, make_id, make_key

from bench.purge import succeeded
from homing.core.identifiers import first_id
from homing.core.retention import DAY_US
from homing.store import open_store
from homing.system import SystemClock

_DAYS: Final = 400
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_SCHEMA: Final = (files("homing.store") / "sql/postgres/migrations/0001_first.sql").read_text()
#: the log's key would need the message; its lines would be numbered by a sequence of their own
_LOG: Final = {
    "PRIMARY KEY (transaction, line)": "PRIMARY KEY (transaction, line, message_id)",
    "line bigint GENERATED ALWAYS AS IDENTITY (CACHE 100)": "line bigint DEFAULT nextval('lines')",
}


class Cut(NamedTuple):
    """A way to partition: which tables, and how many days to a partition."""

    name: str
    days: int = 0
    tables: tuple[str, ...] = ()


CUTS: Final = (
    Cut("whole tables"),
    Cut("attempts, daily", 1, ("attempts",)),
    Cut("attempts, weekly", 7, ("attempts",)),
    Cut("messages and attempts, weekly", 7, ("messages", "attempts")),
    Cut("and history, weekly", 7, ("messages", "attempts", "history")),
    Cut("and the log, weekly", 7, ("messages", "attempts", "history", "delivery_log")),
    Cut("all four, daily", 1, ("messages", "attempts", "history", "delivery_log")),
)


def schema(cut: Cut) -> str:
    """The schema with these tables partitioned by message, for `_DAYS` and two partitions more."""
    text = "CREATE SEQUENCE lines CACHE 100;\n" + _SCHEMA
    today = SystemClock().now_us() // DAY_US
    for table in cut.tables:
        found = re.search(rf"CREATE TABLE {table} \(.*?\n\);", text, re.DOTALL)
        assert found is not None, table
        column = "id" if table == "messages" else "message_id"
        made = f"{found[0][:-1]} PARTITION BY RANGE ({column});"
        for old, new in _LOG.items() if table == "delivery_log" else ():
            made = made.replace(old, new)
        text = text.replace(found[0], made)
        for day in range(today - _DAYS, today + 2 * cut.days, cut.days):
            low, high = (first_id("msg_", d * DAY_US) for d in (day, day + cut.days))
            text += (
                f"CREATE TABLE {table}_{day} PARTITION OF {table} "
                f"FOR VALUES FROM ('{low}') TO ('{high}');\n"
            )
        text += f"CREATE TABLE {table}_rest PARTITION OF {table} DEFAULT;\n"
    return text


async def _make(server: postgres.Server, admin: Any, number: int, cut: Cut) -> Any:
    await admin.execute(f"CREATE DATABASE cut_{number}")
    url = server.url_of(f"cut_{number}")
    db = await asyncpg.connect(url)
    await db.execute(schema(cut), timeout=600)
    await db.execute('CREATE TABLE migrations (name text COLLATE "C" PRIMARY KEY)')
    await db.execute("INSERT INTO migrations VALUES ('0001_first')")
    await db.close()
    return await open_store(url, migrate=False)


async def _server_s(admin: Any, number: int) -> float:
    """Processor time of a database's server processes so far, seconds (proc_pid_stat(5))."""
    rows = await admin.fetch("SELECT pid FROM pg_stat_activity WHERE datname = $1", f"cut_{number}")
    ticks = 0
    for (pid,) in rows:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS


async def _two_at_a_time(
    verb: Callable[[Any], Awaitable[object]], rows: Sequence[Any], batch: int
) -> None:
    batches = iter([rows[start : start + batch] for start in range(0, len(rows), batch)])

    async def work() -> None:
        for some in batches:
            await verb(some)

    await asyncio.gather(work(), work())


async def _measure(server: postgres.Server, rounds: int, count: int, batch: int) -> None:
    admin = await asyncpg.connect(server.url)
    stores = [await _make(server, admin, number, cut) for number, cut in enumerate(CUTS)]
    application = make_application()
    for store in stores:
        await store.put(application)
    cost: list[list[float]] = [[] for _ in CUTS]
    for round_no in range(rounds + 1):  # the first one warms up
        for number, store in enumerate(stores):
            now_us = SystemClock().now_us()
            endpoint = (make_id("ep_"),)
            items = [
                make_acceptance(
                    application,
                    endpoint,
                    accepted_at_us=now_us + n * 100,
                    payload=b"x" * 600,
                    keys=(make_key(f"{round_no}-{n}-"),),
                )
                for n in range(count)
            ]
            changes = succeeded(items, now_us)
            before_s = await _server_s(admin, number)
            await _two_at_a_time(store.accept, items, batch)
            await _two_at_a_time(store.settle, changes, batch)
            each_us = (await _server_s(admin, number) - before_s) / count * 1e6
            if round_no:
                cost[number].append(each_us)
    print(f"batches of {batch}, {count:,} messages, {rounds} rounds; µs of the server per delivery")
    for cut, found in zip(CUTS, cost, strict=True):
        more = [one - whole for one, whole in zip(found, cost[0], strict=True)]
        print(
            f"{cut.name:>30}  {median(found):6.1f}  more by {median(more):+6.1f} "
            f"[{min(more):+.1f} to {max(more):+.1f}]"
        )
    for store in stores:
        await store.close()
    await admin.close()


async def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--messages", type=int, default=12_800, help="in each round")
    parser.add_argument("--batch", type=int, default=64, help="messages in one commit")
    options = parser.parse_args()
    postgres.SETTINGS["max_locks_per_transaction"] = "512"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        server = postgres.create(Path(folder) / "server")
        server.launch()
        began_s = time.monotonic()
        try:
            await _measure(server, options.rounds, options.messages, options.batch)
        finally:
            server.halt()
        print(f"{time.monotonic() - began_s:.0f} s")


if __name__ == "__main__":
    uvloop.run(_main())
