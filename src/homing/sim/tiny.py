"""A world so small that everything that can happen in it can be tried, in every order.

Two dispatchers, a sweeper and a person act on one or two deliveries of one endpoint. What they
decide is decided by `core.lifecycle` through `core.journal`; what they write is written by the
store's contract in plain Python, `store.memory`.

No clock is believed: a retry may come due and a lease may lapse at any moment, whatever the rows
say. What holds here holds for any clocks and any delays. What keeps the world finite is a budget:
so many mishaps, so many acts of a person, so many changes of the endpoint, so many retries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final, TypeVar

import msgspec

from homing.core.journal import Journal, born_leased, newborn
from homing.core.lifecycle import (
    TRANSITIONS,
    Cancelled,
    DeadReason,
    Delivery,
    Fact,
    Failed,
    Gone,
    Leased,
    Lost,
    Parked,
    Postponed,
    Redriven,
    Released,
    Resent,
    Resumed,
    State,
    Succeeded,
)
from homing.core.outcome import Reason
from homing.core.records import Attempt, Change
from homing.core.retry import RetryPolicy
from homing.sim.tiny_store import attempt_of, write_change
from homing.sim.tiny_world import (
    ACTORS,
    DISPATCHERS,
    PERSON,
    SAFEGUARDS,
    SWEEPER,
    Bounds,
    Endpoint,
    Hand,
    Lot,
    Phase,
    Step,
    Tables,
    World,
    with_hand,
    with_lot,
    with_tables,
)

T = TypeVar("T")


class _NoClock:
    """Always the same moment: nothing in this world may depend on the time."""

    def now_us(self) -> int:
        return 0

    def mono_us(self) -> int:
        return 0


_OK: Final = Succeeded(at_us=0)
_FAILED: Final = Failed(at_us=0, chance=0.5, error="status 500")
_GONE: Final = Gone(at_us=0, error="status 410")
_PARKED: Final = Parked(at_us=0, reason="the endpoint is disabled")
_DELETED: Final = Cancelled(at_us=0, actor="the endpoint was deleted")
_LOST: Final = Lost(at_us=0, reason=DeadReason.PAYLOAD_GONE)
_RELEASED: Final = Released(at_us=0)
_POSTPONED: Final = Postponed(at_us=0, until_us=0)
_RESUMED: Final = Resumed(at_us=0)
_WISHES: Final[tuple[tuple[str, Fact], ...]] = (
    ("a resend", Resent(at_us=0, actor="ada")),
    ("a redrive", Redriven(at_us=0, actor="ada")),
    ("a cancellation", Cancelled(at_us=0, actor="ada")),
)


class Tiny:
    """The rules of the tiny world.

    Args:
        without: safeguards that are left out, from SAFEGUARDS.
    """

    def __init__(self, bounds: Bounds, without: frozenset[str] = frozenset()) -> None:
        unknown = without - SAFEGUARDS.keys()
        if unknown:
            raise ValueError(f"no such safeguard: {', '.join(sorted(unknown))}")
        self.bounds = bounds
        self.policy = RetryPolicy(delays_s=(0.0,) * bounds.retries)
        self._without = without
        self._is_fenced = "fence" not in without
        self._leased = Leased(
            at_us=0, holder="dispatcher", until_us=1, unanswered_max=bounds.unanswered
        )
        journal = Journal(_NoClock(), "tiny")

        @cache
        def decide(before: Delivery, fact: Fact, attempt: Attempt | None) -> Change:
            change = journal.decide(before, fact, self.policy, attempt=attempt)
            if (
                "resend-resumes" in without
                and before.manual
                and isinstance(fact, Failed)
                and change.after.is_unfinished
            ):
                return _ended(change)
            return change

        self._decide: Callable[[Delivery, Fact, Attempt | None], Change] = decide

    # ── beginnings ──

    def roots(self) -> Iterator[tuple[str, World]]:
        """How deliveries come into the world, with a sentence for each."""
        names: list[dict[str, Any]] = [
            {"message_id": f"msg_{n}", "endpoint_id": "ep_1", "app_id": "app_1"}
            for n in range(self.bounds.deliveries)
        ]
        newborns = [newborn(at_us=0, **name) for name in names]
        nobody: tuple[Hand | None, ...] = (None,) * len(ACTORS)
        leased = [born_leased(**name, at_us=0, holder="dispatcher", until_us=1) for name in names]
        yield (
            "accepted, born leased to dispatcher A",
            self._world(
                [Lot(Tables(one), (Hand(one, Phase.TAKEN), *nobody[1:])) for one in leased]
            ),
        )
        yield "accepted, due at once", self._world([Lot(Tables(one), nobody) for one in newborns])
        parked = [
            newborn(
                message_id=one.message_id,
                endpoint_id=one.endpoint_id,
                app_id=one.app_id,
                at_us=0,
                parked="the endpoint is disabled",
            )
            for one in newborns
        ]
        yield (
            "accepted while the endpoint is disabled",
            self._world([Lot(Tables(one), nobody) for one in parked])._replace(
                endpoint=Endpoint.DISABLED
            ),
        )

    def _world(self, lots: list[Lot]) -> World:
        return World(
            lots=tuple(lots),
            endpoint=Endpoint.ENABLED,
            has_payload=True,
            mishaps=self.bounds.mishaps,
            acts=self.bounds.acts,
            changes=self.bounds.changes,
        )

    # ── what can happen ──

    def steps(self, world: World) -> Iterator[Step]:
        """Everything that can happen next."""
        for index, lot in enumerate(world.lots):
            if lot.half is not None:
                yield self._other_half(world, index)
            for dispatcher in range(DISPATCHERS):
                yield from self._dispatch(world, index, dispatcher)
            yield from self._sweep(world, index)
            yield from self._wish(world, index)
        for dispatcher in range(DISPATCHERS):
            yield from self._crash(world, dispatcher)
        yield from self._endpoint(world)
        if world.has_payload and world.acts:
            yield self._forget(world)

    def _dispatch(self, world: World, index: int, who: int) -> Iterator[Step]:
        lot = world.lots[index]
        hand = lot.hands[who]
        if hand is None:
            yield from self._claim(world, index, who)
        elif hand.phase is Phase.TAKEN:
            yield self._look(world, index, who, hand)
            if world.mishaps:
                kept = hand._replace(phase=Phase.DECIDED, fact=_RELEASED)
                after = with_hand(world, index, who, kept)._replace(mishaps=world.mishaps - 1)
                yield Step("has too little of its lease left to send", who, index, after)
        elif hand.phase is Phase.SENT:
            yield from self._answers(world, index, who, hand)
        else:
            yield from self._settle(world, index, who, hand, "writes")

    def _claim(self, world: World, index: int, who: int) -> Iterator[Step]:
        tables = world.lots[index].tables
        row = tables.hot
        if row is None or row.state is State.PARKED:
            return
        lapses = row.state is State.LEASED
        if lapses and "lease-expiry" in self._without:
            return
        taken = Hand(row, Phase.TAKEN, has_payload=world.has_payload)
        if "written-ahead-lease" in self._without:
            if not lapses:
                yield Step("takes it", who, index, with_hand(world, index, who, taken), True)
            return
        attempt = attempt_of(row, Reason.NO_OUTCOME) if lapses else None
        change = self._decide(row, self._leased, attempt)
        write = write_change(tables, change, is_fenced=self._is_fenced)
        after = with_tables(world, index, write.after)
        if change.after.state is State.LEASED and write.answer:
            after = with_hand(after, index, who, taken._replace(before=change.after))
        what = "takes over the lease, which ran out" if lapses else "claims it"
        yield Step(what, who, index, after, True, write)

        is_last = lapses and row.unanswered >= self.bounds.unanswered
        # What waits could be put off again and again, so that takes from the budget.
        if row.unanswered and not is_last and (lapses or world.mishaps):
            later = write_change(
                tables, self._decide(row, _POSTPONED, attempt), is_fenced=self._is_fenced
            )
            after = with_tables(world, index, later.after)
            after = after._replace(mishaps=world.mishaps - (not lapses))
            yield Step("leaves it for later, as a suspect", who, index, after, False, later)

    def _forget(self, world: World) -> Step:
        """The payload goes, and with it what still waited for it, in one transaction."""
        after = world._replace(has_payload=False, acts=world.acts - 1)
        write = None
        for index, lot in enumerate(world.lots):
            row = lot.tables.hot
            if row is not None and row.state is not State.LEASED:
                write = write_change(
                    lot.tables, self._decide(row, _LOST, None), is_fenced=self._is_fenced
                )
                after = with_tables(after, index, write.after)
        return Step("a person deletes the payload", None, 0, after, False, write)

    def _look(self, world: World, index: int, who: int, hand: Hand) -> Step:
        """Read the endpoint, and send unless something is in the way."""
        if world.endpoint is Endpoint.DELETED:
            fact: Fact | None = _DELETED
        elif world.endpoint is Endpoint.DISABLED:
            fact = _PARKED
        else:
            fact = None if hand.has_payload else _LOST
        if fact is not None:
            kept = hand._replace(phase=Phase.DECIDED, fact=fact)
            what = f"sees that it cannot be sent ({_name(fact)})"
            return Step(what, who, index, with_hand(world, index, who, kept), True)
        after = with_hand(world, index, who, hand._replace(phase=Phase.SENT))
        lot = after.lots[index]
        lease = hand.before.leases
        if all(attempt.lease != lease for attempt in lot.tables.attempts):
            after = with_lot(after, index, lot._replace(unrecorded=lot.unrecorded | {lease}))
        return Step("sends the request", who, index, after, True)

    def _answers(self, world: World, index: int, who: int, hand: Hand) -> Iterator[Step]:
        ok = hand._replace(phase=Phase.DECIDED, fact=_OK)
        yield from self._settle(world, index, who, ok, "hears 200 and writes")
        failed = hand._replace(phase=Phase.DECIDED, fact=_FAILED)
        yield from self._settle(world, index, who, failed, "hears 500 and writes", helps=False)
        gone = hand._replace(phase=Phase.DECIDED, fact=_GONE)
        if world.endpoint is Endpoint.ENABLED and world.changes:
            disabled = world._replace(endpoint=Endpoint.DISABLED, changes=world.changes - 1)
            after = with_hand(disabled, index, who, gone)
            yield Step("hears 410 and disables the endpoint", who, index, after)

    def _settle(
        self, world: World, index: int, who: int, hand: Hand, how: str, *, helps: bool = True
    ) -> Iterator[Step]:
        assert hand.fact is not None
        tables = world.lots[index].tables
        reason = _REASONS.get(type(hand.fact))
        attempt = attempt_of(hand.before, reason) if reason is not None else None
        change = self._decide(hand.before, hand.fact, attempt)
        if "atomic-settle" in self._without and _crosses(change):
            row = tables.row
            if row is not None and row.version == hand.before.version:
                first = with_tables(world, index, tables._replace(hot=None, history=None))
                first = with_hand(first, index, who, None)
                lot = first.lots[index]._replace(half=change)
                yield Step(f"{how} the first half", who, index, with_lot(first, index, lot), helps)
                return
        write = write_change(tables, change, is_fenced=self._is_fenced)
        after = with_tables(world, index, write.after)
        name = _name(hand.fact)
        done = with_hand(after, index, who, None)
        refused = "" if write.answer else ", which is refused as stale"
        yield Step(f"{how} “{name}”{refused}", who, index, done, helps, write)
        if world.mishaps and who < DISPATCHERS:
            unsure = with_hand(after, index, who, hand)._replace(mishaps=world.mishaps - 1)
            what = f"{how} “{name}”{refused} and does not learn what came of it"
            yield Step(what, who, index, unsure, False, write)

    def _other_half(self, world: World, index: int) -> Step:
        lot = world.lots[index]
        assert lot.half is not None
        change = lot.half
        if change.after.is_unfinished:
            tables = lot.tables._replace(hot=change.after)
        else:
            tables = lot.tables._replace(history=change.after)
        after = with_lot(world, index, lot._replace(tables=tables, half=None))
        return Step("the second half is written", None, index, after, True)

    def _sweep(self, world: World, index: int) -> Iterator[Step]:
        lot = world.lots[index]
        hand = lot.hands[SWEEPER]
        if hand is not None:
            yield from self._settle(world, index, SWEEPER, hand, "writes")
            return
        row = lot.tables.hot
        if row is None or row.state is not State.PARKED or world.endpoint is Endpoint.DISABLED:
            return
        if "level-triggered-sweep" in self._without:
            return
        fact = _DELETED if world.endpoint is Endpoint.DELETED else _RESUMED
        after = with_hand(world, index, SWEEPER, Hand(row, Phase.DECIDED, fact))
        yield Step(f"sees a parked delivery ({_name(fact)})", SWEEPER, index, after, True)

    def _wish(self, world: World, index: int) -> Iterator[Step]:
        lot = world.lots[index]
        hand = lot.hands[PERSON]
        if hand is not None:
            yield from self._settle(world, index, PERSON, hand, "writes")
            return
        row = lot.tables.row
        if row is None or row.state is State.LEASED or not world.acts:
            return
        for wish, fact in _WISHES:
            if (row.state, type(fact)) in TRANSITIONS:
                after = with_hand(world, index, PERSON, Hand(row, Phase.DECIDED, fact))
                after = after._replace(acts=world.acts - 1)
                yield Step(f"asks for {wish}", PERSON, index, after)

    def _crash(self, world: World, who: int) -> Iterator[Step]:
        if not world.mishaps or all(lot.hands[who] is None for lot in world.lots):
            return
        after = world._replace(mishaps=world.mishaps - 1)
        for index in range(len(world.lots)):
            after = with_hand(after, index, who, None)
        yield Step("crashes", who, 0, after)

    def _endpoint(self, world: World) -> Iterator[Step]:
        if world.endpoint is Endpoint.DISABLED:
            after = world._replace(endpoint=Endpoint.ENABLED)
            if "level-triggered-sweep" in self._without:
                after = self._resume_now(after)
            yield Step("the endpoint is enabled", None, 0, after, True)
        if not world.changes:
            return
        left = world.changes - 1
        if world.endpoint is Endpoint.ENABLED:
            after = world._replace(endpoint=Endpoint.DISABLED, changes=left)
            yield Step("the endpoint is disabled", None, 0, after)
        if world.endpoint is not Endpoint.DELETED:
            after = world._replace(endpoint=Endpoint.DELETED, changes=left)
            yield Step("the endpoint is deleted", None, 0, after)

    def _resume_now(self, world: World) -> World:
        """What those do who resume when an endpoint is enabled, and never look again."""
        for index, lot in enumerate(world.lots):
            row = lot.tables.hot
            if row is not None and row.state is State.PARKED:
                write = write_change(
                    lot.tables, self._decide(row, _RESUMED, None), is_fenced=self._is_fenced
                )
                world = with_tables(world, index, write.after)
        return world

    # ── the database ──


_REASONS: Final[dict[type[Any], Reason]] = {
    Succeeded: Reason.OK,
    Failed: Reason.STATUS,
    Gone: Reason.STATUS,
}


def _name(fact: Fact) -> str:
    return type(fact).__name__.lower()


def _crosses(change: Change) -> bool:
    """Whether the row moves from one table to the other."""
    assert change.before is not None
    return change.before.is_unfinished != change.after.is_unfinished


def _ended(change: Change) -> Change:
    after = msgspec.structs.replace(
        change.after,
        state=State.DEAD,
        ready_at_us=None,
        finished_at_us=0,
        reason=DeadReason.ATTEMPTS_EXHAUSTED,
    )
    return msgspec.structs.replace(change, after=after)
