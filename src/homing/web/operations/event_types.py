"""`/event-type`: the kinds of messages."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from homing.core.errors import Invalid, Problem, Refused
from homing.core.money import MoneyPaths
from homing.core.resources import EventType
from homing.service import event_types, openapi_import
from homing.service.event_types import EventTypeDraft
from homing.service.openapi_import import Described
from homing.web.operation import NO_CONTENT, Answer, Call, answer, operation
from homing.web.operations.applications import given_fields
from homing.web.schemas import (
    END,
    EventTypeName,
    ListOut,
    NoQuery,
    PageQuery,
    Query,
    Schema,
    Text,
    Timestamp,
    distinct,
    matching,
    page_of,
    rfc3339,
)

_TAG = "Event Type"

#: the JSON Schema of each version, e.g. under "1"
Schemas = dict[Annotated[str, Meta(max_length=64)], dict[str, Any]]


Path = Annotated[
    str,
    matching(
        r"^[^.\u0000]+(\.[^.\u0000]+)*" + END,
        "names of members joined by dots, such as data.amount",
        min_length=1,
        max_length=256,
    ),
]
CurrencyCode = Annotated[str, matching(r"^[A-Z]{3}" + END, "three capital letters, such as EUR")]


class MoneyPathsModel(Schema, kw_only=True):
    """Where payloads say what is at stake; for dead letters that die from now on.

    A path names members from the outermost on, with dots between: `data.amount`, `lines.0.total`.
    """

    amount: Path
    currency: Path | None = None  # path of the currency's code
    currency_code: CurrencyCode | None = None  # or the code itself, when there is only one
    minor_units: bool = False  # the amount counts the currency's smallest unit, such as cents

    def paths(self) -> MoneyPaths:
        """What it says.

        Raises:
            Invalid: both currencies, or none.
        """
        if (self.currency is None) == (self.currency_code is None):
            text = "expected either currency, a path, or currencyCode"
            raise Invalid([Problem(("body", "money"), text)])
        return MoneyPaths(
            amount=self.amount,
            currency=self.currency,
            currency_code=self.currency_code,
            minor_units=self.minor_units,
        )


def _money_out(paths: MoneyPaths | None) -> MoneyPathsModel | None:
    return None if paths is None else MoneyPathsModel(**msgspec.structs.asdict(paths))


class EventTypeUpdate(Schema, kw_only=True):
    """What an event type is to be."""

    description: Text
    archived: bool = False
    deprecated: bool = False
    schemas: Schemas | None = None
    feature_flag: EventTypeName | None = None
    feature_flags: list[EventTypeName] | None = None
    group_name: EventTypeName | None = None
    money: MoneyPathsModel | None = None

    def draft(self) -> EventTypeDraft:
        flags = self.feature_flags or ([self.feature_flag] if self.feature_flag else [])
        return EventTypeDraft(
            description=self.description,
            schemas=None if self.schemas is None else dict(self.schemas),
            archived=self.archived,
            deprecated=self.deprecated,
            feature_flags=distinct(flags),
            group_name=self.group_name,
            money=None if self.money is None else self.money.paths(),
        )


class EventTypeIn(EventTypeUpdate, kw_only=True):
    """A new event type."""

    name: EventTypeName


class EventTypePatch(Schema, kw_only=True):
    """What to change of an event type; null clears."""

    description: Text | UnsetType = UNSET
    archived: bool | UnsetType = UNSET
    deprecated: bool | UnsetType = UNSET
    schemas: Schemas | UnsetType | None = UNSET
    feature_flag: EventTypeName | UnsetType | None = UNSET
    feature_flags: list[EventTypeName] | UnsetType | None = UNSET
    group_name: EventTypeName | UnsetType | None = UNSET
    money: MoneyPathsModel | UnsetType | None = UNSET


class EventTypeOut(Schema, kw_only=True):
    """An event type."""

    name: str
    description: str
    archived: bool
    deprecated: bool
    schemas: dict[str, Any] | None
    feature_flag: str | None
    feature_flags: list[str] | None
    group_name: str | None
    money: MoneyPathsModel | None  #: beyond Svix
    created_at: Timestamp
    updated_at: Timestamp


class EventTypeImportOpenApiIn(Schema, kw_only=True):
    """An OpenAPI document whose webhooks are to be event types; exactly one of the first two."""

    spec: dict[str, Any] | None = None
    spec_raw: Annotated[str, Meta(max_length=1_048_576)] | None = None  # in JSON
    dry_run: bool = False  # say what would be done, and do nothing
    replace_all: bool = False  # archive what the document does not describe


class EventTypeFromOpenApi(Schema, kw_only=True):
    """An event type as it is to be."""

    name: str
    description: str
    schemas: dict[str, Any] | None
    deprecated: bool
    archived: bool
    group_name: str | None
    feature_flags: list[str] | None


class EventTypeImportOpenApiOutData(Schema, kw_only=True):
    """What was changed, or would be."""

    modified: list[str]
    #: as they would be; null unless it was asked what would be done
    to_modify: list[EventTypeFromOpenApi] | None = msgspec.field(name="to_modify")


class EventTypeImportOpenApiOut(Schema, kw_only=True):
    """What was changed, or would be."""

    data: EventTypeImportOpenApiOutData


class EventTypesQuery(PageQuery, frozen=True, kw_only=True):
    """Which event types, and how much of each. They come by name, whatever `order` says."""

    order: Literal["ascending", "descending"] | None = None
    include_archived: bool = False
    with_content: bool = False


class DeleteQuery(Query, frozen=True, kw_only=True):
    """Whether to forget it altogether."""

    expunge: bool = False


def event_type_out(event_type: EventType, *, with_content: bool = True) -> EventTypeOut:
    flags = list(event_type.feature_flags)
    return EventTypeOut(
        name=event_type.id,
        description=event_type.description,
        archived=event_type.archived,
        deprecated=event_type.deprecated,
        schemas=event_type.schemas if with_content else None,
        feature_flag=flags[0] if flags else None,
        feature_flags=flags or None,
        group_name=event_type.group_name,
        money=_money_out(event_type.money),
        created_at=rfc3339(event_type.created_at_us),
        updated_at=rfc3339(event_type.updated_at_us),
    )


@operation(
    "GET",
    "/event-type",
    "v1.event-type.list",
    "List event types, by name",
    tag=_TAG,
    query=EventTypesQuery,
    answers={200: ListOut[EventTypeOut]},
)
async def list_event_types(call: Call[EventTypesQuery, None]) -> Answer:
    query = call.query
    listing = await event_types.list_event_types(
        call.service, call.caller, query.ask(), include_archived=query.include_archived
    )
    page = page_of(listing, lambda e: event_type_out(e, with_content=query.with_content))
    return answer(200, page)


@operation(
    "POST",
    "/event-type",
    "v1.event-type.create",
    "Create an event type, or bring an archived one back",
    tag=_TAG,
    body=EventTypeIn,
    answers={201: EventTypeOut},
    org_only=True,
)
async def create_event_type(call: Call[NoQuery, EventTypeIn]) -> Answer:
    event_type = await event_types.create_event_type(
        call.service,
        call.caller,
        call.body.name,
        call.body.draft(),
        once=call.once(lambda made: answer(201, event_type_out(made))),
    )
    return answer(201, event_type_out(event_type))


def _described_out(one: Described) -> EventTypeFromOpenApi:
    draft = one.draft
    return EventTypeFromOpenApi(
        name=one.name,
        description=draft.description,
        schemas=draft.schemas,
        deprecated=draft.deprecated,
        archived=draft.archived,
        group_name=draft.group_name,
        feature_flags=list(draft.feature_flags) or None,
    )


@operation(
    "POST",
    "/event-type/import/openapi",
    "v1.event-type.import-openapi",
    "Make event types of the webhooks that an OpenAPI document describes",
    tag=_TAG,
    body=EventTypeImportOpenApiIn,
    answers={200: EventTypeImportOpenApiOut},
    org_only=True,
)
async def import_openapi(call: Call[NoQuery, EventTypeImportOpenApiIn]) -> Answer:
    asked = call.body
    if (asked.spec is None) == (asked.spec_raw is None):
        raise Refused("generic_error", "expected either spec or specRaw")
    spec = asked.spec if asked.spec_raw is None else openapi_import.parse_spec(asked.spec_raw)
    assert spec is not None
    changed = await openapi_import.import_event_types(
        call.service, call.caller, spec, dry_run=asked.dry_run, replace_all=asked.replace_all
    )
    data = EventTypeImportOpenApiOutData(
        modified=[one.name for one in changed],
        to_modify=[_described_out(one) for one in changed] if asked.dry_run else None,
    )
    return answer(200, EventTypeImportOpenApiOut(data=data))


@operation(
    "GET",
    "/event-type/{event_type_name}",
    "v1.event-type.get",
    "Get an event type",
    tag=_TAG,
    answers={200: EventTypeOut},
)
async def get_event_type(call: Call[NoQuery, None]) -> Answer:
    event_type = await event_types.find_event_type(
        call.service, call.caller, call.path["event_type_name"]
    )
    return answer(200, event_type_out(event_type))


@operation(
    "PUT",
    "/event-type/{event_type_name}",
    "v1.event-type.update",
    "Replace an event type, or create one",
    tag=_TAG,
    body=EventTypeUpdate,
    answers={200: EventTypeOut, 201: EventTypeOut},
    org_only=True,
)
async def put_event_type(call: Call[NoQuery, EventTypeUpdate]) -> Answer:
    event_type, is_new = await event_types.put_event_type(
        call.service, call.caller, call.path["event_type_name"], call.body.draft()
    )
    return answer(201 if is_new else 200, event_type_out(event_type))


@operation(
    "PATCH",
    "/event-type/{event_type_name}",
    "v1.event-type.patch",
    "Change an event type",
    tag=_TAG,
    body=EventTypePatch,
    answers={200: EventTypeOut},
    org_only=True,
)
async def patch_event_type(call: Call[NoQuery, EventTypePatch]) -> Answer:
    event_type = await event_types.patch_event_type(
        call.service, call.caller, call.path["event_type_name"], _patched(call.body)
    )
    return answer(200, event_type_out(event_type))


def _patched(patch: EventTypePatch) -> dict[str, Any]:
    fields = given_fields(patch, {})
    if "feature_flag" in fields:
        flag = fields.pop("feature_flag")
        fields.setdefault("feature_flags", [flag] if flag else [])
    if "feature_flags" in fields:
        fields["feature_flags"] = distinct(fields["feature_flags"])
    if isinstance(patch.money, MoneyPathsModel):
        fields["money"] = patch.money.paths()
    return fields


@operation(
    "DELETE",
    "/event-type/{event_type_name}",
    "v1.event-type.delete",
    "Archive an event type, or expunge it",
    tag=_TAG,
    query=DeleteQuery,
    answers={204: None},
    org_only=True,
)
async def delete_event_type(call: Call[DeleteQuery, None]) -> Answer:
    await event_types.delete_event_type(
        call.service, call.caller, call.path["event_type_name"], expunge=call.query.expunge
    )
    return NO_CONTENT


OPERATIONS = (
    list_event_types,
    create_event_type,
    import_openapi,
    get_event_type,
    put_event_type,
    patch_event_type,
    delete_event_type,
)
