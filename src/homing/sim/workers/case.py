"""What is explored: whose worker, how many of everything, and what may happen to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

import msgspec

from homing.core.errors import Invalid, Problem
from homing.sim.draws import cumulative
from homing.sim.workers.watch import Ends

WORKERS: Final = (1, 4)
DELIVERIES: Final = (1, 5)
STORES: Final = ("rows", "sqlite", "redis", "postgres")
#: an ordinary answer, and an ordinary restart
FAST_S: Final = 0.1
RESTART_S: Final = 1.0
#: a request that fails without an answer, sooner than any lease runs out: a connection reset
SILENT_S: Final = 3.0


class Answer(NamedTuple):
    """What comes of one request."""

    status: int  #: what the receiver answers; 0: nothing, ever
    after_s: float = FAST_S  #: until the answer; without one, until the sender gives up
    is_lost: bool = False  #: the answer never arrives
    crash: str = ""  #: of the sender: "before" the request, "after" it

    @property
    def is_taken(self) -> bool:
        return self.status // 100 == 2


class Mishap(NamedTuple):
    """What may happen to a call."""

    kind: str
    after_s: float = 0.0


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """Everything but the seed."""

    worker: str  #: package.module:Name
    workers: int = 2
    deliveries: int = 2
    store: str = "rows"  #: one of STORES: what the worker's first argument is
    ends: Ends = Ends()
    timeout_s: float = 60.0  #: after so long the sender raises TimeoutError
    is_timeout_given: bool = False  #: somebody said so; otherwise it is made to fit the delays
    are_delays_given: bool = False
    #: how long a slow answer, a slow call or a standstill may take; best a little longer than the
    #: worker's own lease
    delays_s: tuple[float, ...] = (5.0, 20.0, 45.0)
    mishaps_max: int = 4  #: crashes, outages and standstills in one world

    @property
    def answers(self) -> tuple[Answer, ...]:
        """From good to bad."""
        return _answers(self.delays_s, self.timeout_s)


@cache
def _answers(delays_s: tuple[float, ...], timeout_s: float) -> tuple[Answer, ...]:
    return (
        Answer(200),
        Answer(503),
        Answer(429),
        Answer(0, SILENT_S),
        *(Answer(200, after_s) for after_s in delays_s),
        *(Answer(500, after_s) for after_s in delays_s),
        Answer(0, timeout_s),
        Answer(200, FAST_S, is_lost=True),
        Answer(200, crash="after"),
        Answer(200, crash="before"),
    )


@cache
def answer_weights(delays: int) -> tuple[float, ...]:
    """How likely each answer is, added up."""
    slow = [2.0 / delays] * delays
    return cumulative(4.5, 1.5, 0.5, 0.5, *slow, *slow, 0.5, 0.7, 0.5, 0.3)


@cache
def write_mishaps(delays_s: tuple[float, ...]) -> tuple[Mishap, ...]:
    """What may happen to a call that writes: first nothing, then what is easiest to understand."""
    return (
        Mishap(""),
        Mishap("crash before"),
        Mishap("crash after"),
        *(Mishap("slow", after_s) for after_s in delays_s),
        *(Mishap("slow answer", after_s) for after_s in delays_s),
        Mishap("away"),
        Mishap("answer lost"),
    )


@cache
def write_weights(delays: int, percent: float) -> tuple[float, ...]:
    """How likely each is, added up; `percent` of the calls meet one."""
    slow = [2.0 / delays] * delays
    return _spread(percent, [1.5, 1.5, *slow, *slow, 0.5, 0.5])


@cache
def read_mishaps(delays_s: tuple[float, ...]) -> tuple[Mishap, ...]:
    """What may happen to a call that only reads, or to a sleeper."""
    return (
        Mishap(""),
        Mishap("crash after"),
        *(Mishap("slow answer", after_s) for after_s in delays_s),
        Mishap("away"),
    )


@cache
def read_weights(delays: int, percent: float) -> tuple[float, ...]:
    """How likely each is, added up."""
    return _spread(percent, [1.0, *([1.0 / delays] * delays), 0.3])


def _spread(percent: float, weights: Sequence[float]) -> tuple[float, ...]:
    total = sum(weights)
    return cumulative(100 - percent, *(percent * weight / total for weight in weights))


def declared(worker: Any, name: str, **given: Any) -> Case:
    """The case that a worker's own attributes and what was given make.

    Args:
        worker: a class, or a function that makes workers, with any of the attributes `delivered`,
            `dead`, `ends` (words), `refusals_min`, `timeout_s`, `store`, `workers`, `deliveries`.
        name: package.module:Name.
        given: fields of the case that somebody named; they win. None: not named.

    Raises:
        Invalid: something is out of its bounds.
    """
    chosen = {
        field: getattr(worker, field)
        for field in ("store", "timeout_s", "workers", "deliveries", "delays_s", "mishaps_max")
        if hasattr(worker, field)
    }
    chosen |= {field: value for field, value in given.items() if value is not None}
    words: dict[str, Any] = {
        field: getattr(worker, name, usual)
        for field, name, usual in (
            ("delivered", "delivered", ("delivered",)),
            ("dead", "dead", ("dead",)),
            ("others", "ends", ("cancelled",)),
            ("refusals_min", "refusals_min", 1),
        )
    }
    for field in ("delivered", "dead", "others"):
        if isinstance(words[field], str):
            words[field] = (words[field],)
    if problems := [*_problems(chosen), *_wrong_words(words)]:
        raise Invalid(problems)
    given_here: dict[str, Any] = {
        "is_timeout_given": "timeout_s" in chosen,
        "are_delays_given": "delays_s" in chosen,
    }
    if "delays_s" in chosen:
        chosen["delays_s"] = tuple(map(float, chosen["delays_s"]))
    words |= {field: tuple(words[field]) for field in ("delivered", "dead", "others")}
    return Case(worker=name, ends=Ends(**words), **given_here, **chosen)


def _problems(chosen: dict[str, Any]) -> Iterator[Problem]:
    """What is out of its bounds."""
    for field, (low, high) in (("workers", WORKERS), ("deliveries", DELIVERIES)):
        value = chosen.get(field, 2)
        if not isinstance(value, int) or not low <= value <= high:
            yield Problem((field,), f"expected {low} to {high}; found {value!r}")
    if chosen.get("store", "rows") not in STORES:
        text = f"expected one of {', '.join(STORES)}; found {chosen['store']!r}"
        yield Problem(("store",), text)
    if not _are_seconds([chosen.get("timeout_s", 1.0)]):
        text = f"expected seconds, more than 0; found {chosen['timeout_s']!r}"
        yield Problem(("timeout_s",), text)
    if not _are_seconds(chosen.get("delays_s", (1.0,))):
        text = f"expected seconds, each more than 0; found {chosen['delays_s']!r}"
        yield Problem(("delays_s",), text)


def _are_seconds(given: Any) -> bool:
    if not isinstance(given, list | tuple) or not given:
        return False
    return all(isinstance(s, int | float) and not isinstance(s, bool) and s > 0 for s in given)


def _wrong_words(words: dict[str, Any]) -> Iterator[Problem]:
    for field in ("delivered", "dead", "others"):
        found = words[field]
        if not isinstance(found, list | tuple | set | frozenset) or not all(
            isinstance(word, str) for word in found
        ):
            where = ("ends" if field == "others" else field,)
            yield Problem(where, f"expected a word or a tuple of words; found {found!r}")
    if not isinstance(words["refusals_min"], int):
        text = f"expected a whole number; found {words['refusals_min']!r}"
        yield Problem(("refusals_min",), text)
