"""Makes records for tests: every field has a plausible value, any can be given."""

from __future__ import annotations

import itertools
import random
from typing import Any

import msgspec

from homing.core.identifiers import counted, new_id
from homing.core.lifecycle import Delivery, State
from homing.core.outcome import Reason
from homing.core.records import (
    Acceptance,
    Attempt,
    Change,
    LogEntry,
    Message,
    RequestKey,
    Trigger,
)
from homing.core.resources import Application, Endpoint, EventType, Secret
from homing.core.sealing import NONCE_BYTES, Sealed, Seals, header_place, secret_place
from homing.core.tasks import Action, Selection, Task

SECOND_US = 1_000_000
#: 2026-01-01T00:00:00Z
START_US = 1_767_225_600 * SECOND_US
LEASE_US = 30 * SECOND_US
ORG_ID = "org_1"
HOLDER = "test:1:a"
SEALS = Seals("a secret of the tests")

_count = itertools.count(1)


class FakeClock:
    """Stands still until it is told to go on."""

    def __init__(self, at_us: int = START_US) -> None:
        self.at_us = at_us
        self.went_us = 0

    def now_us(self) -> int:
        return self.at_us

    def mono_us(self) -> int:
        return self.went_us

    def advance(self, seconds: float) -> int:
        """Move both clocks; the new wall time."""
        step_us = round(seconds * SECOND_US)
        self.at_us += step_us
        self.went_us += step_us
        return self.at_us


class FakeChance:
    """The same draws for the same seed."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)

    def fraction(self) -> float:
        return self._random.random()

    def entropy(self, count: int) -> bytes:
        return self._random.randbytes(count)


def make_id(prefix: str, at_us: int = START_US) -> str:
    """An identifier never given before; of the same `at_us`, later ones sort after earlier ones."""
    return new_id(prefix, at_us, counted(next(_count)))


def make_application(**fields: Any) -> Application:
    given: dict[str, Any] = {
        "scope": ORG_ID,
        "id": make_id("app_"),
        "created_at_us": START_US,
        "updated_at_us": START_US,
        "name": "Payments",
    }
    return Application(**(given | fields))


def seal(text: str, place: str, seals: Seals = SEALS) -> Sealed:
    """`text` sealed for `place` with a nonce of its own."""
    return seals.seal(text, place, nonce=next(_count).to_bytes(NONCE_BYTES, "big"))


def make_secret(
    endpoint_id: str,
    key: str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    *,
    expires_at_us: int | None = None,
    seals: Seals = SEALS,
) -> Secret:
    """One of an endpoint's secrets, sealed."""
    return Secret(key=seal(key, secret_place(endpoint_id), seals), expires_at_us=expires_at_us)


def make_headers(endpoint_id: str, headers: dict[str, str]) -> dict[str, Sealed]:
    """An endpoint's own headers, sealed."""
    return {name: seal(value, header_place(endpoint_id, name)) for name, value in headers.items()}


def make_endpoint(app_id: str | None = None, **fields: Any) -> Endpoint:
    endpoint_id = fields.get("id") or make_id("ep_")
    given: dict[str, Any] = {
        "scope": app_id or make_id("app_"),
        "id": endpoint_id,
        "created_at_us": START_US,
        "updated_at_us": START_US,
        "org_id": ORG_ID,
        "url": "http://127.0.0.1:9/hook",
        "secrets": (make_secret(endpoint_id),),
    }
    return Endpoint(**(given | fields))


def make_event_type(name: str = "payment.captured", **fields: Any) -> EventType:
    given: dict[str, Any] = {
        "scope": ORG_ID,
        "id": name,
        "created_at_us": START_US,
        "updated_at_us": START_US,
    }
    return EventType(**(given | fields))


def make_message(**fields: Any) -> Message:
    at_us = fields.get("accepted_at_us", START_US)
    given: dict[str, Any] = {
        "id": make_id("msg_", at_us),
        "app_id": "app_1",
        "event_type": "payment.captured",
        "payload": b'{"amount":1250,"currency":"EUR"}',
        "accepted_at_us": at_us,
        "fanout": 1,
    }
    return Message(**(given | fields))


def make_delivery(**fields: Any) -> Delivery:
    """A delivery that waits, due at once; state, times and holder agree when only `state` is given.

    A leased one is born leased: by HOLDER, for LEASE_US from its acceptance.
    """
    at_us = fields.get("accepted_at_us", START_US)
    state = fields.get("state", State.WAITING)
    given: dict[str, Any] = {
        "app_id": "app_1",
        "state": state,
        "accepted_at_us": at_us,
    }
    if state is State.WAITING:
        given |= {"ready_at_us": at_us}
    elif state is State.LEASED:
        given |= {"ready_at_us": at_us + LEASE_US, "holder": HOLDER, "leases": 1, "unanswered": 1}
    elif state is not State.PARKED:
        given |= {"finished_at_us": at_us + SECOND_US}
    given |= fields
    given.setdefault("message_id", make_id("msg_", at_us))
    given.setdefault("endpoint_id", make_id("ep_", at_us))
    return Delivery(**given)


