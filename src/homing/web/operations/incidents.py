"""`/incident`: what was noticed, found and done. Beyond what Svix has."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from homing.review.incident import Incident
from homing.service import incidents
from homing.service.incidents import IncidentDraft
from homing.web.operation import Answer, Call, answer, operation
from homing.web.schemas import (
    ListOut,
    Name,
    NoQuery,
    PageQuery,
    Schema,
    Text,
    Timestamp,
    page_of,
    rfc3339,
)

_TAG: Final = "Incident"
_ALL: Final = "/incident"
_ONE: Final = f"{_ALL}/{{incident_id}}"

Kind = Literal[
    "detected",
    "said",
    "linked",
    "found",
    "mended",
    "deployed",
    "adopted",
    "planned",
    "done",
    "closed",
]


class IncidentIn(Schema, kw_only=True):
    """An incident as it is opened."""

    title: Name
    severity: Text = "unrated"
    owner: Text = ""
    service: Text = ""
    objective: Annotated[str, Meta(pattern=r"^[^\u0000]*$", max_length=24)] = "99.9%"
    actor: Name = "the API"


class ChangeIn(Schema, kw_only=True):
    """Something to add. `fields` are those of the kind, as an exported incident has them."""

    type: Kind
    fields: dict[str, Any] = {}
    actor: Name = "the API"


class RecordIn(Schema, kw_only=True):
    """An incident as `homing incident export` writes it."""

    record: dict[str, Any]


class IncidentOut(Schema, kw_only=True):
    """An incident; `record` is all of it, as a file has it."""

    id: str
    title: str
    status: str
    severity: str
    owner: str
    version: int
    created_at: Timestamp
    updated_at: Timestamp
    record: dict[str, Any]


class IncidentLineOut(Schema, kw_only=True):
    """An incident in a listing."""

    id: str
    title: str
    status: str
    severity: str
    owner: str
    version: int
    created_at: Timestamp
    updated_at: Timestamp


def _fields(one: Incident) -> dict[str, Any]:
    return {
        "id": one.id,
        "title": one.title,
        "status": one.status.value,
        "severity": one.severity,
        "owner": one.owner,
        "version": one.version,
        "created_at": rfc3339(one.created_at_us),
        "updated_at": rfc3339(one.updated_at_us),
    }


def incident_out(one: Incident) -> IncidentOut:
    return IncidentOut(**_fields(one), record=msgspec.to_builtins(one))


@operation(
    "GET",
    _ALL,
    "v1.incident.list",
    "List incidents",
    tag=_TAG,
    query=PageQuery,
    answers={200: ListOut[IncidentLineOut]},
    org_only=True,
)
async def list_incidents(call: Call[PageQuery, None]) -> Answer:
    found = await incidents.list_incidents(call.service, call.caller, call.query.ask())
    return answer(200, page_of(found, lambda one: IncidentLineOut(**_fields(one))))


@operation(
    "POST",
    _ALL,
    "v1.incident.create",
    "Open an incident",
    tag=_TAG,
    body=IncidentIn,
    answers={201: IncidentOut},
    org_only=True,
)
async def create_incident(call: Call[NoQuery, IncidentIn]) -> Answer:
    body = call.body
    draft = IncidentDraft(
        title=body.title,
        severity=body.severity,
        owner=body.owner,
        service=body.service,
        objective=body.objective,
    )

    def reply(one: Incident) -> Answer:
        return answer(201, incident_out(one))

    made = await incidents.open_incident(
        call.service, call.caller, draft, body.actor, once=call.once(reply)
    )
    return reply(made)


@operation(
    "GET",
    _ONE,
    "v1.incident.get",
    "Get an incident",
    tag=_TAG,
    answers={200: IncidentOut},
    org_only=True,
)
async def get_incident(call: Call[NoQuery, None]) -> Answer:
    one = await incidents.find_incident(call.service, call.caller, call.path["incident_id"])
    return answer(200, incident_out(one))


@operation(
    "PUT",
    _ONE,
    "v1.incident.put",
    "Bring an incident from a file, or what was added to it there",
    tag=_TAG,
    body=RecordIn,
    answers={200: IncidentOut},
    org_only=True,
)
async def put_incident(call: Call[NoQuery, RecordIn]) -> Answer:
    name = call.path["incident_id"]
    one = await incidents.bring_incident(call.service, call.caller, name, call.body.record)
    return answer(200, incident_out(one))


@operation(
    "POST",
    f"{_ONE}/change",
    "v1.incident.change",
    "Add to an incident: a note, a result, a deployment, a follow-up",
    tag=_TAG,
    body=ChangeIn,
    answers={200: IncidentOut},
    org_only=True,
)
async def change_incident(call: Call[NoQuery, ChangeIn]) -> Answer:
    body = call.body
    one = await incidents.change_incident(
        call.service, call.caller, call.path["incident_id"], body.type, body.fields, body.actor
    )
    return answer(200, incident_out(one))


OPERATIONS: Final[tuple[Any, ...]] = (
    list_incidents,
    create_incident,
    get_incident,
    put_incident,
    change_incident,
)
