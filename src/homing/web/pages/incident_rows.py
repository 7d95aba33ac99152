"""`/incidents/{incident}/rows/{list}`: what was counted, each delivery with its rows of the log."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from homing.core.errors import NotFound
from homing.core.plurals import plural
from homing.review.evidence import PAGE, Kept, RowLists, lists_of, pages_of
from homing.review.incident import Incident
from homing.service.incident_rows import find_lists, find_page
from homing.service.incidents import find_incident
from homing.web.pages.shell import Page, Visit, get

_PATH: Final = "/incidents/{incident}/rows/{list}"
#: what the way back to the story needs
_KEPT_QUERY: Final = ("level", "lens", "me")


def current(incident: Incident, lists: RowLists | None, name: str) -> Kept | None:
    """The list of that name, if it was read from the logs that the record names now."""
    if lists is None:
        return None
    wanted = next((one for one in lists_of(incident) if one.name == name), None)
    if wanted is None or not {log.sha256 for log in wanted.logs} <= set(lists.logs):
        return None
    return lists.named(name)


def words_for(kept: Kept, shown: int) -> str:
    """What a list is of, with its number first."""
    if kept.is_sample:
        return f"{kept.kept} of {kept.total:,} {kept.title}, from all over the log"
    if shown != kept.total:
        return f"{shown:,} that were lost, of {kept.total:,} {kept.title}"
    lost = f", {kept.lost:,} of them lost" if 0 < kept.lost < kept.total else ""
    return f"{kept.total:,} {kept.title}{lost}"


async def show_rows(visit: Visit) -> Page:
    """One page of a list: one document is read."""
    incident = await find_incident(visit.service, visit.caller, visit.path["incident"])
    name, text = visit.path["list"], visit.query.get("page") or "1"
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= 6 else 0
    lists = await find_lists(visit.service, visit.caller, incident.id)
    if current(incident, lists, name) is None:
        raise NotFound(f"no rows behind {name!r} were brought; homing incident rows {incident.id}")
    kept, page = await find_page(visit.service, visit.caller, incident.id, name, number)
    is_of_lost = visit.query.get("only") == "lost" and not kept.is_sample
    shown = kept.lost if is_of_lost else kept.kept
    pages = pages_of(shown)
    if number > pages:
        raise NotFound(f"the list has {plural(pages, 'page')}")
    start = (number - 1) * PAGE
    back = {one: value for one in _KEPT_QUERY if (value := visit.query.get(one))}

    def url(to: int) -> str:
        query = {**back, **({"only": "lost"} if is_of_lost else {}), "page": to}
        return f"/incidents/{incident.id}/rows/{name}?{urlencode(query)}"

    values = {
        "incident": incident,
        "story": f"/incidents/{incident.id}/story" + (f"?{urlencode(back)}" if back else ""),
        "kept": kept,
        "deliveries": page.deliveries[: max(0, shown - start)],
        "start": start,
        "shown": shown,
        "before": url(number - 1) if number > 1 else "",
        "after": url(number + 1) if number < pages else "",
        "command": f"homing walkthrough rows --of {name} --incident {incident.id}",
    }
    title = words_for(kept, kept.lost if is_of_lost else kept.total)
    return Page("incident_rows.html", title, "incidents", values)


PAGES: Final = (get(_PATH, show_rows),)
