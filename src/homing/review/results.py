"""What a command found, as a change of an incident: what is kept, what it is called. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from homing.review.incident import CauseStatus, Found, Incident, Result

#: names of results that are looked up by other modules
OBJECTIVES: Final = "objectives"
FIRED: Final = "fired"
WHOLE_WEEK: Final = "impact_whole_week"
REDRIVE: Final = "redrive"
#: a worker of Homing's own that has the fault, held to the schedule: not the service's
MODEL: Final = "reproduce_model"
#: steps that ask a running service, which has moved on since: they are not run again
LIVE_STEPS: Final = frozenset(("slo", "redrive"))
_SUSPECTS_MAX: Final = 12
_DAMAGED_MAX: Final = 5
_LEFT_OUT: Final = frozenset(
    ("variants", "illegal_steps", "counter_examples", "affected", "dropped_because", "clumping")
)


def condensed(step: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a command's JSON that a review rests on; paths within it stay the same."""
    kept = {name: one for name, one in values.items() if name not in _LEFT_OUT}
    if step == "slo":
        wanted = ("objective", "at", "since", "good", "bad", "byOwner", "leftText")
        reports = [one for one in values["reports"] if one.get("unaccounted") is None]
        kept["reports"] = [{name: one[name] for name in wanted} for one in reports]
    if step == "investigate":
        kept["suspects"] = list(values.get("suspects", ()))[:_SUSPECTS_MAX]
        kept["damaged"] = list(values.get("damaged", ()))[:_DAMAGED_MAX]
        kept["examples"] = list(values.get("examples", ()))[:1]
    return kept


def found(incident: Incident, result: Result) -> Found:
    """The change that a result makes to an incident."""
    kept = msgspec.structs.replace(result, values=condensed(result.step, result.values))
    match result.step:
        case "investigate":
            return _investigated(incident, kept)
        case "reproduce":
            return _reproduced(incident, kept)
        case "verify":
            text = f"compared before and after: {kept.values.get('verdict', 'no verdict')}"
            return Found(name="verify", result=kept, text=text)
        case "impact":
            if kept.values.get("since"):
                text = "estimated what a week that is all faulty costs"
                return Found(name=WHOLE_WEEK, result=kept, text=text)
            return Found(name="impact", result=kept, text="estimated what it costs")
        case "fired":
            text = "asked the alert rules when they would have fired in the log"
            return Found(name=FIRED, result=kept, text=text)
        case "slo":
            text = "read how the objectives of the running service stand"
            return Found(name=OBJECTIVES, result=kept, text=text)
        case "redrive":
            return Found(name=REDRIVE, result=kept, text="had dead letters sent again")
    return Found(name=result.step, result=kept, text=f"ran {result.step}")


def _investigated(incident: Incident, result: Result) -> Found:
    values = result.values
    shape = values.get("hypothesis") or {}
    if values.get("dropped"):
        several = " or ".join(str(one.get("name")) for one in shape.get("candidates") or ())
        mechanism = shape.get("name") or shape.get("mechanism") or several or None
        text = "investigated the log: deliveries were dropped"
        if mechanism is None:
            return Found(name="investigate", result=result, text=text)
        return Found(
            name="investigate",
            result=result,
            text=f"{text}; suspected: {mechanism}",
            cause=CauseStatus.SUSPECTED,
            cause_text=str(shape.get("sentence", "")),
        )
    before = incident.results.get("investigate")
    is_later = before is not None and before.values.get("dropped")
    return Found(
        name="investigate_after" if is_later else "investigate",
        result=result,
        text="investigated a log in which every delivery can be accounted for",
    )


def _reproduced(incident: Incident, result: Result) -> Found:
    """A run that breaks something is the reproduction; a quiet one after it is the fix's.

    What a model of the mechanism does makes no cause surer and has no fix: it is kept apart.
    """
    values = result.values
    if values.get("is_model"):
        return _modelled(incident, result)
    kind = "explore" if "times" not in values else "reproduce"
    story = values.get("story")
    if story:
        return Found(
            name=kind,
            result=result,
            text=f"reproduced it with {_worker(values)}",
            cause=CauseStatus.REPRODUCED,
            cause_text=str(values.get("sentence") or story.get("verdict", "")),
            token=story.get("token"),
        )
    if incident.token is not None:
        text = "held the fixed worker to the same schedules: it keeps every delivery"
        if kind == "explore":
            text = "explored the fixed worker: it keeps every delivery"
        return Found(name=f"{kind}_fix", result=result, text=text)
    return Found(name=kind, result=result, text="tried to make it happen; it did not")


def _worker(values: Mapping[str, Any]) -> str:
    """Which worker ran: one that is explored is named in its case."""
    return str(values.get("worker") or values.get("case", {}).get("worker", "a worker"))


def _modelled(incident: Incident, result: Result) -> Found:
    values = result.values
    held = f"held a model worker ({values.get('worker')}) to the schedule of the log"
    lost = "it lost a delivery" if values.get("story") else "it lost nothing"
    is_first = not incident.causes and values.get("story")
    return Found(
        name=MODEL,
        result=result,
        text=f"{held}: {lost}; the service's own worker was not tried",
        cause=CauseStatus.SUSPECTED if is_first else None,
        cause_text=str(values.get("sentence", "")) if is_first else "",
    )
