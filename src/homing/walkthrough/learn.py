"""Learn: guess, see it told well and badly, compare, and try the quiz. Pure.

The whole walk is a fixed script of cards, made from a scenario, a level, a lens and a seed. Where
somebody is in it is a `Learning`: a place and the choices made, small enough to keep in a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from homing.core.errors import Invalid, Problem
from homing.walkthrough.cards import Block, Card, Choice, example, shuffled, weak_answer
from homing.walkthrough.clock import minutes
from homing.walkthrough.packs import Level, Principle, Scenario, Stage, seconds_of

#: options of a guess: one signal of the stage, and signals of others
_GUESSES: Final = 4


class Learning(msgspec.Struct, frozen=True, kw_only=True):
    """Where somebody is."""

    scenario: str
    version: int  #: of the scenario: with another one the script has other cards
    level: str
    lens: str
    seed: int  #: orders choices
    begun_at_us: int
    at_us: int  #: of the last step
    place: int = 0  #: of the card to show
    chosen: dict[str, int] = {}  #: card → choice, the first that was made


def begin(scenario: Scenario, level: Level, lens: Principle, *, seed: int, at_us: int) -> Learning:
    """The beginning of a walk.

    Args:
        seed: any number, drawn by the caller.
        at_us: now.
    """
    return Learning(
        scenario=scenario.id,
        version=scenario.version,
        level=level.id,
        lens=lens.id,
        seed=seed,
        begun_at_us=at_us,
        at_us=at_us,
    )


def choose(state: Learning, card: Card, choice: int, *, at_us: int) -> Learning:
    """A choice was made; the card stays, so that what it says of it can be read.

    The first choice counts; another one is only looked at.

    Raises:
        Invalid: the card has no such choice.
    """
    if not 0 <= choice < len(card.choices):
        text = f"expected 1 to {len(card.choices)}, found {choice + 1}"
        raise Invalid([Problem(("choice",), text)])
    chosen = {card.id: choice, **state.chosen}
    return msgspec.structs.replace(state, chosen=chosen, at_us=at_us)


def go_on(state: Learning, cards: tuple[Card, ...], *, at_us: int) -> Learning:
    """To the next card; behind the last one the walk is over."""
    place = min(state.place + 1, len(cards))
    return msgspec.structs.replace(state, place=place, at_us=at_us)


def go_back(state: Learning, *, at_us: int) -> Learning:
    """To the card before."""
    return msgspec.structs.replace(state, place=max(0, state.place - 1), at_us=at_us)


def score(state: Learning, cards: tuple[Card, ...], part: str | None = None) -> tuple[int, int]:
    """Right at the first try, and tried.

    Args:
        part: only of cards of this part; None: of all.
    """
    tried = [
        card for card in cards if card.id in state.chosen and (part is None or card.part == part)
    ]
    return sum(state.chosen[card.id] == card.right for card in tried), len(tried)


def script(
    scenario: Scenario,
    level: Level,
    lens: Principle,
    *,
    seed: int,
    values: dict[str, str] | None = None,
) -> tuple[Card, ...]:
    """All cards, in order.

    Args:
        values: figures of a record instead of the scenario's own (`slots.values_of`).
    """
    scenario = scenario.at(level.id)
    return (
        _overview(scenario, level, lens, values),
        *(
            card
            for stage in scenario.stages
            for card in _stage(scenario, stage, level, lens, seed, values)
        ),
        *_weak(scenario, level, seed, values),
        *(_probe(scenario, place, seed, values) for place in range(len(scenario.probes))),
        _takeaways(scenario, level, values),
        *quiz(scenario, seed=seed, values=values),
    )


def quiz(
    scenario: Scenario, *, seed: int, values: dict[str, str] | None = None
) -> tuple[Card, ...]:
    """The quiz alone."""
    cards = []
    for item in scenario.quiz:
        choices = tuple(
            Choice(
                text=scenario.told(one.text, values),
                why=scenario.told(one.why, values),
                is_right=one.is_right,
            )
            for one in item.options
        )
        cards.append(
            Card(
                id=f"quiz/{item.id}",
                part="Quiz",
                title=scenario.told(item.text, values),
                choices=shuffled(choices, seed, item.id),
            )
        )
    return tuple(cards)


def _overview(
    scenario: Scenario, level: Level, lens: Principle, values: dict[str, str] | None
) -> Card:
    seconds = seconds_of(scenario.stages, level)
    times = tuple(f"{one.name}: {minutes(seconds[one.id])}" for one in scenario.stages)
    turns = scenario.lenses[lens.id]
    return Card(
        id="overview",
        part="Overview",
        title=scenario.question,
        blocks=(
            Block(kind="text", text=scenario.told(scenario.overview.story, values)),
            Block(
                kind="list",
                label=f"told in {minutes(level.told_s)}, for {level.name}",
                items=times,
            ),
            Block(kind="note", label=f"at this level ({level.name})", text=level.focus),
            Block(kind="note", label="in this story", text=scenario.levels[level.id]),
            Block(kind="note", label=f"the listener asks about {lens.name}", text=lens.asks),
            Block(
                kind="quote",
                label="so one sentence may come first",
                text=scenario.told(turns.lead, values),
                tone="good",
            ),
        ),
    )


def _stage(
    scenario: Scenario,
    stage: Stage,
    level: Level,
    lens: Principle,
    seed: int,
    values: dict[str, str] | None,
) -> Iterator[Card]:
    seconds = seconds_of(scenario.stages, level)[stage.id]
    yield _guess(scenario, stage, level, seed)
    yield Card(
        id=f"{stage.id}/strong",
        part=stage.name,
        title=f"{stage.name}, as {level.name} would tell it",
        blocks=(
            msgspec.structs.replace(example(scenario, stage, level, lens.id, values), label=""),
            Block(
                kind="note",
                label=f"coaching (up to {minutes(seconds)})",
                text=scenario.told(stage.coaching, values),
            ),
        ),
    )
    yield _compare(scenario, stage, seed, values)


def _guess(scenario: Scenario, stage: Stage, level: Level, seed: int) -> Card:
    """Which of four things a listener waits for here; the others belong elsewhere."""
    own = [one for one in stage.signals if not one.at or level.id in one.at]
    right = shuffled(own, seed, f"{stage.id}/own")[0]
    others = [
        (signal, other)
        for other in scenario.stages
        for signal in other.signals
        if other.id != stage.id and (not signal.at or level.id in signal.at)
    ]
    wrong = shuffled(others, seed, f"{stage.id}/others")[: _GUESSES - 1]
    choices = (
        Choice(text=right.label, why=stage.purpose, is_right=True),
        *(
            Choice(text=one.label, why=f"That belongs in {other.name}.", is_right=False)
            for one, other in wrong
        ),
    )
    return Card(
        id=f"{stage.id}/guess",
        part=stage.name,
        title=f"{stage.name}: which of these does a listener wait for here?",
        choices=shuffled(choices, seed, f"{stage.id}/guess"),
    )


def _compare(scenario: Scenario, stage: Stage, seed: int, values: dict[str, str] | None) -> Card:
    """One mistake heard: what is wrong with it?"""
    first, *more = stage.mistakes
    others = [
        mistake
        for other in scenario.stages
        for mistake in other.mistakes
        if mistake.rule not in {one.rule for one in stage.mistakes}
    ]
    wrong: dict[str, Choice] = {}
    for one in shuffled(others, seed, f"{stage.id}/mistakes"):
        if one.rule not in wrong and len(wrong) < _GUESSES - 2:
            wrong[one.rule] = Choice(
                text=one.text, why=f"That would sound like: “{one.says}”", is_right=False
            )
    choices = (Choice(text=first.text, why=first.why, is_right=True), *wrong.values())
    heard = Block(
        kind="quote", tone="bad", label="told badly", text=scenario.told(first.says, values)
    )
    also = tuple(
        Block(kind="note", label=f"also: {one.text}", text=f"“{one.says}” {one.why}")
        for one in more
    )
    return Card(
        id=f"{stage.id}/mistake",
        part=stage.name,
        title=f"{stage.name}, told badly: what is wrong with it?",
        blocks=(heard,),
        after=also,
        choices=shuffled(choices, seed, f"{stage.id}/mistake"),
    )


def _weak(
    scenario: Scenario, level: Level, seed: int, values: dict[str, str] | None
) -> Iterator[Card]:
    verdicts = {one.of: one for one in scenario.verdicts if level.id in one.at}
    text = scenario.told(scenario.weak.text, values)
    scales = ("strong no", "no", "lean no", "lean yes", "yes", "strong yes")
    weak, strong = verdicts["weak"], verdicts["strong"]
    yield Card(
        id="weak/verdict",
        part="The whole answer",
        title=f"The same story, told badly. What would a listener write, at {level.name}?",
        blocks=(Block(kind="quote", text=text, tone="bad"),),
        choices=tuple(
            Choice(
                text=one,
                why=scenario.told(weak.why, values)
                if one == weak.scale
                else f"Here it is “{weak.scale}”: {scenario.told(weak.why, values)}",
                is_right=one == weak.scale,
            )
            for one in scales
        ),
    )
    missing = tuple(
        f"{one.rule.replace('_', ' ')}: {one.why}" for one in scenario.weak.faults if not one.quote
    )
    yield Card(
        id="weak/faults",
        part="The whole answer",
        title="What is wrong with it",
        blocks=(
            weak_answer(scenario, values),
            Block(kind="list", label="not there at all", items=missing, tone="bad"),
            Block(
                kind="note",
                label=f"told well, as on the cards before: {strong.scale}",
                text=scenario.told(strong.why, values),
            ),
        ),
    )


def _probe(scenario: Scenario, place: int, seed: int, values: dict[str, str] | None) -> Card:
    probe = scenario.probes[place]
    choices = (
        Choice(
            text=scenario.told(probe.strong.text, values),
            why=f"Its key: {probe.strong.key}.",
            is_right=True,
        ),
        Choice(
            text=scenario.told(probe.weak.text, values),
            why=scenario.told(probe.weak.why, values),
            is_right=False,
        ),
    )
    return Card(
        id=f"probe/{probe.id}",
        part="Probes",
        title=scenario.told(probe.question, values),
        blocks=(Block(kind="note", label="it asks for", text="; ".join(probe.probes_for)),),
        choices=shuffled(choices, seed, probe.id),
    )


def _takeaways(scenario: Scenario, level: Level, values: dict[str, str] | None) -> Card:
    overview = scenario.overview
    return Card(
        id="takeaways",
        part="Overview",
        title="What to take from it",
        blocks=(
            Block(kind="text", text=scenario.told(overview.summary, values)),
            Block(
                kind="list",
                items=tuple(scenario.told(one, values) for one in overview.takeaways),
            ),
            Block(kind="note", label=f"what makes a yes at {level.name}", text=level.bar),
            Block(kind="note", label="beware", text=level.caution),
            Block(
                kind="list",
                label="only your word stands for these; no record shows them",
                items=scenario.attested,
            ),
        ),
    )
