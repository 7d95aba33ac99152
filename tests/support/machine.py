"""A store and its model, asked the same: any sequence of calls gives the same answers and rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import msgspec
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from homing.core.errors import Conflict, IllegalTransition, Stale
from homing.core.issues import Issue
from homing.core.lifecycle import (
    Cancelled,
    DeadReason,
    Delivery,
    Fact,
    Failed,
    Gone,
    Leased,
    Lost,
    Parked,
    Redriven,
    Released,
    Resent,
    Restored,
    Resumed,
    State,
    Succeeded,
    step,
)
from homing.core.outcome import Reason
from homing.core.queries import AttemptFilter, DeliveryFilter, LogCursor, MessageFilter, Page, Span
from homing.core.records import Accepted, Change, Reply
from homing.core.resources import Application, Endpoint
from homing.core.retry import RetryPolicy
from homing.core.store import Store
from homing.insight.invariants import ledger_balances
from homing.store.memory.store import MemoryStore
from support.claiming import claim_due
from support.making import (
    LEASE_US,
    ORG_ID,
    SECOND_US,
    START_US,
    make_acceptance,
    make_application,
    make_attempt,
    make_change,
    make_delivery,
    make_endpoint,
    make_id,
    make_key,
)

T = TypeVar("T")
Ask = Callable[[Store], Awaitable[T]]

POLICY = RetryPolicy(delays_s=(1.0, 30.0))
ALL = Page(limit=1_000)

#: facts by name, from a time; each legal in some state
FACTS: dict[str, Callable[[int], Fact]] = {
    "leased": lambda at: Leased(at_us=at, holder="b", until_us=at + LEASE_US, unanswered_max=2),
    "released": lambda at: Released(at_us=at),
    "succeeded": lambda at: Succeeded(at_us=at),
    "failed": lambda at: Failed(at_us=at, chance=0.5, error="status 500"),
    "gone": lambda at: Gone(at_us=at, error="status 410"),
    "parked": lambda at: Parked(at_us=at, reason="disabled by ada"),
    "resumed": lambda at: Resumed(at_us=at),
    "lost": lambda at: Lost(at_us=at, reason=DeadReason.PAYLOAD_GONE),
    "cancelled": lambda at: Cancelled(at_us=at, actor="ada: not needed"),
    "resent": lambda at: Resent(at_us=at, actor="ada"),
    "redriven": lambda at: Redriven(at_us=at, actor="ada"),
    "restored": lambda at: Restored(at_us=at, actor="ada", reason=DeadReason.ATTEMPTS_EXHAUSTED),
}
_ATTEMPTED = {"succeeded": Reason.OK, "failed": Reason.STATUS, "gone": Reason.STATUS}


class StoreMachine(RuleBasedStateMachine):
    """Subclass it with a store; `open_machine` does."""

    real: Store
    run: Callable[[Awaitable[Any]], Any]
    #: makes the real store empty
    clear: Callable[[], None]

    applications: Bundle[Application] = Bundle("applications")
    endpoints: Bundle[Endpoint] = Bundle("endpoints")
    messages: Bundle[str] = Bundle("messages")
    deliveries: Bundle[Delivery] = Bundle("deliveries")
    changes: Bundle[Change] = Bundle("changes")
    attempts: Bundle[tuple[str, str]] = Bundle("attempts")

    def __init__(self) -> None:
        super().__init__()
        self.clear()
        self.model = MemoryStore()
        self.now_us = START_US

    def both(self, ask: Ask[T], plain: Callable[[T], Any] = lambda answer: answer) -> T:
        """The answer of both, which must be the same."""
        expected = _now(ask(self.model))
        found = self.run(ask(self.real))
        assert plain(found) == plain(expected)
        return expected

    def refused(self, ask: Ask[Any]) -> bool:
        """Whether both refuse this write; one cause of several may be named."""

        async def attempt(store: Store) -> bool:
            try:
                await ask(store)
            except (Conflict, Stale):
                return True
            return False

        return self.both(attempt)

    # ── what people configure ──

    @initialize(target=endpoints)
    def begin(self) -> Endpoint:
        """Something to begin with: an application, an endpoint, and two messages for it."""
        application = make_application()
        endpoint = make_endpoint(application.id)
        items = [make_acceptance(application, (endpoint.id,)) for _ in range(2)]
        self.both(lambda store: store.put(application))
        self.both(lambda store: store.put(endpoint))
        assert self.both(lambda store: store.accept(items)) == [Accepted()] * 2
        return endpoint

    @initialize(target=applications)
    def begin_another(self) -> Application:
        made = make_application()
        self.both(lambda store: store.put(made))
        return made

    @rule(target=applications, uid=st.sampled_from([None, "shop", "bank"]))
    def create_application(self, uid: str | None) -> Any:
        made = make_application(uid=uid, updated_at_us=self.now_us)
        return multiple() if self.refused(lambda s: s.put(made)) else made

    @rule(
        target=endpoints,
        application=applications,
        uid=st.sampled_from([None, "main"]),
        key=st.sampled_from([None, "one", "other"]),
    )
    def create_endpoint(self, application: Application, uid: str | None, key: str | None) -> Any:
        made = make_endpoint(application.id, uid=uid, updated_at_us=self.now_us)
        known = make_key(key, expires_at_us=self.now_us + SECOND_US) if key else None
        reply = Reply(status=201, body=made.id.encode()) if key else None
        is_refused = self.refused(
            lambda s: s.put(made, touch=application.id, key=known, reply=reply)
        )
        return multiple() if is_refused else made

    @rule(
        target=endpoints,
        endpoint=endpoints,
        disabled=st.booleans(),
        ahead=st.sampled_from([1, 1, 1, 0, 2]),
    )
    def change_endpoint(self, endpoint: Endpoint, disabled: bool, ahead: int) -> Any:
        changed = msgspec.structs.replace(
            endpoint,
            disabled=disabled,
            version=endpoint.version + ahead,
            updated_at_us=self.now_us,
        )
        is_refused = self.refused(lambda store: store.put(changed, touch=endpoint.scope))
        return multiple() if is_refused else changed

    @rule(endpoint=endpoints)
    def delete_endpoint(self, endpoint: Endpoint) -> None:
        self.both(lambda store: store.delete(endpoint, touch=endpoint.scope))

    @rule(application=consumes(applications))
    def delete_application(self, application: Application) -> None:
        self.both(lambda store: store.delete(application))

    @rule(name=st.sampled_from(["one", "other", "key"]), body=st.sampled_from(["body", "another"]))
    def recall(self, name: str, body: str) -> None:
        async def ask(store: Store) -> Any:
            try:
                return await store.recall(make_key(name, body), at_us=self.now_us)
            except Conflict:
                return "another request"

        self.both(ask)

    @rule(name=st.sampled_from(["one", "other", "key"]))
    def remember(self, name: str) -> None:
        key = make_key(name, "remembered", expires_at_us=self.now_us + SECOND_US)
        reply = Reply(status=200, body=make_id("re_").encode())
        self.both(lambda store: store.remember(key, reply, at_us=self.now_us))

    # ── traffic ──

    @rule(
        target=messages,
        application=applications,
        endpoints=st.lists(endpoints, max_size=2, unique_by=lambda e: e.id),
        keys=st.lists(
            st.tuples(st.sampled_from(["one", "other"]), st.sampled_from(["body", "another"])),
            max_size=3,
        ),
        state=st.sampled_from([State.LEASED, State.WAITING, State.PARKED]),
        behind=st.sampled_from([0, 0, 0, 1]),
    )
    def accept(
        self,
        application: Application,
        endpoints: list[Endpoint],
        keys: list[tuple[str, str]],
        state: State,
        behind: int,
    ) -> Any:
        """As many messages as keys, or one; each with its key."""
        present = _now(self.model.by_ids(Application, [application.id]))
        version = present[0].version if present else application.version
        of = msgspec.structs.replace(application, version=max(1, version - behind))
        items = [
            make_acceptance(
                of,
                tuple(endpoint.id for endpoint in endpoints),
                state=state,
                accepted_at_us=self.now_us,
                keys=()
                if one is None
                else (make_key(*one, expires_at_us=self.now_us + 2 * SECOND_US),),
            )
            for one in (keys or [None])
        ]
        results = self.both(lambda store: store.accept(items))
        note(f"accepted: {results}")
        stored = [i.message.id for i, r in zip(items, results, strict=True) if r == Accepted()]
        return multiple(*stored)

    @rule(seconds=st.sampled_from([0.001, 1.0, 31.0, 90.0]))
    def time_passes(self, seconds: float) -> None:
        self.now_us += round(seconds * SECOND_US)

    @rule(target=changes)
    def claim(self) -> Any:
        """All that is due: which of those due at the same moment come first is left open."""
        made: dict[Delivery, Change] = {}

        def decide(delivery: Delivery) -> Change:
            if delivery not in made:
                made[delivery] = self._change(delivery, "leased")
            return made[delivery]

        self.both(
            lambda store: claim_due(store, decide, at_us=self.now_us, count=1_000),
            lambda claimed: sorted(claimed, key=lambda one: one.delivery.id),
        )
        return multiple(*made.values())

    def _change(self, before: Delivery, name: str) -> Change:
        after = step(before, FACTS[name](self.now_us), POLICY)
        reason = _ATTEMPTED.get(name)
        if name == "leased" and before.state is State.LEASED:
            reason = Reason.NO_OUTCOME
        attempt = None
        if reason is not None:
            attempt = make_attempt(before, reason=reason, at_us=self.now_us)
        return make_change(before, after, attempt=attempt, op=name)

    @rule(
        target=changes,
        places=st.lists(st.integers(min_value=0, max_value=99), min_size=1, max_size=4),
        names=st.lists(st.sampled_from(sorted(FACTS)), min_size=4, max_size=4),
    )
    def settle(self, places: list[int], names: list[str]) -> Any:
        """Fresh decisions, on several deliveries or on one after the other."""
        rows = self._rows()
        batch: list[Change] = []
        for place, name in zip(places, names, strict=False):
            if not rows:
                break
            before = rows[place % len(rows)]
            for fact in (name, *sorted(FACTS)):  # the first that can happen to it
                try:
                    change = self._change(before, fact)
                except IllegalTransition:
                    continue
                rows[place % len(rows)] = change.after
                batch.append(change)
                break
        if batch:
            assert self.both(lambda store: store.settle(batch)) == [True] * len(batch)
        return multiple(*batch)

    @rule(
        target=changes,
        old=st.lists(changes, min_size=1, max_size=3),
        name=st.sampled_from(sorted(FACTS)),
    )
    def settle_on_what_was(self, old: Sequence[Change], name: str) -> Any:
        """Decisions on rows as they were some time ago, mostly stale."""
        batch = []
        for change in old:
            assert change.before is not None
            try:
                batch.append(self._change(change.before, name))
            except IllegalTransition:
                continue
        if batch:
            note(f"settled: {self.both(lambda store: store.settle(batch))}")
        return multiple(*batch)

    @rule(old=st.lists(changes, min_size=1, max_size=3))
    def settle_again(self, old: Sequence[Change]) -> None:
        """The very same decisions, as after an answer that was lost."""
        unique = list({id(change): change for change in old}.values())
        self.both(lambda store: store.settle(unique))

    @rule(
        message=messages, endpoint=endpoints, state=st.sampled_from([State.WAITING, State.PARKED])
    )
    def add(self, message: str, endpoint: Endpoint, state: State) -> None:
        """A delivery of an earlier message to one more endpoint, or to one that has it."""
        app_id = self.model.accepted[message].app_id
        added = make_delivery(
            message_id=message,
            endpoint_id=endpoint.id,
            app_id=app_id,
            accepted_at_us=self.now_us,
            state=state,
        )
        change = make_change(None, added)
        self.both(lambda store: store.settle([change]))

    @rule(message=messages)
    def expunge_message(self, message: str) -> None:
        self.both(lambda store: store.expunge_message(message))

    @precondition(lambda self: self.model.attempted)
    @rule(place=st.integers(min_value=0, max_value=99))
    def expunge_attempt(self, place: int) -> None:
        names = sorted(self.model.attempted)
        self.both(lambda store: store.expunge_attempt(*names[place % len(names)]))

    # ── the same rows ──

    def _rows(self) -> list[Delivery]:
        rows = (self.model.hot | self.model.history).values()
        return sorted(rows, key=lambda row: row.id)

    @invariant()
    def deliveries_are_the_same(self) -> None:
        found = self.run(self.real.deliveries(DeliveryFilter(), ALL))
        assert found == self._rows()

    @invariant()
    def desks_are_the_same(self) -> None:
        """Issues, what is counted under each, and that no dead letter is outside of them."""

        async def desk(store: Store) -> Any:
            issues = await store.list(Issue, None, ALL)
            return (
                [msgspec.to_builtins(issue) for issue in issues],
                await store.burdens([issue.id for issue in issues]),
                await store.misfits(Span(), limit=100),
                sum((t.count for t in (await store.burdens([i.id for i in issues])).values()), 0),
            )

        *_, misfits, count = self.both(desk)
        assert not [one for one in misfits if one.kind in ("unfiled", "misfiled")]
        dead = [row for row in self.model.history.values() if row.state is State.DEAD]
        assert count == len(dead)

    @rule(
        states=st.sets(st.sampled_from(sorted(State)), max_size=2),
        limit=st.integers(min_value=1, max_value=4),
        descending=st.booleans(),
        by=st.sampled_from(["all", "application", "endpoint", "message"]),
        place=st.integers(min_value=0, max_value=99),
    )
    def read_page_by_page(
        self, states: set[State], limit: int, descending: bool, by: str, place: int
    ) -> None:
        """A listing, cut into pages, gives what both hold, once each."""
        rows = self._rows()
        if not rows:
            return
        row = rows[place % len(rows)]
        which = DeliveryFilter(
            app_id=row.app_id if by == "application" else None,
            endpoint_id=row.endpoint_id if by == "endpoint" else None,
            message_id=row.message_id if by == "message" else None,
            states=tuple(sorted(states)),
        )
        name: Callable[[Delivery], str] = {
            "endpoint": lambda d: d.message_id,
            "message": lambda d: d.endpoint_id,
        }.get(by, lambda d: str(d.id))
        after = None
        for _ in range(1_000):
            page = Page(limit=limit, descending=descending, after=after)
            found = self.both(lambda store, page=page: store.deliveries(which, page))
            if len(found) < limit:
                return
            after = name(found[-1])
        raise AssertionError("there is no end to the pages")

    @rule()
    def look_at_everything_else(self) -> None:
        """Messages, attempts, the log, the books, resources."""
        at_us = self.now_us
        self.both(lambda store: store.backlog(at_us))
        self.both(lambda store: store.next_ready_at_us())
        self.both(lambda store: store.parked_endpoints())
        self.both(lambda store: store.first_accepted_at_us())
        self.both(lambda store: store.misfits(Span(), limit=100))
        books = self.both(lambda store: store.ledger(Span(), window_s=60))
        assert ledger_balances(books, []) == []
        self.both(
            lambda store: store.log(LogCursor(), limit=10_000),
            lambda lines: sorted(
                (line.entry for line in lines), key=lambda entry: (entry.sequence, entry.op)
            ),
        )
        names = sorted(self.model.accepted)
        self.both(lambda store: store.messages_by_ids(names))
        for app_id in sorted({m.app_id for m in self.model.accepted.values()}):
            kept = MessageFilter(app_id=app_id)
            self.both(lambda store, kept=kept: store.messages(kept, ALL))
        for app_id, endpoint_id in sorted({(d.app_id, d.endpoint_id) for d in self._rows()}):
            of = AttemptFilter(app_id=app_id, endpoint_id=endpoint_id)
            self.both(lambda store, of=of: store.attempts(of, ALL))
            self.both(lambda store, of=of: store.attempt_counts(of.endpoint_id, Span()))
        for message_id in names[:2]:
            app_id = self.model.accepted[message_id].app_id
            of = AttemptFilter(app_id=app_id, message_id=message_id)
            self.both(lambda store, of=of: store.attempts(of, ALL))
            self.both(lambda store, of=of: store.message(of.app_id, of.message_id))
        self.both(lambda store: store.list(Application, ORG_ID, ALL))
        self.both(lambda store: store.list(Endpoint, None, ALL))

    def teardown(self) -> None:
        self.look_at_everything_else()


def open_machine(
    store: Store, run: Callable[[Awaitable[Any]], Any], clear: Callable[[], None]
) -> type[StoreMachine]:
    """The machine for one real store.

    Args:
        run: runs what the store is asked, in the loop that it belongs to.
        clear: makes it empty.
    """
    fields = {"real": store, "run": staticmethod(run), "clear": staticmethod(clear)}
    return type("StoreMachine", (StoreMachine,), fields)


def _now(asked: Awaitable[T]) -> T:
    """What the memory store answers: it never waits."""

    async def answer() -> T:
        return await asked

    coroutine = answer()
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError("it waits")
