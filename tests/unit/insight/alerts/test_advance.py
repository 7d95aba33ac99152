"""What becomes of alerts, and when people are spoken to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.alerting import MINUTE_US, make_alert, make_finding
from support.making import SECOND_US, START_US

from homing.insight.alerts.advance import Manners, Step, Watch, advance
from homing.insight.alerts.alert import Alert, Finding, Kind, Severity, Status, Told

HOUR_US = 60 * MINUTE_US
DEAD = make_finding()
PAGE = make_finding(kind=Kind.DELIVERIES_LATE, subject="", severity=Severity.PAGE)
MISSING = make_finding(kind=Kind.UNACCOUNTED, subject="", severity=Severity.PAGE)


class Story:
    """Evaluations one after another, as the watch makes them."""

    def __init__(self) -> None:
        self.at_us = START_US
        self.alerts: dict[str, Alert] = {}
        self.watch = Watch(scope="", id="", created_at_us=0, updated_at_us=0)
        self.told: list[tuple[Told, ...]] = []

    def look(self, *findings: Finding, after_s: float = 15.0) -> Step:
        self.at_us += round(after_s * SECOND_US)
        step = advance(self.alerts, findings, at_us=self.at_us, watch=self.watch)
        for one in step.changed:
            before = self.alerts.get(one.id)
            assert one.version == (before.version + 1 if before else 1)
            self.alerts[one.id] = one
        self.watch = msgspec.structs.replace(
            self.watch,
            page_told_at_us=step.page_told_at_us,
            ticket_told_at_us=step.ticket_told_at_us,
        )
        if step.told:
            self.told.append(step.told)
        return step

    def change(self, id: str, **fields: Any) -> None:
        """As a person does."""
        self.alerts[id] = msgspec.structs.replace(
            self.alerts[id], version=self.alerts[id].version + 1, **fields
        )

    @property
    def words(self) -> list[list[tuple[str, str]]]:
        return [[(one.alert_id, one.status.value) for one in some] for some in self.told]


@pytest.fixture
def story() -> Story:
    return Story()


def test_it_is_told_once_when_it_comes_and_once_when_it_is_over(story: Story) -> None:
    for _ in range(40):
        story.look(DEAD)
    for _ in range(40):
        story.look()
    assert story.words == [[(DEAD.id, "firing")], [(DEAD.id, "resolved")]]
    assert story.alerts[DEAD.id].status is Status.RESOLVED


def test_it_was_over_when_it_was_not_found_any_more_not_when_that_was_certain(
    story: Story,
) -> None:
    story.look(DEAD)
    gone_us = story.at_us + 15 * SECOND_US
    for _ in range(40):
        story.look()
    assert story.alerts[DEAD.id].resolved_at_us == gone_us


def test_what_flaps_is_one_alert(story: Story) -> None:
    for number in range(200):
        story.look(*[DEAD] * (number % 3 == 0), after_s=60)
    assert story.words == [[(DEAD.id, "firing")]]
    assert story.alerts[DEAD.id].episode == 1


def test_what_comes_again_is_another_episode(story: Story) -> None:
    for _ in range(2):
        story.look(DEAD, after_s=3_600)
        story.look()
        story.look(after_s=400)
        story.look(after_s=400)
    assert [status for [(_, status)] in story.words] == ["firing", "resolved"] * 2
    assert story.alerts[DEAD.id].episode == 2


def test_what_nothing_has_changed_of_is_not_written(story: Story) -> None:
    story.look(DEAD)
    assert story.look(DEAD).changed == ()
    assert [one.finding.count for one in story.look(make_finding(count=2)).changed] == [2]
    assert story.look(make_finding(count=2, what="other words")).changed == ()
    assert len(story.look(make_finding(count=2, what="other words"), after_s=400).changed) == 1


def test_what_is_less_urgent_is_gathered(story: Story) -> None:
    for number in range(21):
        story.look(*[make_finding(subject=f"ep_{n}") for n in range(number + 1)])
    assert [len(some) for some in story.told] == [1, 20]  # at once, and five minutes later


def test_a_thousand_at_once_are_told_in_several_messages_the_urgent_first(story: Story) -> None:
    many = [make_finding(subject=f"ep_{number:04}") for number in range(450)]
    for _ in range(3):
        story.look(*many, PAGE, after_s=300)
    assert [len(some) for some in story.told] == [200, 200, 51]
    assert story.told[0][0].alert_id == PAGE.id
    assert len({one.alert_id for some in story.told for one in some}) == 451


def test_a_page_does_not_wait_and_takes_along_what_does(story: Story) -> None:
    story.look(DEAD)
    other = make_finding(subject="ep_2")
    assert story.look(DEAD, other).told == ()
    step = story.look(DEAD, other, PAGE)
    assert [one.alert_id for one in step.told] == [PAGE.id, other.id]


def test_pages_come_at_most_each_minute_but_for_what_is_missing(story: Story) -> None:
    story.look(PAGE)
    another = make_finding(kind=Kind.AUDIT_MISSED, subject="", severity=Severity.PAGE)
    assert story.look(PAGE, another).told == ()
    assert [one.alert_id for one in story.look(PAGE, another, MISSING).told] == [
        another.id,
        MISSING.id,
    ]


def test_a_silent_one_is_kept_and_not_told(story: Story) -> None:
    story.look(DEAD)
    story.change(DEAD.id, silenced_until_us=story.at_us + 2 * HOUR_US)
    for _ in range(10):
        story.look(after_s=60)
    assert story.alerts[DEAD.id].status is Status.RESOLVED
    assert len(story.told) == 1
    story.look(DEAD, after_s=60)
    assert len(story.told) == 1
    # That it had ended was never told, so that it goes on is no news.
    story.look(DEAD, after_s=2 * 3_600)
    assert len(story.told) == 1
    for _ in range(10):
        story.look(after_s=60)
    assert story.words[-1] == [(DEAD.id, "resolved")]


def test_the_unacknowledged_is_told_again_and_the_acknowledged_is_not(story: Story) -> None:
    story.look(PAGE, DEAD)
    story.look(PAGE, DEAD, after_s=4 * 3_600)
    assert [one.is_reminder for one in story.told[-1]] == [True]
    story.change(PAGE.id, acknowledged_by="somebody")
    story.look(PAGE, DEAD, after_s=20 * 3_600)
    assert [one.alert_id for one in story.told[-1]] == [DEAD.id]
    assert len(story.told) == 3


def test_ten_times_as_many_are_news(story: Story) -> None:
    story.look(make_finding(count=3))
    story.look(make_finding(count=29), after_s=600)
    assert len(story.told) == 1
    story.look(make_finding(count=30), after_s=600)
    assert story.told[-1][0].finding.count == 30


def test_what_was_over_before_anybody_was_told_is_not_told(story: Story) -> None:
    story.look(make_finding(subject="ep_2"))
    story.look(DEAD)
    story.look(after_s=100)
    story.look(after_s=1)
    quick = Manners(clear_s=0.5)
    step = advance(
        story.alerts, [], at_us=story.at_us + SECOND_US, watch=story.watch, manners=quick
    )
    assert DEAD.id not in {one.alert_id for one in step.told}
    [after] = [one for one in step.changed if one.id == DEAD.id]
    assert (after.status, after.untold) == (Status.RESOLVED, None)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sets(st.sampled_from("abc")), st.floats(1, 900)), max_size=40),
)
def test_whoever_is_told_that_it_ended_was_told_that_it_began(
    looks: Sequence[tuple[set[str], float]],
) -> None:
    story = Story()
    for names, after_s in looks:
        severities: Mapping[str, Severity] = {"a": Severity.PAGE}
        findings = [
            make_finding(subject=name, severity=severities.get(name, Severity.TICKET))
            for name in sorted(names)
        ]
        story.look(*findings, after_s=after_s)
    news: dict[str, list[str]] = {}
    for some in story.told:
        for one in some:
            if not one.is_reminder:
                news.setdefault(one.alert_id, []).append(one.status.value)
    for words in news.values():
        assert words == ["firing", "resolved"] * (len(words) // 2) + ["firing"] * (len(words) % 2)


def test_an_alert_that_is_stored_is_taken_up_as_it_is() -> None:
    known = {DEAD.id: make_alert(DEAD, version=7, told_at_us=START_US)}
    watch = Watch(scope="", id="", created_at_us=0, updated_at_us=0)
    step = advance(known, [DEAD], at_us=START_US + SECOND_US, watch=watch)
    assert (step.changed, step.told) == ((), ())
