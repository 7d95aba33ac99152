"""Whose a bad event is, by the rules of evidence, and which counts make up a stretch of time."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.core.objectives import MINUTE_US, Owner, Seen, Sli, Tally
from homing.core.outcome import Reason
from homing.insight.sli import BREADTH, About, Judged, events_of, judge, pieces

HOUR_US, DAY_US = 60 * MINUTE_US, 1_440 * MINUTE_US
AT_US = 1_767_225_600_000_000
SCOPES = {"app_1": ("org_1",)}


def seen(**fields: Any) -> Seen:
    """A first attempt that was answered 2xx in time."""
    usual: dict[str, Any] = {
        "minute_us": AT_US,
        "app_id": "app_1",
        "op": "succeeded",
        "from_state": "leased",
        "to_state": "delivered",
        "written": True,
        "outcome": Reason.OK,
        "is_first": True,
        "late_start": False,
        "late_done": False,
        "again": False,
        "count": 1,
    }
    return Seen(**(usual | fields))


def failed(reason: Reason, **fields: Any) -> Seen:
    return seen(op="failed", to_state="waiting", outcome=reason, endpoint_id="ep_1", **fields)


def blames(
    one: Seen,
    about: About = About(),  # noqa: B008
    **more: Any,
) -> dict[Sli, tuple[str, str] | None]:
    return {
        event.sli: None if event.blame is None else (str(event.blame.owner), event.blame.rule)
        for event in events_of(one, about, **more)
    }


def test_a_delivery_that_is_received_at_once_is_good_to_everybody() -> None:
    assert blames(seen()) == {
        Sli.DUPLICATES: None,
        Sli.FIRST_ATTEMPT: None,
        Sli.FIRST_SUCCESS: None,
        Sli.DELIVERED: None,
    }


@pytest.mark.parametrize(
    ("fields", "about", "blame"),
    [
        ({"born": "parked"}, About(), ("configuration", "disabled")),
        ({}, About(is_disabled=True), ("configuration", "disabled")),
        ({}, About(is_limited=True, gave_no_answer=True), ("configuration", "limited")),
        ({}, About(gave_no_answer=True), ("receiver", "not_answering")),
        ({}, About(is_unknown=True), ("unattributed", "not_examined")),
        ({"lapsed": True}, About(), ("platform", "lease_lapsed")),
        ({}, About(), ("platform", "started_late")),
    ],
)
def test_a_late_first_attempt_is_blamed_by_the_first_rule_that_fits(
    fields: dict[str, Any], about: About, blame: tuple[str, str]
) -> None:
    found = blames(seen(late_start=True, late_done=True, **fields), about)
    assert found[Sli.FIRST_ATTEMPT] == blame
    assert found[Sli.DELIVERED] == blame, "and so is what was delivered late for it"


@pytest.mark.parametrize("reason", [one for one in Reason if one is not Reason.OK], ids=str)
def test_every_failure_has_exactly_one_owner(reason: Reason) -> None:
    expected = {
        Reason.ADDRESS_BLOCKED: "configuration",
        Reason.URL_INVALID: "configuration",
        Reason.SIGN_FAILED: "platform",
        Reason.NO_OUTCOME: "platform",
    }.get(reason, "receiver")
    assert blames(failed(reason)) == {
        Sli.FIRST_ATTEMPT: None,
        Sli.FIRST_SUCCESS: (expected, str(reason)),
    }


@pytest.mark.parametrize(
    ("fields", "blame"),
    [
        ({"error": "status 503"}, ("receiver", "status")),
        ({"error": "sign_failed: no key"}, ("platform", "sign_failed")),
        ({"error": "address_blocked: 10.0.0.1"}, ("configuration", "address_blocked")),
        ({"error": "gibberish"}, ("unattributed", "no_evidence")),
        ({}, ("unattributed", "no_evidence")),
        ({"is_first": True}, ("receiver", "slow_answer")),
    ],
)
def test_a_late_delivery_is_blamed_on_what_failed_first(
    fields: dict[str, Any], blame: tuple[str, str]
) -> None:
    one = seen(**({"is_first": False, "late_done": True, "failed_before": True} | fields))
    assert blames(one)[Sli.DELIVERED] == blame


@pytest.mark.parametrize(
    ("late", "about", "blame"),
    [
        (False, About(), None),
        (True, About(), ("platform", "started_late")),
        (True, About(is_limited=True), ("configuration", "limited")),
        (True, About(gave_no_answer=True), ("receiver", "not_answering")),
    ],
)
def test_a_retry_is_judged_when_it_is_taken(
    late: bool, about: About, blame: tuple[str, str] | None
) -> None:
    taken = seen(
        op="leased",
        from_state="waiting",
        to_state="leased",
        outcome=None,
        is_first=False,
        late_start=late,
    )
    assert blames(taken, about) == {Sli.RETRY: blame}


def test_what_waited_for_its_endpoint_to_be_enabled_is_not_late() -> None:
    kept = seen(is_first=False, late_done=True, error="status 503", failed_before=False)
    assert Sli.DELIVERED not in blames(kept)


@pytest.mark.parametrize("fields", [{}, {"late_done": True}, {"late_done": True, "error": "reset"}])
def test_what_a_person_starts_after_the_end_is_not_judged_again(fields: dict[str, Any]) -> None:
    revived = seen(is_first=False, again=True, failed_before=True, **fields)
    assert Sli.DELIVERED not in blames(revived)


@pytest.mark.parametrize(
    ("fields", "blame"),
    [
        ({"reason": "attempts_exhausted", "error": "reset"}, ("receiver", "reset")),
        ({"reason": "poison_worker_crash"}, ("platform", "poison_worker_crash")),
        ({"reason": "payload_gone"}, ("configuration", "payload_gone")),
        ({"reason": "attempts_exhausted"}, ("unattributed", "no_evidence")),
    ],
)
def test_a_dead_letter_is_a_bad_delivery_with_an_owner(
    fields: dict[str, Any], blame: tuple[str, str]
) -> None:
    dead = seen(op="failed", to_state="dead", outcome=Reason.RESET, is_first=False, **fields)
    assert blames(dead)[Sli.DELIVERED] == blame
    again = seen(op="failed", to_state="dead", is_first=False, again=True, **fields)
    assert Sli.DELIVERED not in blames(again), "a delivery dies once, whatever is tried afterwards"


def test_dealing_with_a_dead_letter_is_good_hygiene_and_nothing_else() -> None:
    gone = seen(op="cancelled", from_state="dead", to_state="cancelled", outcome=None)
    back = seen(op="redriven", from_state="dead", to_state="waiting", outcome=None)
    assert blames(gone) == blames(back) == {Sli.HYGIENE: None}


def test_a_second_success_is_a_duplicate_of_ours() -> None:
    late = seen(written=False)
    assert blames(late) == {Sli.DUPLICATES: ("platform", "second_success")}


PAGE = (Path(__file__).parents[3] / "docs/how-to/objectives.md").read_text()


@pytest.mark.parametrize("word", [*Sli, "started_late", "lease_lapsed", "not_answering", "broad"])
def test_every_indicator_and_rule_is_in_the_page(word: str) -> None:
    assert f"`{word}`" in PAGE


# --- breadth ---


def unreachable(n: int, *, minute_us: int = AT_US, holder: str = "a", count: int = 1) -> Seen:
    one = failed(Reason.CONNECT_TIMEOUT, minute_us=minute_us, holder=holder, count=count)
    return msgspec.structs.replace(one, endpoint_id=f"ep_{n}")


ABOUT = {f"ep_{n}": About(host=f"host{n}.example") for n in range(20)}


def owners(judged: Judged, before: tuple[Tally, ...] = ()) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in (*before, *judged.tallies):
        if one.sli is Sli.FIRST_SUCCESS:
            key = f"{one.owner}/{one.rule}" if one.owner else "good"
            found[key] = found.get(key, 0) + one.count
    return {key: count for key, count in found.items() if count}


def test_a_few_hosts_that_cannot_be_reached_are_receivers() -> None:
    rows = [unreachable(n) for n in range(BREADTH - 1)]
    found = judge(rows, scopes=SCOPES, about=ABOUT)
    assert owners(found) == {"receiver/connect_timeout": BREADTH - 1}
    assert found.broad_us == ()


def test_many_at_once_are_the_platform_and_the_first_of_them_too() -> None:
    rows = [unreachable(n, count=10) for n in range(BREADTH + 2)]
    found = judge(rows, scopes=SCOPES, about=ABOUT)
    assert owners(found) == {"platform/broad": 10 * (BREADTH + 2)}
    assert found.broad_us == (AT_US,)


def test_breadth_that_shows_only_in_the_next_piece_moves_what_was_counted() -> None:
    first = judge([unreachable(n) for n in range(3)], scopes=SCOPES, about=ABOUT)
    assert owners(first) == {"receiver/connect_timeout": 3}
    second = judge(
        [unreachable(n) for n in range(3, BREADTH)],
        scopes=SCOPES,
        about=ABOUT,
        narrow=first.narrow,
        broad_us=first.broad_us,
    )
    assert owners(second, first.tallies) == {"platform/broad": BREADTH}


def test_many_endpoints_at_one_host_are_one_receiver() -> None:
    same = {f"ep_{n}": About(host="one.example") for n in range(20)}
    found = judge([unreachable(n) for n in range(12)], scopes=SCOPES, about=same)
    assert owners(found) == {"receiver/connect_timeout": 12}


def test_other_minutes_and_other_processes_do_not_add_up() -> None:
    rows = [unreachable(n, minute_us=AT_US + n * MINUTE_US) for n in range(BREADTH)]
    rows += [unreachable(n, holder=f"h{n}", minute_us=AT_US + HOUR_US) for n in range(BREADTH)]
    assert owners(judge(rows, scopes=SCOPES, about=ABOUT)) == {
        "receiver/connect_timeout": 2 * BREADTH
    }


def test_what_fails_for_another_reason_is_no_matter_of_breadth() -> None:
    rows = [failed(Reason.STATUS, holder="a", count=1) for _ in range(BREADTH + 1)]
    assert owners(judge(rows, scopes=SCOPES, about=ABOUT)) == {"receiver/status": BREADTH + 1}


def test_a_delivery_that_was_late_for_a_broad_failure_is_the_platforms() -> None:
    broad = judge([unreachable(n) for n in range(BREADTH)], scopes=SCOPES, about=ABOUT)
    late = seen(
        is_first=False,
        late_done=True,
        failed_before=True,
        error="connect_timeout: 10 s",
        accepted_minute_us=AT_US,
        minute_us=AT_US + HOUR_US,
    )
    found = judge([late], scopes=SCOPES, about=ABOUT, broad_us=broad.broad_us)
    [delivered] = [one for one in found.tallies if one.sli is Sli.DELIVERED]
    assert (delivered.owner, delivered.rule) == (Owner.PLATFORM, "broad")


def test_every_scope_of_an_application_gets_its_count_and_strangers_none() -> None:
    rows = [seen(count=4), seen(app_id="app_2", count=9)]
    found = judge(rows, scopes={"app_1": ("org_1", "app_1")}, about={})
    delivered = {one.scope: one.count for one in found.tallies if one.sli is Sli.DELIVERED}
    assert delivered == {"org_1": 4, "app_1": 4}


@given(
    events=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2), st.integers(1, 5))),
    cut=st.integers(0, 20),
)
def test_counts_do_not_depend_on_where_the_log_is_cut(
    events: list[tuple[int, int, int]], cut: int
) -> None:
    rows = [unreachable(n, holder=f"h{h}", count=count) for n, h, count in events]
    whole = judge(rows, scopes=SCOPES, about=ABOUT)
    first = judge(rows[:cut], scopes=SCOPES, about=ABOUT)
    rest = judge(
        rows[cut:], scopes=SCOPES, about=ABOUT, narrow=first.narrow, broad_us=first.broad_us
    )
    assert owners(rest, first.tallies) == owners(whole)
    assert sum(owners(whole).values()) == sum(count for *_, count in events)


# --- stretches of time ---


@given(
    since=st.integers(0, 5_000),
    length=st.integers(0, 6_000),
    minutes_kept=st.integers(0, 12_000),
)
def test_pieces_cover_a_stretch_without_gap_or_overlap(
    since: int, length: int, minutes_kept: int
) -> None:
    since_us, until_us = since * MINUTE_US + 7, (since + length) * MINUTE_US + 7
    found = pieces(since_us, until_us, minutes_since_us=minutes_kept * MINUTE_US)
    assert all(one.until_us > one.since_us for one in found)
    for one, after in itertools.pairwise(found):
        assert one.until_us == after.since_us
    for one in found:
        assert one.since_us % (one.grain_s * 1_000_000) == 0
        assert one.until_us % (one.grain_s * 1_000_000) == 0
    if minutes_kept == 0:
        covered = sum(one.until_us - one.since_us for one in found)
        assert covered == length * MINUTE_US


def test_a_month_is_read_as_days_with_hours_and_minutes_at_its_ends() -> None:
    until_us = AT_US + 13 * HOUR_US + 5 * MINUTE_US
    found = pieces(until_us - 30 * DAY_US, until_us)
    assert [one.grain_s for one in found] == [60, 3_600, 86_400, 3_600, 60]
    assert len(pieces(AT_US, AT_US + HOUR_US)) == 1
