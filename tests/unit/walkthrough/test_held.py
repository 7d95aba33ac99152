"""An answer held against the record of its incident."""

from __future__ import annotations

import pytest
from support.walkthrough import LAB, NOW_US, changed, with_values

from homing.review.incident import Adopted, Adoption, Deployed, Deployment, Incident
from homing.walkthrough import packs
from homing.walkthrough.assess import Assessment, Finding, State, assess

LIBRARY = packs.shipped()


def held(text: str, record: Incident | None = LAB, me: str = "ana") -> Assessment:
    return assess(
        text, None, LIBRARY.levels["sde2"], LIBRARY.principles["ownership"], record, me=me
    )


def finding(text: str, words: str, record: Incident = LAB) -> Finding:
    return next(
        one for one in held(text, record).of("record") if one.span and words in one.span.text
    )


def test_without_a_record_nothing_is_held_against_one() -> None:
    assert "record" not in held("The drop rate was 12% and I deployed the fix.", None).states


@pytest.mark.parametrize(
    ("text", "words", "says"),
    [
        ("About 0.5% of the webhooks were lost.", "0.5%", "the record says 0.3%, you say 0.5%"),
        ("We lost half a percent of them.", "half a percent", "the record says 0.3%"),
        ("In that week 900 webhooks were lost.", "900", "the record says 598, you say 900"),
        ("It cost us $80,000 a week.", "$80,000", "the record says $8,012, you say $80,000"),
        ("It cost us $8,000 a month.", "$8,000", "the record says $8,012, you say $8,000 a month"),
    ],
)
def test_another_number_is_contradicted_by_the_record(text: str, words: str, says: str) -> None:
    found = finding(text, words)
    assert found.state is State.CONTRADICTED
    assert found.detail.startswith(says)
    assert found.reference
    assert found.fix


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("About 0.3% of the webhooks were lost.", "0.3%"),
        ("Three in a thousand webhooks were lost.", "Three in a thousand"),
        ("In that week 598 webhooks were lost.", "598"),
        ("In that week about 600 webhooks were lost.", "600"),
        ("It cost us $8,000 a week.", "$8,000"),
        ("It cost eight thousand dollars a week.", "eight thousand"),
        ("It cost us $35,000 a month.", "$35,000"),
        ("None of 199,477 deliveries was lost after it.", "199,477"),
        ("Of 200,000 deliveries, some were lost.", "200,000"),
    ],
)
def test_the_same_number_in_other_words_or_digits_agrees(text: str, words: str) -> None:
    assert finding(text, words).state is State.MET


def test_a_number_that_the_record_cannot_have_is_let_alone() -> None:
    found = held("I talked to two teams for 3 days, in room 7.")
    assert found.states["record"] is State.NOT_CHECKABLE


def test_a_zero_is_contradicted_while_something_is_still_lost() -> None:
    text = "The drop rate went from 0.3% to zero after that."
    assert finding(text, "to zero").state is State.MET
    left = with_values(LAB, "verify", "all.after.k", 3)
    assert finding(text, "to zero", left).state is State.CONTRADICTED


def test_somebody_elses_act_is_contradicted_and_decides_the_verdict() -> None:
    deployed = changed(Deployed(deployment=Deployment(at_us=NOW_US, by="payments team")))
    text = "I wrote the fix and on Friday I deployed the fix to production."
    found = held(text, deployed)
    assert found.states["record"] is State.CONTRADICTED
    assert found.verdict is not None
    assert found.verdict.step == "strong no"
    one = finding(text, "deployed", deployed)
    assert one.detail == "act: the record says that payments team deployed the fix"


def test_ones_own_acts_agree() -> None:
    text = "I noticed it on Monday. I pulled the delivery logs and I wrote the fix myself."
    assert {one.state for one in held(text).of("record")} == {State.MET}


def test_an_act_that_the_record_lacks_is_the_speakers_own_word() -> None:
    assert finding("I deployed the fix on Friday.", "deployed").state is State.WEAK


def test_an_adoption_that_nobody_recorded_is_the_speakers_own_word() -> None:
    text = "The platform team adopted my alert in their template."
    assert finding(text, "adopted").state is State.WEAK
    taken = changed(Adopted(adoption=Adoption(at_us=NOW_US, by="platform team", what="the alert")))
    assert finding(text, "adopted", taken).state is State.MET


def test_what_is_denied_or_wished_is_not_held_against_the_record() -> None:
    found = held("I did not deploy the fix, and I would have deployed it with more time.")
    assert found.states["record"] is State.NOT_CHECKABLE


def test_without_a_name_the_speaker_is_who_opened_the_incident() -> None:
    assert held("I wrote the fix that ended it.", me="").states["record"] is State.MET
    assert held("I wrote the fix that ended it.", me="ben").states["record"] is State.CONTRADICTED
