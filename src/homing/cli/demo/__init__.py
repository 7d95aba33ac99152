"""`homing demo`, which is what `make run` runs: a payment service, two receivers, live books."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any, Final

import click

from homing.cli.audit import report_document, verdict
from homing.cli.demo.books import Books
from homing.cli.demo.display import show_end, show_lines, show_live
from homing.cli.demo.publisher import Publisher
from homing.cli.demo.world import World, open_world
from homing.cli.installed import source_folder
from homing.cli.output import note, print_json, say
from homing.cli.server import stop_signals
from homing.insight.ledger import AuditReport

_EXIT_UNBALANCED: Final = 1
#: after --duration, what was refused may be tried again this long: longer than its whole schedule
_SETTLE_S: Final = 25.0


@click.command()
@click.option("--duration", type=click.FloatRange(min=0.1), metavar="S", help="Stop by itself.")
@click.option(
    "--rate",
    type=click.FloatRange(0.1, 1_000),
    default=5.0,
    show_default=True,
    metavar="N/S",
    help="Messages a second.",
)
@click.option(
    "--listen",
    default="127.0.0.1:8000",
    show_default=True,
    metavar="HOST:PORT",
    help="Where the service listens.",
)
@click.option("--folder", default="var/demo", show_default=True, help="Kept from run to run.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON summary at the end.")
def demo(duration: float | None, rate: float, listen: str, folder: str, as_json: bool) -> None:
    """See it work: payments are published, delivered, refused, retried and delivered again.

    Starts Homing with SQLite, a payment service that publishes through the API, and two receivers
    that verify every signature: one is healthy, one refuses or stalls now and then. Ctrl-C drains
    and stops; the last line is the ledger. Kill it in the middle and start it again: what was
    accepted is still delivered.

    \b
    Examples:
      homing demo
      homing demo --rate 50
      homing demo --duration 20 --json
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    report, seen = asyncio.run(_run(Path(folder), listen, rate, duration, quiet=as_json))
    if as_json:
        print_json({**report_document(report), **seen})
    else:
        say(verdict(report))
    if not report.is_balanced or seen["unverified"]:
        raise click.exceptions.Exit(_EXIT_UNBALANCED)


async def _run(
    folder: Path, listen: str, rate: float, duration: float | None, *, quiet: bool
) -> tuple[AuditReport, dict[str, Any]]:
    stop = stop_signals()
    async with open_world(folder, listen) as world:
        books = Books(world.store)
        await books.start()
        publisher = Publisher(world.server_url, world.token, rate=rate)
        note(f"the API is at {world.server_url}/api/v1; its log is {world.log}")
        note(f"its pages are at {world.server_url}; sign in with this token:\n{world.token}")
        note(how_on(source_folder()))
        is_live = sys.stdout.isatty() and not quiet
        showing = asyncio.create_task((show_live if is_live else show_lines)(books, world))
        publishing = asyncio.create_task(publisher.run())
        try:
            await _until(stop, duration, showing, publishing, world)
            publishing.cancel()
            if duration is not None and not stop.is_set():
                await _settle(stop, books)
        finally:
            publishing.cancel()
            showing.cancel()
            await asyncio.gather(publishing, showing, return_exceptions=True)
        note("draining")
        await world.stop_serving()
        await show_end(books, world, is_live=is_live)
        return await books.audit_all(), world.summary() | {"retried": books.retried}


def how_on(source: Path | None) -> str:
    """How it is stopped, and what to try after it.

    Args:
        source: where the source of Homing is; None: it came from an index.
    """
    lab = "homing lab" if source is None else "make lab"
    return (
        "Ctrl-C stops it: what is under way is finished first. "
        f"Next: `{lab}`, a service that loses webhooks, to find out which and why"
    )


async def _until(
    stop: asyncio.Event,
    duration: float | None,
    showing: asyncio.Task[None],
    publishing: asyncio.Task[None],
    world: World,
) -> None:
    """Return on Ctrl-C or when the time is up; raise what a part of the demo raised."""
    waits = {asyncio.create_task(stop.wait()), asyncio.create_task(world.wait_for_end())}
    parts = {showing, publishing}
    done, _ = await asyncio.wait(
        waits | parts, timeout=duration, return_when=asyncio.FIRST_COMPLETED
    )
    for task in waits:
        task.cancel()
    for task in done:
        task.result()


async def _settle(stop: asyncio.Event, books: Books) -> None:
    """Until nothing is waiting or leased, for a while."""
    deadline = asyncio.get_running_loop().time() + _SETTLE_S
    while not stop.is_set() and asyncio.get_running_loop().time() < deadline:
        await books.update()
        if books.backlog.waiting + books.backlog.leased == 0:
            return
        await asyncio.sleep(0.2)
