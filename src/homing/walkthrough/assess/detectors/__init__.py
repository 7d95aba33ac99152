"""One function per rule: what of an answer a rule is about, and in which state it is. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from homing.walkthrough.assess.answer import Answer
from homing.walkthrough.assess.detectors import deeds, mandate, manner, outcome
from homing.walkthrough.assess.detectors.seen import Seen, Setting
from homing.walkthrough.assess.rule import Rule

Detector = Callable[[Answer, Rule, Setting], Sequence[Seen]]

DETECTORS: Final[dict[str, Detector]] = {
    "agency": deeds.agency,
    "hand_off": deeds.hand_off,
    "specificity": deeds.specificity,
    "passive": deeds.passive,
    "overreach": deeds.overreach,
    "scope_boundary": mandate.scope_boundary,
    "unassigned": mandate.unassigned,
    "disqualifier": mandate.disqualifier,
    "quantified_result": outcome.quantified_result,
    "business_translation": outcome.business_translation,
    "second_order": outcome.second_order,
    "verification": outcome.verification,
    "generic_reflection": manner.generic_reflection,
    "organisational_cause": manner.organisational_cause,
    "hedging": manner.hedging,
    "length": manner.length,
    "order": manner.order,
    "sentences": manner.sentences,
}
