"""`homing walkthrough history` and `wipe`: what was tried, and how to be rid of it."""

from __future__ import annotations

from pathlib import Path

import click

from homing.cli.output import as_json, note, print_json, print_table, time_text
from homing.cli.walkthrough.choosing import folder, history_in, plain
from homing.cli.walkthrough.screen import Screen
from homing.core.errors import NotFound
from homing.core.plurals import plural
from homing.walkthrough import rehearse
from homing.walkthrough.clock import minutes
from homing.walkthrough.history import Entry, History


@click.command("history")
@click.argument("number", type=int, required=False)
@click.option("--diff", "pair", type=int, nargs=2, metavar="A B", help="What changed from A to B.")
@click.option("--export", "target", type=click.Path(dir_okay=False, path_type=Path),
              help="Write the answer NUMBER as Markdown, for `check` or an editor.")  # fmt: skip
@plain
@folder
@as_json
def history_command(
    number: int | None, pair: tuple[int, int] | None, target: Path | None,
    plain: bool, folder: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """What you have tried: all of it, one walk, or what changed between two.

    \b
    Examples:
      homing walkthrough history
      homing walkthrough history 3
      homing walkthrough history --diff 1 3
      homing walkthrough history 3 --export answer.md
    """
    history = history_in(folder)
    entries = history.entries()
    screen = Screen(is_plain=plain)
    if pair:
        before, after = (_one(entries, one) for one in pair)
        _diff(screen, before, after, as_json=as_json)
    elif number is not None:
        _show(screen, _one(entries, number), target, as_json=as_json)
    elif as_json:
        print_json(entries)
    else:
        _list(history, entries)


def _one(entries: list[Entry], number: int) -> Entry:
    for one in entries:
        if one.number == number:
            return one
    known = f"1 to {entries[-1].number}" if entries else "none yet"
    raise NotFound(f"expected the number of a walk ({known}), found {number}")


def _list(history: History, entries: list[Entry]) -> None:
    print_table(
        ("#", "when", "what", "story", "level", "lens", "length", "outcome"),
        [
            (
                str(one.number),
                time_text(one.at_us),
                one.mode,
                one.scenario,
                one.level,
                one.lens,
                minutes(one.took_s) if one.took_s is not None else "",
                one.verdict or (f"{one.right} of {one.asked} right" if one.asked else ""),
            )
            for one in entries
        ],
        empty="nothing yet: homing walkthrough learn",
    )
    for one in history.open_walks():
        options = f"--level {one.level} --lens {one.lens}"
        note(f"not over: homing walkthrough {one.mode} {one.scenario} {options}")
    note(f"kept in {history.folder}, and nowhere else")


def _show(screen: Screen, entry: Entry, target: Path | None, *, as_json: bool) -> None:
    if target is not None:
        target.write_text(entry.text + "\n", encoding="utf-8")
        note(f"wrote {target}")
        return
    if as_json:
        print_json(entry)
        return
    screen.heading(f"Number {entry.number}: {entry.mode}", time_text(entry.at_us))
    screen.say(f"{entry.scenario}, {entry.level}, {entry.lens}")
    if entry.verdict:
        screen.label(f"verdict of that day: {entry.verdict}")
    if entry.asked:
        screen.say(f"{entry.right} of {entry.asked} right at the first try")
    if entry.text:
        screen.say()
        screen.quote(entry.text)
    for probe, text in entry.replies.items():
        screen.say()
        screen.label(f"probe {probe}:")
        screen.quote(text)
    screen.say()
    for rule, state in entry.states.items():
        screen.say(f"{state}: {rule.replace('_', ' ')}", indent="  ")


def _diff(screen: Screen, before: Entry, after: Entry, *, as_json: bool) -> None:
    pieces = rehearse.diff(before.text, after.text)
    moved = {
        rule: (before.states[rule], state)
        for rule, state in after.states.items()
        if before.states.get(rule, state) != state
    }
    if as_json:
        print_json({"verdicts": (before.verdict, after.verdict), "words": pieces, "states": moved})
        return
    screen.heading(f"From number {before.number} to number {after.number}")
    screen.say(f"verdict: {before.verdict or 'none'}, then {after.verdict or 'none'}")
    screen.diff(pieces)
    screen.say()
    for rule, (was, now) in moved.items():
        screen.say(f"{rule.replace('_', ' ')}: was {was}, is {now}", indent="  ")
    if not moved:
        screen.say("No rule says anything else than before.", indent="  ")


@click.command("wipe")
@click.option("--yes", is_flag=True, help="Do not ask.")
@folder
def wipe_command(yes: bool, folder: Path | None) -> None:
    """Delete every answer, walk and result that was kept on this machine.

    \b
    Examples:
      homing walkthrough wipe
      homing walkthrough wipe --yes
    """
    history = history_in(folder)
    if not yes:
        click.confirm(f"Delete all that is kept in {history.folder}?", abort=True)
    count = history.wipe()
    note(
        f"deleted {plural(count, 'file')}; nothing is left in {history.folder}"
        if count
        else "nothing there"
    )
