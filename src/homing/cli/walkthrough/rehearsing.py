"""`homing walkthrough rehearse`: your own story, a stage at a time."""

from __future__ import annotations

from pathlib import Path

import click

from homing.cli.output import note
from homing.cli.walkthrough.choosing import Choice, Walk, paced, told, walked
from homing.cli.walkthrough.findings import show_stage, show_verdict
from homing.cli.walkthrough.telling import Stopped, told_words
from homing.cli.walkthrough.typing_in import Ended, Said
from homing.core.plurals import plural
from homing.walkthrough import rehearse
from homing.walkthrough.assess import Assessment
from homing.walkthrough.cards import example
from homing.walkthrough.clock import minutes, pace, spoken_s
from homing.walkthrough.history import Entry
from homing.walkthrough.packs import Stage
from homing.walkthrough.rehearse import WORDS_MAX, Judge, Rehearsal
from homing.walkthrough.slots import values_of

_HELP = (
    "Type what you would say; a line that is only a dot hands it in. "
    ":h a hint, :e the example, :d what the record says, :say to speak by the clock, "
    ":n next stage, :b stage before, :q stop."
)


@click.command("rehearse")
@told
@paced
@walked
def rehearse_command(
    scenario: str, level_name: str, lens_name: str, record: str | None, me: str,
    wpm: float, plain: bool, folder: Path | None, again: bool,
) -> None:  # fmt: skip
    """Tell your own story stage by stage, with hints and findings on your words.

    Typed words are timed by how long they take to say; `:say` lets you speak by a clock, which
    informs and never cuts you off. Nothing you typed is lost: Ctrl-C keeps it, and the same
    command goes on there.

    \b
    Examples:
      homing walkthrough rehearse
      homing walkthrough rehearse --level senior --wpm 135
      homing walkthrough rehearse --incident homing-lab/record.json
      cat story.txt | homing walkthrough rehearse --plain
    """
    choice = Choice(scenario, level_name, lens_name, record, me)
    judge = choice.judge(wpm)
    walk = Walk(is_plain=plain, folder=folder)
    state = choice.kept(walk.history, "rehearse", Rehearsal)
    if again and state is not None and state.attempts:
        walk.history.add(_entry(state))
        note("what you had told before is in `homing walkthrough history`")
    if state is None or again:
        state = rehearse.begin(choice.scenario, choice.level, choice.lens, at_us=walk.now_us())
        walk.screen.heading("Rehearse", f"{choice.level.name}, {choice.lens.name}")
        walk.screen.title(choice.scenario.question)
        walk.screen.say(
            f"Five parts, {minutes(choice.level.told_s)} in all. Tell an incident of your own, or "
            "the one of the lab; what you say is kept on this machine only."
        )
        walk.screen.say(_HELP)
    else:
        note("going on where you stopped; --again begins anew")
        walk.screen.say(_HELP, style="dim")
    _walk(walk, state, judge)


def _walk(walk: Walk, state: Rehearsal, judge: Judge) -> None:
    try:
        while (stage := rehearse.current(state, judge.scenario)) is not None:
            state = _stage(walk, state, judge, stage)
            walk.history.save("rehearse", state)
    except Stopped as stop:
        walk.history.save("rehearse", stop.state)
        note("kept; the same command goes on there")
        if stop.is_interrupted:
            raise KeyboardInterrupt from None
        return
    _end(walk, state, judge)


def _stage(walk: Walk, state: Rehearsal, judge: Judge, stage: Stage) -> Rehearsal:
    """One stage: attempts until somebody goes on."""
    screen, seconds = walk.screen, judge.seconds()[stage.id]
    count = len(judge.scenario.stages)
    screen.heading(f"{stage.name}, up to {minutes(seconds)}", f"{state.stage + 1} of {count}")
    screen.say(stage.purpose)
    if state.draft:
        screen.say("You had begun:")
        screen.quote(state.draft)
    while True:
        said, state = _words(walk, state, judge, stage)
        if said is None:
            return state  # to another stage
        before = state.of(stage.id)
        state = rehearse.submit(
            state, judge.scenario, said.text, at_us=said.at_us, is_said=said.is_said
        )
        walk.history.save("rehearse", state)
        _found(walk, state, judge, stage, had_before=bool(before))
        state, goes_on = _ask(walk, state, judge, stage)
        if goes_on:
            return state


