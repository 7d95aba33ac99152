"""What people fill in about an endpoint: read, checked, and shown again with what is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from homing.core.errors import Conflict, Invalid
from homing.core.resources import Endpoint
from homing.service.context import Service
from homing.service.endpoints import EndpointDraft
from homing.service.event_types import list_event_types
from homing.service.listing import Ask
from homing.service.tokens import Caller
from homing.web.operations.endpoints import EndpointUpdate
from homing.web.problems import invalid_from

#: event types that are offered to choose from; with more of them names are typed
CHOICES_MAX: Final = 100
_SEPARATORS: Final = re.compile(r"[\s,]+")
#: names of the fields in errors of the service, and those of the form
_FIELDS: Final = {
    "eventTypes": "event_types",
    "throttleRate": "rate_limit",
    "rateLimit": "rate_limit",
    "concurrencyLimit": "concurrency_limit",
    "retryDelaysSeconds": "retry_delays",
}

Texts = Mapping[str, Any]


def words_in(text: str) -> list[str]:
    """The words of a text, which commas, spaces and line ends separate."""
    return [word for word in _SEPARATORS.split(text.strip()) if word]


def texts_of(endpoint: Endpoint) -> dict[str, Any]:
    """An endpoint as the form shows it."""
    delays = endpoint.retry_delays_s
    return {
        "url": endpoint.url,
        "uid": endpoint.uid or "",
        "description": endpoint.description,
        "event_types": list(endpoint.event_types),
        "channels": ", ".join(endpoint.channels),
        "rate_limit": "" if endpoint.rate_limit is None else str(endpoint.rate_limit),
        "concurrency_limit": ""
        if endpoint.concurrency_limit is None
        else str(endpoint.concurrency_limit),
        "retry_delays": "" if delays is None else ", ".join(f"{delay:g}" for delay in delays),
        "one_attempt": delays == (),
    }


def blank() -> dict[str, Any]:
    """The form of a new endpoint."""
    names = ("url", "uid", "description", "channels", "rate_limit", "concurrency_limit")
    return dict.fromkeys(names, "") | {"event_types": [], "retry_delays": "", "one_attempt": False}


def texts_in(fields: Any) -> dict[str, Any]:
    """What was filled in. Event types may be ticked, typed, or both."""
    texts: dict[str, Any] = {name: fields.get(name, "").strip() for name in blank()}
    typed = words_in(fields.get("event_types_typed", ""))
    texts["event_types"] = list(dict.fromkeys([*fields.getlist("event_type"), *typed]))
    texts["one_attempt"] = "one_attempt" in fields
    return texts


def draft_in(texts: Texts, *, present: Endpoint | None = None) -> EndpointDraft:
    """What is to become of the endpoint.

    Args:
        present: the endpoint that is edited: what the form does not show stays as it is.

    Raises:
        Invalid: a field cannot be used.
    """
    given: dict[str, Any] = {
        "url": texts["url"],
        "uid": texts["uid"] or None,
        "description": texts["description"],
        "eventTypes": texts["event_types"],
        "channels": words_in(texts["channels"]),
        "throttleRate": _number(texts["rate_limit"]),
        "concurrencyLimit": _number(texts["concurrency_limit"]),
        "retryDelaysSeconds": _delays(texts),
        "disabled": present is not None and present.disabled,
        "metadata": {} if present is None else present.metadata,
    }
    try:
        return msgspec.convert(given, EndpointUpdate).draft()
    except msgspec.ValidationError as error:
        raise invalid_from(error, "body") from error


def _number(text: str) -> object:
    """A whole number; None for nothing; anything else as it is, to be refused."""
    if not text:
        return None
    return int(text) if text.isascii() and text.isdecimal() else text


def _delays(texts: Texts) -> object:
    if texts["one_attempt"]:
        return []
    words = words_in(texts["retry_delays"])
    if not words:
        return None
    try:
        return [float(word) for word in words]
    except ValueError:
        return words


def wrongs(error: Invalid | Conflict) -> dict[str, str]:
    """What is wrong with each field of the form; "" is the form as a whole."""
    if isinstance(error, Conflict):
        return {"uid": "Another endpoint of this application has this name."}
    found: dict[str, str] = {}
    for problem in error.problems:
        place = str(problem.where[1]) if len(problem.where) > 1 else ""
        name = _FIELDS.get(place, place)
        found.setdefault(name if name in blank() or name == "secret" else "", problem.message)
    return found


async def form_values(
    service: Service, caller: Caller, texts: Texts, wrong: Mapping[str, str]
) -> dict[str, Any]:
    """What the template of the form needs."""
    listing = await list_event_types(service, caller, Ask(limit=CHOICES_MAX))
    choices = [one.id for one in listing.data] if listing.done else []
    chosen = list(texts["event_types"])
    return {
        "texts": texts,
        "wrong": wrong,
        "choices": choices,
        "chosen": chosen,
        "typed": [name for name in chosen if name not in choices],
        "delays_s": service.sending.policy.delays_s,
    }
