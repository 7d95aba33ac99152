"""`homing walkthrough learn` and `quiz`: cards to read and to choose from."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from homing.cli.output import as_json, note, print_json
from homing.cli.walkthrough.choosing import Choice, Walk, plain, told, walked
from homing.cli.walkthrough.screen import Screen
from homing.cli.walkthrough.typing_in import Ended
from homing.system import SystemChance
from homing.walkthrough import learn
from homing.walkthrough.cards import Card
from homing.walkthrough.history import Entry
from homing.walkthrough.learn import Learning

#: a choice of so many characters is said again when it is told
_SHORT: Final = 70


@click.command("learn")
@told
@walked
@click.option(
    "--all", "is_all", is_flag=True, help="Print every card with its answer; ask nothing."
)
@as_json
def learn_command(
    scenario: str, level_name: str, lens_name: str, record: str | None, me: str,
    plain: bool, folder: Path | None, again: bool, is_all: bool, as_json: bool,
) -> None:  # fmt: skip
    """Guess what a listener waits for, hear it told well and badly, and compare.

    A card at a time: a number chooses, Enter goes on, b goes back, q stops. Where you stopped is
    kept, and the next time goes on there.

    \b
    Examples:
      homing walkthrough learn
      homing walkthrough learn lost-update --level senior --lens dive-deep
      homing walkthrough learn --incident homing-lab/record.json
      homing walkthrough learn --all --plain > story.txt
    """
    choice = Choice(scenario, level_name, lens_name, record, me)
    walk = Walk(is_plain=plain, folder=folder)
    state = None if again or is_all or as_json else _kept(walk, choice)
    if state is None:
        seed = int.from_bytes(SystemChance().entropy(4), "big")
        state = learn.begin(
            choice.scenario, choice.level, choice.lens, seed=seed, at_us=walk.now_us()
        )
    elif state.place:
        note("going on where you stopped; --again begins anew")
    cards = learn.script(
        choice.scenario, choice.level, choice.lens, seed=state.seed, values=choice.values
    )
    if as_json:
        print_json(cards)
    elif is_all:
        _print_all(walk.screen, cards)
    else:
        _walk(walk, state, cards, "learn")


@click.command("quiz")
@told
@plain
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), hidden=True)
@as_json
def quiz_command(
    scenario: str, level_name: str, lens_name: str, record: str | None, me: str,
    plain: bool, folder: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """The questions of a story, each with its reason after you have chosen.

    \b
    Examples:
      homing walkthrough quiz
      printf '1\\n\\n2\\n' | homing walkthrough quiz --plain
    """
    choice = Choice(scenario, level_name, lens_name, record, me)
    walk = Walk(is_plain=plain, folder=folder)
    seed = int.from_bytes(SystemChance().entropy(4), "big")
    cards = learn.quiz(choice.scenario, seed=seed, values=choice.values)
    if as_json:
        print_json(cards)
        return
    state = learn.begin(choice.scenario, choice.level, choice.lens, seed=seed, at_us=walk.now_us())
    _walk(walk, state, cards, "quiz")


def _kept(walk: Walk, choice: Choice) -> Learning | None:
    state = choice.kept(walk.history, "learn", Learning)
    return state if state is not None and state.version == choice.scenario.version else None


def _walk(walk: Walk, state: Learning, cards: tuple[Card, ...], mode: str) -> None:
    """Cards until the last one, or until somebody stops; each step is kept."""
    try:
        while state.place < len(cards):
            state = _step(walk, state, cards)
            if mode == "learn":
                walk.history.save(mode, state)
    except (Ended, KeyboardInterrupt) as stop:
        if mode == "learn":
            walk.history.save(mode, state)
            note(f"kept: card {state.place + 1} of {len(cards)}; the same command goes on there")
        else:
            note(f"stopped at {state.place + 1} of {len(cards)}; a quiz counts once it is whole")
        if isinstance(stop, KeyboardInterrupt):
            raise
        return
    right, asked = learn.score(state, cards)
    quiz_right, quiz_asked = learn.score(state, cards, "Quiz")
    walk.screen.heading("The end")
    walk.screen.say(f"{right} of {asked} right at the first try.")
    if mode == "learn":
        walk.screen.say(f"Of the quiz alone: {quiz_right} of {quiz_asked}.")
        walk.screen.say("Now tell your own: homing walkthrough rehearse")
    walk.history.add(
        Entry(
            at_us=state.at_us,
            mode=mode,
            scenario=state.scenario,
            version=state.version,
            level=state.level,
            lens=state.lens,
            right=right,
            asked=asked,
        )
    )
    walk.history.drop(mode, state)


def _step(walk: Walk, state: Learning, cards: tuple[Card, ...]) -> Learning:
    """Show a card, and take what is typed for it."""
    card, screen = cards[state.place], walk.screen
    screen.card(card, state.place, len(cards))
    is_answered = not card.choices
    while True:
        said = walk.keyboard.line(_prompt(card, is_answered)).strip().lower()
        if said in ("q", ":q"):
            raise Ended
        if said in ("b", ":b"):
            return learn.go_back(state, at_us=walk.now_us())
        if said == "" and (is_answered or card.id in state.chosen):
            return learn.go_on(state, cards, at_us=walk.now_us())
        if said == "":
            _reveal(screen, card)
            is_answered = True
        elif card.choices and said.isdecimal() and 1 <= int(said) <= len(card.choices):
            place = int(said) - 1
            state = learn.choose(state, card, place, at_us=walk.now_us())
            screen.verdict_on(card.choices[place].is_right, card.choices[place].why)
            if not card.choices[place].is_right:
                _reveal(screen, card)
            screen.blocks(card.after)
            is_answered = True
        else:
            wanted = f"a number from 1 to {len(card.choices)}, " if card.choices else ""
            screen.say(f"expected {wanted}Enter, b or q; found {said!r}")


def _prompt(card: Card, is_answered: bool) -> str:
    if is_answered:
        return "Enter goes on, b back, q stops: "
    return f"1 to {len(card.choices)}, or Enter to be told: "


def _reveal(screen: Screen, card: Card) -> None:
    right = card.choices[card.right]
    text = f": {right.text}" if len(right.text) <= _SHORT else "."
    screen.say(f"It is {card.right + 1}{text}")
    screen.say(right.why, indent="  ")


def _print_all(screen: Screen, cards: tuple[Card, ...]) -> None:
    for place, card in enumerate(cards):
        screen.card(card, place, len(cards))
        if card.choices:
            _reveal(screen, card)
            screen.blocks(card.after)
