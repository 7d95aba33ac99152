"""Compares what went in with what came out, as Jepsen does. Pure.

A publisher's operation is invoked and then ends in one of three ways: it certainly happened (ok),
it certainly did not (fail), or nobody knows (info). The third is never counted as either of the
others. What it leads to, as multisets of deliveries:

    ok          received, and attempted by a publisher
    lost        known to be accepted, yet neither received nor given up with a reason
    duplicated  received more often than once
    recovered   received although the publisher never knew that it was accepted
    unexpected  received although nobody sent it, or although it was certainly refused

Source of the arithmetic: the checkers `total-queue` and `stats` of Jepsen
(https://github.com/jepsen-io/jepsen, jepsen/src/jepsen/checker.clj). Ours differ in two points: a
delivery given up with a reason is accounted for and told apart, and a run in which some kind of
operation never succeeded has the verdict "unknown" rather than "invalid".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from typing import Literal

import msgspec


class Fate(StrEnum):
    """What a publisher knows of what it sent."""

    OK = "ok"
    FAIL = "fail"
    INFO = "info"


class Tally(msgspec.Struct, kw_only=True):
    """How often one kind of operation was begun, and how those ended."""

    invoke: int = 0
    ok: int = 0
    fail: int = 0
    info: int = 0


class History(msgspec.Struct, kw_only=True):
    """What was seen at both ends and in the books. A delivery is any hashable name."""

    #: everything that a publisher tried to bring about
    sent: Mapping[int, Fate]
    #: delivery → how often it was answered 2xx
    received: Mapping[int, int]
    #: what arrived and is no delivery of this run, by description
    strays: Collection[str] = ()
    #: dead letters → reason
    given_up: Mapping[int, str] = {}
    #: deliveries to receivers that never answer: they cannot be received, only be accounted for
    hopeless: Collection[int] = frozenset()
    #: whether Homing says that nothing is left to do, but for the hopeless
    drained: bool = True
    #: by kind: "publish", "receive", each kind of fault …
    operations: Mapping[str, Tally] = {}
    #: what the books say against themselves, or against the publishers
    books: Collection[str] = ()


class Verdict(msgspec.Struct, kw_only=True):
    """The comparison. `valid` is "unknown" where the run could not have shown a fault."""

    valid: bool | Literal["unknown"]
    problems: list[str]  #: why it is not valid
    doubts: list[str]  #: why it is not known to be
    figures: dict[str, int]


def check(history: History) -> Verdict:
    """What became of everything."""
    attempted = history.sent.keys()
    accepted = {which for which, fate in history.sent.items() if fate is Fate.OK}
    refused = {which for which, fate in history.sent.items() if fate is Fate.FAIL}
    received = {which for which, count in history.received.items() if count > 0}
    hopeless = accepted.intersection(history.hopeless)
    ok = (received & attempted) - refused
    unexpected = received - ok
    given_up = history.given_up.keys() - hopeless
    lost = accepted - received - hopeless - given_up
    spurned = given_up & accepted
    problems = [
        *_told(lost, "lost: accepted, but neither received nor dead"),
        *_told(unexpected, "unexpected: received, but never sent or certainly refused"),
        *(f"unexpected: {stray}" for stray in sorted(history.strays)[:3]),
        *_told(spurned, f"given up although the receiver works: {_reasons(history, spurned)}"),
        *_told(given_up - attempted, "dead, but never sent"),
        *_told({w for w, reason in history.given_up.items() if not reason}, "dead, no reason"),
        *history.books,
    ]
    doubts = [
        *_vacuous(history.operations),
        *([] if accepted else ["nothing was accepted"]),
        *([] if history.drained else ["not drained: work was left when the run ended"]),
    ]
    if not history.drained:
        # What is still waiting may yet arrive: that it is lost is not known.
        problems = [problem for problem in problems if not problem.endswith("nor dead")]
    return Verdict(
        valid=False if problems else "unknown" if doubts else True,
        problems=problems,
        doubts=doubts,
        figures={
            "sent": len(attempted),
            "accepted": len(accepted),
            "refused": len(refused),
            "unknown to the publisher": len(attempted) - len(accepted) - len(refused),
            "ok": len(ok),
            "lost": len(lost),
            "recovered": len(ok - accepted),
            "unexpected": len(unexpected) + len(history.strays),
            "duplicated": sum(history.received[which] > 1 for which in ok),
            "given up, receiver works": len(spurned),
            "given up although received": len(given_up & received),
            "receiver never answers": len(hopeless),
        },
    )


def _told(which: Collection[int], what: str) -> Iterable[str]:
    if which:
        some = ", ".join(map(str, sorted(which)[:3]))
        yield f"{len(which)} (such as {some}) {what}"


def _reasons(history: History, which: Iterable[int]) -> str:
    counts = Counter(history.given_up[one] for one in which)
    return ", ".join(f"{count} {reason}" for reason, count in counts.most_common())


def _vacuous(operations: Mapping[str, Tally]) -> Iterable[str]:
    """A kind of operation that never succeeded: then its success was not put to the test."""
    for kind, tally in operations.items():
        if tally.ok == 0:
            yield f"vacuous: no `{kind}` succeeded ({tally.invoke} begun)"
