"""Words of a person for a part of a walk: typed or spoken, kept whatever stops them."""

from __future__ import annotations

from typing import Protocol, TypeVar

from homing.cli.walkthrough.choosing import Walk
from homing.cli.walkthrough.typing_in import Command, Ended, Said, estimate
from homing.core.plurals import plural
from homing.walkthrough.mock import Mock
from homing.walkthrough.rehearse import Judge, Rehearsal

_S = TypeVar("_S", Mock, Rehearsal)
_State = TypeVar("_State")


class Keep(Protocol[_State]):
    """Keeps words that are not handed in yet."""

    def __call__(self, state: _State, /, draft: str, *, at_us: int) -> _State: ...


class Obey(Protocol[_State]):
    """Does what a line that begins with a colon asks for.

    Returns:
        The state, words that were spoken, and whether the part is left without words.

    Raises:
        Ended: somebody wants to stop.
    """

    def __call__(self, state: _State, name: str, /) -> tuple[_State, Said | None, bool]: ...


class Stopped(Exception):
    """Somebody stops; what is kept of it."""

    def __init__(self, state: Mock | Rehearsal, *, is_interrupted: bool) -> None:
        self.state, self.is_interrupted = state, is_interrupted
        super().__init__()


def told_words(
    walk: Walk,
    state: _S,
    judge: Judge,
    seconds: float,
    *,
    keep: Keep[_S],
    obey: Obey[_S],
    empty: str,
    characters_max: int,
) -> tuple[Said | None, _S]:
    """Words that were handed in; None: the part was left, and the state says for which.

    Args:
        seconds: what the part may take.
        characters_max: of the words.
        empty: is said where nothing was typed before the dot.

    Raises:
        Stopped: by a command, by Ctrl-C, or by the end of the input.
    """

    def prompt(text: str) -> str:
        return f"[{estimate(text, seconds, judge.words_per_minute)}] "

    while True:
        try:
            try:
                text = walk.keyboard.words(draft=state.draft, prompt=prompt)
            except Command as command:
                state = keep(state, command.text, at_us=walk.now_us())
                state, said, is_left = obey(state, command.name)
                if said is not None or is_left:
                    return said, state
                continue
        except (Ended, KeyboardInterrupt) as stop:
            kept = keep(state, getattr(stop, "text", "") or state.draft, at_us=walk.now_us())
            is_interrupted = isinstance(stop, KeyboardInterrupt)
            raise Stopped(kept, is_interrupted=is_interrupted) from None
        if len(text) > characters_max:
            walk.screen.say(
                f"expected at most {plural(characters_max, 'character')}, found {len(text):,}"
            )
        elif text.strip():
            return Said(text, walk.now_us()), state
        else:
            walk.screen.say(empty)
