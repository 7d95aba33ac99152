"""Reading messages back. Accepting them is the intake's work."""

from __future__ import annotations

from typing import Final

import msgspec

from homing.core.errors import Invalid, NotFound, Problem
from homing.core.identifiers import first_id
from homing.core.queries import MessageFilter, Page, Span
from homing.core.records import Message, RequestKey
from homing.core.resources import Endpoint, wants
from homing.service.applications import ApplicationDraft, create_application, find_application
from homing.service.context import Service
from homing.service.endpoints import find_endpoint
from homing.service.event_types import example_of
from homing.service.intake import Draft
from homing.service.listing import Ask, Listing, is_id, paginate
from homing.service.operational import find_traffic
from homing.service.tokens import Caller

PREFIX: Final = "msg_"
_ENDPOINTS_PAGE: Final = 1_000
#: how much later a message can be delivered. Source: Svix's bounds
_SCHEDULE_MIN_US: Final = 60 * 1_000_000
_SCHEDULE_MAX_US: Final = 86_400 * 1_000_000


class Narrowing(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages of a listing. Empty and None mean all."""

    event_types: tuple[str, ...] = ()
    channel: str | None = None
    tag: str | None = None
    before_us: int | None = None  #: exclusive
    after_us: int | None = None  #: exclusive

    @property
    def span(self) -> Span:
        return Span(since_us=self.after_us, until_us=self.before_us)


def from_oldest(ask: Ask, which: Narrowing, prefix: str) -> Ask:
    """Where a listing by time begins: newest first, but only `after` asks for what came next.

    Args:
        prefix: of the ids that are listed.
    """
    if ask.iterator is not None or which.after_us is None or which.before_us is not None:
        return ask
    return msgspec.structs.replace(ask, iterator="-" + first_id(prefix, which.after_us))


async def find_message(service: Service, caller: Caller, app: str, name: str) -> Message:
    """By id or event id.

    Raises:
        NotFound: there is no such application, or no such message in it.
    """
    application = await find_traffic(service, caller, app)
    message = await service.store.message(application.id, name)
    if message is None:
        raise NotFound(f"there is no message {name!r} in this application")
    return message


async def list_messages(
    service: Service, caller: Caller, app: str, which: Narrowing, ask: Ask
) -> Listing[Message]:
    """An application's messages, newest first."""
    application = await find_traffic(service, caller, app)
    matching = MessageFilter(
        app_id=application.id,
        event_types=which.event_types,
        channel=which.channel,
        tag=which.tag,
        span=which.span,
    )

    async def fetch(page: Page) -> list[Message]:
        return await service.store.messages(matching, page)

    return await paginate(
        fetch,
        lambda message: message.id,
        msgspec.structs.replace(from_oldest(ask, which, PREFIX), descending=True),
        is_name=is_id(PREFIX),
    )


def check_schedule(draft: Draft, *, at_us: int) -> None:
    """Raises: Invalid: it is to be sent too soon for a schedule, or too late."""
    if draft.deliver_at_us is not None and not (
        _SCHEDULE_MIN_US <= draft.deliver_at_us - at_us <= _SCHEDULE_MAX_US
    ):
        text = "expected a time between one minute and 24 hours from now"
        raise Invalid([Problem(("body", "deliverAt"), text)])


async def would_be_sent(
    service: Service, caller: Caller, app: str, event_type: str, channels: tuple[str, ...]
) -> bool:
    """Whether an enabled endpoint would get a message of this type and these channels now.

    Raises:
        NotFound: no such application.
    """
    application = await find_application(service, caller, app)
    page = Page(limit=_ENDPOINTS_PAGE)
    while True:
        endpoints = await service.store.list(Endpoint, application.id, page)
        if any(not one.disabled and wants(one, event_type, channels) for one in endpoints):
            return True
        if len(endpoints) < page.limit:
            return False
        page = Page(limit=_ENDPOINTS_PAGE, after=endpoints[-1].id)


async def ensure_application(
    service: Service, caller: Caller, app: str, draft: ApplicationDraft
) -> None:
    """Create the application that a message brings along, if there is none.

    Raises:
        Invalid: its uid is not the name that the message is sent to.
    """
    try:
        await find_application(service, caller, app)
    except NotFound:
        if draft.uid != app:
            text = "expected the same uid as in the path, where no application has it yet"
            raise Invalid([Problem(("body", "application", "uid"), text)]) from None
        await create_application(service, caller, draft, get_if_exists=True)


async def send_example(
    service: Service,
    caller: Caller,
    app: str,
    endpoint_name: str,
    event_type: str,
    *,
    key: RequestKey | None = None,
) -> Message:
    """Send one endpoint an example of an event type, whatever it wants.

    Args:
        key: recognises the repeat of this request, which gets the same message.

    Raises:
        NotFound: no such application, endpoint or event type.
        Refused: the event type has no example.
    """
    application, endpoint = await find_endpoint(service, caller, app, endpoint_name)
    payload = msgspec.json.encode(await example_of(service, caller, event_type))
    draft = Draft(event_type=event_type, payload=payload)
    message, _ = await service.intake.create_message(
        application.scope,
        application.id,
        draft,
        only_endpoint=endpoint.id,
        keys=() if key is None else (key,),
    )
    return message
