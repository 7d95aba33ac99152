"""A draft says what the record shows, and lists the rest."""

from __future__ import annotations

import re

import msgspec
import pytest
from support.walkthrough import LAB, NOW_US, changed, with_values

from homing.review.incident import (
    Adopted,
    Adoption,
    Aspect,
    Deployed,
    Deployment,
    Incident,
    Said,
)
from homing.walkthrough import packs
from homing.walkthrough.assess import STAGES, State, assess
from homing.walkthrough.claims import ClaimState, Draft, draft, exported, specs, unslotted
from homing.walkthrough.record import Record
from homing.walkthrough.redaction import redacted

LIBRARY = packs.shipped()


def drafted(incident: Incident = LAB, me: str = "ana", level: str = "senior") -> Draft:
    lens = LIBRARY.principles["ownership"]
    return draft(Record(incident), me, LIBRARY.levels[level], lens)


def gaps(made: Draft) -> dict[str, ClaimState]:
    return {one.claim: one.state for one in made.gaps}


def states(made: Draft) -> dict[str, ClaimState]:
    return {one.id: one.state for one in (*made.claims, *made.left_out)}


def test_the_incident_of_the_lab_gives_a_draft_of_every_stage() -> None:
    made = drafted()
    assert {one.stage for one in made.claims} == set(STAGES)
    assert len(made.claims) >= 18
    assert gaps(made) == dict.fromkeys(
        ("outside", "owners", "deployed", "because", "adopted"), ClaimState.UNSUPPORTED
    )


@pytest.mark.parametrize("level", LIBRARY.levels)
@pytest.mark.parametrize("lens", LIBRARY.principles)
def test_no_figure_stands_in_a_draft_without_a_slot(level: str, lens: str) -> None:
    made = draft(Record(LAB), "ana", LIBRARY.levels[level], LIBRARY.principles[lens])
    for one in (*made.claims, *made.left_out):
        assert unslotted(one) == [], one.text
        for slot in one.slots:
            assert one.text[slot.start : slot.end] == slot.reference.text.rstrip(".")


def test_a_figure_that_no_slot_put_there_is_found() -> None:
    one = drafted().claims[0]
    planted = msgspec.structs.replace(one, text=one.text + " It was 42.")
    assert unslotted(planted) != []


def test_every_number_leads_to_the_command_and_the_rows_behind_it() -> None:
    rate = next(one for one in drafted().claims if one.id == "rate")
    dropped = next(one.reference for one in rate.slots if one.name == "dropped")
    assert (dropped.source, dropped.path, dropped.value) == ("investigate", "dropped", 598)
    assert dropped.command.startswith("homing investigate deliveries.jsonl.gz")
    assert any(one.name == "deliveries.jsonl.gz" and one.sha256 for one in dropped.files)
    assert [row.line for row in dropped.rows] == sorted(row.line for row in dropped.rows)
    assert dropped.rows[0].file == "deliveries.jsonl.gz"
    for claim in drafted().claims:
        for slot in claim.slots:
            assert Record(LAB).facts.get(slot.reference.source, slot.reference.path) is not None


def test_i_is_said_only_by_whoever_did_it() -> None:
    made = drafted(me="somebody else")
    for one in (*made.claims, *made.left_out):
        if one.id != "asked":
            assert not re.search(r"\bI\b", one.text), one.text
    assert " ana wrote the fix" in made.text()
    assert "The ana" not in made.text()


def test_nobody_asked_is_only_ever_the_speakers_own_word() -> None:
    assert states(drafted())["asked"] is ClaimState.ATTESTED


def test_a_price_is_an_estimate() -> None:
    assert states(drafted())["money"] is ClaimState.ESTIMATE
    assert "estimated" in next(one.text for one in drafted().claims if one.id == "money")


def test_a_zero_has_its_number_and_is_not_said_when_it_is_none() -> None:
    assert "none of 199,477 deliveries" in drafted().text("result")
    one_left = with_values(LAB, "verify", "all.after.k", 1)
    made = drafted(one_left)
    assert gaps(made)["zero"] is ClaimState.CONTRADICTED
    assert "zero" not in made.text("result")


