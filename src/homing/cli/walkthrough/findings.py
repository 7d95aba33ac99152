"""Findings and verdicts in a terminal, the same in every walk."""

from __future__ import annotations

from homing.cli.walkthrough.screen import STATE_TONES, Screen
from homing.walkthrough.assess import Assessment, State
from homing.walkthrough.rehearse import fixes, in_order

_FIXES: int = 3


def show_assessment(screen: Screen, text: str, found: Assessment) -> None:
    """What is there in one line; what is not, one by one."""
    met = [one.title for one in found.findings if one.state is State.MET]
    unchecked = [one.title for one in found.findings if one.state is State.NOT_CHECKABLE]
    if met:
        screen.say(f"there: {'; '.join(dict.fromkeys(met))}", style=STATE_TONES[State.MET])
    if unchecked:
        screen.say(f"not checkable: {'; '.join(dict.fromkeys(unchecked))}", style="dim")
    for one in in_order(found):
        if one.state not in (State.MET, State.NOT_CHECKABLE):
            screen.say()
            screen.finding(one)
    screen.say()


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
