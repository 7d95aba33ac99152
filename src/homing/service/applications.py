"""Applications: the tenants of an organisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from homing.core.errors import Conflict, NotFound
from homing.core.resources import Application
from homing.core.retention import Retention
from homing.core.sessions import TokenExpiry
from homing.service.context import Once, Service
from homing.service.editing import edit, refuse_id_as_uid
from homing.service.listing import Ask, Listing, is_id, paginate
from homing.service.tokens import Caller

PREFIX = "app_"
#: makes two tokens of the same second differ
_NONCE_BYTES = 12


class ApplicationDraft(msgspec.Struct, frozen=True, kw_only=True):
    """An application as its owner describes it."""

    name: str
    uid: str | None = None
    rate_limit: int | None = None
    metadata: dict[str, str] = {}
    #: attempts under way at once; None: no limit; not given: as it is
    concurrency_limit: int | UnsetType | None = UNSET
    weight: int | UnsetType = UNSET  #: not given: as it is, 1 at first
    retention: Retention | UnsetType = UNSET  #: not given: as it is, the service's at first

    def given(self) -> dict[str, Any]:
        """The fields that are given."""
        fields = msgspec.structs.asdict(self)
        return {name: value for name, value in fields.items() if value is not UNSET}


async def find_application(service: Service, caller: Caller, name: str) -> Application:
    """By id or uid.

    Raises:
        NotFound: there is none, or it is not the caller's.
    """
    application = await service.store.get(Application, caller.org_id, name)
    if application is None:
        raise NotFound(f"there is no application {name!r}")
    caller.must_own(application.id)
    return application


async def list_applications(service: Service, caller: Caller, ask: Ask) -> Listing[Application]:
    """The organisation's applications, by id."""
    return await paginate(
        lambda page: service.store.list(Application, caller.org_id, page),
        lambda application: application.id,
        ask,
        is_name=is_id(PREFIX),
    )


async def create_application(
    service: Service,
    caller: Caller,
    draft: ApplicationDraft,
    *,
    get_if_exists: bool = False,
    once: Once[Application] | None = None,
) -> tuple[Application, bool]:
    """A new application; with `get_if_exists` the present one that has its uid.

    Returns:
        The application, and whether it is new.

    Raises:
        Conflict: the uid is taken.
        Invalid: the uid looks like an id.
    """
    refuse_id_as_uid(draft.uid, PREFIX)
    if get_if_exists and draft.uid is not None:
        present = await service.store.get(Application, caller.org_id, draft.uid)
        if present is not None:
            return present, False
    at_us = service.clock.now_us()
    application = Application(
        scope=caller.org_id,
        id=service.new_id(PREFIX),
        created_at_us=at_us,
        updated_at_us=at_us,
        **draft.given(),
    )
    try:
        if once is None:
            await service.store.put(application)
        else:
            await service.store.put(application, key=once.key, reply=once.reply(application))
    except Conflict:
        if get_if_exists and draft.uid is not None:  # somebody else was first
            present = await service.store.get(Application, caller.org_id, draft.uid)
            if present is not None:
                return present, False
        raise
    return application, True


async def put_application(
    service: Service, caller: Caller, name: str, draft: ApplicationDraft
) -> tuple[Application, bool]:
    """Replace an application, or create one where there is none.

    Returns:
        The application, and whether it is new. A new one has a new id and the draft's uid.

    Raises:
        Conflict: the uid is taken.
        Invalid: the uid looks like an id.
    """
    try:
        return await patch_application(service, caller, name, draft.given()), False
    except NotFound:
        return await create_application(service, caller, draft)


async def patch_application(
    service: Service, caller: Caller, name: str, fields: Mapping[str, object]
) -> Application:
    """Replace the given fields.

    Raises:
        NotFound: no such application.
        Conflict: the new uid is taken.
        Invalid: the new uid looks like an id.
    """
    refuse_id_as_uid(fields.get("uid"), PREFIX)
    return await edit(
        service, lambda: find_application(service, caller, name), lambda application: fields
    )


async def delete_application(service: Service, caller: Caller, name: str) -> None:
    """Remove an application and its endpoints; what they have not delivered is cancelled.

    Raises:
        NotFound: no such application.
    """
    await service.store.delete(await find_application(service, caller, name))


async def application_token(
    service: Service,
    caller: Caller,
    name: str,
    *,
    valid_s: int,
    read_only: bool,
    session: str | None = None,
) -> str:
    """A token that may do what concerns this application, or only look at it.

    Args:
        valid_s: for how long, seconds.
        read_only: it may only look.
        session: a name by which it can be ended together with others.

    Raises:
        NotFound: no such application.
    """
    application = await find_application(service, caller, name)
    expiry = await service.store.get(TokenExpiry, caller.org_id, application.id)
    return service.tokens.sign_app_token(
        caller.org_id,
        application.id,
        at_us=service.clock.now_us(),
        valid_s=valid_s,
        read_only=read_only,
        generation=0 if expiry is None else expiry.generation,
        session=session,
        nonce=service.chance.entropy(_NONCE_BYTES).hex(),
    )
