"""A world that can be had again: what was chosen in it, and a token that holds it."""

from __future__ import annotations

import base64
import sys
import zlib
from typing import Final

import msgspec

from homing.core.errors import Invalid, Problem
from homing.insight.evidence import Breach
from homing.sim.draws import Choices, FirstInFirstOut, Turns
from homing.sim.on_sqlite import run_on_sqlite
from homing.sim.result import Result
from homing.sim.safeguards import BY_NAME
from homing.sim.world import World

_PREFIX: Final = "h1."
#: how callbacks follow one another, and so what a turn means, differs between versions of Python
PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """First in, first out and nothing wrong, except for this."""

    seed: int
    safeguard: str = ""  #: the one that is taken out; empty: none
    choices: Choices = {}
    turns: Turns = {}
    on_sqlite: bool = False  #: over the real store
    python: str = PYTHON

    @property
    def size(self) -> int:
        """How many things are out of the ordinary."""
        return len(self.choices) + len(self.turns)

    def run(self, *, safe: bool = False, trace: bool = False) -> Result:
        """Have it again.

        Args:
            safe: with the safeguard that was taken out.
            trace: keep the events.
        """
        order = FirstInFirstOut(self.turns)
        if self.on_sqlite:
            return run_on_sqlite(self.seed, order=order, choices=self.choices, trace=trace)
        parts = None
        if self.safeguard:
            guard = BY_NAME[self.safeguard]
            parts = guard.present if safe else guard.without
        return World(
            self.seed,
            parts=parts,
            order=order,
            choices=self.choices,
            trace=trace,
        ).run()

    def find(self, result: Result, invariant: str = "") -> Breach | None:
        """What this schedule is about, if it happened.

        Args:
            invariant: by name, where no safeguard is taken out; empty: any.
        """
        if self.safeguard:
            found = [b for b in result.breaches if BY_NAME[self.safeguard].is_broken_by(b)]
        else:
            found = [b for b in result.breaches if not invariant or b.invariant == invariant]
        return next((b for b in found if b.delivery is not None), found[0] if found else None)

    def token(self) -> str:
        """All of it in one word."""
        fields = (
            self.seed,
            self.safeguard,
            sorted(self.choices.items()),
            sorted(self.turns.items()),
            self.on_sqlite,
            self.python,
        )
        packed = zlib.compress(msgspec.msgpack.encode(fields), 9)
        return _PREFIX + base64.urlsafe_b64encode(packed).decode().rstrip("=")


def parse_token(text: str) -> Schedule:
    """What `Schedule.token` made.

    Raises:
        Invalid: it is no such token, or names a safeguard that there is not.
    """
    body = text.strip().removeprefix(_PREFIX)
    try:
        if not text.strip().startswith(_PREFIX):
            raise ValueError
        packed = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
        seed, safeguard, choices, turns, on_sqlite, python = msgspec.msgpack.decode(
            zlib.decompress(packed),
            type=tuple[int, str, list[tuple[str, int]], list[tuple[int, int]], bool, str],
        )
        if safeguard and safeguard not in BY_NAME:
            raise ValueError
    except (ValueError, zlib.error, msgspec.MsgspecError) as error:
        raise Invalid([Problem(("--replay",), f"expected a token such as {_PREFIX}eN…")]) from error
    return Schedule(
        seed=seed,
        safeguard=safeguard,
        choices=dict(choices),
        turns=dict(turns),
        on_sqlite=on_sqlite,
        python=python,
    )


def schedule_of(result: Result, safeguard: str = "", *, on_sqlite: bool = False) -> Schedule:
    """Everything that was chosen in a world that ran."""
    return Schedule(
        on_sqlite=on_sqlite,
        seed=result.seed,
        safeguard=safeguard,
        choices=dict(result.choices),
        turns=dict(result.turns),
    )
