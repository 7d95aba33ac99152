"""Each mechanism has a worker of the lab: held to its schedule it breaks, its fix never does."""

from __future__ import annotations

from functools import cache

import msgspec
import pytest

from homing.lab import explorable
from homing.lab.explorable import LAB_WORKERS
from homing.lab.incidents import MECHANISMS
from homing.sim.workers.case import Case, declared
from homing.sim.workers.explore import Plan, explore
from homing.sim.workers.loading import load_worker
from homing.sim.workers.pins import PINNABLE, reproduce, try_pin
from homing.sim.workers.prepare import prepare

#: what the breach says of the delivery: the signature of the mechanism, not of some other fault
SAYS = {
    "D1": "stays retrying for ever",
    "D2": "stays processing for ever",
    "D3": "stays pending for ever: its receiver never took it",
    "D4": "stays pending for ever: its receiver never took it",
    "D5": "called d1 delivered, and its receiver never answered 2xx",
    "D6": "stays pending for ever: its receiver never took it",
    "D7": "gave d1 up after 0 refusals of 1 request",
    "D8": "stays pending for ever: its receiver never took it",
    "D9": "stays skipped for ever",
    "D10": "is nowhere for ever",
    "D11": "is nowhere for ever",
    "D12": "stays pending for ever: its receiver never took it",
}


@cache
def case_of(name: str) -> Case:
    which = f"homing.lab.explorable:{name}"
    return prepare(declared(load_worker(which), which))


def test_every_mechanism_has_a_worker_and_a_schedule() -> None:
    assert set(LAB_WORKERS) == set(PINNABLE) == set(MECHANISMS) == set(SAYS)
    for names in LAB_WORKERS.values():
        assert all(hasattr(explorable, name) for name in names)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_held_to_its_schedule_it_breaks_each_time_and_its_fix_never(mechanism: str) -> None:
    faulty, fixed = LAB_WORKERS[mechanism]
    case = case_of(faulty)
    trial = reproduce(case, mechanism, 20)
    assert trial is not None
    assert (trial.reproduced, trial.held) == (20, 20)
    assert trial.breach is not None
    assert SAYS[mechanism] in trial.breach.text
    other = msgspec.structs.replace(case, worker=f"homing.lab.explorable:{fixed}")
    against = try_pin(other, trial.pin, 20)
    assert (against.reproduced, against.held) == (0, 20)


@pytest.mark.parametrize("name", sorted({fixed for _, fixed in LAB_WORKERS.values()}))
def test_a_fix_loses_nothing_in_any_other_schedule_either(name: str) -> None:
    report = explore(case_of(name), Plan(runs=80, priority_runs=20, small_runs=40))
    assert report.found is None, report.found
    assert report.random.taken > 0
