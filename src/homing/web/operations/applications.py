"""`/app`: the tenants."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from homing.core.resources import Application
from homing.core.retention import Retention
from homing.service import applications
from homing.service.applications import ApplicationDraft
from homing.web.operation import NO_CONTENT, Answer, Call, answer, operation
from homing.web.schemas import (
    Concurrency,
    ListOut,
    Metadata,
    Name,
    NoQuery,
    PageQuery,
    Query,
    Rate,
    Schema,
    Timestamp,
    Uid,
    Weight,
    page_of,
    rfc3339,
)

_TAG = "Application"


#: days; 0: for ever. A hundred years is as good as that
Days = Annotated[int, Meta(ge=0, le=36_500)]


class RetentionWire(Schema, kw_only=True):
    """How long what belongs to an application is kept, in days; null: as the service does.

    Counted from a message's acceptance or, if later, from when a delivery of it last finished. A
    dead letter keeps its message whole for `deadLetterDays` from its death. 0: for ever.
    """

    payload_days: Days | None = None
    attempt_days: Days | None = None
    log_days: Days | None = None
    dead_letter_days: Days | None = None

    def retention(self) -> Retention:
        return Retention(
            payload_d=self.payload_days,
            attempts_d=self.attempt_days,
            log_d=self.log_days,
            dead_d=self.dead_letter_days,
        )


def retention_out(retention: Retention) -> RetentionWire:
    return RetentionWire(
        payload_days=retention.payload_d,
        attempt_days=retention.attempts_d,
        log_days=retention.log_d,
        dead_letter_days=retention.dead_d,
    )


class ApplicationIn(Schema, kw_only=True):
    """An application."""

    name: Name
    uid: Uid | None = None
    throttle_rate: Rate | None = None
    rate_limit: Rate | None = None  # the older SDKs' name of throttleRate
    #: beyond Svix: attempts under way at once; null: no limit; absent: as it is
    concurrency_limit: Concurrency | UnsetType | None = UNSET
    #: beyond Svix: its share beside other applications; absent: as it is, 1 at first
    weight: Weight | UnsetType = UNSET
    metadata: Metadata = {}
    retention: RetentionWire | None = None  # Homing's own

    def draft(self) -> ApplicationDraft:
        return ApplicationDraft(
            name=self.name,
            uid=self.uid,
            rate_limit=self.throttle_rate or self.rate_limit,
            metadata=self.metadata,
            concurrency_limit=self.concurrency_limit,
            weight=self.weight,
            retention=UNSET if self.retention is None else self.retention.retention(),
        )


class ApplicationPatch(Schema, kw_only=True):
    """What to change of an application; null clears."""

    name: Name | UnsetType = UNSET
    uid: Uid | UnsetType | None = UNSET
    throttle_rate: Rate | UnsetType | None = UNSET
    rate_limit: Rate | UnsetType | None = UNSET
    concurrency_limit: Concurrency | UnsetType | None = UNSET
    weight: Weight | UnsetType = UNSET
    metadata: Metadata | UnsetType = UNSET
    #: replaces all of it
    retention: RetentionWire | UnsetType | None = UNSET


class ApplicationOut(Schema, kw_only=True):
    """An application."""

    id: str
    uid: str | None
    name: str
    throttle_rate: int | None
    rate_limit: int | None
    concurrency_limit: int | None
    weight: int
    metadata: dict[str, str]
    retention: RetentionWire
    created_at: Timestamp
    updated_at: Timestamp


class OrderedQuery(PageQuery, frozen=True, kw_only=True):
    """Which page, in which order."""

    order: Literal["ascending", "descending"] | None = None


class CreateQuery(Query, frozen=True, kw_only=True):
    """What to do when the uid is taken."""

    get_if_exists: bool = False


def application_out(application: Application) -> ApplicationOut:
    return ApplicationOut(
        id=application.id,
        uid=application.uid,
        name=application.name,
        throttle_rate=application.rate_limit,
        rate_limit=application.rate_limit,
        concurrency_limit=application.concurrency_limit,
        weight=application.weight,
        metadata=application.metadata,
        retention=retention_out(application.retention),
        created_at=rfc3339(application.created_at_us),
        updated_at=rfc3339(application.updated_at_us),
    )


def given_fields(patch: msgspec.Struct, renamed: dict[str, str]) -> dict[str, Any]:
    """The fields of a patch that are there.

    Args:
        renamed: the field of the resource by the field of the patch, where they differ.
    """
    return {
        renamed.get(name, name): value
        for name, value in msgspec.structs.asdict(patch).items()
        if value is not UNSET
    }


@operation(
    "GET",
    "/app",
    "v1.application.list",
    "List applications",
    tag=_TAG,
    query=OrderedQuery,
    answers={200: ListOut[ApplicationOut]},
    org_only=True,
)
async def list_applications(call: Call[OrderedQuery, None]) -> Answer:
    ask = call.query.ask(descending=call.query.order == "descending")
    listing = await applications.list_applications(call.service, call.caller, ask)
    return answer(200, page_of(listing, application_out))


@operation(
    "POST",
    "/app",
    "v1.application.create",
    "Create an application",
    tag=_TAG,
    query=CreateQuery,
    body=ApplicationIn,
    answers={201: ApplicationOut, 200: ApplicationOut},
    org_only=True,
)
async def create_application(call: Call[CreateQuery, ApplicationIn]) -> Answer:
    application, is_new = await applications.create_application(
        call.service,
        call.caller,
        call.body.draft(),
        get_if_exists=call.query.get_if_exists,
        once=call.once(lambda made: answer(201, application_out(made))),
    )
    return answer(201 if is_new else 200, application_out(application))


@operation(
    "GET",
    "/app/{app_id}",
    "v1.application.get",
    "Get an application",
    tag=_TAG,
    answers={200: ApplicationOut},
)
async def get_application(call: Call[NoQuery, None]) -> Answer:
    application = await applications.find_application(
        call.service, call.caller, call.path["app_id"]
    )
    return answer(200, application_out(application))


@operation(
    "PUT",
    "/app/{app_id}",
    "v1.application.update",
    "Replace an application, or create one",
    tag=_TAG,
    body=ApplicationIn,
    answers={200: ApplicationOut, 201: ApplicationOut},
    org_only=True,
)
async def put_application(call: Call[NoQuery, ApplicationIn]) -> Answer:
    application, is_new = await applications.put_application(
        call.service, call.caller, call.path["app_id"], call.body.draft()
    )
    return answer(201 if is_new else 200, application_out(application))


@operation(
    "PATCH",
    "/app/{app_id}",
    "v1.application.patch",
    "Change an application",
    tag=_TAG,
    body=ApplicationPatch,
    answers={200: ApplicationOut},
    org_only=True,
)
async def patch_application(call: Call[NoQuery, ApplicationPatch]) -> Answer:
    fields = given_fields(call.body, {"throttle_rate": "rate_limit"})
    if "retention" in fields:
        given = fields["retention"]
        fields["retention"] = Retention() if given is None else given.retention()
    application = await applications.patch_application(
        call.service, call.caller, call.path["app_id"], fields
    )
    return answer(200, application_out(application))


@operation(
    "DELETE",
    "/app/{app_id}",
    "v1.application.delete",
    "Delete an application and its endpoints",
    tag=_TAG,
    answers={204: None},
    org_only=True,
)
async def delete_application(call: Call[NoQuery, None]) -> Answer:
    await applications.delete_application(call.service, call.caller, call.path["app_id"])
    return NO_CONTENT


OPERATIONS = (
    list_applications,
    create_application,
    get_application,
    put_application,
    patch_application,
    delete_application,
)
