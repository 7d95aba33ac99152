"""Findings and verdicts in a terminal, the same in every walk."""

from __future__ import annotations

from collections.abc import Mapping

from homing.cli.walkthrough.screen import Screen
from homing.walkthrough.assess import Assessment, State
from homing.walkthrough.assess.rule import rules
from homing.walkthrough.rehearse import concerns, fixes, in_order

_FIXES: int = 3


def show_stage(screen: Screen, stage: str, found: Assessment) -> None:
    """What a stage has, each with its words; then what it lacks, and what to do."""
    mine = [one for one in in_order(found) if concerns(one, stage, found)]
    met = [one for one in mine if one.state is State.MET and one.span is not None]
    for one in met:
        screen.met(one)
    lacking = [one for one in mine if one.state not in (State.MET, State.NOT_CHECKABLE)]
    for one in lacking:
        screen.say()
        screen.finding(one)
    if not lacking:
        screen.say("Nothing is missing that belongs here.")
    screen.say()


def states_text(states: Mapping[str, State]) -> str:
    """Rules in words, each with its state."""
    titles = rules()
    return "; ".join(f"{titles[rule].title} ({state.value})" for rule, state in states.items())


def show_verdict(screen: Screen, found: Assessment) -> None:
    """The step of the scale, the rows of the table that led to it, and what to mend first."""
    if found.verdict is None:
        return
    screen.label(f"verdict: {found.verdict.step}")
    screen.say(found.verdict.says, indent="  ")
    screen.say(found.verdict.label, indent="  ", style="dim")
    screen.say()
    screen.label("the table, from the top; the first row that holds decides:")
    for row in found.rows:
        sign = "-> holds, decides" if row.decides else ("holds" if row.holds else "does not hold")
        screen.say(f"{row.verdict}: {row.says}: {sign}", indent="  ")
        if row.decides and row.because:
            screen.say("; ".join(row.because), indent="     ", style="dim")
        if row.decides:
            break
    chosen = fixes(found, _FIXES)
    if chosen:
        screen.say()
        screen.label("mend first:")
        for one in chosen:
            screen.say()
            screen.finding(one)
