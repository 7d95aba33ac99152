"""`homing walkthrough draft`: the story as a record allows it to be told."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click
import msgspec
from rich.text import Text

from homing.cli.incidents import actor_here, name_of, the_place
from homing.cli.main import EXIT_FINDINGS
from homing.cli.output import as_json, note, print_json, why
from homing.cli.walkthrough.choosing import judged_for, one_of, paced, plain
from homing.cli.walkthrough.screen import Screen
from homing.core.errors import ConfigError
from homing.core.plurals import plural
from homing.review.evidence import LogRow
from homing.walkthrough.assess import STAGES
from homing.walkthrough.claims import STAMP, Claim, ClaimState, Draft, draft, exported
from homing.walkthrough.packs import shipped
from homing.walkthrough.record import Record
from homing.walkthrough.redaction import redacted

_VALUE_MAX: Final = 48  #: characters of a value beside its place
_SIGNS: Final = {
    ClaimState.SUPPORTED: ("✓", "green"),
    ClaimState.ESTIMATE: ("≈", "yellow"),
    ClaimState.ATTESTED: ("○", "magenta"),
    ClaimState.UNSUPPORTED: ("·", "dim"),
    ClaimState.CONTRADICTED: ("✗", "bold red"),
}


@click.command("draft")
@click.argument("record", metavar="[INCIDENT]", required=False)
@click.option(
    "--incident", "name", metavar="FILE|ID",
    help="The same; default: HOMING_INCIDENT, or the one opened in this folder.",
)  # fmt: skip
@click.option(
    "--me", default=actor_here, metavar="ACTOR", help="You, as the record names you; default: you."
)
@judged_for
@click.option(
    "-o",
    "--output",
    "out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.md",
    help="Write it there, to edit and to check.",
)
@click.option("--hide", multiple=True, metavar="WORD", help="Leave this name out, too.")
@click.option("--whole", is_flag=True, help="Leave addresses, ids and names of people in.")
@click.option("--evidence", is_flag=True, help="What each sentence rests on, down to log rows.")
@paced
@plain
@as_json
def draft_command(
    record: str | None,
    name: str | None,
    me: str,
    level_name: str,
    lens_name: str,
    out: Path | None,
    hide: tuple[str, ...],
    whole: bool,
    evidence: bool,
    wpm: float,
    plain: bool,
    as_json: bool,
) -> None:
    """Draft the story of an incident from its record: only what the record shows.

    Each sentence is a claim: supported by the record, an estimate, or your own word. What the
    record does not show is not written; it is a gap, listed with the command that would fill it.
    "I" stands only where the record says that you did it.

    \b
    Examples:
      homing walkthrough draft
      homing walkthrough draft record.json --me ana --level senior --evidence
      homing walkthrough draft -o answer.md && homing walkthrough check answer.md \\
        --incident record.json
      homing walkthrough draft --json | jq '.gaps[].command'

    Exit codes: 0 a draft, 1 the record contradicts a claim, 2 there is no such record.
    """
    library = shipped()
    level = one_of(library.levels, level_name, "--level")
    lens = one_of(library.principles, lens_name, "--lens")
    place = the_place(name_of(record, name))
    known = Record(place.load(), place.name)
    made = draft(known, me, level, lens, wpm)
    _require_known(known, me)
    if out is not None:
        lines = exported(made, known).split("\n")
        if not whole:
            # the stamp is a hash, by which a check finds out whether the record has changed
            lines = [
                one if STAMP.search(one) else redacted(one, known.incident, me, hide)
                for one in lines
            ]
        _write(out, "\n".join(lines))
    if as_json:
        print_json(_document(made))
    elif out is None:
        _show(Screen(is_plain=plain), made, known, hide, is_whole=whole, has_evidence=evidence)
    else:
        note(
            f"written: {out}; {plural(len(made.claims), 'claim')}, {plural(len(made.gaps), 'gap')}"
        )
    if any(one.state is ClaimState.CONTRADICTED for one in made.gaps):
        raise click.exceptions.Exit(EXIT_FINDINGS)


def _require_known(record: Record, me: str) -> None:
    """A name that the record does not have makes a draft in which nothing is “I”."""
    if me in record.actors:
        return
    names = ", ".join(sorted(record.actors)) or "nobody"
    note(f"the record has nothing that {me} did; it names {names}: --me ACTOR")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError([f"--output {path}: cannot be written: {why(error)}"]) from error


def _document(made: Draft) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(made)
    return {**document, "text": made.text()}


def _show(
    screen: Screen,
    made: Draft,
    record: Record,
    hidden: tuple[str, ...],
    *,
    is_whole: bool,
    has_evidence: bool,
) -> None:
    for stage in STAGES:
        here = [one for one in made.claims if one.stage == stage]
        screen.heading(stage.capitalize(), f"{plural(len(here), 'claim')}")
        for one in here:
            text = one.text if is_whole else redacted(one.text, record.incident, made.me, hidden)
            _claim(screen, one, text)
            if has_evidence:
                _evidence(screen, one)
    screen.say()
    signs = "; ".join(f"{_SIGNS[one][0]} {one.value}" for one in list(ClaimState)[:3])
    screen.say(signs, style="dim")
    if made.left_out:
        screen.say()
        screen.label("supported, but there is no time for it at this level:")
        screen.bullets([one.text for one in made.left_out])
    if made.gaps:
        screen.say()
        screen.label("gaps: not in the record, so not in the story")
        for gap in made.gaps:
            sign, tone = _SIGNS[gap.state]
            screen.say(Text.assemble((f"{sign} ", tone), f"{gap.stage}: {gap.text}"))
            if gap.command:
                screen.say(gap.command, indent="    ", style="bold")


def _claim(screen: Screen, one: Claim, text: str) -> None:
    sign, tone = _SIGNS[one.state]
    line = Text.assemble((f"{sign} ", tone), text)
    if one.state is not ClaimState.SUPPORTED:
        line.append(f"  ({one.state.value})", style=tone)
    screen.say(line)


def _evidence(screen: Screen, one: Claim) -> None:
    """The values by where they stand, the command that finds them again, an example's rows."""
    by_command: dict[str, dict[str, None]] = {}
    for reference in one.references:
        value = " ".join(reference.text.split())
        value = value if len(value) <= _VALUE_MAX else f"{value[: _VALUE_MAX - 1]}…"
        written = f" (from {reference.written})" if reference.written else ""
        place = f"{reference.source}:{reference.path} = {value}{written}"
        by_command.setdefault(reference.command, {})[place] = None
    for command, places in by_command.items():
        for place in places:
            screen.say(place, indent="    ", style="dim")
        screen.say(f"$ {command}", indent="    ", style="dim")
    rows: tuple[LogRow, ...] = next((each.rows for each in one.references if each.rows), ())
    for row in rows:
        screen.say(f"{row.file}:{row.line}  {row.text}", indent="      ", style="dim")
    if rows:
        screen.say("one example of what was lost", indent="      ", style="dim")
    lists = dict.fromkeys(each.behind.name for each in one.references if each.behind)
    for name in lists:
        text = f"all of them: homing walkthrough rows --of {name}"
        screen.say(text, indent="      ", style="dim")
