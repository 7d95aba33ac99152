"""How the demo looks: a live screen in a terminal, plain lines anywhere else."""

from __future__ import annotations

import asyncio
from typing import Final

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from homing.cli.audit import verdict
from homing.cli.demo.books import Books
from homing.cli.demo.world import World
from homing.cli.output import STATE_STYLES, clock_text, console, note, state_text
from homing.core.records import LogEntry

_SCREEN_S: Final = 0.25
_LINE_S: Final = 2.0
#: one audit for so many looks: counting rows is cheap, not free
_LOOKS_PER_AUDIT: Final = 8


async def show_live(books: Books, world: World) -> None:
    """A screen that follows, until cancelled; then it is gone, for `show_end` to have its place."""
    look = 0
    with Live(console=console(), auto_refresh=False, transient=True) as live:
        while True:
            await books.update()
            if look % _LOOKS_PER_AUDIT == 0:
                await books.audit_recent()
            look += 1
            live.update(_screen(books, world), refresh=True)
            await asyncio.sleep(_SCREEN_S)


async def show_lines(books: Books, world: World) -> None:
    """A line now and then, on standard error, until cancelled."""
    while True:
        await asyncio.sleep(_LINE_S)
        await books.update()
        await books.audit_recent()
        note(_line(books))


async def show_end(books: Books, world: World, *, is_live: bool) -> None:
    """How it stands once nothing changes any more: all that was shown before was a look behind."""
    await books.update()
    if is_live:
        console().print(_screen(books, world, is_over=True))
    else:
        await books.audit_recent()
        note(_line(books))


def _line(books: Books) -> str:
    balanced = books.report is not None and books.report.is_balanced
    return (
        f"{books.elapsed_s:4.0f} s  accepted {books.accepted:>5}  delivered {books.delivered:>5}  "
        f"retried {books.retried:>5}  dead {books.dead:>5}  "
        f"waiting {books.backlog.waiting:>3}  leased {books.backlog.leased:>3}  "
        f"parked {books.backlog.parked:>3}  {'balanced' if balanced else 'NOT BALANCED'}"
    )


def _screen(books: Books, world: World, *, is_over: bool = False) -> Group:
    """All of it; the balance at the end is the command's last line, and not here."""
    parts: list[Text | Table] = [
        Text.assemble(
            ("Homing", "bold"),
            f"  {world.server_url}  {books.elapsed_s:.0f} s   ",
            ("drained and stopped" if is_over else "Ctrl-C drains and stops", "dim"),
        ),
        Text(),
        _counters(books),
        Text(),
        _receivers(world),
        Text(),
        *(_delivery(entry, world) for entry in books.lines),
        Text(),
    ]
    if books.report is not None and not is_over:
        parts.append(verdict(books.report))
    return Group(*parts)


def _counters(books: Books) -> Table:
    counts = {
        "accepted": books.accepted,
        "delivered": books.delivered,
        "retried": books.retried,
        "dead": books.dead,
        "waiting": books.backlog.waiting,
        "leased": books.backlog.leased,
        "parked": books.backlog.parked,
    }
    table = Table(box=None, pad_edge=False, show_edge=False)
    for name in counts:
        table.add_column(name, justify="right", min_width=9, header_style="dim")
    table.add_row(
        *(
            Text(str(count), style=f"bold {STATE_STYLES.get(name, 'yellow')}" if count else "dim")
            for name, count in counts.items()
        )
    )
    return table


def _receivers(world: World) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for receiver in world.receivers:
        signatures = (
            Text(f"{receiver.unverified} not verified", style="bold red")
            if receiver.unverified
            else Text("all verified", style="green")
        )
        table.add_row(
            Text(receiver.name, style="bold"),
            receiver.description,
            f"{receiver.received} received",
            f"{receiver.refused} refused",
            signatures,
        )
    return table


def _delivery(entry: LogEntry, world: World) -> Text:
    """One change, in words a newcomer reads."""
    line = Text(clock_text(entry.at_us)[:8], style="dim")
    line.append(f"  {world.name_of(entry.endpoint_id):8}", style="default")
    line.append(f" msg_…{entry.message_id[-8:]}  ", style="default")
    number = f"attempt {entry.attempt_no}" if entry.attempt_no else entry.op
    answer = f"status {entry.status}" if entry.status else str(entry.outcome or "")
    again_s = max(0.0, ((entry.ready_at_us or 0) - entry.at_us) / 1_000_000)
    if entry.op == "failed" and entry.ready_at_us:
        line.append(f"{number}: {answer}, again in {again_s:.1f} s", style="yellow")
    else:
        line.append_text(state_text(str(entry.to_state)))
        line.append(f" ({number}{', ' + answer if entry.to_state == 'dead' else ''})", style="dim")
    return line