def _words(
    walk: Walk, state: Rehearsal, judge: Judge, stage: Stage
) -> tuple[Said | None, Rehearsal]:
    """Words for a stage; None: to another stage, and the state says which."""
    seconds = judge.seconds()[stage.id]

    def obey(state: Rehearsal, name: str) -> tuple[Rehearsal, Said | None, bool]:
        if name in (":say", ":s"):
            return (*_aloud(walk, state, seconds), False)
        after = _command(walk, state, judge, stage, name)
        return after, None, after.stage != state.stage

    empty = "expected some words before the dot; :n goes to the next stage"
    return told_words(
        walk,
        state,
        judge,
        seconds,
        keep=rehearse.keep,
        obey=obey,
        empty=empty,
        characters_max=WORDS_MAX,
    )


def _command(walk: Walk, state: Rehearsal, judge: Judge, stage: Stage, name: str) -> Rehearsal:
    """What a line that begins with a colon asks for."""
    match name:
        case ":h" | ":hint":
            state, found = rehearse.hint(state, judge.scenario, at_us=walk.now_us())
            walk.screen.say(f"hint: {found or 'there are no more; :e shows the example'}")
        case ":e" | ":example":
            _example(walk, judge, stage)
            walk.screen.say(stage.coaching)
        case ":d" | ":draft":
            _from_record(walk, judge, stage)
        case ":n" | ":next":
            return _to(walk, state, judge, state.stage + 1)
        case ":b" | ":back" if state.stage:
            return _to(walk, state, judge, state.stage - 1)
        case ":q" | ":quit":
            raise Ended
        case _:
            walk.screen.say(f"{name}: there is no such command here. {_HELP}")
    return state


def _example(walk: Walk, judge: Judge, stage: Stage) -> None:
    """How it sounds when it is told well, with the figures of the record where there is one."""
    record = judge.record
    values = None if record is None else values_of(judge.scenario.slots, record)
    walk.screen.block(example(judge.scenario, stage, judge.level, judge.lens.id, values))


def _from_record(walk: Walk, judge: Judge, stage: Stage) -> None:
    """What the record supports of a stage, each sentence with its state, and what it lacks."""
    found = judge.draft()
    if found is None:
        walk.screen.say("There is no record; begin with --incident FILE.")
        return
    mine = [one for one in found.claims if one.stage == stage.id]
    for one in mine:
        places = ", ".join(f"{each.source}:{each.path}" for each in one.references)
        walk.screen.say(one.text, indent="  ")
        walk.screen.say(f"{one.state.value}: {places}", indent="    ", style="dim")
    if not mine:
        walk.screen.say("The record says nothing for this stage.")
    for gap in found.gaps:
        if gap.stage == stage.id:
            walk.screen.say(f"missing in the record: {gap.text}", indent="  ")
            if gap.command:
                walk.screen.say(gap.command, indent="    ", style="dim")


def _to(walk: Walk, state: Rehearsal, judge: Judge, place: int) -> Rehearsal:
    return rehearse.go_to(state, judge.scenario, place, at_us=walk.now_us())


def _aloud(walk: Walk, state: Rehearsal, seconds: float) -> tuple[Rehearsal, Said | None]:
    """Speak by the clock, then type what was said; without words only the time is told."""
    started = rehearse.start(state, at_us=walk.now_us())
    took = walk.keyboard.wait_by_clock(seconds)
    ended_at_us = walk.now_us()
    walk.screen.say(f"{minutes(took)} of {minutes(seconds)}: {pace(took, seconds).value}")
    walk.screen.say("Type what you said, and a dot; only a dot, and the time alone was measured.")
    text = walk.keyboard.words(draft="", prompt=lambda words: "| ")
    if not text.strip():
        return state, None
    return started, Said(text, ended_at_us, is_said=True)


