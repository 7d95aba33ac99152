"""From the evidence of a run to a history that can be checked, a verdict and a curve."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from bench.chaos.checker import Fate, History, Tally, Verdict, check
from bench.chaos.curve import Point, outstanding
from bench.chaos.run import Evidence, Trial
from homing.core.identifiers import DeliveryId
from homing.core.lifecycle import Delivery, State
from homing.core.queries import DeliveryFilter, Page
from homing.core.store import Store
from homing.insight.evidence import Breach
from homing.insight.witnessed import more_2xx_than_attempts
from homing.store import open_store

_PAGE = 1_000
#: messages whose attempts are counted at once
_MESSAGES = 20_000
_UNFINISHED = ("waiting", "leased", "parked")


class Judgement(msgspec.Struct, kw_only=True):
    """What a run showed."""

    verdict: Verdict
    curve: list[Point]
    #: of the whole run, beside those of the verdict
    figures: dict[str, float]
    silences: dict[str, int]
    bands: list[Any]


def judge(evidence: Evidence, trial: Trial) -> Judgement:
    """Read the dead letters, and compare all places with each other."""
    given_up, untold = asyncio.run(_read(evidence))
    history = make_history(evidence, trial, given_up, untold)
    published = evidence.published
    asked = evidence.received.asked
    return Judgement(
        verdict=check(history),
        curve=make_curve(evidence),
        figures={
            "messages": len(published.ok),
            "requests received": evidence.received.requests,
            "deliveries asked for more than once": sum(count > 1 for count in asked),
            "publications without an answer": sum(published.silences.values()),
            "dead letters": len(history.given_up),
            "faults": sum(evidence.faults.values()),
            "seconds": round(evidence.seconds, 1),
            "seconds of drain": round(evidence.drain_s, 1),
        },
        silences=published.silences,
        bands=evidence.bands,
    )


def make_history(
    evidence: Evidence, trial: Trial, given_up: dict[int, str], untold: Sequence[Breach] = ()
) -> History:
    """What was seen, by number of the delivery."""
    layout, published = evidence.layout, evidence.published
    sent = {d: Fate.OK for n in published.ok for d in layout.deliveries_of(n)}
    sent |= {d: Fate.FAIL for n in published.fail for d in layout.deliveries_of(n)}
    sent |= {d: Fate.INFO for n in published.info for d in layout.deliveries_of(n)}
    received = {d: count for d, count in enumerate(evidence.received.answered) if count}
    return History(
        sent=sent,
        received=received,
        strays=[*evidence.received.strays, *_other_ids(evidence)],
        given_up=given_up,
        hopeless={d for d in sent if layout.endpoint_of(d) in layout.hanging},
        drained=evidence.drained,
        operations=_operations(evidence, trial, len(received)),
        books=[*_books(evidence, sent, given_up), *_told(untold)],
    )


def make_curve(evidence: Evidence) -> list[Point]:
    """What was accepted and not yet received, for receivers that answer; seconds since the load."""
    began_us = evidence.published.began_us
    first_us = evidence.first_us()

    def intervals() -> Iterator[tuple[float, float | None]]:
        for message, (_, accepted_us) in evidence.published.ok.items():
            for delivery in evidence.layout.deliveries_of(message):
                if evidence.layout.endpoint_of(delivery) in evidence.layout.hanging:
                    continue
                at_us = first_us[delivery] if delivery < len(first_us) else 0
                end_s = (at_us - began_us) / 1e6 if at_us else None
                yield (accepted_us - began_us) / 1e6, end_s

    return outstanding(intervals(), until_s=evidence.seconds)


def _operations(evidence: Evidence, trial: Trial, received: int) -> dict[str, Tally]:
    published = evidence.published
    ok, fail, info = len(published.ok), len(published.fail), len(published.info)
    done = {
        "publish": Tally(invoke=ok + fail + info, ok=ok, fail=fail, info=info),
        "receive": Tally(invoke=evidence.received.requests, ok=received),
    }
    for kind in trial.faults:
        count = evidence.faults.get(kind, 0)
        done[str(kind)] = Tally(invoke=count, ok=count)
    return done


def _other_ids(evidence: Evidence) -> Iterator[str]:
    """A message that arrived under another id than its publisher was told."""
    for number, message_id in evidence.received.ids.items():
        known = evidence.published.ok.get(number)
        if known is not None and known[0] != message_id:
            yield f"message {number} was accepted as {known[0]} and came as {message_id}"


def _books(evidence: Evidence, sent: dict[int, Fate], given_up: dict[int, str]) -> Iterator[str]:
    """What the books say against themselves, and against the publishers and receivers."""
    if not evidence.audit["balanced"]:
        yield f"`homing audit` does not balance: {evidence.audit['misfits'][:3]}"
    names = Counter(breach["invariant"] for breach in evidence.audit["breaches"])
    for name, count in names.items():
        first = next(one for one in evidence.audit["breaches"] if one["invariant"] == name)
        yield f"{name} is broken {count} times, such as {first['delivery']}: {first['text']}"
    if evidence.audit_exit and evidence.audit["balanced"] and not names:
        yield f"`homing audit` ended with {evidence.audit_exit} and does not say why"
    total = evidence.audit["total"]
    certain = sum(fate is Fate.OK for fate in sent.values())
    possible = certain + sum(fate is Fate.INFO for fate in sent.values())
    if not certain <= total["accepted"] <= possible:
        yield (
            f"the books have {total['accepted']} accepted; the publishers know of {certain}, "
            f"and of {possible - certain} they do not know"
        )
    if total["dead"] != len(given_up):
        yield f"the books have {total['dead']} dead, {len(given_up)} are listed"
    yield from _hopeless_books(evidence, sent)


def _hopeless_books(evidence: Evidence, sent: dict[int, Fate]) -> Iterator[str]:
    """Of a receiver that never answers: everything is dead or unfinished, and as much as was sent.

    Dead letters are counted by the listing too; this is what the books say, endpoint by endpoint.
    """
    layout = evidence.layout
    if not layout.hanging:
        return
    certain: Counter[int] = Counter()
    possible: Counter[int] = Counter()
    for delivery, fate in sent.items():
        endpoint = layout.endpoint_of(delivery)
        if endpoint in layout.hanging:
            certain[endpoint] += fate is Fate.OK
            possible[endpoint] += fate is not Fate.FAIL
    rows: Counter[int] = Counter()
    delivered: Counter[int] = Counter()
    for row in evidence.audit["rows"]:
        endpoint = evidence.endpoints.get(row["endpoint_id"], -1)
        if endpoint in layout.hanging:
            rows[endpoint] += row["dead"] + sum(row[name] for name in _UNFINISHED)
            delivered[endpoint] += row["delivered"]
    for endpoint in sorted(layout.hanging):
        if delivered[endpoint]:
            yield f"endpoint {endpoint} never answers, and has {delivered[endpoint]} delivered"
        if not certain[endpoint] <= rows[endpoint] <= possible[endpoint]:
            yield (
                f"endpoint {endpoint} never answers: {certain[endpoint]} to "
                f"{possible[endpoint]} accepted, {rows[endpoint]} dead or unfinished"
            )


async def _read(evidence: Evidence) -> tuple[dict[int, str], list[Breach]]:
    """From the database: dead letters with their reasons, and 2xx that no attempt tells of."""
    numbers = {message_id: n for n, (message_id, _) in evidence.published.ok.items()}
    numbers |= {message_id: n for n, message_id in evidence.received.ids.items()}
    store = await open_store(evidence.database_url, migrate=False)
    try:
        return await _dead_letters(store, evidence, numbers), await _untold(
            store, evidence, numbers
        )
    finally:
        await store.close()


async def _dead_letters(
    store: Store, evidence: Evidence, numbers: dict[str, int]
) -> dict[int, str]:
    """Delivery → reason."""
    found = {}
    for endpoint_id, endpoint in evidence.endpoints.items():
        for dead in await _dead_of(store, endpoint_id):
            number = numbers.get(dead.message_id)
            if number is None:
                number = await _number_of(store, dead)
            delivery = evidence.layout.delivery(number, endpoint)
            # What went to the wrong endpoint and died there: negative, so never sent.
            found[-1 - number if delivery is None else delivery] = str(dead.reason or "")
    return found


async def _untold(store: Store, evidence: Evidence, numbers: dict[str, int]) -> list[Breach]:
    """Receivers' answers against attempts, some messages at a time."""
    layout, answers = evidence.layout, evidence.received.answered
    ids = {endpoint: endpoint_id for endpoint_id, endpoint in evidence.endpoints.items()}
    names = sorted(numbers)
    found: list[Breach] = []
    for start in range(0, len(names), _MESSAGES):
        some = names[start : start + _MESSAGES]
        made = await store.attempts_made(some[0], some[-1])
        answered = {
            DeliveryId(name, ids[layout.endpoint_of(delivery)]): answers[delivery]
            for name in some
            for delivery in layout.deliveries_of(numbers[name])
            if delivery < len(answers)
        }
        found += more_2xx_than_attempts(answered, made)
    return found


def _told(untold: Sequence[Breach]) -> Iterator[str]:
    if untold:
        yield f"{len(untold)} times, such as: {untold[0]}"


async def _dead_of(store: Store, endpoint_id: str) -> list[Delivery]:
    which = DeliveryFilter(endpoint_id=endpoint_id, states=(State.DEAD,))
    found: list[Delivery] = []
    while True:
        after = found[-1].message_id if found else None
        page = await store.deliveries(which, Page(limit=_PAGE, after=after))
        found += page
        if len(page) < _PAGE:
            return found


async def _number_of(store: Store, delivery: Delivery) -> int:
    """Of a message whose id its publisher never learned."""
    message = await store.message(delivery.app_id, delivery.message_id)
    assert message is not None
    assert message.payload is not None
    payload: dict[str, Any] = msgspec.json.decode(message.payload)
    return int(payload["number"])
