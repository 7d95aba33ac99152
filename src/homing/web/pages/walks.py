"""The three modes of a walkthrough: learn, rehearse, mock. Each step is a form."""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import Any, Final, TypeVar

import msgspec

from homing.core.errors import Invalid, Problem
from homing.service.tokens import Role
from homing.walkthrough import learn, mock, rehearse
from homing.walkthrough.clock import minutes
from homing.walkthrough.rehearse import Attempt, concerns, fixes, in_order
from homing.web.pages.shell import Page, Visit, get, post
from homing.web.pages.walkthrough import HERE, TONES, Chosen, chosen_of, found_in, marked

#: characters of a walk in a form: twenty long attempts at each stage
_WALK_MAX: Final = 600_000
_FIXES: Final = 3

_W = TypeVar("_W", learn.Learning, rehearse.Rehearsal, mock.Mock)


def packed(walk: learn.Learning | rehearse.Rehearsal | mock.Mock) -> str:
    """A walk as a form carries it, and a browser keeps it."""
    return base64.urlsafe_b64encode(msgspec.json.encode(walk)).decode()


def unpacked(text: str, kind: type[_W], chosen: Chosen) -> _W:
    """
    Raises:
        Invalid: it is no walk of this kind, or of another story, level or lens.
    """
    if len(text) > _WALK_MAX:
        raise Invalid([Problem(("walk",), f"expected at most {_WALK_MAX:,} characters")])
    try:
        walk = msgspec.json.decode(base64.urlsafe_b64decode(text), type=kind)
    except (binascii.Error, msgspec.DecodeError, ValueError) as error:
        raise Invalid([Problem(("walk",), f"expected a walk of this page: {error}")]) from error
    about = (walk.scenario, walk.version, walk.level, walk.lens)
    expected = (chosen.scenario.id, chosen.scenario.version, chosen.level.id, chosen.lens.id)
    if about != expected:
        text = "this walk is of another story, level or principle, or of an older one; begin anew"
        raise Invalid([Problem(("walk",), text)])
    return walk


def _page(template: str, chosen: Chosen, walk: Any, mode: str, values: dict[str, Any]) -> Page:
    shared = {
        "chosen": chosen,
        "scenario": chosen.scenario.at(chosen.level.id),
        "walk": packed(walk),
        "mode": mode,
        "keep": f"{mode}/{chosen.scenario.id}/{chosen.level.id}/{chosen.lens.id}",
        "tones": TONES,
        "minutes": minutes,
    }
    return Page(template, f"{mode.capitalize()}: {chosen.scenario.title}", HERE, shared | values)


# --- learn ---


async def begin_learning(visit: Visit) -> Page:
    chosen = await chosen_of(visit)
    seed = int.from_bytes(visit.service.chance.entropy(4), "big")
    at_us = visit.service.clock.now_us()
    walk = learn.begin(chosen.scenario, chosen.level, chosen.lens, seed=seed, at_us=at_us)
    return await asyncio.to_thread(_learning, chosen, walk)


async def go_on_learning(visit: Visit) -> Page:
    chosen, form = await chosen_of(visit), await visit.form()
    walk = unpacked(form.get("walk", ""), learn.Learning, chosen)
    return await asyncio.to_thread(_learning, chosen, walk, form, visit.service.clock.now_us())


def _learning(chosen: Chosen, walk: learn.Learning, form: Any = None, at_us: int = 0) -> Page:
    cards = learn.script(
        chosen.judge.scenario, chosen.level, chosen.lens, seed=walk.seed, values=chosen.figures()
    )
    does = (form or {}).get("does", "")
    if does == "choose" and walk.place < len(cards):
        walk = learn.choose(walk, cards[walk.place], _number(form, "choice"), at_us=at_us)
    elif does == "next":
        walk = learn.go_on(walk, cards, at_us=at_us)
    elif does == "back":
        walk = learn.go_back(walk, at_us=at_us)
    card = cards[walk.place] if walk.place < len(cards) else None
    parts: dict[str, list[int]] = {}
    for place, one in enumerate(cards):
        parts.setdefault(one.part, []).append(place)
    values = {
        "card": card,
        "choice": walk.chosen.get(card.id) if card else None,
        "pieces": marked,
        "place": walk.place,
        "count": len(cards),
        "parts": parts,
        "score": learn.score(walk, cards),
        "quiz": learn.score(walk, cards, "Quiz"),
    }
    return _page("learn.html", chosen, walk, "learn", values)


# --- rehearse ---


async def begin_rehearsing(visit: Visit) -> Page:
    chosen = await chosen_of(visit)
    at_us = visit.service.clock.now_us()
    walk = rehearse.begin(chosen.scenario, chosen.level, chosen.lens, at_us=at_us)
    return await asyncio.to_thread(_rehearsal, chosen, walk)


async def go_on_rehearsing(visit: Visit) -> Page:
    chosen, form = await chosen_of(visit), await visit.form()
    walk = unpacked(form.get("walk", ""), rehearse.Rehearsal, chosen)
    at_us = visit.service.clock.now_us()
    scenario, text = chosen.scenario, form.get("text", "")
    does, problem = form.get("does", ""), ""
    try:
        if does == "hint":
            walk, _ = rehearse.hint(rehearse.keep(walk, text, at_us=at_us), scenario, at_us=at_us)
        elif does == "tell":
            walk = msgspec.structs.replace(walk, started_at_us=_said_since(form, at_us))
            is_said = walk.started_at_us is not None
            walk = rehearse.submit(walk, scenario, text, at_us=at_us, is_said=is_said)
        elif does == "go":
            walk = rehearse.go_to(walk, scenario, _number(form, "stage"), at_us=at_us)
    except Invalid as error:
        walk, problem = rehearse.keep(walk, text, at_us=at_us), str(error)
    return await asyncio.to_thread(_rehearsal, chosen, walk, problem, does == "tell")


