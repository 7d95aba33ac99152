"""What is measured, one function each. Every one checks its counts before it tells its figures."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import quantiles

import msgspec

from bench import fill, load, receiver
from bench.processes import (
    Node,
    Peak,
    Publisher,
    Receiver,
    Setup,
    Usage,
    homing,
    machine_cpu_s,
    running,
    token,
    usage,
    with_descendants,
)
from tests.support import postgres

#: connections of the load generator
_CONNECTIONS = 128
#: messages sent before a measurement begins, so that connections are open and caches are warm
_WARM = 2_000
#: longest wait for anything to finish, seconds
_WAIT_MAX_S = 900.0
_PAYLOAD = b'{"amount":4200,"currency":"EUR","filler":"' + b"x" * 555 + b'"}'


class Database(msgspec.Struct, frozen=True):
    """A fresh database for one scenario."""

    kind: str  #: "SQLite" or "PostgreSQL"
    url: str
    workers: int
    folder: Path


class Figures(msgspec.Struct, kw_only=True):
    """What one run of load came to."""

    deliveries: int
    per_second: float  #: accepted to recorded: until the last outcome was committed
    cpu_us: float  #: of all of Homing's processes, per delivery
    database_cpu_us: float  #: of PostgreSQL's processes, per delivery; 0 on SQLite
    commits: float  #: per delivery
    round_trips: float  #: per delivery
    resident_bytes: int
    #: cores that processes of others were busy on meanwhile: above 0.1 the figures are not ours
    strangers: float = 0.0
    #: publisher's first byte to the receiver's last, and 202 to receipt, milliseconds
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    after_202_p50_ms: float = 0.0
    after_202_p99_ms: float = 0.0


@contextmanager
def fresh(kind: str, workers: int = 0) -> Iterator[Database]:
    """A new, empty database; PostgreSQL with a server of its own."""
    folder = Path(tempfile.mkdtemp(prefix="homing-bench-"))
    try:
        if kind == "SQLite":
            yield Database(kind, f"sqlite:///{folder}/homing.db", workers or 1, folder)
            return
        folder.chmod(0o755)  # for the user that PostgreSQL runs as
        server = postgres.create(folder / "server")
        try:
            server.launch()
            yield Database(kind, server.url, workers or 2, folder)
        finally:
            server.halt()
    finally:
        shutil.rmtree(folder)


class Stage:
    """One Homing with receiver and application, ready for load.

    Args:
        endpoints: how many there are, all for every message.
        answers: options of the receiver.
    """

    def __init__(
        self,
        database: Database,
        *,
        endpoints: int = 1,
        settings: dict[str, str] | None = None,
        answers: Sequence[str] = (),
    ) -> None:
        self.database = database
        self.endpoints = endpoints
        self.setup = Setup(database.url, database.workers, settings or {})
        self._answers = answers
        self._stack = ExitStack()
        self._runs = 0
        self.sent: list[load.Sent] = []  #: accepted so far

    def __enter__(self) -> Stage:
        self.receiver = self._stack.enter_context(Receiver(self.database.folder, *self._answers))
        self.node = self._stack.enter_context(running(self.setup, self.database.folder))
        self.app = self.node.api("POST", "/app", {"name": "bench"})["id"]
        self.endpoint_ids = [
            self.node.api(
                "POST", f"/app/{self.app}/endpoint", {"url": f"{self.receiver.url}/{number}"}
            )["id"]
            for number in range(self.endpoints)
        ]
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.__exit__(*exception)  # type: ignore[arg-type]

    def send(self, count: int, *, rate: float = 0.0, connections: int = _CONNECTIONS) -> Publisher:
        """Begin to publish."""
        self._runs += 1
        plan = load.Plan(
            urls=(self.node.url,),
            app=self.app,
            token=token(self.setup),
            count=count,
            connections=connections,
            rate=rate,
            seconds_max=_WAIT_MAX_S,
        )
        return Publisher(self.database.folder, plan, f"load-{self._runs}")

    def finish(self, publisher: Publisher) -> load.Report:
        """Wait for a publisher, and until everything that it sent is recorded."""
        report = publisher.report(_WAIT_MAX_S)
        if report.refused or report.unresolved:
            raise RuntimeError(f"the service refused: {report.refused} {self.node.log_end()}")
        self.sent += report.sent
        self.wait_until_recorded(len(self.sent) * self.endpoints)
        return report

    def wait_until_recorded(self, count: int) -> float:
        """Return when `count` deliveries in all are delivered by the service's own count.

        Returns:
            When that was, by the monotonic clock, seconds.
        """
        deadline_s = time.monotonic() + _WAIT_MAX_S
        while time.monotonic() < deadline_s:
            if recorded(self.node) >= count:
                return time.monotonic()
            time.sleep(0.05)
        raise RuntimeError(f"{recorded(self.node):.0f} of {count} recorded; {self.node.log_end()}")

    def warm(self, count: int = _WARM) -> None:
        self.finish(self.send(count))

    def measure(self, count: int, *, rate: float = 0.0, connections: int = _CONNECTIONS) -> Figures:
        """Publish `count` messages and wait until all is recorded."""
        before = self._counts()
        machine_s, began_s = machine_cpu_s(), time.monotonic()
        receiving = usage([self.receiver.pid])
        report = self.finish(self.send(count, rate=rate, connections=connections))
        ended_s = time.monotonic()
        service, server, counts = self._counts()
        ours_s = (service - before[0]).cpu_s + (server - before[1]).cpu_s + report.cpu_s
        ours_s += (usage([self.receiver.pid]) - receiving).cpu_s
        deliveries = count * self.endpoints
        self._last = report
        return Figures(
            deliveries=deliveries,
            per_second=deliveries / (ended_s - report.began_us / 1e6),
            cpu_us=(service - before[0]).cpu_s / deliveries * 1e6,
            database_cpu_us=(server - before[1]).cpu_s / deliveries * 1e6,
            commits=(counts["commits"] - before[2]["commits"]) / deliveries,
            round_trips=(counts["round_trips"] - before[2]["round_trips"]) / deliveries,
            resident_bytes=service.resident_bytes,
            strangers=max(machine_cpu_s() - machine_s - ours_s, 0) / (time.monotonic() - began_s),
        )

    def check(self, figures: Figures | None = None) -> None:
        """Nothing is lost, nothing is there that should not be: at the receiver and in the books.

        Raises:
            RuntimeError: the counts differ, or the books do not balance.
        """
        self.check_arrivals(figures)
        audited = homing(self.setup, "audit", "--json")
        if audited.returncode:
            raise RuntimeError(f"the books do not balance: {audited.stdout[-2000:]}")

    def check_arrivals(self, figures: Figures | None = None) -> None:
        """The receiver got exactly what the publisher saw accepted. Fills in the latencies."""
        received = self.receiver.report()
        ids = {sent.id for sent in self.sent}
        for number in range(self.endpoints):
            arrived = received.receipts.get(f"/{number}", {})
            if arrived.keys() != ids:
                raise RuntimeError(f"accepted {len(ids)}, received {len(arrived)}")
        if figures is not None:
            _fill_in_latencies(figures, self._last, received)

    def _counts(self) -> tuple[Usage, Usage, dict[str, float]]:
        metrics = self.node.metrics()
        counts = {
            "commits": metrics.get("homing_store_commits_total", 0.0),
            "round_trips": metrics.get("homing_store_round_trips_total", 0.0),
        }
        return usage(self.node.pids()), usage(server_pids(self.database)), counts


def throughput(kind: str, count: int, *, endpoints: int = 1, stored: int = 0) -> Figures:
    """As fast as it goes: each connection sends the next message when the last was answered.

    Args:
        endpoints: deliveries per message.
        stored: finished deliveries that are in the database already.
    """
    with fresh(kind) as database, ExitStack() as stack:
        stage = stack.enter_context(Stage(database, endpoints=endpoints))
        stage.warm(max(_WARM // endpoints, 20))
        if stored:
            began_s = time.monotonic()
            asyncio.run(fill.finished(database.url, stored))
            print(f"  ({stored:,} finished deliveries in {time.monotonic() - began_s:.0f} s)")
            stage.warm(max(_WARM // endpoints, 20))
        figures = stage.measure(count)
        if stored:
            stage.check_arrivals(figures)
        else:
            stage.check(figures)
        return figures


def latency(kind: str, rate: float, seconds: float) -> Figures:
    """At a fixed rate: how long from the publisher to the receiver."""
    with fresh(kind) as database, Stage(database) as stage:
        stage.warm()
        figures = stage.measure(round(rate * seconds), rate=rate)
        stage.check(figures)
        return figures


def slow(kind: str, count: int, hold_s: float) -> dict[str, float]:
    """Memory with `count` requests in flight, each held for `hold_s` by the receiver.

    Returns:
        `idle_bytes`, `peak_bytes` of all of Homing's processes, and how many were `held` at once.
    """
    patient = {
        "HOMING_SENDS_MAX": str(count),
        "HOMING_ENDPOINT_SHARE": str(count),  # one endpoint is to have them all
        "HOMING_APPLICATION_SHARE": str(count),
        "HOMING_FIRST_BYTE_S": str(hold_s + 60),
        "HOMING_TOTAL_S": str(hold_s + 90),
        "HOMING_LEASE_S": str(hold_s + 120),
    }
    answers = ("--delay-s", str(hold_s))
    with fresh(kind, 1) as database, Stage(database, settings=patient, answers=answers) as stage:
        idle = usage(stage.node.pids()).resident_bytes
        with Peak(stage.node) as peak:
            publisher = stage.send(count)
            held = 0
            deadline_s = time.monotonic() + hold_s + 120
            while held < count and time.monotonic() < deadline_s:
                held = max(held, stage.receiver.so_far()[1])
                time.sleep(0.1)
            stage.finish(publisher)
        stage.check()
    return {"idle_bytes": idle, "peak_bytes": peak.resident_bytes, "held": held}


def backlog(kind: str, count: int) -> Figures:
    """`count` deliveries are due and belong to nobody: how fast are they gone?"""
    with fresh(kind) as database:
        app, endpoint, port = _application(database)
        asyncio.run(fill.due(database.url, app, endpoint, count, _PAYLOAD))
        answers = ("--port", str(port))
        setup = Setup(database.url, database.workers)
        with (
            Receiver(database.folder, *answers) as arrivals,
            running(setup, database.folder) as node,
        ):
            began_s, before = time.monotonic(), recorded(node)
            service, server = usage(node.pids()), usage(server_pids(database))
            _wait(lambda: recorded(node) >= count)
            took_s = time.monotonic() - began_s
            used, used_by_server = (
                usage(node.pids()) - service,
                usage(server_pids(database)) - server,
            )
            counts = node.metrics()
            received = arrivals.report().receipts["/0"]
            if len(received) != count or homing(setup, "audit").returncode:
                raise RuntimeError(f"{count} were due, {len(received)} arrived")
        done = count - before
        return Figures(
            deliveries=count,
            per_second=done / took_s,
            cpu_us=used.cpu_s / done * 1e6,
            database_cpu_us=used_by_server.cpu_s / done * 1e6,
            commits=counts["homing_store_commits_total"] / count,
            round_trips=counts["homing_store_round_trips_total"] / count,
            resident_bytes=used.resident_bytes,
        )


def _application(database: Database) -> tuple[str, str, int]:
    """An application with one endpoint, made by a Homing that is stopped again."""
    with Stage(database) as stage:
        return stage.app, stage.endpoint_ids[0], stage.receiver.port


def recorded(node: Node) -> float:
    """Deliveries that are delivered, by the service's own count since it was started."""
    return node.metrics().get('homing_deliveries_settled_total{state="delivered"}', 0.0)


