"""`/incidents/{incident}/story`: the story that a record allows, down to the rows of the log."""

from __future__ import annotations

import asyncio
from typing import Any, Final
from urllib.parse import urlencode

from starlette.responses import Response

from homing.core.errors import Invalid
from homing.review.evidence import RowLists
from homing.service.incident_rows import find_lists
from homing.service.incidents import find_incident
from homing.service.tokens import Role
from homing.walkthrough.assess import Finding, State
from homing.walkthrough.assess.rule import STAGES
from homing.walkthrough.claims import Claim, Draft, draft, exported
from homing.walkthrough.packs import Level, Principle, Scenario
from homing.walkthrough.record import Record, Reference
from homing.walkthrough.redaction import redacted
from homing.walkthrough.rehearse import Judge, in_order, words_of
from homing.web.pages.incident_rows import current, words_for
from homing.web.pages.shell import Page, Visit, get, post
from homing.web.pages.walkthrough import FOUNDING, TONES, found_in, levelled, library

_PATH: Final = "/incidents/{incident}/story"
_TEXT_MAX: Final = 20_000
_TONES: Final = {
    "supported": "good",
    "estimate": "busy",
    "self-attested": "wait",
    "unsupported": "warn",
    "contradicted": "bad",
}


class _Telling:
    """Whose story of which record it is, and to whom."""

    def __init__(self, record: Record, me: str, level: Level, lens: Principle) -> None:
        self.record, self.level, self.lens = record, level, lens
        self.me = me or record.opener

    def draft(self) -> Draft:
        return draft(self.record, self.me, self.level, self.lens)


async def _telling(visit: Visit) -> _Telling:
    packs = library()
    incident = await find_incident(visit.service, visit.caller, visit.path["incident"])
    level, lens = levelled(packs, visit, packs.scenarios[FOUNDING].primary)
    return _Telling(Record(incident, incident.id), visit.query.get("me") or "", level, lens)


async def show_draft(visit: Visit) -> Page:
    """The draft with what each sentence rests on, and what is missing."""
    told = await _telling(visit)
    lists = await find_lists(visit.service, visit.caller, told.record.incident.id)
    return await asyncio.to_thread(_page, visit, told, lists, "", "")


async def look_at_edited(visit: Visit) -> Page | Response:
    """The edited words held against the record; or the story, to carry away."""
    told, form = await _telling(visit), await visit.form()
    text = form.get("text", "")
    if form.get("does") == "export":
        body = await asyncio.to_thread(_export, told, text)
        headers = {"content-disposition": 'attachment; filename="story.md"'}
        return Response(body, media_type="text/markdown; charset=utf-8", headers=headers)
    lists = await find_lists(visit.service, visit.caller, told.record.incident.id)
    try:
        return await asyncio.to_thread(_page, visit, told, lists, words_of(text, _TEXT_MAX), "")
    except Invalid as error:
        return await asyncio.to_thread(_page, visit, told, lists, "", str(error))


def _export(told: _Telling, text: str) -> str:
    """Without secrets, addresses and colleagues' names; empty words: the draft as it stands."""
    words = text.strip()[:_TEXT_MAX] or exported(told.draft(), told.record)
    return redacted(words, told.record.incident, told.me) + "\n"


def _page(visit: Visit, told: _Telling, lists: RowLists | None, text: str, problem: str) -> Page:
    packs, made = library(), told.draft()
    references: list[Reference] = []
    stages = [
        {
            "name": stage.capitalize(),
            "claims": [
                {"claim": one, "pieces": _pieces(one, references)}
                for one in made.claims
                if one.stage == stage
            ],
        }
        for stage in STAGES
    ]
    found: dict[str, Any] = {"edited": None}
    if text:
        found = _held(told, text)
    values: dict[str, Any] = {
        "incident": told.record.incident,
        "draft": made,
        "stages": stages,
        "references": [(one, _list_of(one, told, lists)) for one in references],
        "levels": packs.levels,
        "principles": packs.principles,
        "level": told.level,
        "lens": told.lens,
        "me": told.me,
        "modes": [(name, _mode_url(told, name.lower())) for name in ("Learn", "Rehearse", "Mock")],
        "tones": _TONES,
        "finding_tones": TONES,
        "text": text or _plain(made),
        "problem": problem,
        "is_fresh": visit.request.method == "GET",
        **found,
    }
    return Page("incident_story.html", "The story of this incident", "incidents", values)


