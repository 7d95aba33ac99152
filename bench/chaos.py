"""Kills Homing again and again under load, and then counts at both ends whether anything was lost.

    python bench/chaos.py --deliveries 100000 --store sqlite
    python bench/chaos.py --deliveries 100000 --store postgres

Publishers send to several `homing serve`; each of those is killed with SIGKILL in turn, and started
again. Receivers fail some requests and never answer some others; one endpoint fails always. A
publisher that does not know what became of a message sends it again with the same idempotency key.
Afterwards, when Homing says that nothing is left to do, every message that a publisher saw
accepted must have been answered 2xx by each of its receivers, or be a dead letter with a reason,
and nothing else may have arrived; `homing audit` must balance. Exit code 1 if not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import load, receiver
from bench.processes import Node, Publisher, Receiver, Setup, homing, token
from homing.core.lifecycle import Delivery, State
from homing.core.ports import DeliveryFilter, Page
from homing.store import open_store
from tests.support import postgres

#: what each event type is delivered to, by path at the receiver
ROUTES: dict[str, tuple[str, ...]] = {
    "payment.captured": ("/captured",),
    "payment.failed": ("/failed",),
    "refund.created": ("/captured", "/failed"),
    "payment.disputed": ("/doomed",),
}
#: of ten messages; eleven deliveries
TURNS = (
    *("payment.captured",) * 5,
    *("payment.failed",) * 3,
    "refund.created",
    "payment.disputed",
)
_DELIVERIES_PER_TURN = sum(len(ROUTES[event_type]) for event_type in TURNS)

#: everything that waits, short; a lease must be 10 s longer than a request
SETTINGS = {
    "HOMING_CONNECT_S": "1",
    "HOMING_FIRST_BYTE_S": "1",
    "HOMING_IDLE_S": "1",
    "HOMING_TOTAL_S": "1.5",
    "HOMING_LEASE_S": "11.5",
    "HOMING_RETRY_DELAYS_S": "0.2,0.5,1,2,3",
    "HOMING_POLL_S": "0.1",
    "HOMING_AUDIT_EVERY_S": "10",
    "HOMING_DRAIN_S": "10",
}
#: each request is held this long, so that a kill finds some of them under way, seconds
_HOLD_S = 0.03
_HANG = 0.002
#: a killed node stays down for up to this long, seconds
_DOWN_MAX_S = 1.0
#: longest wait for the last delivery once the kills are over, seconds: some leases and the schedule
_DRAIN_MAX_S = 180.0
_PAGE = 1_000


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What is done to Homing."""

    store: str  #: "sqlite" or "postgres"
    deliveries: int
    rate: float  #: messages per second, all publishers together
    nodes: int
    kill_every_s: float = 3.0  #: 0: nobody is killed
    failures: float = 0.05  #: share of requests answered 500 or 503
    seed: int = 1
    #: of a node, instead of `homing serve`: to see a bug caught
    program: tuple[str, ...] = ("-m", "homing.cli", "serve")

    @property
    def messages(self) -> int:
        return -(-self.deliveries * len(TURNS) // _DELIVERIES_PER_TURN)


class Evidence(msgspec.Struct, kw_only=True):
    """What was seen at each place, before anything is compared."""

    published: load.Report
    received: receiver.Report
    audit: dict[str, Any]  #: what `homing audit --json` printed
    audit_exit: int
    dead: dict[tuple[str, str], str]  #: (path, message id) → reason
    kills: int = 0


class Finding(msgspec.Struct, kw_only=True):
    """The comparison."""

    problems: list[str]
    figures: dict[str, int]


def run(trial: Trial, folder: Path, url: str) -> Evidence:
    """Run one trial against an empty database.

    Args:
        folder: for logs and reports.
        url: of the database.

    Raises:
        RuntimeError: a process could not be started, or the deliveries do not come to an end.
    """
    setup = Setup(url, settings=SETTINGS, program=trial.program)
    nodes = [Node(setup, folder, f"node-{number}") for number in range(1, trial.nodes + 1)]
    answers = (
        *("--fail", f"503={trial.failures / 2}", "--fail", f"500={trial.failures / 2}"),
        *("--hang", str(_HANG), "--delay-s", str(_HOLD_S), "--seed", str(trial.seed)),
    )
    with ExitStack() as stack:
        arrivals = stack.enter_context(Receiver(folder, *answers))
        for node in nodes:
            stack.callback(node.abandon)
            node.start()
            node.wait_until_ready()
        app, paths = _prepare(nodes[0], arrivals.url)
        publisher = Publisher(folder, _plan(trial, nodes, app))
        stack.callback(publisher.abandon)
        kills = _kill_while(publisher, nodes, trial)
        published = publisher.report(_DRAIN_MAX_S)
        for node in nodes:
            node.wait_until_ready()
        _wait_until_done(setup)
        for node in nodes:
            node.stop()
        audited = homing(setup, "audit", "--json")
        return Evidence(
            published=published,
            received=arrivals.report(),
            audit=json.loads(audited.stdout),
            audit_exit=audited.returncode,
            dead=asyncio.run(_dead(url, paths)),
            kills=kills,
        )


def compare(evidence: Evidence) -> Finding:
    """Every accepted delivery arrived or is dead with a reason; nothing else arrived."""
    expected = {
        (path, sent.id)
        for sent in evidence.published.sent
        for path in ROUTES[TURNS[sent.number % len(TURNS)]]
    }
    arrived = {
        (path, message_id): receipt
        for path, receipts in evidence.received.receipts.items()
        for message_id, receipt in receipts.items()
    }
    answered = {which for which, receipt in arrived.items() if receipt.answered}
    lost = expected - answered - evidence.dead.keys()
    total = evidence.audit["total"]
    unfinished = total["waiting"] + total["leased"] + total["parked"]
    checks = (
        (len(lost), f"accepted, but neither received nor dead: {_some(lost)}"),
        (
            len(arrived.keys() - expected),
            f"received, but never accepted: {_some(arrived.keys() - expected)}",
        ),
        (
            len(evidence.dead.keys() - expected),
            f"dead, but never accepted: {_some(evidence.dead.keys() - expected)}",
        ),
        (sum(not reason for reason in evidence.dead.values()), "dead without a reason"),
        (
            len(evidence.published.unresolved),
            "messages whose publisher does not know what became of them",
        ),
        (
            evidence.audit_exit or (not evidence.audit["balanced"]),
            f"`homing audit` does not balance: {evidence.audit['misfits'][:3]}",
        ),
        (unfinished, "unfinished after the end"),
        (
            abs(total["accepted"] - len(expected)),
            f"accepted by the books ({total['accepted']}) or by the publishers ({len(expected)}), "
            "but not by both",
        ),
        (
            abs(total["dead"] - len(evidence.dead)),
            f"dead by the books ({total['dead']}) or by the listing ({len(evidence.dead)}), "
            "but not by both",
        ),
    )
    return Finding(
        problems=[f"{int(count)} {what}" for count, what in checks if count],
        figures={
            "messages accepted": len(evidence.published.sent),
            "deliveries expected": len(expected),
            "deliveries answered 2xx": len(expected & answered),
            "dead with a reason": len(evidence.dead),
            "dead although answered 2xx": len(evidence.dead.keys() & answered),
            "lost": len(lost),
            "kills": evidence.kills,
            "requests received": evidence.received.requests,
            "received 2xx more than once": sum(r.answered > 1 for r in arrived.values()),
            "publications repeated": sum(evidence.published.refused.values()),
        },
    )


@contextmanager
def database(store: str, folder: Path) -> Iterator[str]:
    """The URL of a new, empty database."""
    if store == "sqlite":
        yield f"sqlite:///{folder}/homing.db"
        return
    # Under /tmp, where the user that PostgreSQL runs as may go.
    home = Path(tempfile.mkdtemp(prefix="homing-bench-pg-"))
    home.chmod(0o755)
    server = postgres.create(home / "server")
    try:
        server.launch()
        yield server.url
    finally:
        server.remove()
        shutil.rmtree(home)


# ── the parts of a trial ──


def _prepare(node: Node, url: str) -> tuple[str, dict[str, str]]:
    """An application and its endpoints: its id, and endpoint id → path."""
    app = node.api("POST", "/app", {"name": "chaos"})["id"]
    paths = {}
    for path in dict.fromkeys(path for routes in ROUTES.values() for path in routes):
        wanted = [event_type for event_type, routes in ROUTES.items() if path in routes]
        endpoint = {"url": url + path, "filterTypes": wanted}
        for event_type in wanted:
            _ensure_event_type(node, event_type)
        paths[node.api("POST", f"/app/{app}/endpoint", endpoint)["id"]] = path
    return app, paths


def _ensure_event_type(node: Node, name: str) -> None:
    known = node.api("GET", "/event-type")["data"]
    if not any(one["name"] == name for one in known):
        node.api("POST", "/event-type", {"name": name, "description": name})


def _plan(trial: Trial, nodes: Sequence[Node], app: str) -> load.Plan:
    return load.Plan(
        urls=tuple(node.url for node in nodes),
        app=app,
        token=token(nodes[0].setup),
        count=trial.messages,
        event_types=TURNS,
        connections=16 * len(nodes),
        rate=trial.rate,
        keys=True,
        seconds_max=trial.messages / trial.rate * 3 + 60,
    )


def _kill_while(publisher: Publisher, nodes: Sequence[Node], trial: Trial) -> int:
    """Kill and restart nodes in turn for as long as the publisher sends; how many were killed."""
    chance = random.Random(trial.seed)
    kills = 0
    next_s = time.monotonic() + trial.kill_every_s
    while publisher.is_running:
        time.sleep(0.05)
        if not trial.kill_every_s or time.monotonic() < next_s:
            continue
        next_s = time.monotonic() + trial.kill_every_s
        node = nodes[kills % len(nodes)]
        node.wait_until_ready()  # to kill one that is still starting would show nothing
        node.kill()
        kills += 1
        time.sleep(chance.uniform(0, min(_DOWN_MAX_S, trial.kill_every_s / 2)))
        node.start()
    return kills


def _wait_until_done(setup: Setup) -> None:
    deadline_s = time.monotonic() + _DRAIN_MAX_S
    while time.monotonic() < deadline_s:
        # The exit code is not looked at here: whether the books balance is judged at the end.
        total = json.loads(homing(setup, "audit", "--json").stdout)["total"]
        if total["waiting"] + total["leased"] == 0:
            return
        time.sleep(1.0)
    raise RuntimeError(f"not done {_DRAIN_MAX_S:.0f} s after the last message: {total}")


async def _dead(url: str, paths: dict[str, str]) -> dict[tuple[str, str], str]:
    """Every dead letter, read from the database."""
    store = await open_store(url, migrate=False)
    try:
        found: list[Delivery] = []
        for endpoint_id in paths:
            which = DeliveryFilter(endpoint_id=endpoint_id, states=(State.DEAD,))
            after = None
            while True:
                page = await store.deliveries(which, Page(limit=_PAGE, after=after))
                found += page
                if len(page) < _PAGE:
                    break
                after = page[-1].message_id
    finally:
        await store.close()
    return {(paths[d.endpoint_id], d.message_id): str(d.reason or "") for d in found}


def _some(names: object) -> str:
    assert isinstance(names, set | frozenset)
    return ", ".join(f"{path} {message_id}" for path, message_id in sorted(names)[:3])


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    arguments.add_argument("--deliveries", type=int, default=10_000)
    arguments.add_argument("--rate", type=float, default=1_000.0, help="messages per second")
    arguments.add_argument("--nodes", type=int, help="default: 2 on SQLite, 3 on PostgreSQL")
    arguments.add_argument("--kill-every-s", type=float, default=3.0)
    arguments.add_argument("--failures", type=float, default=0.05)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--keep", action="store_true", help="keep logs and reports")
    options = arguments.parse_args()
    trial = Trial(
        store=options.store,
        deliveries=options.deliveries,
        rate=options.rate,
        nodes=options.nodes or (2 if options.store == "sqlite" else 3),
        kill_every_s=options.kill_every_s,
        failures=options.failures,
        seed=options.seed,
    )
    folder = Path(tempfile.mkdtemp(prefix="homing-chaos-"))
    began_s = time.monotonic()
    with database(trial.store, folder) as url:
        finding = compare(run(trial, folder, url))
    print(f"{trial.store}, {trial.nodes} nodes, {time.monotonic() - began_s:.0f} s")
    for name, count in finding.figures.items():
        print(f"{count:>10,}  {name}")
    for problem in finding.problems:
        print(f"PROBLEM: {problem}")
    if options.keep or finding.problems:
        print(f"logs and reports: {folder}")
    else:
        shutil.rmtree(folder)
    print("not one was lost" if not finding.problems else "NOT ALL RIGHT")
    return 1 if finding.problems else 0


if __name__ == "__main__":
    sys.exit(main())
