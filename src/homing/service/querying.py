"""What somebody types to find messages and deliveries, as a value.

| word | finds |
|---|---|
| `msg_…`, `msg_….ep_…` | that message, that delivery |
| `event:order-17` | messages with that event id |
| `type:payment.*` | an event type; a star at its end stands for whatever follows |
| `app:` `endpoint:` | an application or an endpoint, by id or uid |
| `status:dead,parked` | where deliveries stand |
| `tag:` `channel:` | messages that carry it |
| `after:2026-11-26` `before:2h` | accepted since, or until; a date, a time, or how long ago |
| anything else, `text:…`, `"…"` | a word of the payload |

All of them have to hold. Several values of one word, with commas, are alternatives.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Final, NamedTuple

import msgspec

from homing.core.identifiers import DeliveryId, parse_delivery_id
from homing.core.lifecycle import State

#: longest text that is read
QUERY_LENGTH_MAX: Final = 1_000
#: words of a payload that are looked for at once
WORDS_MAX: Final = 8
_VALUES_MAX: Final = 20
_STAR: Final = "*"
_TERM: Final = re.compile(r'(?:([A-Za-z_]+):)?("[^"]*"?|\S+)')
_LENGTH: Final = re.compile(r"(\d{1,6})(s|m|min|h|d|w)")
_UNIT_S: Final = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for. Empty and None mean all."""

    message_id: str | None = None
    delivery_id: DeliveryId | None = None
    event_id: str | None = None
    event_types: tuple[str, ...] = ()  #: one that ends in `*` stands for all that begin so
    app: str | None = None  #: id or uid
    endpoint: str | None = None  #: id or uid
    states: tuple[State, ...] = ()
    tags: tuple[str, ...] = ()  #: all of them
    channel: str | None = None
    after_us: int | None = None  #: accepted then or later
    before_us: int | None = None  #: accepted earlier
    words: tuple[str, ...] = ()  #: that the payload has, as they are written


class Parsed(NamedTuple):
    """A query, and what was not understood; with problems nothing should be looked for."""

    query: Query
    problems: tuple[str, ...]  #: a sentence each


def parse_query(text: str, *, now_us: int) -> Parsed:
    """What `text` asks for.

    Args:
        text: as typed.
        now_us: what "2h" is before, microseconds UTC.
    """
    reader = _Reader(now_us)
    if len(text) > QUERY_LENGTH_MAX:
        return Parsed(Query(), (f"expected at most {QUERY_LENGTH_MAX:,} characters",))
    for match in _TERM.finditer(text):
        word, value = match.group(1), match.group(2)
        reader.read(word, value)
    return Parsed(msgspec.convert(reader.fields, Query), tuple(reader.problems))


def written(query: Query) -> str:
    """The text of a query, as somebody would type it; without times, which are shown as times."""
    parts: list[str] = []
    if query.delivery_id is not None:
        parts.append(str(query.delivery_id))
    elif query.message_id is not None:
        parts.append(query.message_id)
    for word, value in (
        ("event", query.event_id),
        ("type", ",".join(query.event_types) or None),
        ("app", query.app),
        ("endpoint", query.endpoint),
        ("status", ",".join(query.states) or None),
        ("channel", query.channel),
        *(("tag", tag) for tag in query.tags),
    ):
        if value is not None:
            parts.append(f"{word}:{_quoted(value)}")
    parts += [_quoted(word) for word in query.words]
    return " ".join(parts)


def _quoted(value: str) -> str:
    return f'"{value}"' if re.search(r"[\s:]", value) else value


