"""Everything there is to know of one delivery, for the person who looks at it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from homing.core.errors import NotFound
from homing.core.identifiers import parse_delivery_id
from homing.core.issues import Filed
from homing.core.lifecycle import Delivery, State
from homing.core.queries import AttemptFilter, DeliveryFilter, Page
from homing.core.records import Attempt, LogEntry, Message
from homing.core.resources import Application, Endpoint
from homing.core.retry import RetryPolicy
from homing.core.sealing import CannotOpen, secret_place
from homing.core.signature import beginnings, header_names, parse_secret, sign
from homing.insight.timeline import Moment, Planned, timeline, to_come
from homing.service.context import Service
from homing.service.messages import find_message
from homing.service.operational import find_traffic
from homing.service.tokens import Caller

#: attempts that are shown, the newest; a schedule has eight by default
ATTEMPTS_MAX: Final = 100
#: lines of the log that are shown, the newest
LINES_MAX: Final = 300
_HIDDEN: Final = "not shown"


class Check(StrEnum):
    """What came of checking a signature that was sent."""

    VERIFIES = "verifies"  #: a secret that is here makes the same one
    FOREIGN = "foreign"  #: none that is here does
    NO_PAYLOAD = "no_payload"  #: what was signed is gone
    CLOSED = "closed"  #: the secrets cannot be opened


class Signed(NamedTuple):
    """One signature of an attempt."""

    check: Check
    signature: str  #: whole, if it verifies; else what was kept of it
    secret: str  #: which secret of the endpoint, in words; never the secret
    until_us: int | None = None  #: that secret signs no longer than then


class Sent(NamedTuple):
    """The request of one attempt, as far as it can be told now."""

    headers: tuple[tuple[str, str], ...]
    #: the endpoint was changed after the attempt, so its own headers may have been others
    may_differ: bool
    signatures: tuple[Signed, ...]


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery with all that belongs to it."""

    delivery: Delivery
    application: Application
    message: Message | None  #: None: it is beyond its retention
    endpoint: Endpoint | None  #: None: it was deleted
    moments: list[Moment]  #: oldest first
    by_hand: list[LogEntry]  #: what people and rules did, oldest first
    attempts: list[Attempt]  #: newest first
    has_more_attempts: bool
    planned: list[Planned]
    policy: RetryPolicy
    filed: Filed | None  #: its place at the desk
    can_be_undone: bool  #: it was discarded, and can be brought back


async def find_life(service: Service, caller: Caller, delivery_id: str) -> Life:
    """One delivery of the caller's organisation, by its id `msg_….ep_…`.

    Raises:
        NotFound: there is none.
    """
    delivery = await find_of_caller(service, caller, delivery_id)
    which = delivery.id
    application = await find_traffic(service, caller, delivery.app_id)
    message = (await service.store.messages_by_ids([which.message_id])).get(which.message_id)
    endpoint = await service.store.get(Endpoint, delivery.app_id, which.endpoint_id)
    newest = await service.store.attempts(
        AttemptFilter(
            app_id=delivery.app_id, message_id=which.message_id, endpoint_id=which.endpoint_id
        ),
        Page(limit=ATTEMPTS_MAX + 1, descending=True),
    )
    attempts = newest[:ATTEMPTS_MAX]
    lines = await service.store.life(which, limit=LINES_MAX)
    filed = (await service.store.filed([which])).get(which)
    policy = _policy(service, endpoint)
    oldest_kept_us = (service.clock.now_us()) - round(service.limits.undo_s * 1_000_000)
    return Life(
        delivery=delivery,
        application=application,
        message=message,
        endpoint=endpoint,
        moments=timeline(delivery, lines, attempts),
        by_hand=[line for line in lines if line.actor is not None],
        attempts=attempts,
        has_more_attempts=len(newest) > ATTEMPTS_MAX,
        planned=to_come(delivery, policy),
        policy=policy,
        filed=filed,
        can_be_undone=(
            delivery.state is State.CANCELLED
            and filed is not None
            and (filed.discarded_at_us or 0) >= oldest_kept_us
        ),
    )


