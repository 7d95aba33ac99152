"""A redrive is noted in an incident: offered where it is confirmed, if one is open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from homing.core.errors import Conflict, Invalid, NotFound
from homing.core.resources import Endpoint
from homing.core.tasks import Task
from homing.review.incident import Aspect, Incident
from homing.service import incidents
from homing.web.pages.asking import text_in
from homing.web.pages.incidents import writer
from homing.web.pages.shell import Visit

#: a word shorter than that is in too many texts to mean anything
_WORD_MIN = 3


async def offered(visit: Visit, words: Sequence[str]) -> dict[str, Any]:
    """The open incidents, and the one of them that is chosen at first.

    Args:
        words: ids and names of what is redriven; an incident that has one of them is about it.
    """
    found = await incidents.open_incidents(visit.service, visit.caller)
    about = next((one.id for one in found if concerns(one, words)), "")
    return {"incidents": found, "incident": about}


def concerns(incident: Incident, words: Sequence[str]) -> bool:
    """Whether an incident speaks of something that has one of these names."""
    detection = incident.detection
    said = [
        incident.title,
        incident.service,
        *((detection.alert or "", detection.how) if detection else ()),
        *(part for one in incident.timeline for part in (one.text, one.reference or "")),
    ]
    text = "\n".join(said).casefold()
    return any(word.casefold() in text for word in words if len(word) >= _WORD_MIN)


def names_of(endpoint: Endpoint | None) -> list[str]:
    """What people call an endpoint."""
    if endpoint is None:
        return []
    return [one for one in (endpoint.id, endpoint.uid, endpoint.description) if one]


async def note(visit: Visit, fields: Mapping[str, str], task: Task, text: str) -> str:
    """Write a redrive into the incident that the form names; what there is to say of that.

    The redrive goes on in any case: it was asked for, and is what matters.
    """
    name = text_in(fields, "incident")
    if not name:
        return ""
    change = {
        "text": text,
        "aspect": Aspect.RECOVERY.value,
        "reference": f"homing dlq status {task.id}",
    }
    by = writer(visit) or visit.caller.actor
    try:
        after = await incidents.change_incident(
            visit.service, visit.caller, name, "said", change, by
        )
    except (Conflict, Invalid, NotFound) as error:
        return f"It is under way, and was not noted in the incident: {error}."
    return f"It is under way, and noted in the incident “{after.title}”."
