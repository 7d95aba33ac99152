"""`homing tail`: the delivery log as it grows."""

from __future__ import annotations

import asyncio
from typing import Final

import click
import msgspec
from rich.text import Text

from homing.cli.database import with_store
from homing.cli.output import as_json, clock_text, note, print_json_line, say, state_text
from homing.core.queries import LogCursor
from homing.core.records import LogEntry
from homing.core.store import Store
from homing.service.log_export import end_of_log

#: lines fetched at once
_PAGE: Final = 1_000
#: how often it looks for new lines; a person does not see a shorter delay
_POLL_S: Final = 0.25


@click.command()
@click.option("--application", metavar="ID", help="Only of this application (app_…).")
@click.option("--from-start", is_flag=True, help="From the first line there is.")
@click.option("--no-follow", is_flag=True, help="Stop at the last line.")
@as_json
def tail(application: str | None, from_start: bool, no_follow: bool, as_json: bool) -> None:
    """Follow the delivery log: one line per change of a delivery, until Ctrl-C.

    Left of the arrow is what happened, right of it the state that the delivery is in from then on.

    \b
    Examples:
      homing tail
      homing tail --from-start --no-follow | grep dead
      homing tail --json | jq -c '{op, outcome, status}'
    """

    def show(entry: LogEntry) -> None:
        if as_json:
            print_json_line(msgspec.to_builtins(entry))
        else:
            say(line_of(entry))

    async def run(store: Store) -> None:
        cursor = LogCursor() if from_start or no_follow else await end_of_log(store)
        if not as_json:
            note("" if no_follow else "following the delivery log; Ctrl-C stops")
            note(f"{'time':12} {'event':9} → {'state':9} delivery")
        while True:
            lines = await store.log(cursor, limit=_PAGE, app_id=application)
            for line in lines:
                show(line.entry)
                cursor = line.cursor
            if len(lines) < _PAGE:
                if no_follow:
                    return
                await asyncio.sleep(_POLL_S)

    with_store(run)


def line_of(entry: LogEntry) -> Text:
    """One change as one line: when, what became of which delivery, and why."""
    line = Text(clock_text(entry.at_us), style="dim")
    line.append(f" {entry.op:9} ", style="default")
    line.append_text(Text.assemble("→ ", state_text(f"{entry.to_state:9}".rstrip())))
    line.append(" " * (10 - len(entry.to_state)))
    line.append(f"{entry.message_id}.{entry.endpoint_id}")
    detail = _detail(entry)
    if detail:
        line.append(f"  {detail}")
    return line


def _detail(entry: LogEntry) -> str:
    parts = []
    if entry.outcome is not None:
        parts.append(f"status {entry.status}" if entry.status else str(entry.outcome))
    if entry.total_us:
        parts.append(f"{entry.total_us / 1000:.0f} ms")
    if entry.attempt_no:
        parts.append(f"attempt {entry.attempt_no}")
    if entry.to_state == "waiting" and entry.ready_at_us and entry.op != "accepted":
        parts.append(f"again in {max(0.0, (entry.ready_at_us - entry.at_us) / 1e6):.1f} s")
    if entry.reason:
        parts.append(entry.reason)
    if entry.actor:
        parts.append(f"by {entry.actor}")
    if entry.rows_written == 0:
        parts.append("late: changed nothing")
    return ", ".join(parts)
