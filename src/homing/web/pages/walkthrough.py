"""`/walkthrough`: stories to read as a level and a listener hear them, and the way into each mode.

The service keeps nothing of what people do here. A walk is a form's field, and a script saves it in
the browser; without one it lasts as long as its page is open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cache
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from homing.core.errors import NotFound
from homing.review.incident import Incident
from homing.service import incidents
from homing.service.listing import Ask
from homing.walkthrough.assess import Finding
from homing.walkthrough.cards import Mark, example, weak_answer
from homing.walkthrough.clock import minutes
from homing.walkthrough.packs import Level, Library, Principle, Scenario, shipped
from homing.walkthrough.rehearse import Judge
from homing.walkthrough.slots import values_of
from homing.web.pages.shell import Page, Visit, get

HERE: Final = "walkthrough"
#: where somebody begins who has chosen nothing
_LEVEL: Final = "sde2"
_INCIDENTS: Final = 20
#: the story that stands in for an incident of a kind that none is about
FOUNDING: Final = "lost-update"

library = cache(shipped)


class Chosen(NamedTuple):
    """A story, who tells it to whom, and perhaps the record that it is told from."""

    scenario: Scenario
    level: Level
    lens: Principle
    record: Incident | None
    me: str

    @property
    def judge(self) -> Judge:
        name = self.record.id if self.record else ""
        return Judge(
            scenario=self.scenario,
            level=self.level,
            lens=self.lens,
            record=self.record,
            record_name=name,
            me=self.me,
        )

    def figures(self) -> dict[str, str] | None:
        """The record's figures, by slot; None: the story's own are told."""
        return None if self.record is None else values_of(self.scenario.slots, self.record)

    @property
    def evidence_url(self) -> str:
        """Of the page with what the record shows; only where there is a record."""
        assert self.record is not None
        query = {"level": self.level.id, "lens": self.lens.id, "me": self.me}
        return f"/incidents/{self.record.id}/story?{urlencode(query)}"

    def url(self, mode: str = "", **changes: str) -> str:
        """Of a page about it, with the same choices but for the changes."""
        query = {"level": self.level.id, "lens": self.lens.id, **changes}
        if self.record is not None:
            query |= {"incident": self.record.id, "me": self.me}
        path = f"/walkthrough/{self.scenario.id}" + (f"/{mode}" if mode else "")
        return f"{path}?{urlencode(query)}"


async def chosen_of(visit: Visit) -> Chosen:
    """What the path and the query of a visit choose.

    Raises:
        NotFound: there is no such story, level, principle or incident.
    """
    packs = library()
    scenario = packs.scenarios.get(visit.path["story"])
    if scenario is None:
        raise NotFound(f"there is no story {visit.path['story']!r}")
    level, lens = levelled(packs, visit, scenario.primary)
    record = None
    if name := visit.query.get("incident"):
        record = await incidents.find_incident(visit.service, visit.caller, name)
    return Chosen(scenario, level, lens, record, visit.query.get("me") or "")


def levelled(packs: Library, visit: Visit, primary: str) -> tuple[Level, Principle]:
    """The level and the lens that a query names.

    Raises:
        NotFound: there is none of that name.
    """
    level, lens = visit.query.get("level") or _LEVEL, visit.query.get("lens") or primary
    if level not in packs.levels or lens not in packs.principles:
        raise NotFound(f"there is no level {level!r} or no principle {lens!r}")
    return packs.levels[level], packs.principles[lens]


class Piece(NamedTuple):
    """Some words of a text, and what is said of them."""

    text: str
    tone: str = ""  #: empty: nothing is
    label: str = ""
    note: str = ""


def marked(text: str, marks: Sequence[Mark]) -> list[Piece]:
    """A text in pieces; of marks that overlap the first one counts."""
    return _cut(text, [(one.start, one.end, one.tone, one.label, one.note) for one in marks])


def _cut(text: str, marks: Sequence[tuple[int, int, str, str, str]]) -> list[Piece]:
    """Marks are start, end, tone, label and note."""
    pieces, at = [], 0
    for start, end, *said in sorted(marks, key=lambda one: (one[0], -one[1])):
        if start < at or end <= start:
            continue
        pieces += [Piece(text[at:start])] if start > at else []
        pieces.append(Piece(text[start:end], *said))
        at = end
    return pieces + ([Piece(text[at:])] if at < len(text) else [])


TONES: Final = {
    "met": "good",
    "weak": "warn",
    "missing": "bad",
    "contradicted": "bad",
    "not checkable": "wait",
}


def found_in(text: str, findings: Sequence[Finding]) -> list[Piece]:
    """A person's words, each finding on those that it is about."""
    marks = [
        (span.start, span.end, TONES[one.state.value], one.title, one.state.value)
        for one in findings
        if one.state.value in TONES
        for span in one.spans
        if span.end - span.start < len(text)  # what is of the whole points at no words
    ]
    return _cut(text, marks)


# --- pages ---


async def show_stories(visit: Visit) -> Page:
    """All stories, what was begun, and incidents whose own story can be told."""
    packs = library()
    newest = await incidents.list_incidents(
        visit.service, visit.caller, Ask(limit=_INCIDENTS, descending=True)
    )
    level, _ = levelled(packs, visit, next(iter(packs.principles)))
    values = {
        "stories": sorted(packs.scenarios.values(), key=lambda one: one.id != FOUNDING),
        "principles": packs.principles,
        "levels": packs.levels,
        "level": level,
        "lens": visit.query.get("lens") or "",
        "incidents": newest.data,
    }
    return Page("walkthrough.html", "Incident walkthrough", HERE, values)


async def show_story(visit: Visit) -> Page:
    """A story as one level tells it to one listener; both can be switched."""
    chosen = await chosen_of(visit)
    return Page("story.html", chosen.scenario.title, HERE, await asyncio.to_thread(_told, chosen))


def _told(chosen: Chosen) -> dict[str, Any]:
    judge, packs = chosen.judge, library()
    scenario, level = judge.scenario, chosen.level
    figures = chosen.figures()
    seconds = judge.seconds()
    stages = []
    for stage in scenario.stages:
        block = example(scenario, stage, level, chosen.lens.id, figures)
        stages.append(
            {
                "stage": stage,
                "time": minutes(seconds[stage.id]),
                "pieces": marked(block.text, block.marks),
                "coaching": scenario.told(stage.coaching, figures),
                "mistakes": stage.mistakes,
            }
        )
    weak = weak_answer(scenario, figures)
    verdicts = {one.of: one for one in scenario.verdicts if level.id in one.at}
    return {
        "chosen": chosen,
        "scenario": scenario,
        "levels": packs.levels,
        "principles": {id: packs.principles[id] for id in scenario.lenses},
        "turns": scenario.lenses[chosen.lens.id],
        "lead": scenario.told(scenario.lenses[chosen.lens.id].lead, figures),
        "stages": stages,
        "total": minutes(level.told_s),
        "weak": marked(weak.text, weak.marks),
        "faults": scenario.weak.faults,
        "verdicts": verdicts,
        "told": lambda text: scenario.told(text, figures),
        "probes": scenario.probes,
    }


PAGES: Final = (
    get("/walkthrough", show_stories),
    get("/walkthrough/{story}", show_story),
)
