"""What the explorer learns of a worker through the client that it has."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from homing.sim.draws import FirstInFirstOut
from homing.sim.workers.adapters.redis import RedisBackend
from homing.sim.workers.adapters.redis_data import field_of
from homing.sim.workers.case import Case, declared
from homing.sim.workers.loading import load_worker
from homing.sim.workers.prepare import prepare
from homing.sim.workers.schedule import run_world
from homing.sim.workers.trace import EPOCH_S, instants_of, value_text

CLIENTS = Path(__file__).with_name("clients.py")


def case_of(name: str) -> Case:
    which = f"{CLIENTS}:{name}"
    return prepare(declared(load_worker(which), which))


@pytest.mark.parametrize(
    "written",
    [
        EPOCH_S + 40,
        int(EPOCH_S) + 40,
        int(EPOCH_S + 40) * 1_000,
        datetime.fromtimestamp(EPOCH_S + 40, UTC),
        datetime.fromtimestamp(EPOCH_S + 40, UTC).replace(tzinfo=None),
        {"by": "A", "until": [EPOCH_S + 40]},
    ],
)
def test_a_time_is_known_however_it_is_written(written: object) -> None:
    assert list(instants_of(written)) == [EPOCH_S + 40]
    if not isinstance(written, dict):
        assert value_text({"lease": written}) == "{lease=t+40.0}"


@pytest.mark.parametrize("other", [40, 40.5, "1700000040", True, None, 4_000_000_000])
def test_no_other_number_is_taken_for_a_time(other: object) -> None:
    assert not list(instants_of(other))


def test_a_lease_that_is_a_timedelta_is_outlasted() -> None:
    assert 48.0 in case_of("Locking").delays_s, "1.2 times the lease"


def test_whoever_counts_in_a_field_has_not_seen_the_state_in_another() -> None:
    backend = RedisBackend(load_worker(f"{CLIENTS}:Locking"))
    backend.expect("d1")
    backend.data.hset("job:d1", "state", "open")
    assert backend.states() == {"d1": "open"}
    assert backend.tells("d1", [field_of("job:d1", "state")])
    assert backend.tells("d1", ["job:d1"])
    assert not backend.tells("d1", [field_of("job:d1", "tries")])
    assert not backend.tells("d1", ["lock:d1"])


@pytest.mark.postgres
def test_rows_of_postgres_are_made_as_the_worker_says(
    postgres_empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from homing.sim.workers.adapters.postgres import URL, forget

    monkeypatch.setitem(os.environ, URL, postgres_empty_url)
    which = f"{CLIENTS}:DictRows"
    try:
        case = declared(load_worker(which), which)
        result = run_world(case, 0, order=FirstInFirstOut(), choices={})
    finally:
        forget()
    assert not result.died_of
    assert set(result.states.values()) == {"delivered"}
    assert 40.0 in result.plans, "a timestamptz ahead of now is a lease"