def _found(walk: Walk, state: Rehearsal, judge: Judge, stage: Stage, *, had_before: bool) -> None:
    """What the rules say of the last attempt, and what changed since the one before."""
    screen, attempts, seconds = walk.screen, state.of(stage.id), judge.seconds()[stage.id]
    last = attempts[-1]
    found = judge.of(last.text, stage.id)
    screen.say()
    if last.took_s is None:
        took = spoken_s(found.words, judge.words_per_minute)
        how = f"about {minutes(took)} at {judge.words_per_minute:g} words a minute"
    else:
        took, how = last.took_s, f"{minutes(last.took_s)} by the clock"
    screen.say(f"{how}, of {minutes(seconds)}: {pace(took, seconds).value}")
    show_stage(screen, stage.id, found)
    if had_before:
        before = attempts[-2]
        screen.label("since your last try:")
        screen.diff(rehearse.diff(before.text, last.text))
        for one in rehearse.changes(judge.of(before.text, stage.id), found):
            arrow = "better" if one.is_better else "worse"
            rule = one.rule.replace("_", " ")
            screen.say(f"{arrow}: {rule} was {one.before}, is {one.after}", indent="  ")


def _ask(walk: Walk, state: Rehearsal, judge: Judge, stage: Stage) -> tuple[Rehearsal, bool]:
    """Again, or on?"""
    while True:
        try:
            said = walk.keyboard.line("r again, e the example, Enter goes on, q stops: ")
        except Ended:
            state = _to(walk, state, judge, state.stage + 1)
            raise Stopped(state, is_interrupted=False) from None
        except KeyboardInterrupt:
            state = _to(walk, state, judge, state.stage + 1)
            raise Stopped(state, is_interrupted=True) from None
        match said.strip().lower().lstrip(":"):
            case "" | "n":
                return _to(walk, state, judge, state.stage + 1), True
            case "r":
                return state, False
            case "e":
                _example(walk, judge, stage)
            case "q":
                state = _to(walk, state, judge, state.stage + 1)
                raise Stopped(state, is_interrupted=False)
            case other if " " in other:
                walk.screen.say("that is not handed in: r, and then the words, for another try")
            case other:
                walk.screen.say(f"expected r, e, Enter or q; found {other!r}")


def _end(walk: Walk, state: Rehearsal, judge: Judge) -> None:
    """The story as a whole, and what the table says of it."""
    walk.history.drop("rehearse", state)
    if not state.attempts:
        note("nothing was told; nothing is kept")
        return
    answer = state.answer()
    found = judge.of(answer)
    walk.screen.heading("The whole story")
    took = spoken_s(found.words, judge.words_per_minute)
    low, high = judge.level.time_min_s, judge.level.time_max_s
    walk.screen.say(
        f"{plural(found.words, 'word')}, about {minutes(took)}; {judge.level.name} takes "
        f"{minutes(low)} to {minutes(high)}."
    )
    show_verdict(walk.screen, found)
    entry = walk.history.add(_entry(state, found, took))
    walk.screen.say()
    walk.screen.say(f"Kept as number {entry.number}: homing walkthrough history {entry.number}")
    walk.screen.say("Next: homing walkthrough mock")


def _entry(state: Rehearsal, found: Assessment | None = None, took_s: float | None = None) -> Entry:
    """What is kept of a rehearsal; without an assessment it was left before its end."""
    verdict = found.verdict if found else None
    return Entry(
        at_us=state.at_us,
        mode="rehearse",
        scenario=state.scenario,
        version=state.version,
        level=state.level,
        lens=state.lens,
        text=state.answer(),
        states={rule: one.value for rule, one in found.states.items()} if found else {},
        verdict=verdict.step if verdict else None,
        took_s=took_s,
    )
