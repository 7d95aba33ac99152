"""What people fill in about an objective: read, checked, and shown again with what is wrong."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from homing.core.errors import Conflict, Invalid, Problem
from homing.core.objectives import SERVICE_WIDE, Limits, Objective, Owner, Sli
from homing.insight.objectives import good_means, target_text
from homing.service.objectives import ObjectiveDraft
from homing.web.operations.objectives import ObjectiveIn
from homing.web.problems import invalid_from

#: times that are offered; another one, which only the API and the commands take, stays as it is
PERIODS: Final = (
    ("7d", "the last 7 days"),
    ("14d", "the last 14 days"),
    ("28d", "the last 28 days"),
    ("30d", "the last 30 days"),
    ("90d", "the last 90 days"),
    ("week", "a week of the calendar"),
    ("month", "a month of the calendar"),
    ("quarter", "a quarter of the calendar"),
    ("year", "a year of the calendar"),
)
#: whose bad events may count, in words
OWNERS: Final = {
    Owner.PLATFORM: "Homing failed, or what it runs on",
    Owner.RECEIVER: "the receiver refused, or did not answer",
    Owner.CONFIGURATION: "as it is configured it could not have gone well",
    Owner.UNATTRIBUTED: "there is no evidence whose it was",
}
#: texts of the form; owners are ticked besides
TEXTS: Final = (
    "name",
    "sli",
    "target",
    "period",
    "app",
    "team",
    "description",
    "events_min",
    "bad_min",
)
_FIELDS: Final = {"appId": "app", "eventsMin": "events_min", "badMin": "bad_min"}
#: of the address of the form itself
_TAKEN: Final = "new"


def blank() -> dict[str, Any]:
    """The form of a new objective, as most begin."""
    owners = [str(Owner.PLATFORM), str(Owner.RECEIVER), str(Owner.UNATTRIBUTED)]
    texts: dict[str, Any] = dict.fromkeys(TEXTS, "")
    return texts | {
        "sli": str(Sli.DELIVERED),
        "target": "99.9%",
        "period": "30d",
        "events_min": "50",
        "bad_min": "3",
        "owners": owners,
    }


def texts_of(objective: Objective) -> dict[str, Any]:
    """An objective as the form shows it."""
    return {
        "name": objective.id,
        "sli": str(objective.sli),
        "target": target_text(objective),
        "period": objective.period,
        "app": objective.app_id or "",
        "team": objective.team,
        "description": objective.description,
        "events_min": str(objective.events_min),
        "bad_min": str(objective.bad_min),
        "owners": [str(one) for one in objective.owners],
    }


def texts_in(fields: Any) -> dict[str, Any]:
    """What was filled in."""
    texts: dict[str, Any] = {name: fields.get(name, "").strip() for name in TEXTS}
    return texts | {"owners": list(dict.fromkeys(fields.getlist("owner")))}


def draft_in(texts: dict[str, Any], *, present: Objective | None = None) -> ObjectiveDraft:
    """What is to be promised.

    Args:
        present: the objective that is edited: what the form does not show stays as it is.

    Raises:
        Invalid: a field cannot be used.
    """
    if present is None and texts["name"] == _TAKEN:
        raise Invalid([Problem(("body", "name"), f"{_TAKEN!r} is taken; choose another name")])
    if not texts["owners"]:
        raise Invalid([Problem(("body", "owners"), "tick at least one: whose bad events count")])
    if texts["app"] and texts["sli"] in SERVICE_WIDE:
        text = "this is counted for the service as a whole: choose all applications"
        raise Invalid([Problem(("body", "app"), text)])
    given: dict[str, Any] = {
        "sli": texts["sli"],
        "target": "0" if texts["sli"] == Sli.INTEGRITY else texts["target"],
        "period": texts["period"],
        "description": texts["description"],
        "team": texts["team"],
        "appId": texts["app"] or None,
        "owners": texts["owners"],
        "eventsMin": _number(texts["events_min"]),
        "badMin": _number(texts["bad_min"]),
    }
    if present is not None:
        given |= {"annotations": present.annotations}
        given["labels"] = {name: list(values) for name, values in present.labels.items()}
    try:
        return msgspec.convert(given, ObjectiveIn).draft()
    except msgspec.ValidationError as error:
        raise invalid_from(error, "body") from error


def _number(text: str) -> object:
    """A whole number; anything else as it is, to be refused."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 12 else text


def wrongs(error: Invalid | Conflict) -> dict[str, str]:
    """What is wrong with each field of the form; "" is the form as a whole."""
    if isinstance(error, Conflict):
        return {"": f"{str(error)[:1].upper()}{str(error)[1:]}."}
    found: dict[str, str] = {}
    for problem in error.problems:
        place = str(problem.where[1]) if len(problem.where) > 1 else ""
        name = _FIELDS.get(place, place)
        known = name in TEXTS or name == "owners"
        found.setdefault(name if known else "", _sentence(name, problem.message))
    return found


def _sentence(name: str, message: str) -> str:
    """A problem in the words of whoever fills in a form."""
    if name == "target" and message.startswith("Expected `str`"):
        return "expected a share below 100%, such as 99.9%"
    if name in ("events_min", "bad_min") and message.startswith("Expected `int`"):
        return "expected a whole number, 0 or more"
    return message


def form_values(
    texts: dict[str, Any], limits: Limits, wrong: dict[str, str], present: Objective | None
) -> dict[str, Any]:
    """What the template of the form needs, but for the applications."""
    # That nothing is missing is promised already; it has neither a share nor an owner.
    is_count = present is not None and present.sli is Sli.INTEGRITY
    slis = [Sli.INTEGRITY] if is_count else [one for one in Sli if one is not Sli.INTEGRITY]
    periods = list(PERIODS)
    if texts["period"] not in dict(periods):
        periods.append((texts["period"], texts["period"]))
    return {
        "texts": texts,
        "wrong": wrong,
        "is_count": is_count,
        "slis": [(str(one), good_means(one, limits).partition(" (")[0]) for one in slis],
        "periods": periods,
        "owners": [(str(one), words) for one, words in OWNERS.items()],
    }
