"""What holds for the lines of a log as a whole, and so for what each of them means. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple

from homing.forensics.operations import Op, Stand
from homing.forensics.vocabulary import meaning


class Kind(NamedTuple):
    """The words of a line, as the log writes them."""

    layout: str
    op: str | None
    from_state: str | None
    to_state: str | None
    outcome: str | None
    reason: str | None  #: only where the log has few
    #: "none", "put" (202, and what becomes of it is reported later), "report" (that), "ok" (2xx) or "bad"
    status: str
    pending: int | None = None  #: 0: nothing left to deliver; 1: something is


#: of the lines that name an operation, so many must name the state it led to
_STATES_MIN: Final = 0.4


class Habits(NamedTuple):
    """What holds for the lines of a log as a whole."""

    #: whatever changes the state of a delivery says so: what says none changes none
    has_states: bool = False
    #: words most of whose lines have a status: by them a request ended
    answering: frozenset[str] = frozenset()
    #: words of lines that show 2xx, if what is delivered nearly always does: else none
    showing: frozenset[str] = frozenset()
    #: words whose status is that of the line before
    repeating: frozenset[str] = frozenset()
    #: an acceptance has a word of its own: what is saved as waiting waits again
    accepts: bool = False
    #: and so has a worker's turn: what is saved as in progress is no other one
    takes: bool = False
    #: words for dead letters, if most of them give no reason: those that do may say why there is none
    unexplained: frozenset[str] = frozenset()
    #: the reasons that other lines give
    tried: frozenset[str] = frozenset()


def has_states(kinds: Iterable[tuple[Kind, int]]) -> bool:
    """Whether whatever changes a state in this log says to which: most of what is done, and any turn
    that a worker takes.

    Args:
        kinds: the words of the lines, and how many lines have them.
    """
    done = [(k, n) for k, n in kinds if k.layout == "events" and (k.op or k.to_state)]
    turns = [(k, n) for k, n in done if meaning(k.op).op is Op.CLAIMED or is_taken_by_state(k)]
    if not turns:
        return False
    return all(
        sum(n for k, n in some if k.to_state) > share * sum(n for _, n in some)
        for some, share in ((done, _STATES_MIN), (turns, 0.9))
    )


def is_taken_by_state(kind: Kind) -> bool:
    """Whether a change of a row (`update`) is a turn that begins, by the states."""
    if not kind.from_state or (kind.op and meaning(kind.op).op is not Op.WRITTEN):
        return False
    states = (meaning(state, is_state=True).stand for state in (kind.from_state, kind.to_state))
    return tuple(states) == (Stand.WAITING, Stand.LEASED)


def answering(kinds: Iterable[tuple[Kind, int]]) -> frozenset[str]:
    """Words most of whose lines have a status; see `has_states`."""
    lines: Counter[str] = Counter()
    told: Counter[str] = Counter()
    for kind, n in kinds:
        if kind.op is not None:
            lines[kind.op] += n
            told[kind.op] += n if kind.status != "none" else 0
    return frozenset(word for word, n in lines.items() if 2 * told[word] > n)


#: of the lines that call a success by their outcome and show no status, so many stand beside one that does
_SHOWING_MIN: Final = 0.8


#: what is done before anybody answers: that it succeeded says nothing of the receiver
_UNANSWERED: Final = frozenset(
    {Op.ACCEPTED, Op.QUEUED, Op.CLAIMED, Op.SENT, Op.STARTED, Op.RETRY, Op.RELEASED, Op.RESUMED}
)


def showing(kinds: Iterable[tuple[Kind, int]]) -> frozenset[str]:
    """Words of lines that show 2xx, where there are about as many of them as of those whose outcome alone
    calls a success: what the latter say is what became of the answer of others."""
    shown: Counter[str] = Counter()
    bare = 0
    for kind, n in kinds:
        if kind.layout != "events" or kind.op is None:
            continue
        if kind.status == "ok":
            shown[kind.op] += n
        elif kind.status == "none" and meaning(kind.op).op not in _UNANSWERED:
            bare += n if meaning(kind.outcome, is_state=True).result > 0 else 0
    return frozenset(shown) if shown.total() > _SHOWING_MIN * bare else frozenset()
