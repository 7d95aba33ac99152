"""Fluent inventions: without a record they earn what they claim; with it, none stands unmarked.

Each is well told, in the first person and with figures, so no rule of words can see that it is not
so. Only the record can: it says something else, or it has nothing of the kind.
"""

from __future__ import annotations

import msgspec
import pytest
from support.walkthrough import LAB, NOW_US, changed

from homing.review.incident import Adopted, Adoption, Incident
from homing.walkthrough import packs
from homing.walkthrough.assess import State, assess

LIBRARY = packs.shipped()
#: the same incident, in which somebody else did all the work
OTHERS = msgspec.json.decode(msgspec.json.encode(LAB).replace(b'"ana"', b'"bo"'), type=Incident)

#: (what is invented, and words of it); the record is ana's, who deployed and agreed nothing
INVENTED = (
    "The drop rate went from 4% to zero, none of 900,000 deliveries.",
    "In that week 12,000 webhooks were lost.",
    "It had cost us about $450,000 a week in lost orders.",
    "The loss came to $2 million a year.",
    "Two in a hundred webhooks never arrived.",
    "The failure rate fell by 95%, from 6% to 0.3%.",
    "I deployed the fix on Friday.",
    "I shipped the change to production the same evening.",
    "The search team adopted my alert in their template.",
    "Every team in the company adopted the alert after that.",
    "I wrote an alert for the dead letters and I showed it to the search team."
    " Since then my alert is part of their template.",
    "Of 5,000,000 deliveries, none was lost after the release.",
    "After the fix 40 webhooks were still lost in a month.",
    "We recovered $8,000 a week.",
)
#: acts that the record has, of somebody else
TAKEN = (
    "I pulled the delivery log and I traced the cause of the losses.",
    "I reproduced it on my laptop in one evening.",
    "I wrote the fix for the retry code.",
    "I noticed it on Monday.",
    "I compared the rate before with the rate after.",
    "I estimated the loss for the review.",
)


def states(text: str, record: Incident) -> set[State]:
    found = assess(
        text, None, LIBRARY.levels["sde2"], LIBRARY.principles["ownership"], record, me="ana"
    )
    return {one.state for one in found.of("record")}


@pytest.mark.parametrize("text", INVENTED)
def test_an_invention_is_contradicted_or_unsupported(text: str) -> None:
    assert states(f"## Result\n\n{text}", LAB) & {State.CONTRADICTED, State.WEAK}, text


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("The payments team adopted my alert in their template.", State.MET),
        ("Payments has adopted my alert in the template.", State.MET),
        ("The search team adopted my alert in the template.", State.WEAK),
        ("Every team in the company adopted my alert.", State.WEAK),
    ],
)
def test_an_adoption_is_held_to_who_adopted(text: str, state: State) -> None:
    by = Adoption(at_us=NOW_US, by="payments team", what="the alert")
    found = states(f"## Result\n\n{text}", changed(Adopted(adoption=by)))
    assert (State.WEAK in found) is (state is State.WEAK), text


@pytest.mark.parametrize("text", TAKEN)
def test_what_somebody_else_did_is_contradicted(text: str) -> None:
    assert State.CONTRADICTED in states(text, OTHERS), text
    assert State.CONTRADICTED not in states(text, LAB), text
