"""Every order of tiny worlds: that the search finds what is wrong, and all that there is."""

from __future__ import annotations

import pytest

from homing.sim.exhaustive import GOALS, NO_TRAP, Report, explore, lines_of
from homing.sim.sameness import canonical
from homing.sim.tiny import Tiny
from homing.sim.tiny_world import SAFEGUARDS, Bounds, World

#: two attempts, one crash or lost answer, one act of a person: some thousand states
SMALL = Bounds(mishaps=1, acts=1, changes=0)


def the_way(report: Report) -> list[str]:
    [violation] = report.violations
    return [violation.invariant, *violation.path]


def test_nothing_is_lost_in_any_order_of_a_tiny_world() -> None:
    report = explore(SMALL)
    assert report.violations == ()
    assert report.is_closed
    assert report.states > 2_000


def test_two_deliveries_do_not_disturb_each_other() -> None:
    report = explore(Bounds(deliveries=2, retries=0, mishaps=1, acts=0, changes=0))
    assert report.violations == ()
    assert report.is_closed


@pytest.mark.parametrize(
    ("safeguard", "way"),
    [
        (
            "fence",
            [
                "is_no_stale_write",
                "accepted, born leased to dispatcher A",
                "dispatcher B takes over the lease, which ran out",
                "dispatcher A sends the request",
                "dispatcher A hears 200 and writes “succeeded”",
            ],
        ),
        (
            "atomic-settle",
            [
                "is_in_one_place",
                "accepted, born leased to dispatcher A",
                "dispatcher A sends the request",
                "dispatcher A hears 200 and writes the first half",
            ],
        ),
        (
            "written-ahead-lease",
            [
                "has_one_owner_per_epoch",
                "accepted, due at once",
                "dispatcher A takes it",
                "dispatcher B takes it",
            ],
        ),
        (
            "resend-resumes",
            [
                "keeps_the_machine_at_work",
                "accepted, due at once",
                "a person asks for a resend",
                "a person writes “resent”",
                "dispatcher A claims it",
                "dispatcher A sends the request",
                "dispatcher A hears 500 and writes “failed”",
            ],
        ),
        (
            "lease-expiry",
            [NO_TRAP, "accepted, born leased to dispatcher A", "dispatcher A crashes"],
        ),
    ],
)
def test_without_a_safeguard_the_shortest_way_to_the_harm_is_shown(
    safeguard: str, way: list[str]
) -> None:
    assert the_way(explore(SMALL, without=[safeguard])) == way


def test_who_resumes_only_when_something_happens_leaves_a_delivery_parked_for_ever() -> None:
    report = explore(Bounds(mishaps=0, acts=0, changes=1), without=["level-triggered-sweep"])
    assert the_way(report) == [
        NO_TRAP,
        "accepted while the endpoint is disabled",
        "the endpoint is deleted",
    ]


def test_each_safeguard_is_missed() -> None:
    bounds = Bounds(mishaps=1, acts=1, changes=1)
    for safeguard in SAFEGUARDS.keys() - {
        "level-triggered-sweep",
        "lease-expiry",
    }:  # those are found by their own tests
        assert explore(bounds, without=[safeguard]).violations, safeguard


def test_an_unknown_safeguard_is_refused() -> None:
    with pytest.raises(ValueError, match="no such safeguard: fense"):
        explore(SMALL, without=["fense"])


def test_a_search_that_gives_up_says_so() -> None:
    report = explore(SMALL, states_max=100)
    assert not report.is_closed
    assert report.violations == ()


@pytest.mark.parametrize(
    "bounds",
    [
        Bounds(mishaps=1, acts=0, changes=0),
        Bounds(retries=0, unanswered=1, mishaps=0, acts=1, changes=0),
        Bounds(retries=0, unanswered=1, mishaps=0, acts=0, changes=1),
    ],
)
def test_what_counts_as_the_same_state_leaves_no_state_out(bounds: Bounds) -> None:
    """Without the reduction the search is longer, and what it reaches is the same."""
    tiny = Tiny(bounds)
    seen: set[World] = set()
    todo = [world for _, world in tiny.roots()]
    while todo:
        world = todo.pop()
        if world not in seen:
            seen.add(world)
            todo += [step.after for step in tiny.steps(world)]
    report = explore(bounds)
    assert len({canonical(world) for world in seen}) >= report.states
    assert {canonical(world)[0] for world in seen} == _reached(bounds)
    assert len(seen) > report.states


def _reached(bounds: Bounds) -> set[World]:
    tiny = Tiny(bounds)
    seen: set[World] = set()
    todo = [canonical(world)[0] for _, world in tiny.roots()]
    while todo:
        world = todo.pop()
        if world not in seen:
            seen.add(world)
            todo += [canonical(step.after)[0] for step in tiny.steps(world)]
    return seen


def test_the_same_search_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    assert explore(SMALL) == explore(SMALL)


def test_what_a_small_search_cannot_show_it_does_not_claim() -> None:
    report = explore(Bounds(mishaps=0, acts=0, changes=0))
    assert set(report.goals) < set(GOALS)
    assert "dead, redriven" in report.unused


def test_a_report_says_what_was_found_or_that_nothing_was() -> None:
    bounds = Bounds(mishaps=0, acts=0, changes=0)
    fine = lines_of(explore(bounds))
    assert fine[0].endswith("deep")
    assert fine[-1] == "every invariant holds in every state, and every state has a good end"
    assert lines_of(explore(bounds, states_max=10))[0].endswith("gave up before the end")
    harm = lines_of(explore(bounds, without=["fence"]))
    assert harm[-1] == "  3  dispatcher A hears 200 and writes “succeeded”"
