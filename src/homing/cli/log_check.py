"""What `homing audit` shows of the delivery log: the invariants broken, and by whom."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar
from rich.text import Text

from homing.cli.output import say
from homing.core.plurals import plural
from homing.insight.evidence import Breach
from homing.insight.promises import PROMISE_OF, PROMISES
from homing.service.log_check import LogCheck

#: breaches of one invariant that are shown; all are in the JSON
_SHOWN_MAX: Final = 5


class Progress:
    """A bar on a terminal, nothing elsewhere."""

    @contextmanager
    def of(self, deliveries: int) -> Iterator[Callable[[int, int], None]]:
        """What is to be told deliveries and lines read so far."""
        columns = (TextColumn("reading the delivery log"), BarColumn(), MofNCompleteColumn())
        lines = TextColumn("deliveries, {task.fields[lines]:,} lines")
        console = Console(stderr=True)
        is_shown = sys.stderr.isatty()
        with Bar(*columns, lines, console=console, transient=True, disable=not is_shown) as bar:
            task = bar.add_task("", total=deliveries, lines=0)
            yield lambda done, read: bar.update(task, completed=done, lines=read)


def breach_document(check: LogCheck | None) -> dict[str, Any]:
    """For the JSON: null where the log was not read."""
    if check is None:
        return {"lives": None, "breaches": None}
    return {
        "lives": {
            "deliveries": check.deliveries,
            "lines": check.lines,
            "breaches": check.count,
        },
        "breaches": [
            {
                "invariant": one.invariant,
                "promise": PROMISE_OF[one.invariant],
                "delivery": str(one.delivery),
                "text": one.text,
                "before": one.before,
                "after": one.after,
            }
            for one in check.breaches
        ],
    }


def show_log_check(check: LogCheck | None) -> None:
    """A line when all is well, else each invariant with the first deliveries that break it."""
    if check is None:
        return
    count = plural(check.deliveries, "delivery")
    read = f"{count}, {plural(check.lines, 'line')} of the delivery log"
    if not check.count:
        say(
            Text.assemble(
                ("sound: ", "bold green"), f"each step may follow the one before ({read})"
            )
        )
        return
    for name in sorted({one.invariant for one in check.breaches}):
        some = [one for one in check.breaches if one.invariant == name]
        promise = PROMISE_OF[name]
        head = f" (promise {promise}: {PROMISES[promise]})"
        say(Text.assemble((name, "bold red"), (head, "dim")))
        for one in some[:_SHOWN_MAX]:
            say(_line(one))
        if len(some) > _SHOWN_MAX:
            say(Text(f"  … and {len(some) - _SHOWN_MAX} more", style="dim"))
    say(Text.assemble((f"{check.count} broken: ", "bold red"), read))


def _line(one: Breach) -> Text:
    return Text.assemble("  ", (str(one.delivery), "bold"), f"  {one.text}")
