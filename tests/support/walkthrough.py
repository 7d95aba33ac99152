"""The record of the lab's incident (seed 4) before anything was agreed or deployed, and changes."""

from __future__ import annotations

from pathlib import Path

import msgspec

from homing.review.incident import Change, Incident, add

LAB_FILE = Path(__file__).parents[1] / "walkthrough/records/lab.json"
#: long lists are cut short; the actor is ana
LAB = msgspec.json.decode(LAB_FILE.read_bytes(), type=Incident)
NOW_US = LAB.updated_at_us + 1_000_000


def changed(change: Change, incident: Incident = LAB, actor: str = "ana") -> Incident:
    """The incident with one more entry."""
    return add(incident, change, at_us=NOW_US, actor=actor)


def with_values(incident: Incident, name: str, path: str, value: object) -> Incident:
    """The incident with one value of one result replaced."""
    values = msgspec.to_builtins(incident.results[name].values)
    holder = values
    *parts, last = path.split(".")
    for part in parts:
        holder = holder[part]
    holder[last] = value
    result = msgspec.structs.replace(incident.results[name], values=values)
    return msgspec.structs.replace(incident, results={**incident.results, name: result})
