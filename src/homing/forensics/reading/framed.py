"""What a framework writes around a sentence, and how it calls the rows of its tables. Pure."""

from __future__ import annotations

import re
from typing import Final

#: a line of Ruby's logger, `I, [2025-01-02T03:04:05.000001 #77]  INFO -- : ...`: what stands before its time,
#: and what behind it
_RUBY_BEFORE: Final = re.compile(r"^[A-Z], \[?$")
_RUBY: Final = re.compile(r"^\s*#(?P<pid>\d+)\]\s+(?P<level>[A-Z]+) -- (?P<program>[^:\s]*): ?")

#: a row of a table as an object of its model, `WebhookDelivery#42` or `Hooks::Delivery#42`, also where there is
#: none: `Couldn't find WebhookDelivery with 'id'=42`
_MODEL: Final = re.compile(
    r"(?<![\w.:#])(?:[A-Z]\w*::)*(?:[A-Z][a-z]+)*?"
    r"(Delivery|Notification|Message|Event|Job|Endpoint|Subscription)(?:#| with '?id'?=)(\d+)(?![\w.])"
)
#: several of one model, each with what is told of it alone: `Delivery#1 endpoint=7, Delivery#2 endpoint=9`
_TOLD: Final = r"#\d+(?: \w+=[^\s,;]+)*"
_SEVERAL: Final = re.compile(
    rf"(?<![\w.#])(?P<model>(?:[A-Z]\w*::)*[A-Z]\w*){_TOLD}(?:, ?(?P=model){_TOLD})+(?![\w.#])"
)
_BETWEEN: Final = re.compile(r", ?")


def ruby_head(before: str, after: str) -> tuple[dict[str, str], str] | None:
    """What Ruby's logger says around the time of a line, and the line without it; None: it is not its."""
    found = _RUBY.match(after) if _RUBY_BEFORE.match(before) else None
    if found is None:
        return None
    return {k: v for k, v in found.groupdict().items() if v}, after[found.end() :]


def with_plain_models(text: str) -> str:
    """A sentence in which the objects of models are called by what they are: `delivery #42`."""
    return _MODEL.sub(lambda m: f"{m[1].lower()} #{m[2]}", text)


def each_of(line: str) -> list[str]:
    """A line that names several rows of a table, as one for each: what it says it says of every one."""
    found = _SEVERAL.search(line)
    if found is None:
        return [line]
    before, after = line[: found.start()], line[found.end() :]
    return [f"{before}{one}{after}" for one in _BETWEEN.split(found[0])]
