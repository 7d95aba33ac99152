"""What a run happens on: nodes, receivers, publishers and a database; and what breaks them."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from bench.chaos.curve import Band
from bench.chaos.network import Machine, Side
from bench.chaos.plan import SKEW_S, Fault, Kind
from bench.chaos.servers import Pair
from bench.processes import Node

#: what a node that starts says, and ends, when its database does not answer
_NO_DATABASE = "PostgreSQL cannot be used now"
_STARTS_MAX = 20
_FAKETIME = "faketime/libfaketime.so.1"


class Stage:
    """Nodes and their database.

    Args:
        machines: those of the nodes, in their order; empty: all are on this machine's loopback.
        database: None on SQLite.
        servers: the machine of each server by name; empty as above.
        clocks: a file for each node, which says how wrong its clock is; empty: clocks are right.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        *,
        machines: Sequence[Machine] = (),
        database: Pair | None = None,
        servers: dict[str, Machine] | None = None,
        clocks: Sequence[Path] = (),
    ) -> None:
        self.nodes = nodes
        self._machines = machines
        self._database = database
        self._servers = servers or {}
        self._clocks = clocks

    def begin(self, fault: Fault) -> None:
        """Break something. Raises: RuntimeError, where it cannot be broken."""
        match fault.kind:
            case Kind.KILL:
                self.nodes[fault.node].kill()
            case Kind.PAUSE:
                self.nodes[fault.node].signal(signal.SIGSTOP)
            case Kind.CUT_DATABASE:
                self._machines[fault.node].cut(Side.DATABASE)
            case Kind.CUT_RECEIVERS:
                self._machines[fault.node].cut(Side.RECEIVERS)
            case Kind.SKEW:
                set_clock(self._clocks[fault.node], SKEW_S if fault.chance < 0.5 else -SKEW_S)
            case Kind.RESTART:
                self._pair.primary.stop()
            case Kind.CRASH:
                self._pair.primary.stop(signal.SIGKILL)
            case Kind.FAILOVER:
                # Either way it is out of reach before the other is promoted: without that there
                # would be two primaries, which no client can save.
                if fault.chance < 0.5 and self._servers:
                    self._servers[self._pair.primary.name].cut(Side.DATABASE)
                else:
                    self._pair.primary.stop(signal.SIGKILL)

    def end(self, fault: Fault) -> None:
        """Mend it again; return when it is mended."""
        match fault.kind:
            case Kind.KILL:
                self.nodes[fault.node].start()
            case Kind.PAUSE:
                self.nodes[fault.node].signal(signal.SIGCONT)
            case Kind.CUT_DATABASE:
                self._machines[fault.node].join(Side.DATABASE)
            case Kind.CUT_RECEIVERS:
                self._machines[fault.node].join(Side.RECEIVERS)
            case Kind.SKEW:
                set_clock(self._clocks[fault.node], 0)
            case Kind.RESTART | Kind.CRASH:
                self._pair.primary.start()
            case Kind.FAILOVER:
                self._fail_over()

    def can_begin(self, fault: Fault) -> bool:
        """Whether it would show something now: to kill what is still starting would not."""
        return fault.kind is not Kind.KILL or self.nodes[fault.node].is_ready(1.0)

    def look_at_nodes(self, broken: Collection[int]) -> None:
        """Start again what ended because it found no database, as a service manager would.

        Raises:
            RuntimeError: a node has ended for another reason, and nobody killed it.
        """
        for number, node in enumerate(self.nodes):
            if number in broken or node.is_running:
                continue
            if _NO_DATABASE not in node.log_end()[-500:]:
                raise RuntimeError(f"{node.name} ended by itself:\n{node.log_end()}")
            node.start()

    def wait_until_ready(self, number: int) -> None:
        """Return when a node answers. Raises: RuntimeError."""
        node = self.nodes[number]
        for _ in range(_STARTS_MAX):
            with suppress(RuntimeError):
                node.wait_until_ready()
                return
            time.sleep(0.5)
            self.look_at_nodes(set(range(len(self.nodes))) - {number})
        raise RuntimeError(f"{node.name} does not start:\n{node.log_end()}")

    @property
    def _pair(self) -> Pair:
        assert self._database is not None
        return self._database

    def _fail_over(self) -> None:
        pair = self._pair
        pair.promote()
        former = pair.standby
        assert former is not None
        former.stop(signal.SIGKILL)
        if former.name in self._servers:
            self._servers[former.name].join(Side.DATABASE)
        pair.attach()


