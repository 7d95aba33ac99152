"""One world: some processes, receivers, publishers and people, all of them by one seed."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any, Final

from homing.core.identifiers import DeliveryId
from homing.core.lifecycle import Delivery, State
from homing.core.queries import LogCursor
from homing.core.records import Message
from homing.core.resources import Application, Endpoint
from homing.insight.evidence import Books, Breach, said
from homing.insight.invariants import ledger_balances
from homing.insight.promises import breaches
from homing.service.books import audit
from homing.sim import people
from homing.sim.draws import AtRandom, Choices, Draws, Order, SimChance, cumulative
from homing.sim.fault_injection import READ_WEIGHTS, WRITE_WEIGHTS
from homing.sim.goals import Goal
from homing.sim.loop import VirtualLoop
from homing.sim.node import LIMITS, START_US, Node, Parts, SimClock
from homing.sim.ports import Process
from homing.sim.receivers import ANSWERS, MOOD_WEIGHTS, MOODS, WEIGHTS, Answer
from homing.sim.result import Result, SentHere, Shape
from homing.sim.trace import Event, Trace
from homing.sim.watch import BREACHES_MAX, LINE_BY_LINE, Watch, at_once

ORG_ID: Final = "org_1"
NAMES: Final = "ABCDE"

#: how long a world without faults may take to come to rest: the longest schedule, all leases that
#: can lapse in a row, and the widest difference between two clocks; or, where one process is left
#: with nothing but suspects, a look at the database for each of some eighty
_REST_S: Final = 600.0
_LOOK_S: Final = 4.0
#: no retry is further away: the cap on Retry-After, its jitter, and some more
_DELAY_MAX_US: Final = 60_000_000
_RESTART_S: Final = 1.5


class World:
    """Everything there is, until `run` returns.

    Args:
        parts: what processes are made of.
        order: what runs next where there is a choice; None: at random, by the seed.
        choices: what was drawn in an earlier run; None: draw.
    """

    def __init__(
        self,
        seed: int,
        *,
        parts: Parts | None = None,
        shape: Shape | None = None,
        order: Order | None = None,
        choices: Choices | None = None,
        trace: bool = False,
    ) -> None:
        self.seed = seed
        self.parts = parts or Parts()
        self.shape = shape or Shape()
        self.limits = self.parts.limits
        self.draws = Draws(seed, choices)
        self.order = order or AtRandom(seed)
        self.loop = VirtualLoop(self.order)  # type: ignore[abstract]
        self.chance = SimChance(seed)
        self.trace = Trace(is_on=trace)
        self.store = self.parts.store()
        self.watch = Watch(self)
        self.counts: dict[str, int] = {}
        self.goals: Counter[Goal] = Counter()
        self.breaches: list[Breach] = []
        self.overlaps = self.attempts = self.crashes = 0
        self.away_until_s = 0.0
        self.nodes: list[Node] = []
        self.has_tasks = False  #: somebody has asked for work in the background
        self.all_nodes: list[Node] = []
        self.clocks: dict[str, SimClock] = {}
        self.moods: dict[str, tuple[float, ...]] = {}
        self.sent: list[SentHere] = []
        self.sending: dict[DeliveryId, dict[tuple[str, int], Process]] = defaultdict(dict)
        self.promised: dict[DeliveryId, None] = {}
        self.messages: list[Message] = []
        #: endpoints that people know to exist: created, and nobody has asked to delete them
        self.known_endpoints: dict[str, None] = {}
        self.followed: set[tuple[str, int]] = set()
        self._names: dict[str, str] = {}
        self._places: dict[DeliveryId, str] = {}  #: by what an answer is drawn
        self._endpoints_made = 0
        self.application: Application
        level = self.draws.user("trouble", 0, (0, 1, 2), cumulative(*self.shape.trouble))
        self.write_weights = WRITE_WEIGHTS[level]
        self.read_weights = READ_WEIGHTS[level]

    # --- what others tell ---

    def met(self, goal: Goal) -> None:
        """A goal was reached."""
        self.goals[goal] += 1

    def broke(self, breach: Breach) -> None:
        """An invariant does not hold."""
        if len(self.breaches) < BREACHES_MAX:
            self.breaches.append(breach)
            if self.trace.is_on:
                self.note("checker", breach.text, "breach", breach.delivery)

    def went_wrong(self, text: str) -> None:
        """An error that nobody was to make."""
        self.broke(Breach(invariant="no_part_fails", text=text))

    def note(self, lane: str, what: str, kind: str, which: DeliveryId | None = None) -> None:
        """Something for the trace."""
        if self.trace.is_on:
            at_s = self.loop.now_s
            event = Event(at_s=at_s, lane=lane, what=what, kind=kind, delivery=which)
            self.trace.events.append(event)

    # --- receivers ---

    def answer_of(self, which: DeliveryId, epoch: int) -> Answer:
        """How this attempt will go."""
        weights = self.moods.get(which.endpoint_id) or WEIGHTS["well"]
        place = self._places.get(which)
        if place is None:
            place = self._places[which] = f"{self.name_of(which)}.answer"
        return self.draws.fault(place, epoch, ANSWERS, weights)

    def receive(self, node: Process, which: DeliveryId, epoch: int, answer: Answer) -> SentHere:
        """A request arrives at its receiver."""
        self.attempts += 1
        sent = SentHere(which, node, epoch, answer.status)
        self.sent.append(sent)
        here = self.sending[which]
        if here and any(not other.is_dead for other in here.values()):
            self.met(Goal.TWO_HELD_ONE)
        here[node.holder, epoch] = node
        if answer.is_reset:
            self.met(Goal.PROCESSED_AND_RESET)
        if self.trace.is_on:
            node.note(f"sends attempt {epoch}: {answer.name}", "send", which)
        return sent

    # --- names ---

    def name_of(self, which: DeliveryId) -> str:
        """A short name that stays the same while a world is made smaller: `m3.e1`."""
        message = self._names.get(which.message_id)
        if message is None:
            message = self._names[which.message_id] = self._message_name(which.message_id)
        return f"{message}.{self._names.get(which.endpoint_id, 'e?')}"

    def name_endpoint(self, endpoint: Endpoint) -> None:
        """By the order in which people thought of them."""
        self._endpoints_made += 1
        self._names[endpoint.id] = f"e{self._endpoints_made}"

    def _message_name(self, message_id: str) -> str:
        found = at_once(self.store.messages_by_ids([message_id]))
        return f"m{found[message_id].event_id}" if found else f"m{message_id[-4:]}"

    # --- processes ---

    def start_node(self, name: str) -> Node:
        """A process on the machine of that name."""
        clock = self.clocks.get(name)
        if clock is None:
            clock = self.clocks[name] = SimClock(self.loop)
        life = self.counts[name] = self.counts.get(name, 0) + 1
        node = Node(self, self.parts, name, life, clock, self._crashed)
        self.nodes.append(node)
        self.all_nodes.append(node)
        node.note("starts", "start")
        node.start()
        return node

    def _crashed(self, node: Node) -> None:
        """A process died: another starts on its machine a little later."""
        self.crashes += 1
        if node in self.nodes:
            self.nodes.remove(node)
        self.loop.call_later(_RESTART_S, self.start_node, node.name)

    async def replace_node(self, node: Node, within_s: float) -> None:
        """Drain a process and start another in its place."""
        self.nodes.remove(node)
        node.note("is told to stop", "drain")
        await node.leave(within_s)
        if not node.is_dead:
            self.start_node(node.name)

    # --- from beginning to end ---

    def run(self) -> Result:
        """Let it happen."""
        complaints = _Complaints(self)
        log = logging.getLogger("homing")
        was = log.level, log.propagate
        log.addHandler(complaints)
        log.setLevel(logging.ERROR)
        log.propagate = False
        try:
            self.loop.run(self._main())
        except Exception as error:  # a deadlock, a livelock, or a bug that reached a person
            self.went_wrong(f"{type(error).__name__}: {error}")
        finally:
            log.removeHandler(complaints)
            log.level, log.propagate = was
            log.setLevel(was[0])
        for orphan in self.loop.orphans:
            self.went_wrong(f"an error that nobody looked at: {orphan}")
        return self._result()

    async def _main(self) -> None:
        await self._begin()
        follower = asyncio.create_task(self._follow())
        cleaner = asyncio.create_task(self._clean()) if self.parts.keep_s else None
        await asyncio.gather(people.publish(self), people.act(self), people.mishaps(self))
        await asyncio.sleep(self.draws.user("lasts", 0, (0.0, 6.0, 25.0)))
        await self._calm_down()
        await self._wait_for_rest()
        follower.cancel()
        if cleaner is not None:
            cleaner.cancel()
        await self._end()

    async def _begin(self) -> None:
        self.application = Application(
            scope=ORG_ID,
            id=people.new_id(self, "app_"),
            name="Payments",
            created_at_us=START_US,
            updated_at_us=START_US,
        )
        await self.store.put(self.application)
        endpoints = people.how_many(self, "endpoints", 1, 1, self.shape.endpoints)
        for _ in range(endpoints):
            endpoint = people.new_endpoint(self)
            await self.store.put(endpoint, touch=self.application.id)
            self.add_endpoint(endpoint)
        nodes = people.how_many(self, "nodes", 1, 2, self.shape.nodes)
        for name in NAMES[:nodes]:
            self.start_node(name)

    def add_endpoint(self, endpoint: Endpoint) -> None:
        """An endpoint is known to exist; its receiver gets its mood."""
        number = len(self.moods) + 1
        self.moods[endpoint.id] = WEIGHTS[self.draws.user("mood", number, MOODS, MOOD_WEIGHTS)]
        self.known_endpoints[endpoint.id] = None

    async def _follow(self) -> None:
        """Read the delivery log from its beginning, as an exporter would."""
        cursor = LogCursor()
        while True:
            await asyncio.sleep(_LOOK_S)
            cursor = await self._read_log(cursor)

    async def _read_log(self, cursor: LogCursor) -> LogCursor:
        found = await self.store.log(cursor, limit=100_000)
        self.followed.update([(one.entry.holder, one.entry.sequence) for one in found])
        self.cursor = found[-1].cursor if found else cursor
        return self.cursor

    async def _clean(self) -> None:
        """Forget old messages with all that belongs to them, as a retention job would."""
        store, keep_us = self.store, round(self.parts.keep_s * 1_000_000)
        while True:
            await asyncio.sleep(2.0)
            until_us = START_US + self.loop.now_us - keep_us
            busy = set() if self.parts.cleans_unfinished else {i.message_id for i in store.hot}
            for name, message in list(store.accepted.items()):
                if message.accepted_at_us < until_us and name not in busy:
                    self._forget(name)

    def _forget(self, message_id: str) -> None:
        del self.store.accepted[message_id]
        for table in (self.store.hot, self.store.history):
            for which in [which for which in table if which.message_id == message_id]:
                row = table.pop(which)
                self.note("clean-up", f"deletes it, {said(row)}", "clean", which)
                if not row.is_unfinished:
                    self.promised.pop(which, None)

    async def _calm_down(self) -> None:
        """No more faults: everything that is down comes up again."""
        self.draws.stop_faults()
        self.away_until_s = 0.0
        for node in self.nodes:
            node.wake_up()
        self.note("world", "no more faults from here on", "calm")
        await people.enable_some(self)

    async def _wait_for_rest(self) -> None:
        until_s = self.loop.now_s + _REST_S
        while self.loop.now_s < until_s:
            await asyncio.sleep(_LOOK_S)
            if not await self._is_busy():
                return

    async def _is_busy(self) -> bool:
        if any(node.dispatcher.in_flight for node in self.nodes):
            return True
        enabled, parked = await self._enabled(), State.PARKED
        for row in self.unfinished():
            if row.state is not parked or row.endpoint_id in enabled:
                return True
        return False

    async def _enabled(self) -> set[str]:
        """Endpoints that exist and are not disabled."""
        return {
            endpoint.id
            for endpoint in await self.store.by_ids(Endpoint, list(self.moods))
            if not endpoint.disabled
        }

    async def _end(self) -> None:
        for node in list(self.nodes):
            if not await node.leave(15.0):
                self.went_wrong(f"{node.holder} could not finish, and nothing was in its way")
        await asyncio.sleep(0.1)
        self.watch.committed(self.all_nodes[0], "the end")
        cursor = getattr(self, "cursor", LogCursor())
        await self._read_log(cursor)
        books = await self.books()
        seen = {str(breach) for breach in self.breaches}
        found = breaches(books, at_rest=True, known=LINE_BY_LINE)
        if not self.parts.keep_s:  # the books of what was cleaned away are closed
            report = await audit(self.store, SimClock(self.loop))
            found += ledger_balances(report.rows, report.misfits)
        for breach in found:
            if str(breach) not in seen:
                self.broke(breach)

    def forget(self) -> None:
        """Let go of what fills the memory: finding it as garbage takes far longer."""
        store = self.store
        for one in (
            self.sent, self.sending, self.promised, self.messages, self.followed, self.counts,
            self.nodes, self.all_nodes, self.watch.last, store.hot, store.history, store.lines,
            store.attempted, store.accepted, store.keys, store.resources, self.moods, self._places,
        ):  # fmt: skip
            one.clear()

    def unfinished(self) -> Iterable[Delivery]:
        """What has not ended, as it is now."""
        return self.store.hot.values()

    async def books(self) -> Books:
        """What the checkers look at."""
        return Books(
            hot=self.store.hot,
            history=self.store.history,
            lines=[line for line in self.store.lines if line is not None],
            attempts=list(self.store.attempted.values()),
            **await self._known(),
        )

    async def _known(self) -> dict[str, Any]:
        """What the world knows besides the rows."""
        return {
            "promised": self.promised,
            "sent": [one.as_seen() for one in self.sent],
            "enabled": await self._enabled(),
            "attempts_max": len(LIMITS.policy.delays_s) + 1,
            "unanswered_max": LIMITS.unanswered_max,
            "delay_max_us": _DELAY_MAX_US,
            "followed": self.followed,
        }

    def _result(self) -> Result:
        twice = Counter(one.which for one in self.sent if one.status == 200)
        return Result(
            seed=self.seed,
            breaches=self.breaches,
            goals=dict(self.goals),
            deliveries=len(self.promised),
            attempts=self.attempts,
            crashes=self.crashes,
            overlaps=self.overlaps,
            commits=self.store.commits,
            steps=self.loop.steps,
            virtual_s=self.loop.now_s,
            duplicates=sum(count - 1 for count in twice.values()),
            choices=self.draws.made,
            turns=self.order.turns,
            events=self.trace.events,
            digest=self.trace.digest() if self.trace.is_on else "",
            names=self._all_names() if self.trace.is_on else {},
        )

    def _all_names(self) -> dict[str, str]:
        for event in self.trace.events:
            if event.delivery is not None:
                self.name_of(event.delivery)
        return self._names


class _Complaints(logging.Handler):
    """What a process logs as a failure inside is a failure of the world."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.ERROR)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self._world.went_wrong(f"{record.getMessage()}: {record.exc_info[1]!r}")
