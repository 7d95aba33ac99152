"""Templates, and the words and numbers that they may use."""

from __future__ import annotations

import asyncio
import json
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from homing.core.plurals import plural
from homing.walkthrough.assess.rule import rules
from homing.web.pages import hostile, words
from homing.web.pages.static_files import static_url


@cache
def environment() -> Environment:
    """Everything is escaped, and a name that is not there is an error rather than nothing."""
    made = Environment(
        loader=PackageLoader("homing.web.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals["static"] = static_url
    made.filters.update(
        ago=words.ago,
        amount=words.amount,
        bytes=words.byte_count,
        compact_json=_compact_json,
        count=words.count,
        duration=words.duration,
        instant=words.instant,
        marker=_marker,
        plain=hostile.plain,
        plural=plural,
        rule_title=_rule_title,
        share=words.share,
        stamp=words.stamp,
    )
    return made


@cache
def make_ready_behind() -> asyncio.Task[None]:
    """Once in a process, when somebody has come: see `make_ready`."""
    return asyncio.create_task(make_ready(), name="templates for pages")


async def make_ready(rest_s: float = 0.05) -> None:
    """Compile every template, one at a time with a rest after each: nobody waits for it later.

    All together take half a second of a processor; the longest 30 ms.

    Args:
        rest_s: > 0.
    """
    for name in environment().list_templates(extensions=["html"]):
        await asyncio.sleep(rest_s)
        environment().get_template(name)


def render(template: str, values: dict[str, Any]) -> str:
    """The template, filled."""
    return environment().get_template(template).render(values)


def _marker(place: int, pieces: Any) -> int:
    """Which of the marked pieces of a text the one at `place` is, from 1."""
    return sum(bool(one.tone) for one in pieces[: place + 1])


def _rule_title(id: str) -> str:
    """What a rule of the walkthrough is called; what is no rule stays as it is."""
    found = rules().get(id.replace(" ", "_"))
    return found.title if found else id.replace("_", " ")


def _compact_json(value: Any) -> str:
    """For an attribute that a script reads."""
    return json.dumps(value, separators=(",", ":"))
