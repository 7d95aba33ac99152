"""`/deliveries`: looking for deliveries; and one of them, with its life and what can be done."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from starlette.responses import Response

from homing.core.errors import Invalid, NotFound, Problem, RequestError
from homing.core.lifecycle import UNFINISHED, Delivery, State
from homing.core.records import Attempt
from homing.core.resources import Endpoint
from homing.insight.timeline import dead_words, may_have_left, reason_words, waterfall
from homing.service import deliveries, delivery_life
from homing.service.context import Service
from homing.service.delivery_life import Check, Life
from homing.service.search import Found, search_deliveries
from homing.service.tokens import Role
from homing.web.pages import hostile
from homing.web.pages.finding import SPANS, asked, hints_for, other_page, place_text, text_sentences
from homing.web.pages.shell import Page, Visit, get, post

_WHY_MAX: Final = 500
#: width of a waterfall in its own units, and the least of a stage
_WIDTH: Final = 1_000
_WIDTH_LEAST: Final = 4
#: what is due for longer waits for a reason that people want to know, microseconds
_LATE_US: Final = 5_000_000


def url_of(delivery_id: object) -> str:
    """The page of a delivery."""
    return f"/deliveries/{quote(str(delivery_id))}"


async def show_deliveries(visit: Visit) -> Page | Response:
    found = await asked(visit)
    result: Found[Delivery] = Found(rows=[], below=None)
    problems = list(found.parsed.problems)
    if not problems:
        try:
            result = await search_deliveries(
                visit.service, visit.caller, found.parsed.query, below=found.below
            )
        except (NotFound, Invalid) as error:
            problems = sentences(error)
    if found.parsed.query.delivery_id is not None and len(result.rows) == 1:
        return visit.go(url_of(result.rows[0].id))
    heads = await visit.service.store.heads(list({one.message_id for one in result.rows}))
    ids = list({one.endpoint_id for one in result.rows})
    endpoints = {one.id: one for one in await visit.service.store.by_ids(Endpoint, ids)}
    values = {
        "asked": found,
        "problems": problems,
        "found": result,
        "heads": heads,
        "endpoints": endpoints,
        "states": [str(state) for state in State],
        "spans": SPANS,
        "next": visit.with_query(below=place_text(result.below)) if result.below else "",
        "newest": visit.with_query(below=None) if found.below else "",
        "other": other_page("/messages", found),
        "text": text_sentences(result.text),
        "hints": await hints_for(visit, found),
    }
    return Page("deliveries.html", "Deliveries", "deliveries", values)


def sentences(error: RequestError) -> list[str]:
    """What an error of a search says, for the page that was searched from."""
    if isinstance(error, Invalid):
        return [_sentence(problem.message) for problem in error.problems]
    return [_sentence(str(error))]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


async def show_delivery(visit: Visit) -> Page:
    life = await delivery_life.find_life(visit.service, visit.caller, visit.path["id"])
    chosen = visit.query.get("attempt", "")
    attempt = next((one for one in life.attempts if one.id == chosen), None)
    if attempt is None and life.attempts:
        attempt = life.attempts[0]
    delivery = life.delivery
    values = {
        "life": life,
        "delivery": delivery,
        "is_unfinished": delivery.state in UNFINISHED,
        "reason": _why(delivery),
        "attempt": attempt,
        "sent": None if attempt is None else delivery_life.sent(visit.service, life, attempt),
        "stages": [] if attempt is None else _bars(attempt),
        "held": held(visit.service, life),
        "has_left": attempt is not None and may_have_left(attempt),
        "reason_words": reason_words,
        "Check": Check,
        "payload": _payload(life),
        "answer": None
        if attempt is None or attempt.response_body is None
        else hostile.body(attempt.response_body),
        "does": _possible(life),
        "plain": hostile.plain,
    }
    return Page("delivery.html", "Delivery", "deliveries", values)


def _why(delivery: Delivery) -> str:
    if delivery.state is State.DEAD:
        return dead_words(delivery.reason)
    return delivery.reason or ""


def held(service: Service, life: Life) -> str:
    """Why what is due has not been attempted yet, as far as is known; empty: it is not late."""
    due_us, endpoint = life.delivery.ready_at_us, life.endpoint
    if life.delivery.state is not State.WAITING or due_us is None:
        return ""
    if service.clock.now_us() - due_us < _LATE_US:
        return ""
    if endpoint is not None and service.breaker_is_open(endpoint.id):
        return "its endpoint gives no answer, so it is tried with one delivery at a time"
    if endpoint is not None and (endpoint.rate_limit or endpoint.concurrency_limit):
        return "its turn within the limits of its endpoint has not come"
    return "no dispatcher has come to it: others are before it, or none runs"


def _payload(life: Life) -> hostile.Shown | None:
    if life.message is None or life.message.payload is None:
        return None
    return hostile.body(life.message.payload)


def _bars(attempt: Attempt) -> list[dict[str, object]]:
    """The stages of an attempt, with their places in the picture."""
    total_us = max(attempt.total_us, 1)
    bars = []
    for stage in waterfall(attempt):
        x = stage.begin_us * _WIDTH / total_us
        width = max(_WIDTH_LEAST, (stage.end_us - stage.begin_us) * _WIDTH / total_us)
        bars.append(
            {
                "name": stage.name,
                "took_us": stage.end_us - stage.begin_us,
                "failed": stage.failed,
                "x": round(min(x, _WIDTH - width), 1),
                "width": round(width, 1),
            }
        )
    return bars


def _possible(life: Life) -> set[str]:
    """What can be done to it now."""
    state = life.delivery.state
    has_payload = life.message is not None and life.message.payload is not None
    does: set[str] = set()
    if has_payload and life.endpoint is not None and state not in (State.LEASED, State.PARKED):
        does.add("resend")
    if state is State.DEAD:
        does.add("discard")
        if has_payload:
            does.add("redrive")
    if state in (State.WAITING, State.PARKED):
        does.add("cancel")
    if life.can_be_undone:
        does.add("undo")
    return does


async def _delivery(visit: Visit) -> Delivery:
    return await delivery_life.find_of_caller(visit.service, visit.caller, visit.path["id"])


async def resend(visit: Visit) -> Response:
    found = await _delivery(visit)
    done = await deliveries.resend(
        visit.service,
        found.app_id,
        found.message_id,
        found.endpoint_id,
        actor=visit.caller.actor,
    )
    text = "One attempt is made now." if done else "It is being attempted, or parked, already."
    return visit.go(url_of(found.id), said=text)


async def redrive(visit: Visit) -> Response:
    found = await _delivery(visit)
    await deliveries.redrive(visit.service, found.app_id, found.id, actor=visit.caller.actor)
    return visit.go(url_of(found.id), said="Its whole retry schedule begins again, now.")


async def discard(visit: Visit) -> Response:
    found = await _delivery(visit)
    await deliveries.discard(
        visit.service, found.app_id, found.id, actor=visit.caller.actor, why=await _given_why(visit)
    )
    days = visit.service.limits.undo_s / 86_400
    return visit.go(url_of(found.id), said=f"Discarded. It can be brought back for {days:g} days.")


async def cancel(visit: Visit) -> Response:
    found = await _delivery(visit)
    after = await deliveries.cancel(
        visit.service, found.app_id, found.id, actor=visit.caller.actor, why=await _given_why(visit)
    )
    text = "Cancelled: nothing more of it is sent."
    if after.state is not State.CANCELLED:
        text = f"The resend is called off; it is {after.state} as before."
    return visit.go(url_of(found.id), said=text)


async def undo(visit: Visit) -> Response:
    found = await _delivery(visit)
    await deliveries.undo_discard(visit.service, found.app_id, found.id, actor=visit.caller.actor)
    return visit.go(url_of(found.id), said="It is a dead letter again.")


async def _given_why(visit: Visit) -> str:
    """Raises: Invalid: no reason, or too long a one."""
    why = " ".join((await visit.form()).get("why", "").split())
    if not 1 <= len(why) <= _WHY_MAX or "\0" in why:
        text = f"expected a reason of 1 to {_WHY_MAX} characters; it is kept with the delivery"
        raise Invalid([Problem(("body", "why"), text)])
    return why


PAGES = (
    get("/deliveries", show_deliveries),
    get("/deliveries/{id}", show_delivery),
    post("/deliveries/{id}/resend", resend, role=Role.OPERATOR),
    post("/deliveries/{id}/redrive", redrive, role=Role.OPERATOR),
    post("/deliveries/{id}/discard", discard, role=Role.OPERATOR),
    post("/deliveries/{id}/cancel", cancel, role=Role.OPERATOR),
    post("/deliveries/{id}/undo", undo, role=Role.OPERATOR),
)
