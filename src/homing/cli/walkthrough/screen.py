"""How a walkthrough looks in a terminal: calm with colours, the same words without."""

from __future__ import annotations

import io
import os
import sys
import textwrap
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from homing.walkthrough.assess import Finding, State
from homing.walkthrough.cards import Block, Card, Mark
from homing.walkthrough.rehearse import Piece

_WIDTH_MAX: Final = 88
_INDENT: Final = "  "
#: a colour never stands alone: the word or the sign is there, too
_TONES: Final = {"good": "green", "bad": "red", "more": "bold green", "less": "dim", "": ""}
STATE_TONES: Final = {
    State.MET: "green",
    State.WEAK: "yellow",
    State.MISSING: "red",
    State.CONTRADICTED: "bold red",
    State.NOT_CHECKABLE: "dim",
}


class Screen:
    """Standard output, for a person who reads."""

    def __init__(self, *, is_plain: bool) -> None:
        """
        Args:
            is_plain: no colours, rules or columns, for a screen reader or a file.
        """
        self.is_plain = is_plain
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # a terminal that has no “ shows a mark
        # a pipe has no width of its own
        columns = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _WIDTH_MAX
        self._console = Console(
            file=sys.stdout,
            highlight=False,
            emoji=False,
            markup=False,
            width=columns,
            no_color=True if is_plain else None,
            force_terminal=False if is_plain else None,
        )
        self.width = min(_WIDTH_MAX, self._console.width)

    # --- lines ---

    def say(self, text: str | Text = "", *, style: str = "", indent: str = "") -> None:
        """A paragraph, folded."""
        if isinstance(text, Text):
            for folded in text.wrap(self._console, max(20, self.width - len(indent))):
                folded.rstrip()
                self._console.print(Text(indent) + folded, soft_wrap=True)
            return
        width = max(20, self.width - len(indent))
        for part in text.split("\n"):
            for line in textwrap.wrap(part, width) or [""]:
                self._console.print(Text(indent + line, style=style), soft_wrap=True)

    def heading(self, text: str, aside: str = "") -> None:
        """What comes now; the aside is where one is."""
        self.say()
        line = f"{text} ({aside})" if aside and self.is_plain else text
        if self.is_plain:
            self.say(line)
            return
        left = Text(f"━━ {text} ", style="bold cyan")
        right = Text(f" {aside}" if aside else "", style="dim")
        fill = max(3, self.width - left.cell_len - right.cell_len)
        self._console.print(left + Text("━" * fill, style="cyan") + right, soft_wrap=True)

    def title(self, text: str) -> None:
        self.say(text, style="bold")
        self.say()

    def label(self, text: str, tone: str = "") -> None:
        self.say(text, style=f"{_TONES.get(tone, '')} bold".strip() if tone else "bold dim")

    def bullets(self, items: Sequence[str]) -> None:
        for item in items:
            lines = textwrap.wrap(item, max(20, self.width - 4)) or [""]
            self._console.print(Text(f"{_INDENT}- {lines[0]}"), soft_wrap=True)
            for line in lines[1:]:
                self._console.print(Text(f"{_INDENT}  {line}"), soft_wrap=True)

    # --- cards ---

    def card(self, card: Card, place: int, count: int) -> None:
        self.heading(card.part, f"{place + 1} of {count}")
        self.title(card.title)
        self.blocks(card.blocks)
        for number, choice in enumerate(card.choices, 1):
            lines = textwrap.wrap(choice.text, max(20, self.width - 5))
            self._console.print(Text(f" {number}. {lines[0]}"), soft_wrap=True)
            for line in lines[1:]:
                self._console.print(Text(f"    {line}"), soft_wrap=True)

    def blocks(self, blocks: Sequence[Block]) -> None:
        for block in blocks:
            self.block(block)
            self.say()

    def block(self, block: Block) -> None:
        if block.kind == "note":
            self.say(Text.assemble((f"{block.label}: ", "bold dim"), block.text))
            return
        if block.label:
            self.label(f"{block.label}:", block.tone)
        if block.kind == "list":
            self.bullets(block.items)
        elif block.kind == "quote":
            self.quote(block.text, block.marks)
        else:
            self.say(block.text)

    def quote(self, text: str, marks: Sequence[Mark] = ()) -> None:
        """Words of somebody, each marked place with a number that is explained below."""
        marked, last = Text(), 0
        for number, mark in enumerate(marks, 1):
            start = max(mark.start, last)
            if start >= mark.end:
                # inside the one before: its number goes to the end of the same words
                marked.append(f"[{number}]", style="dim")
                continue
            marked.append(text[last:start])
            marked.append(text[start : mark.end], style=f"underline {_TONES[mark.tone]}")
            marked.append(f"[{number}]", style="dim")
            last = mark.end
        marked.append(text[last:])
        for paragraph in marked.split("\n"):
            self.say(paragraph, indent=_INDENT)
        if marks:
            self.say()
        for number, mark in enumerate(marks, 1):
            said = {"more": " (more of this)", "less": " (less of this)"}.get(mark.tone, "")
            note = f" {mark.note}" if mark.note else ""
            line = Text(f"[{number}] ", style="dim")
            line.append(f"{mark.label}{said}.", style=_TONES[mark.tone])
            line.append(note)
            self.say(line, indent=_INDENT)

    def verdict_on(self, is_right: bool, why: str) -> None:
        word, style = ("Right.", "bold green") if is_right else ("Not this one.", "bold yellow")
        self.say(Text.assemble((f"{word} ", style), why))

    # --- findings ---

    def finding(self, finding: Finding) -> None:
        """One rule's word: state, words, why, what to do."""
        line = Text()
        line.append(f"{finding.state.value}: ", style=STATE_TONES[finding.state])
        line.append(finding.title, style="bold")
        self.say(line)
        for span in finding.spans[:3]:
            self.say(f"“{' '.join(span.text.split())}”", indent=_INDENT, style="italic")
        if finding.detail and finding.state is not State.MET:
            self.say(finding.detail, indent=_INDENT)
        if finding.reference:
            self.say(f"record: {finding.reference}", indent=_INDENT)
        if finding.why:
            self.say(finding.why, indent=_INDENT)
        if finding.fix:
            self.say(Text.assemble(("do: ", "bold"), finding.fix), indent=_INDENT)

    def met(self, finding: Finding) -> None:
        """What is there, and the words by which it is."""
        line = Text("there: ", style=STATE_TONES[State.MET])
        words = ", ".join(f"“{' '.join(one.text.split())}”" for one in finding.spans[:2])
        line.append(finding.title, style="bold")
        line.append(f": {words}", style="default")
        self.say(line)

    def diff(self, pieces: Sequence[Piece]) -> None:
        """What went and what came, in brackets that a screen reader says, too."""
        line = Text()
        for piece in pieces:
            if piece.kind == "same":
                line.append(f"{piece.text} ")
            elif piece.kind == "gone":
                line.append(f"[-{piece.text}-] ", style="red")
            else:
                line.append(f"{{+{piece.text}+}} ", style="green")
        self.say(line, indent=_INDENT)

    def clock(self, text: str) -> None:
        """A line that is written over by the next one; only on a terminal that is not plain."""
        sys.stdout.write(f"\r\033[K{text}")
        sys.stdout.flush()
