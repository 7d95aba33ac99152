"""A world with somebody's workers that can be had again, and a token that holds it."""

from __future__ import annotations

import base64
import zlib
from typing import Any, Final

import msgspec

from homing.core.errors import Invalid, Problem
from homing.sim.draws import Choices, FirstInFirstOut, Order, Turns
from homing.sim.schedule import PYTHON
from homing.sim.workers.adapters import open_backend
from homing.sim.workers.case import Case
from homing.sim.workers.loading import load_worker
from homing.sim.workers.watch import INVARIANTS, Breach
from homing.sim.workers.world import Result, World

_PREFIX: Final = "w1."
_RANKS: Final = {name: rank for rank, name in enumerate(INVARIANTS)}


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """First in, first out and nothing wrong, except for this."""

    case: Case
    seed: int
    choices: Choices = {}
    turns: Turns = {}
    python: str = PYTHON

    @property
    def size(self) -> int:
        """How many things are out of the ordinary."""
        return len(self.choices) + len(self.turns)

    def run(self, *, worker: str = "", trace: bool = False) -> Result:
        """Have it again.

        Args:
            worker: another one than the case's, by name; it gets the same world.
            trace: keep the events.
        """
        case = self.case
        if worker:
            case = msgspec.structs.replace(case, worker=worker)
        return run_world(
            case,
            self.seed,
            order=FirstInFirstOut(self.turns),
            choices=self.choices,
            trace=trace,
        )

    def find(self, result: Result, invariant: str = "") -> Breach | None:
        """What it broke.

        Args:
            invariant: by name; empty: any.
        """
        found = [b for b in result.breaches if not invariant or b.invariant == invariant]
        return min(found, key=rank, default=None)

    def token(self) -> str:
        """All of it in one word."""
        fields = (
            self.case,
            self.seed,
            sorted(self.choices.items()),
            sorted(self.turns.items()),
            self.python,
        )
        packed = zlib.compress(msgspec.msgpack.encode(fields), 9)
        return _PREFIX + base64.urlsafe_b64encode(packed).decode().rstrip("=")


def rank(breach: Breach) -> int:
    """0 for the worst."""
    return _RANKS[breach.invariant]


def run_world(
    case: Case,
    seed: int,
    *,
    order: Order | None = None,
    choices: Choices | None = None,
    trace: bool = False,
) -> Result:
    """One world of a case, with an empty store.

    Raises:
        Invalid: the worker cannot be imported.
    """
    return make_world(case, seed, order=order, choices=choices, trace=trace).run()


def make_world(case: Case, seed: int, *, trace: bool = False, **given: Any) -> World:
    """A world that has not begun."""
    worker = load_worker(case.worker)
    return World(case, worker, open_backend(case.store, worker), seed, is_traced=trace, **given)


def schedule_of(case: Case, result: Result) -> Schedule:
    """Everything that was chosen in a world that ran."""
    return Schedule(
        case=case, seed=result.seed, choices=dict(result.choices), turns=dict(result.turns)
    )


def parse_token(text: str) -> Schedule:
    """What `Schedule.token` made.

    Raises:
        Invalid: it is no such token.
    """
    word = text.strip()
    body = word.removeprefix(_PREFIX)
    try:
        if not word.startswith(_PREFIX):
            raise ValueError
        packed = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
        case, seed, choices, turns, python = msgspec.msgpack.decode(
            zlib.decompress(packed),
            type=tuple[Case, int, list[tuple[str, int]], list[tuple[int, int]], str],
        )
    except (ValueError, zlib.error, msgspec.MsgspecError) as error:
        raise Invalid([Problem(("--replay",), f"expected a token such as {_PREFIX}eN…")]) from error
    return Schedule(case=case, seed=seed, choices=dict(choices), turns=dict(turns), python=python)
