"""Each worker of the examples loses something, and its fix does not; and each is pinned."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import msgspec
import pytest

from homing.sim.workers.case import Case, declared
from homing.sim.workers.explore import Plan, Report, explore
from homing.sim.workers.loading import load_worker
from homing.sim.workers.pins import reproduce, try_pin
from homing.sim.workers.prepare import prepare
from homing.sim.workers.story import tell

EXAMPLES = Path(__file__).parents[3] / "examples" / "retry_workers"

#: file → its mechanism, what it breaks, and words of the verdict
BUGS = {
    "unread_retries": ("D1", "nothing_is_lost", "stays failed for ever"),
    "never_reset": ("D2", "nothing_is_lost", "stays processing for ever"),
    "dedupe_skips": ("D3", "nothing_is_lost", "is nowhere for ever"),
    "popped": ("D4", "nothing_is_lost", "stays queued for ever"),
    "early_delivered": ("D5", "delivered_means_2xx", "never answered 2xx"),
    "stale_writer": ("D6", "an_end_is_for_ever", "which was delivered"),
    "last_failure": ("D7", "dead_only_after_refusals", "gave d1 up after 0 refusals"),
    "celery_like": ("D8", "nothing_is_lost", "stays pending for ever"),
    "short_retention": ("D11", "nothing_is_lost", "is nowhere for ever"),
    "watermark": ("D12", "nothing_is_lost", "stays pending for ever"),
}
#: runs on a database cost more
FEW = {"unread_retries", "last_failure", "short_retention"}
ON_POSTGRES = "skip_locked"


def place(name: str, worker: str) -> str:
    return f"{EXAMPLES / name}.py:{worker}"


@cache
def case_of(name: str, worker: str) -> Case:
    which = place(name, worker)
    return prepare(declared(load_worker(which), which))


def look(name: str, worker: str) -> Report:
    runs = 12 if name == ON_POSTGRES else 40 if name in FEW else 200
    plan = Plan(runs=runs, priority_runs=runs // 4, small_runs=runs // 2)
    return explore(case_of(name, worker), plan)


def must_be_found(name: str, invariant: str, words: str) -> None:
    found = look(name, "Worker").found
    assert found is not None
    assert found.breach.invariant == invariant
    assert words in found.breach.text
    story = tell(found.schedule, invariant, fixed=place(name, "Fixed"))
    assert story is not None
    assert story.reproduced == 5
    assert len(story.rows) <= 12
    assert story.refusal is not None
    assert story.refusal.is_refused, story.refusal.where


def test_every_example_is_tried() -> None:
    tried = BUGS.keys() | {ON_POSTGRES}
    assert {path.stem for path in EXAMPLES.glob("*.py")} == tried
    table = (EXAMPLES / "README.md").read_text()
    assert not [name for name in tried if f"`{name}.py`" not in table]


@pytest.mark.parametrize("name", BUGS)
def test_the_bug_is_found_and_told_and_the_fix_refuses_it(name: str) -> None:
    must_be_found(name, *BUGS[name][1:])


@pytest.mark.parametrize("name", BUGS)
def test_the_fix_passes(name: str) -> None:
    report = look(name, "Fixed")
    assert report.found is None, report.found
    assert report.random.sent > 0


@pytest.mark.parametrize("name", BUGS)
def test_held_to_its_mechanism_it_breaks_each_time_and_its_fix_never(name: str) -> None:
    case = case_of(name, "Worker")
    trial = reproduce(case, BUGS[name][0], 10)
    assert trial is not None
    assert (trial.reproduced, trial.held) == (10, 10)
    fixed = msgspec.structs.replace(case, worker=place(name, "Fixed"))
    against = try_pin(fixed, trial.pin, 10)
    assert (against.reproduced, against.held) == (0, 10)


@pytest.mark.slow
@pytest.mark.postgres
def test_the_same_on_postgres(postgres_empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from homing.sim.workers.adapters.postgres import URL, forget

    monkeypatch.setitem(os.environ, URL, postgres_empty_url)
    try:
        must_be_found(ON_POSTGRES, "an_end_is_for_ever", "which was delivered")
        assert look(ON_POSTGRES, "Fixed").found is None
    finally:
        forget()
