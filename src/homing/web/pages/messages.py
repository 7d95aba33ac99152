"""`/messages`: looking for messages; and one of them, with where it went."""

from __future__ import annotations

from urllib.parse import quote

from starlette.responses import Response

from homing.core.errors import Invalid, NotFound
from homing.core.searching import Head
from homing.service.delivery_life import find_message_life
from homing.service.search import Found, search_messages
from homing.web.pages import hostile
from homing.web.pages.deliveries import sentences, url_of
from homing.web.pages.finding import SPANS, asked, hints_for, other_page, place_text, text_sentences
from homing.web.pages.shell import Page, Visit, get


async def show_messages(visit: Visit) -> Page | Response:
    found = await asked(visit)
    query = found.parsed.query
    if query.delivery_id is not None:
        return visit.go(url_of(query.delivery_id))
    if query.endpoint is not None or query.states:
        return visit.go(other_page("/deliveries", found))
    result: Found[Head] = Found(rows=[], below=None)
    problems = list(found.parsed.problems)
    if not problems:
        try:
            result = await search_messages(visit.service, visit.caller, query, below=found.below)
        except (NotFound, Invalid) as error:
            problems = sentences(error)
    if query.message_id is not None and len(result.rows) == 1:
        [row] = result.rows
        return visit.go(f"/messages/{quote(row.app_id)}/{quote(row.id)}")
    values = {
        "asked": found,
        "problems": problems,
        "found": result,
        "spans": SPANS,
        "next": visit.with_query(below=place_text(result.below)) if result.below else "",
        "newest": visit.with_query(below=None) if found.below else "",
        "other": other_page("/deliveries", found),
        "text": text_sentences(result.text),
        "hints": await hints_for(visit, found),
    }
    return Page("messages.html", "Messages", "messages", values)


async def show_message(visit: Visit) -> Page:
    life = await find_message_life(visit.service, visit.caller, visit.path["app"], visit.path["id"])
    content = life.message.payload
    values = {
        "life": life,
        "message": life.message,
        "payload": None if content is None else hostile.body(content),
    }
    return Page("message.html", "Message", "messages", values)


PAGES = (
    get("/messages", show_messages),
    get("/messages/{app}/{id}", show_message),
)