def test_because_needs_the_deployment_between_the_windows() -> None:
    made = drafted()
    assert gaps(made)["because"] is ClaimState.UNSUPPORTED
    assert "because" not in made.text()
    deployed = changed(
        Deployed(deployment=Deployment(at_us=1_794_816_000_000_000, by="payments team"))
    )  # 16 November, 08:00, just after the week of the log
    assert states(drafted(deployed))["because"] is ClaimState.SUPPORTED
    compared = msgspec.structs.replace(
        LAB.results["verify"],
        values={
            name: one
            for name, one in LAB.results["verify"].values.items()
            if not name.startswith("window_")
        },
    )
    results = {**LAB.results, "verify": compared}
    deployed = msgspec.structs.replace(deployed, results=results)
    later = msgspec.structs.replace(
        LAB.results["investigate"],
        values={"log": {"from": "2026-11-16T12:00:00Z", "to": "2026-11-23T12:00:00Z"}},
    )
    both = msgspec.structs.replace(deployed, results={**results, "investigate_after": later})
    assert states(drafted(both))["because"] is ClaimState.SUPPORTED
    assert gaps(drafted(deployed))["because"] is ClaimState.UNSUPPORTED
    other = changed(
        Deployed(
            deployment=Deployment(at_us=1_794_817_000_000_000, by="payments team", what="change")
        ),
        both,
    )
    assert gaps(drafted(other))["because"] is ClaimState.UNSUPPORTED


def test_proposed_needs_a_dated_proposal() -> None:
    assert "I proposed to agree on an objective" in drafted().text("reflection")
    without = msgspec.structs.replace(LAB, actions=())
    assert gaps(drafted(without))["proposed"] is ClaimState.UNSUPPORTED
    assert "proposed" not in drafted(without).text()


def test_adoption_names_who_adopted() -> None:
    taken = changed(Adopted(adoption=Adoption(at_us=NOW_US, by="platform team", what="the alert")))
    assert "The platform team adopted the alert." in drafted(taken).text("result")


def test_a_cause_that_was_only_suspected_is_said_to_be() -> None:
    suspected = msgspec.structs.replace(LAB, causes=LAB.causes[:1])
    text = drafted(suspected).text("action")
    assert "I suspected the cause" in text
    assert "I traced the cause" not in text


def test_a_service_of_ones_own_team_is_not_called_anothers() -> None:
    same = changed(Said(text="payments team", aspect=Aspect.TEAM, reference="the wiki"))
    assert gaps(drafted(same))["outside"] is ClaimState.CONTRADICTED
    other = changed(Said(text="checkout team", aspect=Aspect.TEAM, reference="the wiki"))
    assert "I was with the checkout team" in drafted(other).text("task")


def test_what_does_not_fit_the_time_is_left_out_and_listed() -> None:
    for level in LIBRARY.levels.values():
        made = drafted(level=level.id)
        found = assess(made.text(), None, level, LIBRARY.principles["ownership"], LAB, me="ana")
        assert found.spoken_s <= level.time_max_s
        assert found.states["record"] is State.MET, found.of("record")


def test_a_record_with_nothing_in_it_gives_only_gaps() -> None:
    empty = Incident(scope="", id="inc_1", created_at_us=1, updated_at_us=1, title="nothing yet")
    made = drafted(empty)
    assert [one.id for one in made.claims] == ["asked"]
    assert len(made.gaps) > 15
    assert all(one.command for one in made.gaps)


def test_the_stamp_of_a_draft_tells_an_older_record() -> None:
    assert Record(LAB).sha256 == drafted().sha256
    assert Record(changed(Said(text="more"))).sha256 != drafted().sha256
    assert drafted().sha256 in exported(drafted(), Record(LAB))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ben wrote the fix", "A colleague wrote the fix"),
        ("and then Ben wrote it", "and then a colleague wrote it"),
        ("see https://git.corp/pull/7 for it", "see [address] for it"),
        ("ask ben@shop.example", "ask [address]"),
        ("on db-1.internal", "on [host]"),
        ("at 10.1.2.3:5432", "at [host]"),
        ("for ep_mv6t2cxm", "for [id]"),
        ("with whsec_c2VjcmV0c2VjcmV0", "with [secret]"),
        ("for Acme, twice", "for [left out], twice"),
        ("none of 199,477 deliveries, 0.3%, $8,012", "none of 199,477 deliveries, 0.3%, $8,012"),
    ],
)
def test_what_must_not_leave_is_taken_out(text: str, expected: str) -> None:
    known = changed(Said(text="hello"), actor="Ben")
    assert redacted(text, known, "ana", ("Acme",)) == expected


def test_every_claim_that_matters_says_what_to_add_and_how() -> None:
    for spec in specs():
        assert bool(spec.gap) == bool(spec.command), spec.id
        for name in re.findall(r"\{(\w+)\}", spec.says + spec.others):
            assert name == "who" or name in spec.slots, (spec.id, name)
        assert not re.search(r"\d", re.sub(r"\{\w+\}", "", spec.says + spec.others)), spec.id
