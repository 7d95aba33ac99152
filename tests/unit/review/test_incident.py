"""The rules of an incident: what a change adds, and what may not be changed any more."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from homing.core.errors import Conflict, Invalid
from homing.review import incident as rules
from homing.review.incident import (
    Adopted,
    Adoption,
    Aspect,
    CauseStatus,
    Change,
    Closed,
    Deployed,
    Deployment,
    Detected,
    Detection,
    Done,
    Fix,
    Found,
    Incident,
    Linked,
    Mended,
    Planned,
    Result,
    Said,
    Status,
    add,
    opened,
)

START_US = 1_762_000_000_000_000


def make(**given: Any) -> Incident:
    return opened(
        scope="", id="inc_1", title="webhooks are missing", at_us=START_US, actor="ana", **given
    )


RESULT = Result(step="investigate", command="homing investigate log", at_us=START_US, by="ana")
CHANGES: tuple[Change, ...] = (
    Detected(detection=Detection(at_us=START_US - 5, by="support")),
    Said(text="tests run one worker", aspect=Aspect.TESTS),
    Linked(reference="https://git.example/1", text="the change"),
    Found(name="investigate", result=RESULT, text="found", cause=CauseStatus.SUSPECTED),
    Mended(fix=Fix(author="bo")),
    Deployed(deployment=Deployment(at_us=START_US + 7, by="payments", commit="4f2a")),
    Adopted(adoption=Adoption(at_us=START_US, by="platform", what="the alert")),
    Planned(text="an alert", owner="platform", due="2026-12-01"),
    Closed(text="told"),
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda one: type(one).__name__)
def test_every_change_raises_the_version_and_appends_one_line(change: Change) -> None:
    before = make()
    after = add(before, change, at_us=START_US + 9, actor="cy")
    assert after.version == 2
    assert after.updated_at_us == START_US + 9
    assert after.timeline[:-1] == before.timeline
    assert after.timeline[-1].written_at_us == START_US + 9


def test_the_timeline_is_never_rewritten_whatever_is_added() -> None:
    one = make()
    for at, change in enumerate(CHANGES):
        after = add(one, change, at_us=START_US + at, actor="ana")
        assert after.timeline[: len(one.timeline)] == one.timeline
        one = after
    assert len(one.timeline) == len(CHANGES) + 1


def test_a_closed_incident_takes_no_more() -> None:
    closed = add(make(), Closed(), at_us=START_US, actor="ana")
    with pytest.raises(Conflict, match="open another and link this one"):
        add(closed, Said(text="and"), at_us=START_US, actor="ana")


def test_a_deployed_fix_mitigates_and_a_deployed_change_does_not() -> None:
    for what, status in (("fix", Status.MITIGATED), ("change", Status.OPEN)):
        one = Deployed(deployment=Deployment(at_us=START_US, by="payments", what=what))
        assert add(make(), one, at_us=START_US, actor="ana").status is status


def test_what_happened_earlier_is_told_at_its_own_time() -> None:
    noticed = CHANGES[0]
    entry = add(make(), noticed, at_us=START_US, actor="ana").timeline[-1]
    assert (entry.at_us, entry.actor) == (START_US - 5, "support")


def test_a_cause_goes_from_suspected_to_reproduced() -> None:
    one = make()
    for status in (CauseStatus.SUSPECTED, CauseStatus.SUSPECTED, CauseStatus.REPRODUCED):
        found = Found(name="x", result=RESULT, text="found", cause=status, token="w1.x")
        one = add(one, found, at_us=START_US, actor="ana")
    assert [cause.status for cause in one.causes] == ["suspected", "reproduced"]
    assert one.token == "w1.x"


def test_a_follow_up_has_a_name_and_can_be_done() -> None:
    one = add(make(), CHANGES[7], at_us=START_US, actor="ana")
    assert one.actions[0].name == "a1"
    done = add(one, Done(name="a1"), at_us=START_US + 1, actor="bo")
    assert done.actions[0].done_at_us == START_US + 1
    with pytest.raises(Invalid, match="expected a follow-up"):
        add(done, Done(name="a2"), at_us=START_US, actor="ana")


@pytest.mark.parametrize(
    "change",
    [
        Said(text="  "),
        Said(text="x" * 4_001),
        Said(text="a\x00b"),
        Planned(text="an alert", owner="", due="2026-12-01"),
        Planned(text="an alert", owner="bo", due="soon"),
    ],
)
def test_what_cannot_be_kept_is_refused(change: Change) -> None:
    with pytest.raises(Invalid):
        add(make(), change, at_us=START_US, actor="ana")


@pytest.mark.parametrize("given", [{"objective": "100%"}, {"objective": "x"}, {"title": " "}])
def test_an_incident_that_cannot_be_kept_is_not_opened(given: dict[str, str]) -> None:
    fields = {"title": "missing", **given}
    with pytest.raises(Invalid):
        opened(scope="", id="inc_1", at_us=START_US, actor="ana", **fields)


def test_a_timeline_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "TIMELINE_MAX", 2)
    one = add(make(), Said(text="one"), at_us=START_US, actor="ana")
    with pytest.raises(Conflict, match="at most 2 entries"):
        add(one, Said(text="two"), at_us=START_US, actor="ana")


def test_an_incident_goes_into_a_file_and_comes_back() -> None:
    one = make(severity="major", service="notifications")
    for change in CHANGES[:-1]:
        one = add(one, change, at_us=START_US, actor="ana")
    assert msgspec.json.decode(msgspec.json.encode(one), type=Incident) == one