def _list_of(reference: Reference, told: _Telling, lists: RowLists | None) -> dict[str, str]:
    """The list behind a value: where its pages are, or else the command that lists it."""
    none = {"url": "", "says": "", "command": ""}
    if reference.behind is None:
        return none
    name, is_of_lost = reference.behind
    incident = told.record.incident
    kept = current(incident, lists, name)
    if kept is None:
        return none | {"command": f"homing walkthrough rows --of {name} --incident {incident.id}"}
    query = {"level": told.level.id, "lens": told.lens.id, "me": told.me}
    if is_of_lost and not kept.is_sample:
        query["only"] = "lost"
    shown = kept.lost if "only" in query else kept.total
    return none | {
        "url": f"/incidents/{incident.id}/rows/{name}?{urlencode(query)}",
        "says": words_for(kept, shown),
    }


def _mode_url(told: _Telling, mode: str) -> str:
    """Of a walk with this record: the story that is nearest to it, told to the same listener."""
    incident = told.record.incident
    query = urlencode(
        {"level": told.level.id, "lens": told.lens.id, "incident": incident.id, "me": told.me}
    )
    return f"/walkthrough/{_nearest(told).id}/{mode}?{query}"


def _nearest(told: _Telling) -> Scenario:
    """The story of the mechanism that the record names; of none, the first."""
    stories = list(library().scenarios.values())
    named = told.record.facts.find("investigate", "hypothesis.mechanism", None)
    alike = (one for one in stories if one.incident.mechanism == named)
    return next(alike, library().scenarios[FOUNDING])


def _plain(made: Draft) -> str:
    """The draft to edit: a heading and a paragraph for each stage."""
    parts = [(stage, made.text(stage)) for stage in STAGES]
    return "\n\n".join(f"## {stage.capitalize()}\n\n{words}" for stage, words in parts if words)


def _held(told: _Telling, text: str) -> dict[str, Any]:
    """What the record says of somebody's own words."""
    judge = Judge(
        scenario=_nearest(told),
        level=told.level,
        lens=told.lens,
        record=told.record.incident,
        record_name=told.record.incident.id,
        me=told.me,
    )
    assessment = judge.of(text)
    bad: list[Finding] = [
        one
        for one in in_order(assessment)
        if one.state is not State.MET and (one.rule == "record" or one in assessment.faults)
    ]
    return {"edited": found_in(text, bad), "findings_of": bad, "verdict": assessment}


def _pieces(claim: Claim, references: list[Reference]) -> list[tuple[str, int]]:
    """A claim's words; what a slot put there with the number of its evidence, from 1."""
    pieces, at = [], 0
    for slot in sorted(claim.slots, key=lambda one: one.start):
        pieces.append((claim.text[at : slot.start], 0))
        pieces.append((claim.text[slot.start : slot.end], _number(slot.reference, references)))
        at = slot.end
    pieces.append((claim.text[at:], 0))
    for reference in claim.references:
        _number(reference, references)
    return [one for one in pieces if one[0]]


def _number(reference: Reference, references: list[Reference]) -> int:
    for number, known in enumerate(references, 1):
        if (known.source, known.path, known.text) == (
            reference.source,
            reference.path,
            reference.text,
        ):
            return number
    references.append(reference)
    return len(references)


PAGES: Final = (
    get(_PATH, show_draft),
    post(_PATH, look_at_edited, role=Role.VIEWER),
)