async def find_of_caller(service: Service, caller: Caller, delivery_id: str) -> Delivery:
    """A delivery of any of the caller's applications.

    Raises:
        NotFound: there is none.
    """
    try:
        which = parse_delivery_id(delivery_id)
    except ValueError:
        raise NotFound(f"there is no delivery {delivery_id!r}") from None
    delivery = await service.store.delivery(which)
    if delivery is not None:
        try:
            await find_traffic(service, caller, delivery.app_id)
        except NotFound:
            delivery = None
    if delivery is None:
        raise NotFound(f"there is no delivery {delivery_id!r}")
    return delivery


def _policy(service: Service, endpoint: Endpoint | None) -> RetryPolicy:
    if endpoint is None or endpoint.retry_delays_s is None:
        return service.sending.policy
    return msgspec.structs.replace(service.sending.policy, delays_s=endpoint.retry_delays_s)


def sent(service: Service, life: Life, attempt: Attempt) -> Sent:
    """The request that an attempt made: what is known of it, and whether its signatures verify."""
    names = header_names(service.sending.style)
    signatures = check_signatures(service, life, attempt)
    at_s = attempt.at_us // 1_000_000
    headers = [("content-type", "application/json"), ("user-agent", service.sending.user_agent)]
    endpoint = life.endpoint
    if endpoint is not None:
        headers += [(name, _HIDDEN) for name in endpoint.headers]
    text = " ".join(
        one.signature if one.check is Check.VERIFIES else f"{one.signature}…" for one in signatures
    )
    headers += [(names.id, attempt.message_id), (names.timestamp, str(at_s))]
    if text:
        headers.append((names.signature, text))
    if life.message is not None and life.message.payload is not None:
        headers.append(("content-length", str(len(life.message.payload))))
    may_differ = endpoint is None or endpoint.updated_at_us > attempt.at_us
    return Sent(tuple(headers), may_differ, signatures)


def check_signatures(service: Service, life: Life, attempt: Attempt) -> tuple[Signed, ...]:
    """Makes the signatures again, from the stored payload and the secrets, and compares."""
    if attempt.signed is None:
        return ()
    kept = attempt.signed.split(" ")
    if life.message is None or life.message.payload is None:
        return tuple(Signed(Check.NO_PAYLOAD, one, "") for one in kept)
    made = _made_again(service, life.endpoint, life.message, attempt)
    if made is None:
        return tuple(Signed(Check.CLOSED, one, "") for one in kept)
    return tuple(_compared(one, made) for one in kept)


def _compared(kept: str, made: Sequence[Signed]) -> Signed:
    for one in made:
        if beginnings(one.signature) == kept:
            return one
    return Signed(Check.FOREIGN, kept, "")


def _made_again(
    service: Service, endpoint: Endpoint | None, message: Message, attempt: Attempt
) -> list[Signed] | None:
    """The signature of each secret that the endpoint has; None: one cannot be opened."""
    assert message.payload is not None
    made: list[Signed] = []
    for place, secret in enumerate(endpoint.secrets if endpoint else ()):
        assert endpoint is not None
        try:
            key = parse_secret(service.seals.open(secret.key, secret_place(endpoint.id)))
            text = sign(message.id, attempt.at_us // 1_000_000, message.payload, [key])
        except (CannotOpen, ValueError):
            return None
        words = "the present secret" if place == 0 else f"secret {place} before the present one"
        made.append(Signed(Check.VERIFIES, text, words, secret.expires_at_us))
    return made


class MessageLife(msgspec.Struct, frozen=True, kw_only=True):
    """One message with its deliveries."""

    message: Message
    application: Application
    deliveries: list[Delivery]  #: by endpoint id
    has_more: bool
    endpoints: dict[str, Endpoint]


#: deliveries of a message that are shown
DELIVERIES_MAX: Final = 200


async def find_message_life(service: Service, caller: Caller, app: str, name: str) -> MessageLife:
    """A message of an application, by id or event id, and where it went.

    Raises:
        NotFound: there is no such application or message.
    """
    message = await find_message(service, caller, app, name)
    which = DeliveryFilter(app_id=message.app_id, message_id=message.id)
    found = await service.store.deliveries(which, Page(limit=DELIVERIES_MAX + 1))
    shown = found[:DELIVERIES_MAX]
    endpoints = await service.store.by_ids(Endpoint, [one.endpoint_id for one in shown])
    return MessageLife(
        message=message,
        application=await find_traffic(service, caller, message.app_id),
        deliveries=shown,
        has_more=len(found) > DELIVERIES_MAX,
        endpoints={one.id: one for one in endpoints},
    )