def make_entry(
    after: Delivery | None = None, before: Delivery | None = None, **fields: Any
) -> LogEntry:
    """The log line of `before` becoming `after`; "accepted" when there is nothing before."""
    after = after or make_delivery()
    given: dict[str, Any] = {
        "at_us": after.accepted_at_us,
        "mono_us": 0,
        "holder": HOLDER,
        "sequence": next(_count),
        "op": "accepted" if before is None else "changed",
        "message_id": after.message_id,
        "endpoint_id": after.endpoint_id,
        "app_id": after.app_id,
        "from_state": None if before is None else before.state,
        "to_state": after.state,
        "version_before": 0 if before is None else before.version,
        "version_after": after.version,
        "rows_written": 1,
        "lease_epoch": after.leases,
        "ready_at_us": after.ready_at_us,
    }
    return LogEntry(**(given | fields))


def make_attempt(delivery: Delivery | None = None, **fields: Any) -> Attempt:
    """An attempt that was answered 200."""
    delivery = delivery or make_delivery(state=State.LEASED)
    at_us = fields.get("at_us", delivery.accepted_at_us)
    given: dict[str, Any] = {
        "id": make_id("atmpt_", at_us),
        "message_id": delivery.message_id,
        "endpoint_id": delivery.endpoint_id,
        "app_id": delivery.app_id,
        "number": max(delivery.leases, 1),
        "trigger": Trigger.SCHEDULED,
        "at_us": at_us,
        "url": "http://127.0.0.1:9/hook",
        "reason": Reason.OK,
        "status": 200,
        "first_byte_us": 900,
        "total_us": 1_000,
        "request_bytes": 640,
        "response_headers": (("content-type", "text/plain"),),
        "response_body": b"ok",
    }
    return Attempt(**(given | fields))


def make_change(
    before: Delivery | None, after: Delivery, *, attempt: Attempt | None = None, **entry: Any
) -> Change:
    """A decision with its log line; without `before` the line says "added"."""
    if before is None:
        entry = {"op": "added"} | entry
    return Change(
        before=before, after=after, entry=make_entry(after, before, **entry), attempt=attempt
    )


def make_key(name: str = "key", body: str = "body", **fields: Any) -> RequestKey:
    """The same name and body make the same key; valid for a day from START_US."""
    given: dict[str, Any] = {
        "digest": name.encode()[:16].ljust(16, b"."),
        "fingerprint": body.encode()[:16].ljust(16, b"."),
        "expires_at_us": START_US + 86_400 * SECOND_US,
    }
    return RequestKey(**(given | fields))


def make_acceptance(
    application: Application,
    endpoint_ids: tuple[str, ...] | None = None,
    *,
    state: State = State.LEASED,
    keys: tuple[RequestKey, ...] = (),
    **message: Any,
) -> Acceptance:
    """A message of `application` for these endpoints (one new one when None), all in `state`."""
    if endpoint_ids is None:
        endpoint_ids = (make_id("ep_"),)
    made = make_message(**({"app_id": application.id, "fanout": len(endpoint_ids)} | message))
    deliveries = tuple(
        make_delivery(
            message_id=made.id,
            endpoint_id=endpoint_id,
            app_id=application.id,
            accepted_at_us=made.accepted_at_us,
            state=state,
        )
        for endpoint_id in endpoint_ids
    )
    return Acceptance(
        message=made,
        deliveries=deliveries,
        entries=tuple(make_entry(delivery) for delivery in deliveries),
        application_version=application.version,
        keys=keys,
    )


def aged(delivery: Delivery, **fields: Any) -> Delivery:
    """`delivery` one version on, with `fields` changed: a decision made without the rules."""
    changed: Delivery = msgspec.structs.replace(delivery, version=delivery.version + 1, **fields)
    return changed


def ended(delivery: Delivery, state: State = State.DELIVERED, at_us: int = START_US) -> Delivery:
    """`delivery` one version on and at an end, decided without the rules."""
    return aged(
        delivery,
        state=state,
        ready_at_us=None,
        holder=None,
        unanswered=0,
        finished_at_us=at_us,
        reason=None if state is State.DELIVERED else "for a test",
    )


def make_task(**fields: Any) -> Task:
    """A task that recovers an endpoint's dead letters of the hour before START_US."""
    given: dict[str, Any] = {
        "scope": ORG_ID,
        "id": make_id("qtask_"),
        "created_at_us": START_US,
        "updated_at_us": START_US,
        "action": Action.RECOVER,
        "actor": "ann",
        "which": Selection(since_us=START_US - 3_600 * SECOND_US, until_us=START_US),
    }
    return Task(**(given | fields))
