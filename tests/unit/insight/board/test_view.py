"""What a board shows at a time."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.insight.board import view
from homing.insight.board.standing import How, Member, Promise, ServiceStanding
from homing.insight.board.view import Light, Row, age_text, gone_text, left_text, rows, summary

NOW_US = 1_790_000_000_000_000
MINUTE_US = 60_000_000


def said(name: str = "one", **fields: object) -> ServiceStanding:
    fresh: dict[str, object] = {
        "name": name, "at_us": NOW_US, "unaccounted": 0, "audited_at_us": NOW_US, "dead": 0,
        "promises": (Promise(name="delivered", target="0.999", left="0.5"),),
    }  # fmt: skip
    return ServiceStanding(**(fresh | fields))  # type: ignore[arg-type]


def member(name: str = "one", **fields: object) -> Member:
    fresh: dict[str, object] = {
        "scope": "org_1", "id": name, "created_at_us": 0, "updated_at_us": 0,
        "how": How.PULL, "url": "https://one.example",
    }  # fmt: skip
    return Member(**(fresh | fields))  # type: ignore[arg-type]


def row(one: Member | ServiceStanding, at_us: int = NOW_US) -> Row:
    if isinstance(one, Member):
        return rows([one], None, at_us=at_us)[0]
    return rows([member(said=one)], None, at_us=at_us)[0]


def test_a_service_with_nothing_the_matter_is_good() -> None:
    found = row(said())
    assert (found.light, found.why, found.is_stale) == (Light.GOOD, (), False)


@pytest.mark.parametrize(
    ("fields", "light", "why"),
    [
        ({"unaccounted": 1}, Light.BROKEN, "unaccounted"),
        ({"promises": (Promise(name="x", left="-0.1"),)}, Light.BROKEN, "overspent"),
        ({"promises": (Promise(name="x", left="0.9", fires=True),)}, Light.BURNING, "burning"),
        ({"audited_at_us": NOW_US - 11 * MINUTE_US}, Light.UNKNOWN, "audit"),
        ({"audited_at_us": None}, Light.UNKNOWN, "audited"),
        ({"unaccounted": None, "dead": None, "promises": ()}, Light.UNKNOWN, "nothing about"),
        ({"dead": 3}, Light.LETTERS, "dead letters"),
    ],
)
def test_each_light_has_its_cause(fields: dict[str, object], light: Light, why: str) -> None:
    found = row(said(**fields))
    assert found.light is light
    assert why in found.why[0]


def test_too_few_events_do_not_break_a_promise() -> None:
    few = Promise(name="audit", target="0.999", left="-999", exhausted_in_s=0, is_few=True)
    assert row(said(promises=(few,))).light is Light.GOOD
    assert (left_text(few), gone_text(few)) == ("too few events", "too few events")


@pytest.mark.parametrize("fields", [{}, {"dead": 3}, {"unaccounted": 2}])
def test_what_is_stale_is_never_good_whatever_it_was(fields: dict[str, object]) -> None:
    fresh, stale = (row(said(**fields), NOW_US + s * 1_000_000) for s in (300, 301))
    assert not fresh.is_stale
    assert stale.is_stale
    assert stale.light is Light.UNKNOWN
    assert stale.was is fresh.light
    assert "nothing newer for 5" in stale.why[0]


def test_one_failed_question_is_told_and_does_not_yet_make_it_unknown() -> None:
    found = row(member(said=said(), trouble="it cannot be reached", trouble_since_us=NOW_US))
    assert found.light is Light.GOOD
    assert "cannot be reached" in found.why[0]


def test_a_standing_that_was_refused_makes_it_unknown_at_once() -> None:
    found = row(
        member(said=said(), trouble="its signature", trouble_since_us=NOW_US, is_refused=True)
    )
    assert found.light is Light.UNKNOWN
    assert found.was is Light.GOOD
    assert "its signature" in found.why[0]


@pytest.mark.parametrize("how", [How.PULL, How.PUSH, How.PROMETHEUS])
def test_who_was_never_heard_of_is_unknown(how: How) -> None:
    found = row(member(how=how))
    assert (found.light, found.was, found.at_us) == (Light.UNKNOWN, None, None)
    assert "never heard of" in found.why[0]


def test_what_needs_somebody_is_on_top() -> None:
    old_us = NOW_US - 60 * MINUTE_US
    burning = (Promise(name="x", left="0.2", fires=True),)
    members = [
        member("good", said=said("good")),
        member("letters", said=said("letters", dead=1)),
        member("silent"),
        member("burning", said=said("burning", promises=burning)),
        member("was-broken", said=said("was-broken", at_us=old_us, unaccounted=1)),
        member("was-good", said=said("was-good", at_us=old_us)),
        member("broken", said=said("broken", unaccounted=1)),
    ]
    found = [one.name for one in rows(members, said("own"), at_us=NOW_US)]
    assert found == [
        "broken", "was-broken", "burning", "was-good", "silent", "letters", "good", "own",
    ]  # fmt: skip


def test_the_worst_objective_comes_first_and_its_time_runs_on() -> None:
    promises = (
        Promise(name="full", left="1"),
        Promise(name="half", left="0.5", exhausted_in_s=7_200),
        Promise(name="fires", left="0.9", fires=True),
        Promise(name="spent", left="-0.2", exhausted_in_s=0),
        Promise(name="untold"),
    )
    found = row(said(promises=promises), NOW_US + 60 * MINUTE_US)
    assert [one.name for one in found.promises] == ["spent", "fires", "half", "full", "untold"]
    assert [gone_text(one) for one in found.promises] == [
        "spent", "never", "1 h", "never", "not told",
    ]  # fmt: skip
    assert [left_text(one) for one in found.promises] == [
        "spent 1.2 times", "90%", "50%", "100%", "not told",
    ]  # fmt: skip


def test_a_budget_that_was_spent_many_times_says_on_what_and_no_percentage() -> None:
    """After a night in which the service was off, 9% of the minutes have no audit."""
    because = "no audit that balanced in 89 of 990 minutes"
    audit = Promise(name="audit", target="0.999", left="-88.8876", because=because)
    found = row(said(promises=(audit,)))
    assert (found.light, left_text(audit)) == (Light.BROKEN, "spent 90 times")
    assert found.why == (f"the budget of audit is overspent: {because}",)


def test_a_prometheus_need_not_tell_when_it_was_counted() -> None:
    told = said(audited_at_us=None)
    assert row(member(how=How.PROMETHEUS, said=told)).light is Light.GOOD
    assert row(member(how=How.PULL, said=told)).light is Light.UNKNOWN


def test_the_board_says_in_a_sentence_how_many_need_somebody() -> None:
    assert summary([row(said())]) == "1 service; nothing needs anybody."
    assert summary([row(said()), row(said(dead=1))]) == "2 services; 1 needs somebody."


def test_the_age_of_dead_letters_is_that_of_the_oldest() -> None:
    found = row(said(dead=1, oldest_at_us=NOW_US - 90 * MINUTE_US))
    assert age_text(found, NOW_US) == "1.5 h"
    assert age_text(msgspec.structs.replace(found, oldest_at_us=None), NOW_US) == ""


# --- invariants, over many boards ---

SAID = st.none() | st.builds(
    said,
    at_us=st.integers(NOW_US - 20 * MINUTE_US, NOW_US),
    unaccounted=st.none() | st.integers(0, 2),
    audited_at_us=st.none() | st.integers(NOW_US - 30 * MINUTE_US, NOW_US),
    dead=st.none() | st.integers(0, 2),
)
MEMBERS = st.lists(
    st.builds(
        member,
        name=st.sampled_from(["a", "b", "c", "d"]),
        said=SAID,
        how=st.sampled_from([How.PULL, How.PUSH, How.PROMETHEUS]),
        trouble=st.sampled_from(["", "it cannot be reached", "it is not believed"]),
    ).map(lambda one: msgspec.structs.replace(one, is_refused="believed" in one.trouble)),
    unique_by=lambda one: one.id,
)


def offences(members: list[Member]) -> list[str]:
    """What a board must never show."""
    shown = rows(members, None, at_us=NOW_US)
    found = []
    if sorted(one.name for one in shown) != sorted(one.id for one in members):
        found.append("not one row for each member")
    known = {one.id: one for one in members}
    for one in shown:
        last = known[one.name].said
        if one != row(known[one.name]):
            found.append("a row depends on another member")
        if one.light is Light.GOOD:
            if last is None or NOW_US - last.at_us > known[one.name].stale_s * 1_000_000:
                found.append("what is stale is good")
            elif last.unaccounted or last.dead or known[one.name].is_refused:
                found.append("what needs somebody is good")
        elif not one.why:
            found.append("it does not say why")
    return found


@given(MEMBERS)
def test_no_board_shows_what_it_must_not(members: list[Member]) -> None:
    assert offences(members) == []


def test_a_board_that_forgets_how_old_things_are_would_be_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The planted bug: the row of a stale standing is made as if it were fresh."""
    real = view._row_of_member

    def careless(one: Member, at_us: int) -> Row:
        return real(one, one.said.at_us if one.said else at_us)

    old = [member(said=said(at_us=NOW_US - 20 * MINUTE_US, audited_at_us=NOW_US - 20 * MINUTE_US))]
    assert offences(old) == []
    monkeypatch.setattr(view, "_row_of_member", careless)
    assert offences(old) == ["what is stale is good"]
