"""`/incidents`: what was noticed, found, mended and proven, by whom and when."""

from __future__ import annotations

import base64
from hashlib import sha256
from typing import Any, Final

import msgspec
from markupsafe import Markup
from starlette.responses import Response

from homing.core.errors import Conflict, Invalid, Problem
from homing.review.blocks import Paragraph, Plot, is_numeric, quoted, text_of
from homing.review.check import faults
from homing.review.incident import ActionKind, Aspect, CauseStatus, Incident, Status
from homing.review.markdown import markdown
from homing.review.page import STYLE, body, page, sections
from homing.service import incidents
from homing.service.incident_review import example_of, review_of, suspects_of
from homing.service.incidents import IncidentDraft
from homing.service.listing import Ask
from homing.web.pages.asking import moment_in, needed, text_in, turns
from homing.web.pages.shell import Page, Visit, get, post

_HERE: Final = "incidents"
_ONE: Final = "/incidents/{incident}"
_INCIDENTS: Final = 25
#: entries of a timeline that are shown at first: the latest
_ENTRIES: Final = 100
_LONG: Final = 4_000
_DIFF_MAX: Final = 60_000
#: who writes: pages know a token and no name, so a person says theirs, and is not asked again
_NAME_COOKIE: Final = "homing_name"
_YEAR_S: Final = 365 * 86_400
#: sections of the review that the record shows folded, under its own words
_SECTIONS: Final = (
    ("Impact", "Whom it hit, and what it cost"),
    ("Mechanism", "How it happens"),
    ("Verification", "Whether the fix holds"),
    ("Recovery", "What was sent again"),
    ("Why alerts missed it", "Why alerts missed it"),
)
#: whose plots come first: since when, then how, then what it cost
_ORDER: Final = {"investigate": 0, "reproduce": 1, "explore": 1, "reproduce_model": 1, "impact": 2}
_STYLE_HASH: Final = base64.b64encode(sha256(STYLE.encode()).digest()).decode()
#: a document from a record: no script, nothing from elsewhere, no forms, an origin of its own
_DOCUMENT_POLICY: Final = (
    f"sandbox; default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


# --- all ---


async def show_incidents(visit: Visit) -> Page:
    """All incidents, the newest first."""
    ask = Ask(limit=_INCIDENTS, descending=True, iterator=visit.query.get("from") or None)
    listing = await incidents.list_incidents(visit.service, visit.caller, ask)
    values = {
        "incidents": listing.data,
        "turns": turns(visit, listing),
        "name": writer(visit),
    }
    return Page("incidents.html", "Incidents", _HERE, values)


async def open_incident(visit: Visit) -> Response:
    """Open one, and note how it was noticed."""
    fields = await visit.form()
    by = _by(visit, fields)
    draft = IncidentDraft(
        title=needed(fields, "title", "what is wrong, in a few words"),
        severity=text_in(fields, "severity", most=100) or "unrated",
        owner=text_in(fields, "owner", most=100),
        service=text_in(fields, "service", most=100),
        objective=text_in(fields, "objective", most=24) or "99.9%",
    )
    detection = _detection(visit, fields, by)
    made = await incidents.open_incident(visit.service, visit.caller, draft, by)
    given = ("noticed_at", "noticed_by", "alert", "how")
    if any(fields.get(name, "").strip() for name in given):
        await incidents.change_incident(
            visit.service, visit.caller, made.id, "detected", {"detection": detection}, by
        )
    return visit.go(f"/incidents/{made.id}", said="The incident is open.")


# --- one ---


async def show_incident(visit: Visit) -> Page:
    """The record: where it stands, its timeline, what was found, and what follows."""
    incident = await _find(visit)
    told, trouble = _told(incident)
    is_all = "all" in visit.query or len(incident.timeline) <= _ENTRIES
    timeline = sorted(incident.timeline, key=lambda one: one.at_us)
    values: dict[str, Any] = told | {
        "incident": incident,
        "url": f"/incidents/{incident.id}",
        "trouble": trouble,
        "cause": incident.causes[-1] if incident.causes else None,
        "timeline": timeline if is_all else timeline[-_ENTRIES:],
        "is_all": is_all,
        "name": writer(visit),
        "aspects": list(Aspect),
        "action_kinds": list(ActionKind),
        "is_closed": incident.status is Status.CLOSED,
        "cause_kinds": {
            CauseStatus.SUSPECTED: "warn",
            CauseStatus.REPRODUCED: "good",
            CauseStatus.REFUTED: "off",
        },
    }
    return Page("incident.html", incident.title, _HERE, values)


async def _find(visit: Visit) -> Incident:
    return await incidents.find_incident(visit.service, visit.caller, visit.path["incident"])


def _told(incident: Incident) -> tuple[dict[str, Any], str | None]:
    """What its results say and show; and why they do not, where a record cannot be read."""
    try:
        document, suspects = review_of(incident), suspects_of(incident)
        example = example_of(incident)
    except Conflict as error:
        return {"lead": "", "plots": [], "sections": [], "lines": []}, str(error)
    leads = [
        text_of(one.line) for one in document.blocks if isinstance(one, Paragraph) and one.is_lead
    ]
    plots = [one for one in document.blocks if isinstance(one, Plot)]
    plots.sort(key=lambda one: _ORDER.get(one.source, len(_ORDER)))
    drawn = [(_svg(one.svg), text_of(one.caption)) for one in plots]
    if suspects is not None:
        words = "What the drops have in common: how much more frequent each is among them."
        drawn.insert(1, (_svg(suspects), words))
    if example is not None:
        words = "One delivery that was dropped: who did what, and in red where turns crossed."
        drawn.insert(min(len(drawn), 2), (_svg(example[0]), words))
    found = dict(sections(document))
    return {
        "lead": leads[0] if leads else "",
        "plots": drawn,
        "lines": [] if example is None else example[1],
        "sections": [
            (words, _from_record(found[name], incident))
            for name, words in _SECTIONS
            if name in found
        ],
    }, None


def _svg(text: str) -> Markup:
    """A plot of ours: its texts were escaped when it was drawn."""
    return Markup(text)  # noqa: S704


def _from_record(html: str, incident: Incident) -> Markup:
    """A section of the review, which escapes what the record says; sources are on the review."""
    led = html.replace('href="#source-', f'href="/incidents/{incident.id}/review#source-')
    return Markup(led)  # noqa: S704


# --- its review ---


async def show_review(visit: Visit) -> Page:
    """The review, in the frame of all pages."""
    incident = await _find(visit)
    values = {
        "incident": incident,
        "url": f"/incidents/{incident.id}",
        "body": _svg(body(review_of(incident))),
    }
    return Page("review.html", f"Review: {incident.title}", _HERE, values)


async def review_page(visit: Visit) -> Response:
    """The review as one file that needs nothing else."""
    incident = await _find(visit)
    headers = {"content-security-policy": _DOCUMENT_POLICY} | _file(incident, "review.html")
    text = page(review_of(incident))
    return Response(text, media_type="text/html; charset=utf-8", headers=headers)


async def review_markdown(visit: Visit) -> Response:
    incident = await _find(visit)
    text = markdown(review_of(incident))
    headers = _file(incident, "review.md")
    return Response(text, media_type="text/markdown; charset=utf-8", headers=headers)


async def record(visit: Visit) -> Response:
    """The whole record, for `homing incident import` and the commands that add to a file."""
    incident = await _find(visit)
    plain = msgspec.structs.replace(incident, scope="")
    text = msgspec.json.format(msgspec.json.encode(plain), indent=2)
    return Response(text, media_type="application/json", headers=_file(incident, "record.json"))


def _file(incident: Incident, name: str) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="{incident.id}-{name}"'}


# --- what can be added ---


async def add(visit: Visit) -> Response:
    """Something that was said, found, done or planned; the timeline gets a line."""
    fields = await visit.form()
    by = _by(visit, fields)
    kind = fields.get("kind", "")
    if kind not in _KINDS:
        text = f"expected one of {', '.join(_KINDS)}, found {kind[:40]!r}"
        raise Invalid([Problem(("body", "kind"), text)])
    change = _KINDS[kind](visit, fields, by)
    incident = visit.path["incident"]
    await incidents.change_incident(visit.service, visit.caller, incident, kind, change, by)
    return visit.go(f"/incidents/{incident}", said="Written down.")


def _said(visit: Visit, fields: Any, by: str) -> dict[str, Any]:
    text = needed(fields, "text", "what is to be written down", most=_LONG)
    source = text_in(fields, "reference")
    if is_numeric(text) and not source:
        raise Invalid(
            [Problem(("body", "reference"), "a number needs a source: where it is written")]
        )
    for one in faults(quoted(text, "record", "text")):
        raise Invalid([Problem(("body", "text"), f"it could not stand in a review: {one.text}")])
    return {
        "text": text,
        "aspect": fields.get("aspect") or Aspect.NOTE.value,
        "reference": source or None,
        "happened_at_us": moment_in(fields, "at"),
    }


def _linked(visit: Visit, fields: Any, by: str) -> dict[str, Any]:
    reference = needed(fields, "reference", "an address, or the name of a file")
    return {"reference": reference, "text": text_in(fields, "text")}


def _detected(visit: Visit, fields: Any, by: str) -> dict[str, Any]:
    return {"detection": _detection(visit, fields, by)}


def _detection(visit: Visit, fields: Any, by: str) -> dict[str, Any]:
    return {
        "at_us": moment_in(fields, "noticed_at") or visit.service.clock.now_us(),
        "by": text_in(fields, "noticed_by", most=100) or by,
        "alert": text_in(fields, "alert") or None,
        "how": text_in(fields, "how"),
    }


def _mended(visit: Visit, fields: Any, by: str) -> dict[str, Any]:
    text, link = text_in(fields, "text"), text_in(fields, "reference")
    diff = text_in(fields, "diff", most=_DIFF_MAX)
    if is_numeric(text) and not (link or diff):
        raise Invalid(
            [Problem(("body", "text"), "a number needs a source: the change, or its link")]
        )
    return {"fix": {"author": by, "link": link or None, "diff": diff or None, "text": text}}


def _deployed(visit: Visit, fields: Any, by: str) -> dict[str, Any]:
    return {
        "deployment": {
            "at_us": moment_in(fields, "at") or visit.service.clock.now_us(),
            "by": by,
            "commit": text_in(fields, "commit", most=100) or None,
            "what": "change" if fields.get("what") == "change" else "fix",
        }
    }


def _adopted(visit: Visit, fields: Any, by: str) -> dict[str, Any]:
    return {
        "adoption": {
            "at_us": visit.service.clock.now_us(),
            "by": by,
            "what": needed(fields, "text", "what was taken up"),
            "reference": text_in(fields, "reference") or None,
        }
    }


def _planned(visit: Visit, fields: Any, by: str) -> dict[str, Any]:
    return {
        "text": needed(fields, "text", "what is to be done"),
        "owner": needed(fields, "owner", "who does it", most=100),
        "due": needed(fields, "due", "a day such as 2026-12-01", most=10),
        "kind": fields.get("action_kind") or ActionKind.PREVENT.value,
    }


def _done(visit: Visit, fields: Any, by: str) -> dict[str, Any]:
    return {"name": needed(fields, "action", "which follow-up is done", most=20)}


def _closed(visit: Visit, fields: Any, by: str) -> dict[str, Any]:
    return {"text": text_in(fields, "text")}


_KINDS: Final = {
    "said": _said,
    "linked": _linked,
    "detected": _detected,
    "mended": _mended,
    "deployed": _deployed,
    "adopted": _adopted,
    "planned": _planned,
    "done": _done,
    "closed": _closed,
}


def _by(visit: Visit, fields: Any) -> str:
    """Who writes; remembered in their browser."""
    by = needed(fields, "by", "your name: the record says who wrote what", most=100)
    visit.set_cookie(_NAME_COOKIE, base64.urlsafe_b64encode(by.encode()).decode(), _YEAR_S)
    return by


def writer(visit: Visit) -> str:
    """What a person gave last, or else the name in their token."""
    try:
        text = visit.request.cookies.get(_NAME_COOKIE, "")
        return base64.urlsafe_b64decode(text).decode()[:100] or visit.caller.name
    except ValueError:
        return visit.caller.name


PAGES = (
    get("/incidents", show_incidents),
    post("/incidents", open_incident),
    get(_ONE, show_incident),
    post(f"{_ONE}/add", add),
    get(f"{_ONE}/review", show_review),
    get(f"{_ONE}/review.html", review_page),
    get(f"{_ONE}/review.md", review_markdown),
    get(f"{_ONE}/record.json", record),
)
