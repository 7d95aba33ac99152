"""One run from an empty database to the evidence: set up, publish and break, drain, collect."""

from __future__ import annotations

import json
import tempfile
import time
from array import array
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from bench.chaos import sink, source
from bench.chaos.curve import Band
from bench.chaos.ends import Publishing, Sink
from bench.chaos.layout import Layout, make_layout
from bench.chaos.network import NETWORK, Machine, Network, Side
from bench.chaos.plan import LEASE_S, OF_NETWORK, Kind, make_plan
from bench.chaos.servers import Pair, Postgres
from bench.chaos.stage import Breaking, Stage, abandon_all, clock_settings, set_clock
from bench.processes import Node, Setup, homing, token

#: everything that waits, short; a lease must be 10 s longer than a request
_SETTINGS = {
    "HOMING_CONNECT_S": "1",
    "HOMING_FIRST_BYTE_S": "1",
    "HOMING_IDLE_S": "1",
    "HOMING_TOTAL_S": "1.5",
    "HOMING_LEASE_S": str(LEASE_S),
    "HOMING_POLL_S": "0.25",
    "HOMING_AUDIT_EVERY_S": "20",
    "HOMING_DRAIN_S": "10",
    # Longer in all than any fault lasts, so that no receiver is given up because of ours.
    "HOMING_RETRY_DELAYS_S": "0.2,0.5,1,2,3,5,5,8,10,10",
}
#: of endpoints that never answer: their deliveries are to be given up before the run ends
_HOPELESS_DELAYS_S = (0.5, 1.0)
#: each request is held this long, so that a fault finds some of them under way, seconds
_HOLD_S = 0.02
_FLAKY = 0.02
#: things break until this share of what was accepted, and can be received, has been
_BROKEN_SHARE = 0.95
#: PostgreSQL's machines, by name
_SERVERS = ("pg_one", "pg_other")


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What is done to Homing."""

    store: str  #: "sqlite" or "postgres"
    deliveries: int
    nodes: int = 2
    endpoints: int = 20
    fanout: int = 2
    failing: float = 0.05  #: share of endpoints that refuse each delivery twice
    hanging: float = 0.0  #: share of endpoints that never answer
    faults: tuple[Kind, ...] = (Kind.KILL,)
    every_s: float = 3.0  #: from one fault to the next, on average
    seed: int = 1
    rate: float = 0.0  #: deliveries per second; 0: as fast as they are accepted
    batch: int = 50  #: messages per request
    #: no new message after this long, nor a fault, but for those that are late
    duration_s: float = 3_600.0
    drain_max_s: float = 180.0
    #: of a node, instead of `homing serve`: to see a bug caught
    program: tuple[str, ...] = ("-m", "homing.cli", "serve")

    @property
    def layout(self) -> Layout:
        return make_layout(
            endpoints=self.endpoints,
            fanout=self.fanout,
            failing=self.failing,
            hanging=self.hanging,
            seed=self.seed,
        )

    @property
    def is_networked(self) -> bool:
        return bool(OF_NETWORK.intersection(self.faults))


class Evidence(msgspec.Struct, kw_only=True):
    """What was seen at each place, before anything is compared."""

    layout: Layout
    published: source.Report
    received: sink.Report
    audit: dict[str, Any]  #: what `homing audit --json` printed
    audit_exit: int
    endpoints: dict[str, int]  #: endpoint id → its number
    database_url: str
    drained: bool
    faults: dict[Kind, int]
    bands: list[Band]
    seconds: float
    drain_s: float

    def first_us(self) -> array[int]:
        moments = array("q")
        moments.frombytes(self.received.first_us)
        return moments


Say = Callable[[str], None]
T = TypeVar("T")


def run(
    trial: Trial, folder: Path, look: Callable[[Evidence], T], say: Say = lambda line: None
) -> T:
    """Run one trial against an empty database of its own.

    Args:
        folder: for logs, reports and the database.
        look: given the evidence while the database can still be asked; what it returns is returned.
        say: told in one line, now and then, how it goes.

    Raises:
        RuntimeError: a process could not be started, or ended by itself.
    """
    with ExitStack() as stack:
        network = stack.enter_context(Network()) if trial.is_networked else None
        pair, servers = _database(stack, trial, network)
        url = pair.url if pair else f"sqlite:///{folder}/homing.db"
        nodes, machines, clocks = _nodes(trial, folder, url, network)
        abandon_all(stack, nodes)
        receivers = stack.enter_context(Sink(folder, _sink_plan(trial, network)))
        for node in nodes:
            node.start()
        for node in nodes:
            node.wait_until_ready()
        app, endpoints = _prepare(nodes[0], trial.layout, receivers.url)
        stage = Stage(nodes, machines=machines, database=pair, servers=servers, clocks=clocks)
        plan = make_plan(
            trial.faults,
            seed=trial.seed,
            nodes=trial.nodes,
            duration_s=trial.duration_s,
            every_s=trial.every_s,
        )
        began_s = time.monotonic()
        publisher = stack.enter_context(Publishing(folder, _source_plan(trial, nodes, app)))
        breaking = Breaking(stage, plan, say)
        while publisher.is_running:
            breaking.tick()
            if breaking.elapsed_s() > trial.duration_s and breaking.is_complete:
                publisher.stop()
            stage.look_at_nodes(breaking.broken)
            say(_line(trial, breaking, publisher, receivers, "publishing"))
            time.sleep(0.1)
        published = publisher.report()
        expected = _receivable(trial.layout, published) * _BROKEN_SHARE
        while receivers.so_far() < expected and not breaking.is_complete:
            breaking.tick()
            stage.look_at_nodes(breaking.broken)
            say(_line(trial, breaking, publisher, receivers, "working off"))
            time.sleep(0.1)
        breaking.finish()
        for number in range(trial.nodes):
            stage.wait_until_ready(number)
        drain_began_s = time.monotonic()
        drained = _drain(trial, nodes[0].setup, say, endpoints)
        drain_s = time.monotonic() - drain_began_s
        for node in nodes:
            node.stop()
        audited = homing(nodes[0].setup, "audit", "--json")
        evidence = Evidence(
            layout=trial.layout,
            published=published,
            received=receivers.report(),
            audit=json.loads(audited.stdout),
            audit_exit=audited.returncode,
            endpoints=endpoints,
            database_url=url,
            drained=drained,
            faults=dict(breaking.counts),
            bands=breaking.bands,
            seconds=time.monotonic() - began_s,
            drain_s=drain_s,
        )
        return look(evidence)


# ── setting up ──


def _database(
    stack: ExitStack, trial: Trial, network: Network | None
) -> tuple[Pair | None, dict[str, Machine]]:
    if trial.store == "sqlite":
        return None, {}
    # Under /tmp, where the user that PostgreSQL runs as may go.
    home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="homing-chaos-pg-")))
    home.chmod(0o755)
    machines = {}
    names = _SERVERS if Kind.FAILOVER in trial.faults else _SERVERS[:1]
    servers = []
    for name in names:
        if network is None:
            servers.append(Postgres(name, home / name))
            continue
        machines[name] = machine = network.add(name, Side.DATABASE)
        host = machine.address(Side.DATABASE)
        servers.append(Postgres(name, home / name, host=host, prefix=machine.prefix))
    pair = Pair(servers[0], servers[1] if len(servers) > 1 else None)
    stack.callback(pair.stop)
    pair.start()
    return pair, machines


def _nodes(
    trial: Trial, folder: Path, url: str, network: Network | None
) -> tuple[list[Node], list[Machine], list[Path]]:
    nodes, machines, clocks = [], [], []
    for number in range(1, trial.nodes + 1):
        name = f"node-{number}"
        settings = _SETTINGS | {"HOMING_EGRESS_ALLOW": f"127.0.0.0/8,{NETWORK}"}
        if Kind.SKEW in trial.faults:
            clocks.append(folder / f"{name}.clock")
            set_clock(clocks[-1], 0)
            settings |= clock_settings(clocks[-1])
        setup = Setup(url, settings=settings, program=trial.program)
        if network is None:
            nodes.append(Node(setup, folder, name))
            continue
        machines.append(network.add(name, *Side))
        host = machines[-1].address(Side.PUBLISHERS)
        nodes.append(Node(setup, folder, name, host=host, prefix=machines[-1].prefix))
    return nodes, machines, clocks


def _prepare(node: Node, layout: Layout, url: str) -> tuple[str, dict[str, int]]:
    """An application and its endpoints: its id, and endpoint id → number."""
    for group in range(layout.groups):
        name = f"group.{group}"
        node.api("POST", "/event-type", {"name": name, "description": name})
    app = node.api("POST", "/app", {"name": "chaos"})["id"]
    endpoints = {}
    for number in range(layout.endpoints):
        wanted: dict[str, object] = {
            "url": f"{url}/e/{number}",
            "filterTypes": [f"group.{number % layout.groups}"],
        }
        if number in layout.hanging:
            wanted["retryDelaysSeconds"] = list(_HOPELESS_DELAYS_S)
        endpoints[node.api("POST", f"/app/{app}/endpoint", wanted)["id"]] = number
    return app, endpoints


def _sink_plan(trial: Trial, network: Network | None) -> sink.Plan:
    return sink.Plan(
        layout=trial.layout,
        host=network.hub(Side.RECEIVERS) if network else "127.0.0.1",
        run=_name(trial),
        hold_s=_HOLD_S,
        flaky=_FLAKY,
        seed=trial.seed,
    )


def _source_plan(trial: Trial, nodes: list[Node], app: str) -> source.Plan:
    return source.Plan(
        layout=trial.layout,
        urls=tuple(node.url for node in nodes),
        app=app,
        token=token(nodes[0].setup),
        run=_name(trial),
        messages=-(-trial.deliveries // trial.fanout),
        batch=trial.batch,
        rate=trial.rate / trial.fanout,
    )


def _name(trial: Trial) -> str:
    return f"run-{trial.seed}"


# ── under way ──


def _line(
    trial: Trial, breaking: Breaking, publisher: Publishing, receivers: Sink, what: str
) -> str:
    accepted = publisher.so_far() * trial.fanout
    broken = ", ".join(f"{fault.kind} {fault.place}" for fault, _ in breaking.under_way)
    return (
        f"{what} {breaking.elapsed_s():5.0f} s  accepted {accepted:,}  "
        f"received {receivers.so_far():,}  faults {sum(breaking.counts.values())}"
        + (f"  [{broken}]" if broken else "")
    )


def _drain(trial: Trial, setup: Setup, say: Say, endpoints: dict[str, int]) -> bool:
    """Wait until Homing says that nothing is left to do where somebody answers; whether it did."""
    deadline_s = time.monotonic() + trial.drain_max_s
    while True:
        began_s = time.monotonic()
        # The exit code is not looked at here: whether the books balance is judged at the end.
        audited = homing(setup, "audit", "--books", "--json")
        if not audited.stdout:
            raise RuntimeError(f"`homing audit` failed: {audited.stderr[-500:]}")
        rows = json.loads(audited.stdout)["rows"]
        left = hopeless = 0
        for row in rows:
            unfinished = row["waiting"] + row["leased"]
            if endpoints.get(row["endpoint_id"]) in trial.layout.hanging:
                hopeless += unfinished
            else:
                left += unfinished
        say(f"draining: {left:,} left, and {hopeless:,} of receivers that never answer")
        if left == 0 or time.monotonic() > deadline_s:
            return left == 0
        time.sleep(max(1.0, 2 * (time.monotonic() - began_s)))


def _receivable(layout: Layout, published: source.Report) -> int:
    """Accepted deliveries to endpoints that answer."""
    per_group = [
        sum(
            endpoint not in layout.hanging
            for endpoint in range(group, layout.endpoints, layout.groups)
        )
        for group in range(layout.groups)
    ]
    return sum(per_group[layout.group_of(message)] for message in published.ok)
