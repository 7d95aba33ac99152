"""The search box over messages and deliveries: what was typed and chosen, as one query."""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import quote, urlencode

from homing.core.identifiers import DeliveryId
from homing.core.resources import Application, EventType
from homing.service.listing import is_plain_name
from homing.service.querying import Parsed, Query, parse_query
from homing.service.search import applications_of
from homing.service.text_search import TextNote
from homing.web.pages.shell import Visit
from homing.web.pages.words import stamp

#: what can be chosen instead of typed: length, words
SPANS: Final = (
    ("1h", "Last hour"),
    ("24h", "Last day"),
    ("7d", "Last week"),
    ("30d", "Last month"),
)
#: applications that are offered to choose from; with more, one is typed
_OFFERED_MAX: Final = 200
#: applications that are asked whether a word is an event id
_ASKED_MAX: Final = 20
#: parameters of a page's URL that stand for words of a query
_WORDS: Final = ("app", "endpoint", "status", "type", "tag", "channel", "event", "after", "before")


class Asked(NamedTuple):
    """What a page was asked to find."""

    parsed: Parsed
    text: str  #: as typed
    chosen: dict[str, str]  #: what was chosen beside it, by parameter
    below: DeliveryId | None
    applications: dict[str, Application]  #: to choose from; empty: too many
    names: dict[str, Application]  #: the organisation's, by id


async def asked(visit: Visit) -> Asked:
    """Reads the page's URL."""
    text = visit.query.get("find", "").strip()
    chosen = {word: value for word in _WORDS if (value := visit.query.get(word, "").strip())}
    words = [text, *(f'{word}:"{value}"' for word, value in chosen.items())]
    now_us = visit.service.clock.now_us()
    parsed = parse_query(" ".join(word for word in words if word), now_us=now_us)
    names = await applications_of(visit.service, visit.caller)
    offered = names if len(names) <= _OFFERED_MAX else {}
    return Asked(parsed, text, chosen, _place(visit.query.get("below", "")), offered, names)


class Hint(NamedTuple):
    """Something else that one word may mean."""

    words: str
    name: str
    href: str


async def hints_for(visit: Visit, found: Asked) -> list[Hint]:
    """A single word may be an event id or an event type rather than a word of a payload."""
    query = found.parsed.query
    if found.parsed.problems or found.chosen or found.below or query != Query(words=query.words):
        return []
    if len(query.words) != 1 or not is_plain_name(query.words[0]):
        return []
    [word] = query.words
    hints = []
    for app_id in list(found.names)[:_ASKED_MAX]:
        message = await visit.service.store.message(app_id, word)
        if message is not None:
            name = found.names[app_id].name
            href = f"/messages/{quote(app_id)}/{quote(message.id)}"
            hints.append(Hint("The event id of a message of", name, href))
    if not hints and len(found.names) > _ASKED_MAX:
        href = visit.request.url.path + "?" + urlencode({"find": f"event:{word}"})
        hints.append(Hint("As an event id:", word, href))
    if await visit.service.store.get(EventType, visit.caller.org_id, word) is not None:
        href = visit.request.url.path + "?" + urlencode({"find": f"type:{word}"})
        hints.append(Hint("An event type: all of", word, href))
    return hints


def other_page(path: str, found: Asked) -> str:
    """The same query on another page."""
    given = {"find": found.text, **found.chosen}
    return path + "?" + urlencode({name: value for name, value in given.items() if value})


def _place(text: str) -> DeliveryId | None:
    message_id, _, endpoint_id = text.partition(".")
    return DeliveryId(message_id, endpoint_id) if message_id.startswith("msg_") else None


def text_sentences(note: TextNote | None) -> str:
    """Up to when payloads are indexed, and what was passed over; empty: they were not searched."""
    if note is None:
        return ""
    if note.skipped is not None:
        since, until = (stamp(at_us) for at_us in note.skipped)
        return (
            f"Payloads accepted from {since} to {until} are not indexed yet and were too many to "
            "read through; name a time or an application to search them."
        )
    if note.indexed_to_us is None:
        return "Payloads are not indexed yet; they were read through."
    return f"Payloads are indexed up to {stamp(note.indexed_to_us)}; newer ones were read through."


def place_text(place: DeliveryId | None) -> str:
    """For the URL of the next page; empty: there is none."""
    return "" if place is None else str(place).rstrip(".")