def _rehearsal(
    chosen: Chosen, walk: rehearse.Rehearsal, problem: str = "", is_told: bool = False
) -> Page:
    judge = chosen.judge
    scenario = judge.scenario
    stage = rehearse.current(walk, scenario)
    tries = walk.of(stage.id) if stage else ()
    seconds = judge.seconds()
    drafted = judge.draft() if chosen.record is not None else None
    values: dict[str, Any] = {
        "stage": stage,
        "place": walk.stage,
        "tries": tries,
        "problem": problem,
        "target": seconds[stage.id] if stage else 0,
        "seconds": seconds,
        "told": {id: len(attempts) for id, attempts in walk.attempts.items()},
        "hints": [judge.told(one) for one in stage.hints[: walk.hints]] if stage else [],
        "drafted": drafted.text(stage.id) if drafted and stage else "",
        "text": walk.draft or (tries[-1].text if tries else ""),
        "found": None,
        "verdict": None,
    }
    if stage and tries and (is_told or not walk.draft):
        found = judge.of(tries[-1].text, stage.id)
        mine = [one for one in in_order(found) if concerns(one, stage.id, found)]
        values |= {"found": found, "findings_of": mine, "took": _took(tries[-1], found.spoken_s)}
        values["pieces"] = found_in(tries[-1].text, mine)
        values["example"] = judge.told(stage.strong)
        if len(tries) > 1:
            before = judge.of(tries[-2].text, stage.id)
            values["diff"] = rehearse.diff(tries[-2].text, tries[-1].text)
            values["changes"] = rehearse.changes(before, found)
    if stage is None and walk.attempts:
        whole = judge.of(walk.answer())
        values |= {"verdict": whole, "fixes": fixes(whole, _FIXES), "answer": walk.answer()}
    return _page("rehearse.html", chosen, walk, "rehearse", values)


# --- mock ---


async def begin_mock(visit: Visit) -> Page:
    chosen = await chosen_of(visit)
    at_us = visit.service.clock.now_us()
    walk = mock.begin(chosen.scenario, chosen.level, chosen.lens, at_us=at_us)
    return await asyncio.to_thread(_mock, chosen, walk)


async def go_on_mock(visit: Visit) -> Page:
    chosen, form = await chosen_of(visit), await visit.form()
    walk = unpacked(form.get("walk", ""), mock.Mock, chosen)
    return await asyncio.to_thread(_mock, chosen, walk, form, visit.service.clock.now_us())


def _mock(chosen: Chosen, walk: mock.Mock, form: Any = None, at_us: int = 0) -> Page:
    judge, problem = chosen.judge, ""
    if form is not None:
        text = form.get("text", "")
        since = _said_since(form, at_us)
        walk = msgspec.structs.replace(walk, started_at_us=since)
        try:
            if walk.phase == "answer":
                walk = mock.answer(walk, judge, text, at_us=at_us, is_said=since is not None)
            elif walk.phase == "probes":
                walk = mock.reply(walk, text, at_us=at_us, is_said=since is not None)
        except Invalid as error:
            walk, problem = mock.keep(walk, text, at_us=at_us), str(error)
    probe = mock.asked(walk, judge.scenario)
    values: dict[str, Any] = {
        "phase": walk.phase,
        "problem": problem,
        "text": walk.draft,
        "question": judge.told(probe.question) if probe else chosen.scenario.question,
        "number": len(walk.replies) + 1,
        "probes": len(walk.probes),
        "target": mock.REPLY_S if probe else chosen.level.time_max_s,
        "card": None,
    }
    if walk.phase == "card":
        card = mock.card(walk, judge)
        assert walk.answer is not None
        shown = [one for one in in_order(card.assessment) if one.spans]
        values |= {
            "card": card,
            "verdict": card.assessment,
            "fixes": card.fixes,
            "pieces": found_in(walk.answer.text, shown),
            "judge": judge,
        }
    return _page("mock.html", chosen, walk, "mock", values)


# --- forms ---


def _number(form: Any, name: str) -> int:
    """
    Raises:
        Invalid: it is no number.
    """
    text = form.get(name, "")
    if not text.isdecimal() or len(text) > 6:
        raise Invalid([Problem((name,), f"expected a number, found {text[:20]!r}")])
    return int(text)


def _said_since(form: Any, at_us: int) -> int | None:
    """When the clock began by which an answer was said aloud; None: it was typed."""
    text = form.get("said_s", "")
    if not form.get("aloud") or not text.isdecimal() or len(text) > 5 or int(text) == 0:
        return None
    return at_us - int(text) * 1_000_000


def _took(attempt: Attempt, spoken_s: float) -> str:
    if attempt.took_s is not None:
        return f"{minutes(attempt.took_s)} by the clock"
    return f"about {minutes(spoken_s)} to say, by its words"


PAGES: Final = (
    get("/walkthrough/{story}/learn", begin_learning),
    post("/walkthrough/{story}/learn", go_on_learning, role=Role.VIEWER),
    get("/walkthrough/{story}/rehearse", begin_rehearsing),
    post("/walkthrough/{story}/rehearse", go_on_rehearsing, role=Role.VIEWER),
    get("/walkthrough/{story}/mock", begin_mock),
    post("/walkthrough/{story}/mock", go_on_mock, role=Role.VIEWER),
)
