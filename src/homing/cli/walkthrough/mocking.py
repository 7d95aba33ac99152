"""`homing walkthrough mock`: the question, one clock, probes, and the verdict card."""

from __future__ import annotations

from pathlib import Path

import click

from homing.cli.output import note
from homing.cli.walkthrough.choosing import Choice, Walk, paced, told, walked
from homing.cli.walkthrough.findings import show_verdict, states_text
from homing.cli.walkthrough.telling import Stopped, told_words
from homing.cli.walkthrough.typing_in import Ended, Said
from homing.walkthrough import mock
from homing.walkthrough.assess import TEXT_MAX
from homing.walkthrough.clock import minutes, pace
from homing.walkthrough.history import Entry
from homing.walkthrough.mock import Mock, VerdictCard
from homing.walkthrough.rehearse import Judge

_HELP = (
    "Type what you would say; a line that is only a dot ends it. "
    ":say to speak by the clock, :q stop."
)


@click.command("mock")
@told
@paced
@walked
def mock_command(
    scenario: str, level_name: str, lens_name: str, record: str | None, me: str,
    wpm: float, plain: bool, folder: Path | None, again: bool,
) -> None:  # fmt: skip
    """The question and nothing else; then two to four probes, and the verdict card.

    The probes are chosen from what your answer lacked. There are no hints before the end, and the
    clock never cuts you off.

    \b
    Examples:
      homing walkthrough mock
      homing walkthrough mock --level senior --lens customer-obsession
      homing walkthrough mock --incident homing-lab/record.json
    """
    choice = Choice(scenario, level_name, lens_name, record, me)
    judge = choice.judge(wpm)
    walk = Walk(is_plain=plain, folder=folder)
    state = None if again else choice.kept(walk.history, "mock", Mock)
    if state is None or state.version != choice.scenario.version:
        state = mock.begin(choice.scenario, choice.level, choice.lens, at_us=walk.now_us())
    else:
        note("going on where you stopped; --again begins anew")
    _walk(walk, state, judge)


def _walk(walk: Walk, state: Mock, judge: Judge) -> None:
    screen = walk.screen
    try:
        if state.phase == "answer":
            screen.heading("Mock", f"{judge.level.name}, {judge.lens.name}")
            screen.title(judge.scenario.question)
            screen.say(_HELP, style="dim")
            said, state = _words(walk, state, judge, float(judge.level.time_max_s))
            state = mock.answer(state, judge, said.text, at_us=said.at_us, is_said=said.is_said)
            walk.history.save("mock", state)
        while (probe := mock.asked(state, judge.scenario)) is not None:
            place, count = len(state.replies) + 1, len(state.probes)
            screen.heading("Probe", f"{place} of {count}")
            screen.title(judge.told(probe.question))
            said, state = _words(walk, state, judge, float(mock.REPLY_S))
            state = mock.reply(state, said.text, at_us=said.at_us, is_said=said.is_said)
            walk.history.save("mock", state)
    except Stopped as stop:
        walk.history.save("mock", stop.state)
        note("kept; the same command goes on there")
        if stop.is_interrupted:
            raise KeyboardInterrupt from None
        return
    card = mock.card(state, judge)
    _show(walk, card, judge)
    _keep(walk, state, card)


def _words(walk: Walk, state: Mock, judge: Judge, seconds: float) -> tuple[Said, Mock]:
    if state.draft:
        walk.screen.say("You had begun:")
        walk.screen.quote(state.draft)

    def obey(state: Mock, name: str) -> tuple[Mock, Said | None, bool]:
        if name in (":say", ":s"):
            return (*_aloud(walk, state, seconds), False)
        if name in (":q", ":quit"):
            raise Ended
        walk.screen.say(f"{name}: not in a mock. {_HELP}")
        return state, None, False

    empty = "expected some words before the dot; :q stops and keeps"
    said, state = told_words(
        walk, state, judge, seconds, keep=mock.keep, obey=obey, empty=empty, characters_max=TEXT_MAX
    )
    assert said is not None
    return said, state


def _aloud(walk: Walk, state: Mock, seconds: float) -> tuple[Mock, Said | None]:
    """Speak by the clock, then type what was said."""
    started = mock.start(state, at_us=walk.now_us())
    took = walk.keyboard.wait_by_clock(seconds)
    ended_at_us = walk.now_us()
    told = f"{minutes(took)} of {minutes(seconds)}: {pace(took, seconds).value}"
    walk.screen.say(f"{told}. Now type what you said, and a dot.")
    text = walk.keyboard.words(draft="", prompt=lambda words: "| ")
    return (started, Said(text, ended_at_us, is_said=True)) if text.strip() else (state, None)


def _show(walk: Walk, card: VerdictCard, judge: Judge) -> None:
    screen = walk.screen
    screen.heading("The verdict card", f"{judge.level.name}, {judge.lens.name}")
    how = "about " if card.is_estimate else ""
    low, high = minutes(card.time_min_s), minutes(card.time_max_s)
    length = "in time"
    if card.took_s < card.time_min_s:
        length = "short"
    elif card.took_s > card.time_max_s:
        length = "long"
    screen.say(
        f"Time: {how}{minutes(card.took_s)}, {length}; {judge.level.name} takes {low} to {high}."
    )
    show_verdict(screen, card.assessment)
    for number, reply in enumerate(card.replies, 1):
        screen.say()
        screen.label(f"probe {number}: {judge.told(reply.probe.question)}")
        if reply.because:
            screen.say(f"asked because: {states_text(reply.because)}", indent="  ")
        screen.say(f"by your reply: {states_text(reply.now)}", indent="  ")
        for one in reply.findings[:1]:
            screen.finding(one)
        screen.say(f"a strong reply has: {reply.probe.strong.key}", indent="  ")
    screen.say()
    if not card.has_record:
        screen.say(
            "No record was given: every figure rests on your word. "
            "With --incident they are held against it.",
            style="dim",
        )
    elif card.unsupported:
        screen.label("not as the record says:")
        for one in card.unsupported:
            screen.finding(one) if one not in card.fixes else screen.say("as above", indent="  ")
    else:
        screen.say("The record has nothing against your figures and acts.")


def _keep(walk: Walk, state: Mock, card: VerdictCard) -> None:
    assert state.answer is not None
    walk.history.drop("mock", state)
    entry = walk.history.add(
        Entry(
            at_us=walk.now_us(),
            mode="mock",
            scenario=state.scenario,
            version=state.version,
            level=state.level,
            lens=state.lens,
            text=state.answer.text,
            replies={
                probe: one.text for probe, one in zip(state.probes, state.replies, strict=True)
            },
            states={rule: one.value for rule, one in card.assessment.states.items()},
            verdict=card.assessment.verdict.step if card.assessment.verdict else None,
            took_s=card.took_s,
        )
    )
    walk.screen.say()
    walk.screen.say(f"Kept as number {entry.number}: homing walkthrough history {entry.number}")
