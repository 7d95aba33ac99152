"""How commands print: one style for tables, JSON, times and complaints."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import click
import msgspec
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from homing.cli.installed import installing, own_pip, source_folder
from homing.cli.table_layout import widths

#: a colour says where a delivery stands, and nothing else is coloured
STATE_STYLES: Final = {
    "accepted": "cyan",
    "waiting": "yellow",
    "leased": "blue",
    "parked": "magenta",
    "delivered": "green",
    "dead": "bold red",
    "cancelled": "dim",
}
#: without a terminal nobody folds lines for us, so tables are made this wide
_PIPE_COLUMNS: Final = 160

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for other programs.")


class Patient:
    """Standard output whose reader may leave, as in `| head`: what is said after that goes nowhere.

    The command goes on to its end, so that its exit code still says what was found.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """As any text stream does."""
        try:
            self._stream.write(text)
        except BrokenPipeError:
            say_no_more(self._stream)
        return len(text)

    def flush(self) -> None:
        """As any text stream does."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            say_no_more(self._stream)


def say_no_more(stream: Any) -> None:
    """Let what is still written to a pipe that nobody reads go nowhere.

    Python would complain when it flushes at exit:
    https://docs.python.org/3/library/signal.html#note-on-sigpipe
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def console() -> Console:
    """Standard output; NO_COLOR, FORCE_COLOR, COLUMNS and pipes are respected."""
    return _console(sys.stdout)


def _console(stream: Any) -> Console:
    width = None if stream.isatty() or "COLUMNS" in os.environ else _PIPE_COLUMNS
    return Console(file=stream, highlight=False, emoji=False, markup=False, width=width)


def say(text: str | Text = "") -> None:
    """A line on standard output, not folded."""
    console().print(text, soft_wrap=True)


def say_prose(text: str | Text, *, indent: int = 0, width_max: int | None = None) -> None:
    """Prose on standard output: folded between words where a terminal is, and else not.

    Args:
        indent: of the lines after the first, columns.
        width_max: fold at this width in any case, also in a pipe.
    """
    out = console()
    if width_max is None and not out.is_terminal:
        say(text)
        return
    _print_folded(out, text, indent, max(20, min(out.width, width_max or out.width)))


def _print_folded(out: Console, text: str | Text, indent: int, width: int) -> None:
    whole = Text(text) if isinstance(text, str) else text
    lines = list(whole.wrap(out, width)[:1])
    rest = whole[len(lines[0]) :] if lines else Text()
    rest = rest[len(rest.plain) - len(rest.plain.lstrip()) :]
    lines += rest.wrap(out, width - indent) if rest else []
    for number, line in enumerate(lines):
        line.rstrip()
        out.print(Text(" " * indent if number else "") + line, soft_wrap=True)


def say_error(text: str) -> None:
    """A complaint: one sentence on standard error."""
    if "pip install" in text:
        text = installing(text, source_folder(), own_pip())
    _console(sys.stderr).print(Text.assemble(("homing: ", "bold red"), text), soft_wrap=True)


def why(error: Exception) -> str:
    """What the system says about a file, without its number and its second mention of the name."""
    if isinstance(error, UnicodeDecodeError):
        return "not a text in UTF-8"
    return (isinstance(error, OSError) and error.strerror) or str(error)


def note(text: str) -> None:
    """Something for a person beside the data: on standard error, so that pipes stay clean."""
    _console(sys.stderr).print(Text(text, style="dim"), soft_wrap=True)


def note_prose(text: str, *, indent: int = 2) -> None:
    """A note of several words and nothing to copy: folded between words where a terminal is."""
    err = _console(sys.stderr)
    if err.is_terminal:
        _print_folded(err, Text(text, style="dim"), indent, max(20, err.width))
    else:
        note(text)


def print_json(value: object) -> None:
    """One JSON document, indented."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    click.echo(text)


def print_json_line(value: object) -> None:
    """One JSON document on one line."""
    click.echo(msgspec.json.encode(value).decode())


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str | Text]], *, empty: str = "nothing to show"
) -> None:
    """A table readable at 80 columns; numbers (columns that end in '#') to the right.

    Words stay whole. Where the screen is too narrow for that, each row is a few lines instead.
    """
    rows = list(rows)
    if not rows:
        note(empty)
        return
    out = console()
    names = [name.rstrip("#") for name in columns]
    is_number = [name.endswith("#") for name in columns]
    cells = [names, *([str(cell) for cell in row] for row in rows)]
    numbers = {at for at, is_one in enumerate(is_number) if is_one}
    shown = widths(cells, out.width, numbers)
    if shown is None and any(names):
        _print_records(out, names, rows)
        return
    table = Table(box=None, pad_edge=False, header_style="bold", show_header=any(columns))
    for at, name in enumerate(names):
        side: JustifyMethod = "right" if is_number[at] else "left"
        table.add_column(name, justify=side, overflow="fold", width=shown[at] if shown else None)
    for row in rows:
        table.add_row(*row)
    out.print(table)


def _print_records(
    out: Console, names: Sequence[str], rows: Sequence[Sequence[str | Text]]
) -> None:
    """A line for each cell that has something in it, and a blank line between rows."""
    indent = max(map(len, names)) + 2
    for number, row in enumerate(rows):
        if number:
            out.print()
        for name, cell in zip(names, row, strict=True):
            if str(cell):
                head = Text(f"{name:{indent}}", style="bold")
                say_prose(Text.assemble(head, cell), indent=indent, width_max=out.width)


def state_text(state: str) -> Text:
    """A state in its colour."""
    return Text(state, style=STATE_STYLES.get(state, ""))


def clock_text(at_us: int) -> str:
    """A time of day as people read it, UTC: 14:03:59.123."""
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).strftime("%H:%M:%S.%f")[:-3]


def time_text(at_us: int | None) -> str:
    """An instant, ISO 8601 UTC, seconds; empty for None."""
    if at_us is None:
        return ""
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
