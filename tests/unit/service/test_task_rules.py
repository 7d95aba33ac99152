"""Who may do which part of a task when, and what becomes of it."""

from __future__ import annotations

import msgspec
import pytest
from support.making import SECOND_US, START_US, make_id, make_task

from homing.core.tasks import Selection, Task, TaskStatus
from homing.service.task_rules import (
    LEASE_US,
    TRIES_MAX,
    Chunk,
    advanced,
    failed,
    progress,
    put_off,
    released,
    taken,
)


def take(task: Task, at_us: int = START_US, holder: str = "a") -> Task:
    after = taken(task, holder, at_us)
    assert after is not None
    return after


def test_a_task_is_taken_by_one_until_its_lease_runs_out() -> None:
    mine = take(make_task())
    assert (mine.holder, mine.tries, mine.version) == ("a", 1, 2)
    assert taken(mine, "b", START_US + LEASE_US - 1) is None
    assert take(mine, START_US + LEASE_US, "b").holder == "b"


def test_each_chunk_adds_to_the_counts_and_renews_the_lease() -> None:
    task = advanced(take(make_task()), Chunk(cursor="msg_1", counts={"sent": 2}), START_US + 5)
    task = advanced(task, Chunk(cursor="msg_2", counts={"sent": 1, "skipped": 4}), START_US + 9)
    assert task.counts == {"sent": 3, "skipped": 4}
    assert (task.cursor, task.tries, task.free_at_us) == ("msg_2", 0, START_US + 9 + LEASE_US)
    assert task.is_running


def test_the_last_chunk_finishes_it_and_nobody_takes_it_again() -> None:
    task = advanced(take(make_task()), Chunk(cursor=None, counts={"sent": 1}), START_US + 5)
    assert (task.status, task.holder, task.finished_at_us) == (
        TaskStatus.FINISHED,
        None,
        START_US + 5,
    )
    assert taken(task, "b", START_US + 10 * LEASE_US) is None
    assert progress(task) == 1.0


def test_a_task_that_kills_whoever_takes_it_is_given_up_with_a_reason() -> None:
    task, at_us = make_task(), START_US
    for _ in range(TRIES_MAX):
        task = take(task, at_us)
        assert task.is_running
        at_us += LEASE_US
    task = take(task, at_us)
    assert task.status is TaskStatus.FAILED
    assert task.error == "given up after 5 tries at the same place: " + (
        "the process that was at it ended each time"
    )


def test_getting_further_starts_the_count_of_tries_anew() -> None:
    task, at_us = make_task(), START_US
    for number in range(3 * TRIES_MAX):
        task = advanced(take(task, at_us), Chunk(cursor=f"msg_{number}"), at_us)
        at_us += LEASE_US
    assert task.is_running


def test_a_failed_chunk_is_tried_again_after_longer_and_longer_pauses() -> None:
    task, at_us, pauses = make_task(), START_US, []
    while task.is_running:
        task = take(task, at_us)
        if task.is_running:
            task = put_off(task, "ValueError: on purpose", at_us)
            pauses.append((task.free_at_us - at_us) // SECOND_US)
            assert taken(task, "b", task.free_at_us - 1) is None
            at_us = task.free_at_us
    assert pauses == [1, 2, 4, 8, 16]
    assert task.error == "given up after 5 tries at the same place: ValueError: on purpose"


def test_a_process_that_stops_lets_go_at_once_and_is_not_counted_as_a_failure() -> None:
    task = released(take(make_task()), START_US + 1)
    assert (task.holder, task.tries) == (None, 0)
    assert take(task, START_US + 1, "b").holder == "b"


def test_what_was_cancelled_is_taken_by_nobody() -> None:
    task = failed(take(make_task()), "cancelled by ann", START_US)
    assert (task.error, task.holder) == ("cancelled by ann", None)
    assert taken(task, "b", START_US + 10 * LEASE_US) is None


@pytest.mark.parametrize("suffix", ["", ".ep_1"])
def test_progress_is_the_share_of_the_span_that_is_behind(suffix: str) -> None:
    task = make_task()
    assert progress(task) == 0.0
    cursor = make_id("msg_", START_US - 900 * SECOND_US) + suffix
    halfway = msgspec.structs.replace(task, cursor=cursor)
    assert progress(halfway) == pytest.approx(0.75, abs=0.001)


def test_progress_knows_cursors_that_are_times_and_those_that_are_not() -> None:
    task = make_task(cursor=f"{START_US - 1_800 * SECOND_US}.7")
    assert progress(task) == pytest.approx(0.5)
    assert progress(make_task(cursor="app_x")) == 0.0
    assert progress(make_task(which=Selection(), cursor="0")) == 0.0