def set_clock(file: Path, wrong_s: int) -> None:
    """Have the wall clock of whoever reads this file be wrong by so many seconds, from now on."""
    aside = file.with_suffix(".new")
    aside.write_text(f"{wrong_s:+d}\n")
    aside.rename(file)  # in one step: a reader never sees half of it


def find_faketime() -> Path | None:
    """The library that bends a process's wall clock (Debian: libfaketime)."""
    return next(iter(Path("/usr/lib").glob(f"*/{_FAKETIME}")), None)


def clock_settings(file: Path) -> dict[str, str]:
    """The environment of a process whose wall clock follows a file; its monotonic one is right."""
    library = find_faketime()
    assert library is not None
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",  # its older name
    }


class Breaking:
    """Carries out a plan while something else runs.

    Args:
        say: told of each fault as it begins and ends.
    """

    def __init__(self, stage: Stage, plan: Sequence[Fault], say: Callable[[str], None]) -> None:
        self._stage = stage
        self._waiting = list(plan)
        self._say = say
        self._began_s = time.monotonic()
        #: how late the plan is: a slow machine must not get its faults in bursts
        self._late_s = 0.0
        self.under_way: list[tuple[Fault, float]] = []
        self.bands: list[Band] = []
        self.counts: Counter[Kind] = Counter()

    def elapsed_s(self) -> float:
        return time.monotonic() - self._began_s

    def tick(self) -> None:
        """Begin and end what is due."""
        for fault, begin_s in list(self.under_way):
            if self.elapsed_s() - begin_s >= fault.lasts_s:
                self._end(fault, begin_s)
        while self._waiting and self._waiting[0].at_s + self._late_s <= self.elapsed_s():
            fault = self._waiting.pop(0)
            if fault.node in self.broken or not self._stage.can_begin(fault):
                # What is there takes longer than planned.
                self._waiting.insert(0, fault)
                break
            self._say(f"{fault.kind} of {fault.place}")
            self._stage.begin(fault)
            begin_s = self.elapsed_s()
            self._late_s = max(self._late_s, begin_s - fault.at_s)
            self.counts[fault.kind] += 1
            self.under_way.append((fault, begin_s))

    @property
    def is_complete(self) -> bool:
        """Whether everything planned has begun."""
        return not self._waiting

    @property
    def broken(self) -> set[int]:
        """Nodes that a fault is under way on; -1 is the database."""
        return {fault.node for fault, _ in self.under_way}

    def finish(self) -> None:
        """Begin nothing more, and mend everything when it is due."""
        self._waiting.clear()
        while self.under_way:
            self.tick()
            time.sleep(0.05)

    def _end(self, fault: Fault, begin_s: float) -> None:
        self._stage.end(fault)
        self.under_way.remove((fault, begin_s))
        self.bands.append(Band(str(fault.kind), fault.place, begin_s, self.elapsed_s()))


def abandon_all(stack: ExitStack, nodes: Sequence[Node]) -> None:
    """At the end whatever happened: frozen processes go on, so that they can end."""
    for node in nodes:
        stack.callback(node.abandon)
        stack.callback(_thaw, node)


def _thaw(node: Node) -> None:
    with suppress(AssertionError, OSError):
        node.signal(signal.SIGCONT)
