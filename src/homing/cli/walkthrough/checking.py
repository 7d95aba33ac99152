"""`homing walkthrough check`: what is in an answer, what is not, and where."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from rich.text import Text

from homing.cli.incidents import place_of
from homing.cli.main import EXIT_FINDINGS
from homing.cli.output import as_json, note, print_json, why
from homing.cli.walkthrough.choosing import judged_for, one_of, paced, plain
from homing.cli.walkthrough.findings import show_verdict
from homing.cli.walkthrough.screen import STATE_TONES, Screen
from homing.core.errors import ConfigError
from homing.core.plurals import plural
from homing.walkthrough.assess import STAGES, TEXT_MAX, Assessment, Finding, State, assess
from homing.walkthrough.claims import STAMP
from homing.walkthrough.packs import seconds_of, shipped
from homing.walkthrough.record import Record

_OPEN: Final = "\u2039"  # angle marks: no word of an answer has them
_CLOSE: Final = "\u203a"
_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)
_EMPTY: Final = re.compile(r"\n{3,}")
_TITLE: Final = re.compile(r"^# .*$", re.MULTILINE)


@click.command("check")
@click.argument("answer", metavar="ANSWER.md")
@click.option("--stage", type=click.Choice(STAGES), help="It is this stage alone.")
@judged_for
@click.option("--incident", "name", metavar="FILE|ID", help="Hold it against this record.")
@click.option("--me", metavar="ACTOR", default="", help="You, as the record names you.")
@click.option("--scenario", "scenario_name", default="", metavar="ID", help="Its times and terms.")
@paced
@plain
@as_json
def check_command(
    answer: str,
    stage: str | None,
    level_name: str,
    lens_name: str,
    name: str | None,
    me: str,
    scenario_name: str,
    wpm: float,
    plain: bool,
    as_json: bool,
) -> None:
    """Check an answer: each finding on the exact words, why it matters, what to do.

    Headings (## Situation, ## Task, ## Action, ## Result, ## Reflection) divide it; without them
    the parts are guessed. "-" reads standard input. With --incident every number and every act of
    yours is looked up in the record.

    \b
    Examples:
      homing walkthrough check answer.md
      homing walkthrough check answer.md --level senior --lens dive-deep
      homing walkthrough check answer.md --incident record.json --me ana
      cat result.txt | homing walkthrough check - --stage result --json

    Exit codes: 0 nothing to mend, 1 findings, 2 it cannot be read.
    """
    text = _read(answer)
    library = shipped()
    level = one_of(library.levels, level_name, "--level")
    lens = one_of(library.principles, lens_name, "--lens")
    scenario = one_of(library.scenarios, scenario_name, "--scenario") if scenario_name else None
    record = Record(place_of(name).load(), name) if name else None
    found = assess(
        _without_marks(text),
        stage,
        level,
        lens,
        record,
        me=me,
        targets=(
            {**seconds_of(scenario.stages, level), "total": float(level.time_max_s)}
            if scenario
            else None
        ),
        wpm=wpm,
        terms=scenario.terms if scenario else (),
    )
    is_stale = _is_stale(text, record)
    if as_json:
        print_json(
            {**msgspec.to_builtins(found), "faults": len(found.faults), "is_stale": is_stale}
        )
    else:
        _show(Screen(is_plain=plain), text, found)
    if is_stale:
        note(
            "the record has changed since this was drafted; homing walkthrough draft makes it anew"
        )
    if found.faults or is_stale:
        raise click.exceptions.Exit(EXIT_FINDINGS)


def _read(answer: str) -> str:
    """
    Raises:
        ConfigError: there is no such file, or no text in it.
    """
    try:
        raw = sys.stdin.buffer.read(TEXT_MAX * 4) if answer == "-" else Path(answer).read_bytes()
        text = raw.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        text = f"{answer}: expected a file of text (or - for standard input); {why(error)}"
        raise ConfigError([text]) from error
    if not _without_marks(text).strip():
        raise ConfigError(
            [f"{answer}: expected an answer, found no words; write one and try again"]
        )
    return text


def _without_marks(text: str) -> str:
    """Comments and the title are no words of an answer; blanks keep the places of the others."""

    def blank(match: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", match[0])

    return _TITLE.sub(blank, _COMMENT.sub(blank, text))


def _is_stale(text: str, record: Record | None) -> bool:
    """Whether it was drafted from the same incident when its record was another."""
    stamp = STAMP.search(text)
    if stamp is None or record is None or stamp[1] != record.incident.id:
        return False
    return stamp[2] != record.sha256


# --- showing ---


def _show(screen: Screen, text: str, found: Assessment) -> None:
    numbered = _numbered(found)
    screen.say(marked(text, numbered, is_plain=screen.is_plain))
    screen.say()
    for number, one in numbered:
        _finding(screen, number, one)
    lacking = [one for one in found.faults if one.span is None]
    for one in lacking:
        _finding(screen, None, one)
    _rest(screen, found)
    minutes = f"{plural(found.words, 'word')}, about {found.spoken_s:.0f} s when spoken"
    screen.say(minutes, style="dim")
    screen.say()
    show_verdict(screen, found)


def _numbered(found: Assessment) -> list[tuple[int, Finding]]:
    """What is to be mended, by where it stands in the text."""
    here = [one for one in found.faults if one.span is not None]
    here.sort(key=lambda one: one.span.start if one.span else 0)
    return list(enumerate(here, 1))


def marked(text: str, numbered: Sequence[tuple[int, Finding]], *, is_plain: bool) -> Text:
    """The answer, the words of each finding marked, with its number behind them.

    The words stand between angle marks as well, so that both ends are seen without a colour.
    """
    opens: dict[int, int] = {}
    closes: dict[int, list[int]] = {}
    styles: list[tuple[int, int, str]] = []
    for number, one in numbered:
        for span in one.spans:
            closes.setdefault(span.end, []).append(number)
            opens[span.start] = opens.get(span.start, 0) + 1
            styles.append((span.start, span.end, STATE_TONES[one.state]))
    result = Text()
    edges = sorted({0, len(text), *opens, *closes})
    for start, end in zip(edges, [*edges[1:], len(text)], strict=True):
        for number in closes.get(start, ()):
            result.append(f"{_CLOSE}[{number}]", style="dim")
        result.append(_OPEN * opens.get(start, 0), style="dim")
        shown = _EMPTY.sub("\n\n", _COMMENT.sub("", text[start:end]))
        result.append(shown, style="" if is_plain else _style(styles, start, end))
    return result


def _style(styles: Sequence[tuple[int, int, str]], start: int, end: int) -> str:
    """Of the shortest finding that covers the words."""
    over = [(b - a, tone) for a, b, tone in styles if a <= start and end <= b and start < end]
    return f"underline {min(over)[1]}" if over else ""


def _finding(screen: Screen, number: int | None, one: Finding) -> None:
    line = Text.assemble((f"[{number}] " if number else "    ", "dim"))
    line.append(f"{one.state.value}: ", style=STATE_TONES[one.state])
    line.append(one.title, style="bold")
    if one.detail:
        line.append(f": {one.detail.removeprefix('act: ')}")
    screen.say(line)
    for text in (one.why, f"do: {one.fix}" if one.fix else ""):
        if text:
            screen.say(text, indent="    ")
    if one.reference:
        screen.say(f"record: {one.reference}", indent="    ", style="dim")
    screen.say()


def _rest(screen: Screen, found: Assessment) -> None:
    """What is there, and what this level and lens do not ask for."""
    by_state: dict[Any, dict[str, None]] = {}
    for one in found.findings:
        if one.state is State.MET and found.states[one.rule] is State.MET:
            by_state.setdefault("there", {})[one.title] = None
        elif one.state is State.NOT_CHECKABLE:
            by_state.setdefault("not checkable", {})[one.title] = None
        elif one.rule not in found.asked:
            by_state.setdefault("not there, and not asked for here", {})[one.title] = None
    tones = {"there": STATE_TONES[State.MET]}
    for word, titles in by_state.items():
        screen.say(f"{word}: {'; '.join(titles)}", style=tones.get(word, "dim"))