def server_pids(database: Database) -> list[int]:
    """Of the PostgreSQL server; none on SQLite."""
    file = database.folder / "server" / "data" / "postmaster.pid"
    if database.kind == "SQLite" or not file.exists():
        return []
    return with_descendants(int(file.read_text().split("\n", 1)[0]))


def _wait(is_done: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + _WAIT_MAX_S
    while not is_done():
        if time.monotonic() > deadline_s:
            raise RuntimeError(f"not done within {_WAIT_MAX_S:.0f} s")
        time.sleep(0.2)


def _fill_in_latencies(figures: Figures, sent: load.Report, received: receiver.Report) -> None:
    """From when a message was to be sent, and from its 202, to the last of its receivers."""
    whole, after_202 = [], []
    for one in sent.sent:
        last_us = max(receipts[one.id].first_us for receipts in received.receipts.values())
        whole.append((last_us - one.due_us) / 1_000)
        # A fast receiver may have it before the publisher has its answer.
        after_202.append(max(last_us - one.answered_us, 0) / 1_000)
    for name, values in (("", whole), ("after_202_", after_202)):
        cuts = quantiles(values, n=100)
        setattr(figures, f"{name}p50_ms", cuts[49])
        setattr(figures, f"{name}p99_ms", cuts[98])
