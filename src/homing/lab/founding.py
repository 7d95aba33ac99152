"""The founding incident: a week of a payment notification service that loses 0.3% of its webhooks.

Nobody rolls dice for a drop. How many there are follows from the lease of ten seconds, from how
long overloaded receivers take to answer, and from how much traffic meets them; those were chosen
so that about three in a thousand are lost.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from homing.core.errors import Invalid, Problem
from homing.lab.dialects import open_bytes, open_log
from homing.lab.incidents import Incident, Plan, Truth, run_incident
from homing.lab.receivers import AWAY, OVERLOADED, Temper
from homing.lab.service.worker import RetryWorker
from homing.lab.sound import Intake, key_of
from homing.lab.traffic import DAY_S, WEEK_S, Payment, Traffic
from homing.lab.world import Line
from homing.sim.workers.ports import Row

SIZE: Final = 200_000
SEED: Final = 4
#: Tuesday, 10:12: when the worker that loses webhooks was deployed
DEPLOYED_S: Final = DAY_S + 10.2 * 3_600
FIELDS: Final = "service/usual"
#: the first whole week with the fix begins so long after the first: on Monday, 23 November
LATER_S: Final = 2 * WEEK_S
LATER_BUILD: Final = "1.8.2"
#: fields of a line that are instants
_INSTANTS: Final = ("at_us", "lease_until_us", "due_us")

TRAFFIC: Final = Traffic(
    count=SIZE,
    length_s=WEEK_S,
    shape="shop",
    currencies=("USD", "EUR"),
    currency_weights=(90.0, 10.0),
    amount_median=90.0,
)
TEMPER: Final = Temper(
    count=60,
    kinds=(OVERLOADED, OVERLOADED, AWAY),
    bad_share=0.019,
    unevenness=0.3,
    bad_mean_s=200.0,
    hangs=0.14,
    refused=0.40,
    hang_s=(3.0, 28.0),
)


class PreviousWorker(RetryWorker):
    """What ran until Monday morning: a late failure plans another attempt, whoever has the row."""

    async def record(self, key: str, job: Row, status: int | None) -> None:
        current = await self.store.get(key)
        if current is None or current["state"] in ("delivered", "dead"):
            return
        done = {**job, "holder": None, "lease_until": None}
        if status is not None and 200 <= status < 300:
            done["state"] = "delivered"
        else:
            done["state"] = "pending"
            done["due_at"] = self.clock.now() + self.backoff(job)
        await self.save(key, job, done)


def founding(worker: Any, payments: Path | None) -> Incident:
    """The incident with this worker deployed on Monday.

    Args:
        worker: a class made like `RetryWorker`.
        payments: where to write what was paid, one JSON line each; None: nowhere.
    """

    def intake(world: Any, arrivals: Any) -> Intake:
        return Intake(world, arrivals) if payments is None else _Till(world, arrivals, payments)

    return Incident(
        name="founding",
        mechanism="D6",
        title="the late result of one attempt is written over the next one's",
        worker=worker,
        sound=PreviousWorker,
        intake=intake,
        temper=TEMPER,
        has_timeless=False,
    )


class _Till(Intake):
    """Keeps what was paid beside the deliveries, as the table of messages of a service does."""

    name = "intake-1"

    def __init__(self, world: Any, payments: Any, path: Path) -> None:
        super().__init__(world, payments)
        self._file: IO[bytes] = open_bytes(path)
        self._encode = msgspec.json.Encoder().encode

    async def accept(self, payment: Payment, row: Row) -> None:
        line = {
            "delivery_id": key_of(payment),
            "event_type": payment.event_type,
            "data": {
                "payment_id": payment.id,
                "amount": payment.amount_minor,
                "currency": payment.currency,
            },
        }
        self._file.write(self._encode(line) + b"\n")
        await super().accept(payment, row)

    def close(self) -> None:
        self._file.close()


class _Counted:
    """A log that tells how far it has got."""

    def __init__(
        self, path: Path, on_progress: Callable[[float], None] | None, *, is_later: bool
    ) -> None:
        self._is_later = is_later
        self._log = open_log(path, FIELDS, "jsonl.gz" if path.suffix == ".gz" else "jsonl")
        self._on_progress = on_progress
        self._lines = 0

    def write(self, line: Line) -> None:
        self._log.write(_later(line) if self._is_later else line)
        self._lines += 1
        if self._on_progress is not None and not self._lines % 5_000:
            self._on_progress(self._lines / 3.05)

    def close(self) -> None:
        self._log.close()


def _later(line: Line) -> Line:
    """A line of the week with the fix: its own days and its own build."""
    shift_us = round(LATER_S * 1_000_000)
    moved: Line = {name: line[name] + shift_us for name in _INSTANTS if name in line}
    return {**line, **moved, "build": LATER_BUILD}


def have_week(
    worker: Any,
    *,
    log: Path,
    payments: Path | None = None,
    seed: int = SEED,
    size: int = SIZE,
    is_later: bool = False,
    on_progress: Callable[[float], None] | None = None,
) -> Truth:
    """Run the week with this worker and write its log.

    Args:
        worker: a class made like `RetryWorker`, deployed on Monday morning.
        log: the delivery log to write; compressed if its name ends in ".gz".
        payments: what was paid, to write beside it; None: not written.
        seed: of everything; the same one gives the same payments to any worker.
        size: payments, about, >= 1,000.
        is_later: the first whole week after the fix was deployed instead: other payments, as
            many and at the same hours, receivers as slow as before, this worker from the start.
        on_progress: is told now and then about how many payments have been worked off.
    """
    traffic = msgspec.structs.replace(TRAFFIC, count=size, before=10 * size if is_later else 0)
    deployed_s = None if is_later else DEPLOYED_S
    plan = Plan(seed=seed, traffic=traffic, workers=8, deployed_s=deployed_s)
    incident = founding(worker, payments)
    file = _Counted(log, on_progress, is_later=is_later)
    truth = run_incident(incident, plan, file)
    truth.fields = FIELDS
    return truth


def load_worker(path: Path) -> Any:
    """The class `RetryWorker` of a file that the user may have changed.

    Raises:
        Invalid: the file cannot be imported, or has no such class.
    """
    spec = importlib.util.spec_from_file_location("lab_worker", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    try:
        spec.loader.exec_module(module)
        return module.RetryWorker
    except (OSError, SyntaxError, ImportError, AttributeError, NameError) as error:
        text = f"{path}: expected a class RetryWorker that can be imported; found {error}"
        raise Invalid([Problem(("worker",), text)]) from error
    finally:
        sys.dont_write_bytecode = before
