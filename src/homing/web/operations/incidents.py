"""`/incident`: what was noticed, found and done. Beyond what Svix has."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from homing.review.evidence import Kept, RowPage
from homing.review.incident import Incident
from homing.service import incident_rows, incidents
from homing.service.incidents import IncidentDraft
from homing.web.operation import NO_CONTENT, Answer, Call, answer, operation
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


class RowListsIn(Schema, kw_only=True):
    """Which lists there are behind an incident's counts; their pages were brought before."""

    logs: list[str]  #: SHA-256 of each log that they were read from, as the record has it
    lists: list[dict[str, Any]]


class RowPageIn(Schema, kw_only=True):
    """Deliveries that were counted, each with its rows of the log."""

    deliveries: list[dict[str, Any]]


class RowListOut(Schema, kw_only=True):
    """A list: what it is of, how long it is, how many of it are kept on its pages."""

    name: str
    title: str
    total: int
    lost: int
    kept: int
    pages: int


class RowListsOut(Schema, kw_only=True):
    """The lists behind an incident's counts; none before they were brought."""

    lists: list[RowListOut]


class RowPageOut(Schema, kw_only=True):
    """A page of a list: deliveries, each with its rows of the log."""

    number: int
    of: RowListOut
    deliveries: list[dict[str, Any]]


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


_ROWS: Final = f"{_ONE}/rows"
_PAGE: Final = f"{_ROWS}/{{list}}/{{page}}"


def _listed(one: Kept) -> RowListOut:
    return RowListOut(
        name=one.name,
        title=one.title,
        total=one.total,
        lost=one.lost,
        kept=one.kept,
        pages=one.pages,
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 6 else 0


@operation(
    "GET",
    _ROWS,
    "v1.incident.rows",
    "List what rows of logs are kept behind an incident's counts",
    tag=_TAG,
    answers={200: RowListsOut},
    org_only=True,
)
async def get_rows(call: Call[NoQuery, None]) -> Answer:
    name = call.path["incident_id"]
    found = await incident_rows.find_lists(call.service, call.caller, name)
    return answer(200, RowListsOut(lists=[_listed(one) for one in found.lists] if found else []))


@operation(
    "PUT",
    _ROWS,
    "v1.incident.put-rows",
    "Say which lists of rows there are, once their pages are brought",
    tag=_TAG,
    body=RowListsIn,
    answers={200: RowListsOut},
    org_only=True,
)
async def put_rows(call: Call[NoQuery, RowListsIn]) -> Answer:
    found = await incident_rows.put_lists(
        call.service, call.caller, call.path["incident_id"], call.body.logs, call.body.lists
    )
    return answer(200, RowListsOut(lists=[_listed(one) for one in found.lists]))


@operation(
    "GET",
    _PAGE,
    "v1.incident.rows-page",
    "Get a page of the deliveries behind a count, with their rows of the log",
    tag=_TAG,
    answers={200: RowPageOut},
    org_only=True,
)
async def get_rows_page(call: Call[NoQuery, None]) -> Answer:
    number = _number(call.path["page"])
    kept, page = await incident_rows.find_page(
        call.service, call.caller, call.path["incident_id"], call.path["list"], number
    )
    return answer(200, _page_out(kept, page, number))


def _page_out(kept: Kept, page: RowPage, number: int) -> RowPageOut:
    deliveries = [msgspec.to_builtins(one) for one in page.deliveries]
    return RowPageOut(number=number, of=_listed(kept), deliveries=deliveries)


@operation(
    "PUT",
    _PAGE,
    "v1.incident.put-rows-page",
    "Bring a page of the deliveries behind a count",
    tag=_TAG,
    body=RowPageIn,
    answers={204: None},
    org_only=True,
)
async def put_rows_page(call: Call[NoQuery, RowPageIn]) -> Answer:
    await incident_rows.put_page(
        call.service,
        call.caller,
        call.path["incident_id"],
        call.path["list"],
        _number(call.path["page"]),
        call.body.deliveries,
    )
    return NO_CONTENT


OPERATIONS: Final[tuple[Any, ...]] = (
    list_incidents,
    create_incident,
    get_incident,
    put_incident,
    change_incident,
    get_rows,
    put_rows,
    get_rows_page,
    put_rows_page,
)
