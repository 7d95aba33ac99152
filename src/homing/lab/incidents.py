"""The incidents of the lab: each a service with one fault, or none, and the time it had.

`write_incident` leaves a delivery log and, in a file apart, the truth about it. The faults, the
traffic and the fields are the lab's own, so a log from here can score an analysis that was built
on others.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from homing.core.errors import Invalid, Problem
from homing.lab.dialects import LogFile, open_log
from homing.lab.draws import Draws
from homing.lab.explorable.rows import FixedWorker
from homing.lab.faults import queues, workers
from homing.lab.loop import Task
from homing.lab.receivers import AWAY, LIMITED, OVERLOADED, Receivers, Temper
from homing.lab.service.worker import RetryWorker
from homing.lab.sound import Intake, Worker
from homing.lab.traffic import DAY_S, SHAPES, Traffic, arrivals
from homing.lab.world import MONDAY_US, World

_BEFORE, _AFTER = "1.8.0", "1.8.1"  # builds
#: how long a world goes on after the log ends, to see what was only under way
_DRAIN_S: Final = 2.5 * DAY_S


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a seed makes of an incident."""

    seed: int
    traffic: Traffic
    workers: int
    deployed_s: float | None  #: when the fault came; None: it was always there


#: what else there is in a world: deaths, outages, sweeps. Given the tasks of the workers and the
#: intake
Setup = Callable[[Plan, World, list[Task], Any], None]


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of service."""

    name: str
    mechanism: str | None  #: "D1" to "D12"; None: nothing is dropped
    title: str
    worker: Any  #: the class with the fault
    sound: Any = Worker  #: what ran before the fault was deployed
    #: what mends it, by the name of the part; nothing: the sound worker, and no setup
    fixed: dict[str, Any] = {}
    intake: Any = Intake
    relay: Any = None  #: one more process, made like a worker
    temper: Temper = Temper(kinds=(OVERLOADED, AWAY), bad_share=0.05)
    setup: Setup | None = None
    may_start_late: bool = True  #: the fault may come with a deployment
    #: rows with neither a due time nor a lease are seen by queries
    has_timeless: bool = True


class Truth(msgspec.Struct, kw_only=True):
    """What really happened."""

    name: str
    mechanism: str | None
    title: str
    seed: int
    fields: str
    accepted: int
    dropped: int
    drop_rate: float
    #: when the fault was deployed; None: it was there from the beginning, or there is none
    since_us: int | None
    begins_us: int
    ends_us: int
    drops: list[str]  #: the deliveries that no receiver took and nobody was going to send


def _deaths_of(kind: Any) -> Setup:
    """Two hosts have too little memory: when there is much to do, a process is killed.

    Args:
        kind: the class of the workers; `is_full` says when there is much to do.
    """

    def deaths(plan: Plan, world: World, tasks: list[Task], intake: Any) -> None:
        class Kernel:
            name = "kernel"

            async def run(self) -> None:
                draws, clock = Draws(plan.seed, 6), world.ports("kernel")[2]
                workers = [_replace(kind, world, tasks, index) for index in (0, 1)]
                while True:
                    await clock.sleep(draws.wait(plan.traffic.length_s / 150))
                    index = draws.whole(0, 1)
                    while not workers[index].is_full:
                        await clock.sleep(0.2)
                    workers[index] = _replace(kind, world, tasks, index)

        world.spawn(Kernel(), "")

    return deaths


def _replace(kind: Any, world: World, tasks: list[Task], index: int) -> Any:
    """Kill a worker wherever it stands; another process starts in its place."""
    tasks[index].kill()
    worker = kind(*world.ports(f"worker-{index + 1}"))
    tasks[index] = world.spawn(worker, _AFTER)
    return worker


def _outages(plan: Plan, world: World, tasks: list[Task], intake: Any) -> None:
    """The broker is away for some minutes, a few times."""
    draws, length_s = Draws(plan.seed, 7), plan.traffic.length_s
    for _ in range(draws.whole(3, 6)):
        begin = draws.between(0.05, 0.95) * length_s
        intake.away.append((begin, begin + draws.between(0.0008, 0.003) * length_s))


def _sweep(plan: Plan, world: World, tasks: list[Task], intake: Any) -> None:
    world.spawn(workers.LastResort(*world.ports("sweeper")), _AFTER, at_s=plan.deployed_s)


def _retain(plan: Plan, world: World, tasks: list[Task], intake: Any) -> None:
    retention = workers.Retention(world, "retention")
    if plan.seed % 2:
        world.quiet.add(retention.name)
    world.spawn(retention, _AFTER, at_s=plan.deployed_s)


_SLOW: Final = Temper(kinds=(OVERLOADED, AWAY), bad_share=0.05)
_HANGING: Final = Temper(kinds=(AWAY,), bad_share=0.02, hang_share=0.002)

INCIDENTS: Final = (
    Incident(
        name="unread-retries",
        mechanism="D1",
        title="a retry is written under a state that no query asks for",
        worker=workers.UnreadRetries,
        temper=_HANGING,
    ),
    Incident(
        name="forgotten-tail",
        mechanism="D1",
        title="the query for what is due stops before the retry schedule does",
        worker=workers.ForgottenTail,
        temper=_SLOW,
    ),
    Incident(
        name="stuck-processing",
        mechanism="D2",
        title="a timeout leaves the row in processing, and nothing takes it out",
        worker=workers.StuckProcessing,
        temper=_HANGING,
    ),
    Incident(
        name="skipped-twice",
        mechanism="D3",
        title="the row is there, its queue entry is not, and dedupe skips the repeat",
        worker=queues.QueueWorker,
        intake=queues.SkippedTwice,
        setup=_outages,
        fixed={"intake": queues.Relisted},
        may_start_late=False,
        has_timeless=False,
    ),
    Incident(
        name="popped-and-gone",
        mechanism="D4",
        title="entries are popped into memory, and the process dies",
        worker=queues.Popped,
        intake=queues.QueueIntake,
        setup=_deaths_of(queues.Popped),
        fixed={"worker": queues.Leased, "setup": _deaths_of(queues.Leased)},
        may_start_late=False,
        has_timeless=False,
    ),
    Incident(
        name="taken-for-granted",
        mechanism="D5",
        title="a refusal counts as delivered",
        worker=workers.TakenForGranted,
        temper=Temper(kinds=(LIMITED, OVERLOADED), bad_share=0.05, bad_mean_s=900),
    ),
    Incident(
        name="late-result",
        mechanism="D6",
        title="the late result of one attempt is written over the next one's",
        worker=RetryWorker,
        fixed={"worker": FixedWorker},
        temper=_SLOW,
        has_timeless=False,
    ),
    Incident(
        name="last-resort",
        mechanism="D7",
        title="a lease that ran out counts as failed for good",
        worker=workers.ShortLease,
        setup=_sweep,
        temper=Temper(kinds=(OVERLOADED,), bad_share=0.05),
    ),
    Incident(
        name="at-most-once",
        mechanism="D8",
        title="a marker against sending twice swallows the retry",
        worker=queues.AtMostOnce,
        sound=queues.QueueWorker,
        intake=queues.QueueIntake,
        temper=_HANGING,
        has_timeless=False,
    ),
    Incident(
        name="switched-off",
        mechanism="D9",
        title="what is due for an endpoint that was switched off is skipped",
        worker=workers.Disabling,
        temper=Temper(kinds=(AWAY, OVERLOADED), bad_share=0.05, bad_mean_s=2_500),
    ),
    Incident(
        name="unburied",
        mechanism="D10",
        title="the dead letter is refused by its own table, and the row is gone already",
        worker=workers.DeadLetterFails,
        temper=Temper(kinds=(AWAY,), bad_share=0.06, bad_mean_s=2_500),
    ),
    Incident(
        name="swept-away",
        mechanism="D11",
        title="retention removes rows whose retry is still to come",
        worker=workers.LongSchedule,
        sound=workers.LongSchedule,
        setup=_retain,
        temper=Temper(kinds=(AWAY,), bad_share=0.08, bad_mean_s=5_000),
    ),
    Incident(
        name="passed-by",
        mechanism="D12",
        title="a poller's cursor passes rows that commit late",
        worker=Worker,
        intake=queues.SlowCommits,
        relay=queues.CursorRelay,
        fixed={"relay": queues.UnlistedRelay},
        may_start_late=False,
    ),
    Incident(
        name="clean-busy",
        mechanism=None,
        title="nothing is dropped: bad hours, retries, dead letters and a deployment",
        worker=workers.Impatient,
        temper=Temper(kinds=(AWAY, OVERLOADED, LIMITED), bad_share=0.05, bad_mean_s=3_000),
    ),
    Incident(
        name="clean-takeovers",
        mechanism=None,
        title="nothing is dropped: leases run out and are taken over, and late results refused",
        worker=workers.Hasty,
        temper=_SLOW,
    ),
)
BY_NAME: Final = {incident.name: incident for incident in INCIDENTS}
MECHANISMS: Final = tuple(f"D{n}" for n in range(1, 13))


def incident_of(name: str) -> Incident:
    """The incident of that name, or the first one of that mechanism ("D1", or "clean").

    Raises:
        Invalid: there is none.
    """
    for incident in INCIDENTS:
        if name in (incident.name, incident.mechanism or "clean"):
            return incident
    text = f"expected one of {', '.join(BY_NAME)}, D1 to D12 or clean; found {name!r}"
    raise Invalid([Problem(("NAME",), text)])


def mended(incident: Incident) -> Incident:
    """The same service without its fault, for the time after: the same payments and receivers.

    Raises:
        Invalid: there is no fault to take out.
    """
    if incident.mechanism is None:
        able = ", ".join(one.name for one in INCIDENTS if one.mechanism)
        text = f"{incident.name} has no fault; expected one of {able}"
        raise Invalid([Problem(("NAME",), text)])
    changed = incident.fixed or {"worker": incident.sound, "setup": None}
    worker = changed.get("worker", incident.worker)
    return msgspec.structs.replace(incident, **{"sound": worker, **changed})


def plan_of(incident: Incident, seed: int, size: int) -> Plan:
    """What this seed makes of an incident of about `size` deliveries."""
    draws = Draws(seed, 5)
    length_s = size / draws.between(0.08, 0.25)  # deliveries a second
    is_late = incident.may_start_late and draws.chance(0.6)
    return Plan(
        seed=seed,
        traffic=Traffic(count=size, length_s=length_s, shape=draws.pick(sorted(SHAPES))),
        workers=draws.whole(6, 10),
        deployed_s=draws.between(0.15, 0.6) * length_s if is_late else None,
    )


def write_incident(
    name: str,
    *,
    seed: int,
    size: int = 20_000,
    fields: str = "service/usual",
    form: str = "jsonl.gz",
    log: Path,
    truth: Path | None = None,
    is_mended: bool = False,
) -> Truth:
    """Have the incident, and write its log and the truth about it.

    Args:
        name: of an incident, or "D1" to "D12", or "clean"; see `INCIDENTS`.
        seed: >= 0; the same one gives the same files.
        size: deliveries, about, >= 100.
        fields: one of `dialects.FIELD_SETS`: what the log calls things, and how much it has.
        form: one of `dialects.FORMATS`. It compresses if the name of `log` ends in ".gz".
        log, truth: where to write; the truth is JSON, a `Truth`.
        is_mended: with the fault taken out; see `mended`.

    Raises:
        Invalid: an unknown name, field set or format.
    """
    incident = mended(incident_of(name)) if is_mended else incident_of(name)
    plan = plan_of(incident, seed, size)
    file = open_log(log, fields, form)
    told = run_incident(incident, plan, file)
    told.fields = fields
    if truth is not None:
        truth.write_bytes(msgspec.json.format(msgspec.json.encode(told), indent=2))
    return told


def run_incident(incident: Incident, plan: Plan, file: LogFile) -> Truth:
    """Have the incident; the log is closed when its time is over."""
    end_s = plan.traffic.length_s
    receivers = Receivers(incident.temper, Draws(plan.seed, 1), end_s + _DRAIN_S)
    world = World(plan.seed, receivers, file.write, has_timeless=incident.has_timeless)
    intake = people(incident, plan, world)
    world.loop.run_until(end_s)
    file.close()
    intake.close()
    return truth_of(incident, plan, world)


def truth_of(incident: Incident, plan: Plan, world: World) -> Truth:
    """Let what is under way come to its end; what is missing then was dropped."""
    accepted, missing = world.accepted, list(world.missing)
    world.on_line = lambda line: None
    # What has its time behind it is taken within minutes, if anybody ever takes it.
    until_s, end_s = world.loop.now_s + 900.0, plan.traffic.length_s + _DRAIN_S
    world.loop.run_until(until_s)
    while until_s < end_s and world.is_under_way(world.missing):
        until_s += 900.0
        world.loop.run_until(until_s)
    drops = [key for key in missing if key in world.missing and key not in world.dead]
    since_s = plan.deployed_s
    return Truth(
        name=incident.name,
        mechanism=incident.mechanism,
        title=incident.title,
        seed=plan.seed,
        fields="",
        accepted=accepted,
        dropped=len(drops),
        drop_rate=len(drops) / accepted if accepted else 0.0,
        since_us=None if since_s is None else MONDAY_US + round(since_s * 1_000_000),
        begins_us=MONDAY_US,
        ends_us=MONDAY_US + round(plan.traffic.length_s * 1_000_000),
        drops=drops,
    )


def people(incident: Incident, plan: Plan, world: World) -> Intake:
    """Everybody who is in that world: publishers, workers, and what the incident adds.

    Returns:
        The intake, which is closed when the time is over.
    """
    receivers = world.receivers
    payments = arrivals(plan.traffic, Draws(plan.seed, 2), receivers.names, receivers.weights)
    intake: Intake = incident.intake(world, payments)
    world.spawn(intake, _BEFORE)
    is_new = plan.deployed_s is None
    tasks = _start(incident.worker if is_new else incident.sound, plan, world, is_new)
    if incident.relay is not None:
        world.spawn(incident.relay(*world.ports("relay-1")), _AFTER)
    if plan.deployed_s is not None:
        world.spawn(_Deployment(incident, plan, world, tasks), "", at_s=plan.deployed_s)
    if incident.setup is not None:
        incident.setup(plan, world, tasks, intake)
    return intake


def _start(kind: Any, plan: Plan, world: World, is_new: bool) -> list[Task]:
    names = [f"worker-{number + 1}" for number in range(plan.workers)]
    return [world.spawn(kind(*world.ports(name)), _AFTER if is_new else _BEFORE) for name in names]


class _Deployment:
    """Old workers finish what they have in hand and stop; new ones start."""

    name = "deployment"

    def __init__(self, incident: Incident, plan: Plan, world: World, tasks: list[Task]) -> None:
        self.incident, self.plan, self.world, self.tasks = incident, plan, world, tasks

    async def run(self) -> None:
        for task in self.tasks:
            task.may_stop = True
        self.tasks[:] = _start(self.incident.worker, self.plan, self.world, True)