class _Reader:
    """Reads one term after the other."""

    def __init__(self, now_us: int) -> None:
        self.fields: dict[str, object] = {}
        self.problems: list[str] = []
        self._now_us = now_us
        self._known: Mapping[str, Callable[[str], None]] = {
            "id": self._id,
            "event": lambda value: self._once("event_id", "event", value),
            "type": self._types,
            "app": lambda value: self._once("app", "app", value),
            "endpoint": lambda value: self._once("endpoint", "endpoint", value),
            "status": self._states,
            "tag": lambda value: self._append("tags", value),
            "channel": lambda value: self._once("channel", "channel", value),
            "after": lambda value: self._time("after_us", "after", value),
            "before": lambda value: self._time("before_us", "before", value),
            "text": self._text,
        }

    def read(self, word: str | None, value: str) -> None:
        is_quoted = value.startswith('"')
        if is_quoted:
            if len(value) < 2 or not value.endswith('"'):
                self._problem(f"expected a second quotation mark after {value}")
                return
            value = value[1:-1]
        if word is None:
            if not is_quoted and value.startswith(("msg_", "ep_", "app_", "atmpt_")):
                self._id(value)
            elif value == '""' or not value.strip():
                return
            else:
                self._text(value)
            return
        known = self._known.get(word.lower())
        if known is None:
            self._unknown(word, value)
        elif value.endswith(":") or not value.strip():
            self._problem(f"expected something after {word}: such as {_EXAMPLES[word.lower()]}")
        else:
            known(value)

    def _unknown(self, word: str, value: str) -> None:
        near = get_close_matches(word.lower(), self._known, n=1)
        hint = f"did you mean {near[0]}:{value}?" if near else f"known are {_listed(self._known)}."
        self._problem(
            f'there is no word {word}: here; {hint} To look for it in payloads: "{word}:{value}"'
        )

    def _problem(self, text: str) -> None:
        self.problems.append(text[0].upper() + text[1:])

    def _once(self, field: str, word: str, value: str) -> None:
        if self.fields.get(field, value) != value:
            self._problem(
                f"expected {word}: once, found {self.fields[field]!s} and {value}: "
                "nothing can be both"
            )
        self.fields[field] = value

    def _append(self, field: str, value: str) -> None:
        found = self.fields.get(field, ())
        assert isinstance(found, tuple)
        if value not in found:
            self.fields[field] = (*found, value)

    def _id(self, value: str) -> None:
        if value.startswith("msg_") and "." in value:
            try:
                self._once_id("delivery_id", parse_delivery_id(value))
            except ValueError as error:
                self._problem(str(error))
        elif value.startswith("msg_"):
            self._once("message_id", "id", value)
        elif value.startswith("ep_"):
            self._once("endpoint", "endpoint", value)
        elif value.startswith("app_"):
            self._once("app", "app", value)
        elif value.startswith("atmpt_"):
            self._problem(
                "an attempt is found on the page of its delivery; look for its message, whose id "
                "the receiver got in the header webhook-id"
            )
        else:
            self._problem(
                f"expected an id such as msg_… or msg_….ep_… after id:, found {value}; "
                f"the publisher's own id is found by event:{value}"
            )

    def _once_id(self, field: str, value: DeliveryId) -> None:
        self._once(field, "id", value)  # type: ignore[arg-type]

    def _types(self, value: str) -> None:
        for one in _split(value):
            if _STAR in one[:-1]:
                self._problem(
                    f"expected a star only at the end of an event type, found {one}; "
                    "such as type:payment.*"
                )
            else:
                self._append("event_types", one)

    def _states(self, value: str) -> None:
        names = [str(state) for state in State]
        for one in _split(value.lower()):
            if one in names:
                self._append("states", one)
                continue
            near = get_close_matches(_SYNONYMS.get(one, one), names, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {_listed(names)}."
            self._problem(f"there is no status {one}; {hint}")

    def _time(self, field: str, word: str, value: str) -> None:
        at_us = _time_us(value, self._now_us)
        if at_us is None:
            self._problem(
                f"expected a time after {word}: such as 2026-11-26, 2026-11-26T09:30, today or "
                f"2h (ago); found {value}"
            )
            return
        self.fields[field] = at_us
        after, before = self.fields.get("after_us"), self.fields.get("before_us")
        if isinstance(after, int) and isinstance(before, int) and after >= before:
            self._problem("expected after: to be earlier than before:; nothing lies between them")

    def _text(self, value: str) -> None:
        self._append("words", value.strip())
        found = self.fields["words"]
        assert isinstance(found, tuple)
        if len(found) == WORDS_MAX + 1:
            self._problem(f"expected at most {WORDS_MAX} words of the payload")


#: what people say, and what it is called here
_SYNONYMS: Final = {
    "failed": "dead",
    "failing": "waiting",
    "retrying": "waiting",
    "pending": "waiting",
    "scheduled": "waiting",
    "sending": "leased",
    "ok": "delivered",
    "success": "delivered",
    "succeeded": "delivered",
    "paused": "parked",
    "discarded": "cancelled",
    "canceled": "cancelled",
}

_EXAMPLES: Final = {
    "id": "id:msg_…",
    "event": "event:order-17",
    "type": "type:payment.*",
    "app": "app:shop",
    "endpoint": "endpoint:ep_…",
    "status": "status:dead",
    "tag": "tag:vip",
    "channel": "channel:eu",
    "after": "after:2h",
    "before": "before:2026-11-26",
    "text": 'text:"invoice 17"',
}


def _split(value: str) -> list[str]:
    return [one for one in value.split(",") if one][:_VALUES_MAX]


def _listed(names: object) -> str:
    given = [str(name) for name in names]  # type: ignore[attr-defined]
    return f"{', '.join(given[:-1])} and {given[-1]}"


def _time_us(text: str, now_us: int) -> int | None:
    """A date, a time (UTC unless it says otherwise), or how long ago; None: none of these."""
    day_us = 86_400 * 1_000_000
    lowered = text.lower()
    if lowered in ("now", "today", "yesterday"):
        today_us = now_us - now_us % day_us
        return {"now": now_us, "today": today_us, "yesterday": today_us - day_us}[lowered]
    length = _LENGTH.fullmatch(lowered)
    if length is not None:
        return max(0, now_us - int(length.group(1)) * _UNIT_S[length.group(2)] * 1_000_000)
    if _DATE.match(text) is None:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    at_us = round(when.timestamp() * 1_000_000)
    return at_us if at_us >= 0 else None
