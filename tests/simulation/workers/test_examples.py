"""Each worker of the examples loses something, and its fix does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from homing.sim.workers.case import declared
from homing.sim.workers.explore import Plan, Report, explore
from homing.sim.workers.loading import load_worker
from homing.sim.workers.prepare import prepare
from homing.sim.workers.story import tell

EXAMPLES = Path(__file__).parents[3] / "examples" / "retry_workers"

#: file → what it breaks, and a word of the verdict
BUGS = {
    "unread_retries": ("nothing_is_lost", "stays failed for ever"),
    "never_reset": ("nothing_is_lost", "stays processing for ever"),
    "dedupe_skips": ("nothing_is_lost", "is nowhere for ever"),
    "popped": ("nothing_is_lost", "stays queued for ever"),
    "early_delivered": ("delivered_means_2xx", "never answered 2xx"),
    "stale_writer": ("an_end_is_for_ever", "which was delivered"),
    "last_failure": ("dead_only_after_refusals", "gave d1 up after 0 refusals"),
    "celery_like": ("nothing_is_lost", "stays pending for ever"),
    "short_retention": ("nothing_is_lost", "is nowhere for ever"),
    "watermark": ("nothing_is_lost", "stays pending for ever"),
}
#: runs on SQLite cost more
FEW = {"unread_retries", "last_failure", "short_retention"}


def look(name: str, worker: str) -> Report:
    place = f"{EXAMPLES / name}.py:{worker}"
    runs = 120 if name in FEW else 400
    plan = Plan(runs=runs, priority_runs=runs // 4, small_runs=runs // 2)
    return explore(prepare(declared(load_worker(place), place)), plan)


def test_every_example_is_tried() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == BUGS.keys()
    table = (EXAMPLES / "README.md").read_text()
    assert not [name for name in BUGS if f"`{name}.py`" not in table]


@pytest.mark.parametrize("name", BUGS)
def test_the_bug_is_found_and_told_and_the_fix_refuses_it(name: str) -> None:
    invariant, words = BUGS[name]
    found = look(name, "Worker").found
    assert found is not None
    assert found.breach.invariant == invariant
    assert words in found.breach.text
    fixed = f"{EXAMPLES / name}.py:Fixed"
    story = tell(found.schedule, invariant, runs=found.runs, fixed=fixed)
    assert story is not None
    assert story.reproduced == 5
    assert len(story.rows) <= 12
    assert story.refusal is not None
    assert story.refusal.is_refused, story.refusal.where


@pytest.mark.parametrize("name", BUGS)
def test_the_fix_passes(name: str) -> None:
    report = look(name, "Fixed")
    assert report.found is None, report.found
    assert report.random.sent > 0
