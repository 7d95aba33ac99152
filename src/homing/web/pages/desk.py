"""`/dead-letters`: what was given up, by what it died of, and the way back."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from homing.core.errors import Invalid, Problem
from homing.core.identifiers import parse_delivery_id
from homing.core.issues import IssueState
from homing.core.money import amounts
from homing.core.plurals import plural
from homing.core.records import Attempt
from homing.core.tasks import RedrivePlan, Selection
from homing.service import desk
from homing.service.applications import list_applications
from homing.service.deliveries import undo_discard
from homing.service.desk_reading import (
    IssueLine,
    examples_of_issue,
    find_line,
    latest_attempt,
    letters_of_issue,
    list_lines,
    tasks_of_desk,
    unhandled,
)
from homing.service.endpoint_views import MOST, endpoint_load
from homing.service.listing import Ask
from homing.web.pages.asking import ask_of, needed, number_in, text_in, turns, whole_in
from homing.web.pages.noting import names_of, note, offered
from homing.web.pages.outcomes import Meaning, meaning, outcome_words
from homing.web.pages.redrives import line_of_task
from homing.web.pages.shell import Page, Visit, get, post

_HERE: Final = "dead-letters"
#: what a person sees first: all that is not done with
_UNRESOLVED: Final = (IssueState.OPEN, IssueState.ACKNOWLEDGED, IssueState.MUTED)
#: the filter's words, and what each shows
_STATES: Final[dict[str, tuple[IssueState, ...]]] = {
    "unresolved": _UNRESOLVED,
    **{state.value: (state,) for state in IssueState},
    "all": tuple(IssueState),
}
#: applications that fit a list to choose from; with more of them one is typed
APPS_MAX: Final = 50
_ISSUES: Final = 25
_LETTERS: Final = 20
_TASKS: Final = 5
#: a canary that is proposed: enough to see, few enough to lose nothing by
_CANARY: Final = 10
_BODY_MAX: Final = 2_000
_VERBS: Final = {
    "acknowledge": (IssueState.ACKNOWLEDGED, "Acknowledged: somebody is at it."),
    "mute": (IssueState.MUTED, "Muted: nobody is told of it any more."),
    "resolve": (IssueState.RESOLVED, "Resolved. The next death opens it again."),
    "reopen": (IssueState.OPEN, "Opened again."),
}


# --- all issues ---


async def show_issues(visit: Visit) -> Page:
    """All issues, the newest first, with what they weigh."""
    service, caller = visit.service, visit.caller
    state = visit.query.get("state") or "unresolved"
    if state not in _STATES:
        text = f"expected one of {', '.join(_STATES)}, found {state!r}"
        raise Invalid([Problem(("query", "state"), text)])
    app, endpoint = visit.query.get("app") or None, visit.query.get("endpoint") or None
    listing = await list_lines(
        service, caller, ask_of(visit, _ISSUES), states=_STATES[state], app=app, endpoint=endpoint
    )
    apps = await list_applications(service, caller, Ask(limit=APPS_MAX))
    tasks = await tasks_of_desk(service, caller)
    burden = await unhandled(service.store, caller.org_id)
    values: dict[str, Any] = {
        "lines": [_row(line) for line in listing.data],
        "turns": turns(visit, listing),
        "state_asked": state,
        "states": list(_STATES),
        "app": app or "",
        "endpoint": endpoint or "",
        "apps": apps.data if apps.done else None,
        "burden": burden,
        "money_at_stake": amounts(burden.micro),
        "running": [line_of_task(one) for one in tasks if one.is_running][:_TASKS],
        "is_narrowed": bool(app or endpoint or state != "unresolved"),
    }
    return Page("dead_letters.html", "Dead letters", _HERE, values)


def _row(line: IssueLine) -> dict[str, Any]:
    issue = line.view.issue
    return {
        "line": line,
        "view": line.view,
        "issue": issue,
        "cause": meaning_of(line),
        "money_at_stake": amounts(line.view.burden.micro),
        "url": f"/dead-letters/{issue.id}",
        "place": place_of(line),
    }


def meaning_of(line: IssueLine) -> Meaning:
    """What an issue's dead letters died of."""
    issue = line.view.issue
    return meaning(issue.reason, issue.status, issue.fingerprint)


def place_of(line: IssueLine) -> str:
    """The endpoint as people know it."""
    if line.endpoint is None:
        return line.view.issue.endpoint_id
    return line.endpoint.description or line.endpoint.uid or line.endpoint.url


def titled(what: str, place: str) -> str:
    """What an issue is, with the name of whose it is."""
    if what.startswith("The receiver "):
        return what.replace("The receiver", place, 1)
    return f"{place}: {what[:1].lower()}{what[1:]}"


# --- one issue ---

_NO_INCIDENTS: Final[dict[str, Any]] = {"incidents": [], "incident": ""}


async def show_issue(visit: Visit) -> Page | Response:
    """Why, since when, examples, and what can be done; with `check`, what a redrive would do."""
    service, caller = visit.service, visit.caller
    line = await find_line(service, caller, visit.path["issue"])
    issue = line.view.issue
    if issue.id != visit.path["issue"]:
        return visit.go(f"/dead-letters/{issue.id}")
    shows_discarded = visit.query.get("shown") == "discarded"
    letters = await letters_of_issue(
        service, caller, line, ask_of(visit, _LETTERS), discarded=shows_discarded
    )
    discarded = letters
    if not shows_discarded:
        discarded = await letters_of_issue(service, caller, line, Ask(limit=1), discarded=True)
    tasks = await tasks_of_desk(service, caller, {one.id for one in line.view.all})
    plan, preview, notable = plan_in(dict(visit.query)), None, _NO_INCIDENTS
    if "check" in visit.query and line.view.burden.count:
        preview = await desk.preview(service, caller, line.app.id, _all_of(line), plan=plan)
    if visit.may("operator") and letters.data and not shows_discarded:
        notable = await offered(visit, [issue.id, *names_of(line.endpoint)])
    values = (
        _row(line)
        | notable
        | {
            "examples": [
                {"example": one, "answer": answer_of(one.attempt)}
                for one in await examples_of_issue(service, line)
            ],
            "letters": letters.data,
            "turns": turns(visit, letters),
            "shows_discarded": shows_discarded,
            "has_discarded": bool(discarded.data),
            "undo_us": round(service.limits.undo_s * 1_000_000),
            "tasks_shown": [line_of_task(one) for one in tasks[:_TASKS]],
            "running": next((line_of_task(one) for one in tasks if one.is_running), None),
            "plan": plan,
            "canary": visit.query.get("canary", str(min(_CANARY, line.view.burden.count // 4))),
            "preview": preview,
            "preview_money": {} if preview is None else amounts(preview.micro),
            "asked": {name: visit.query[name] for name in PLAN if visit.query.get(name)},
            "amounts": amounts,
        }
    )
    title = titled(values["cause"].what, values["place"])
    return Page("issue.html", title, _HERE, values | await _of_endpoint(visit, line))


async def _of_endpoint(visit: Visit, line: IssueLine) -> dict[str, Any]:
    """What goes on at an issue's endpoint besides: retries, and how it last answered."""
    found: dict[str, Any] = {"retried": 0, "retried_most": MOST, "latest": None, "latest_words": ""}
    if line.endpoint is None:
        return found
    load = await endpoint_load(visit.service, visit.caller, line.app.id, line.endpoint.id)
    found["retried"] = load.waiting + load.leased
    if "check" in visit.query:
        latest = await latest_attempt(visit.service.store, line.app.id, line.endpoint.id)
        if latest is not None:
            found |= {"latest": latest, "latest_words": outcome_words(latest)}
    return found


def answer_of(attempt: Attempt | None) -> str | None:
    """The beginning of what a receiver answered, as text; None: nothing, or it was forgotten."""
    if attempt is None or not attempt.response_body:
        return None
    return attempt.response_body[:_BODY_MAX].decode("utf-8", "replace")


PLAN: Final = ("canary", "failures", "rate", "concurrency")


def plan_in(fields: dict[str, str]) -> RedrivePlan:
    """How to redrive, out of a form.

    Raises:
        Invalid: a number is out of bounds.
    """
    failures = number_in(fields, "failures", low=0, high=100, default=10.0)
    rate = number_in(fields, "rate", low=0, high=100_000)
    return RedrivePlan(
        rate_per_s=rate or None,
        concurrency=whole_in(fields, "concurrency", low=1, high=1_000),
        canary=whole_in(fields, "canary", low=0, high=1_000, default=0) or 0,
        failure_ratio_max=(10.0 if failures is None else failures) / 100,
    )


def _all_of(line: IssueLine) -> Selection:
    return Selection(issue_ids=(line.view.issue.id,))


# --- what can be done ---


async def redrive(visit: Visit) -> Response:
    """Redrive an issue, or the dead letters of it that were chosen."""
    line, fields, which = await _chosen(visit)
    task = await desk.redrive_many(
        visit.service, visit.caller, line.app.id, which, plan_in(dict(fields))
    )
    what = titled(meaning_of(line).what, place_of(line))
    count = len(which.deliveries) or line.view.burden.count
    text = f"began to send {plural(count, 'dead letter')} again ({what})"
    said = await note(visit, fields, task, text)
    return visit.go(f"/dead-letters/tasks/{task.id}", said=said)


async def discard(visit: Visit) -> Response:
    """Withdraw an issue's dead letters, or those that were chosen, for a reason."""
    line, fields, which = await _chosen(visit)
    why = needed(fields, "why", "the reason: it is kept with each of them", most=200)
    task = await desk.discard_many(visit.service, visit.caller, line.app.id, which, why=why)
    return visit.go(f"/dead-letters/tasks/{task.id}")


async def _chosen(visit: Visit) -> tuple[IssueLine, dict[str, str], Selection]:
    """The issue, the form, and what it is about."""
    form = await visit.form()
    line = await find_line(visit.service, visit.caller, visit.path["issue"])
    if form.get("only") != "chosen":
        return line, dict(form), _all_of(line)
    names = tuple(dict.fromkeys(form.getlist("delivery")))
    if not names:
        text = "expected at least one dead letter: tick those that are meant, then try again"
        raise Invalid([Problem(("body", "delivery"), text)])
    return line, dict(form), Selection(deliveries=names)


async def undo(visit: Visit) -> Response:
    """Bring back what was discarded, all of it or what was chosen."""
    line, _, which = await _chosen(visit)
    service, caller, app_id = visit.service, visit.caller, line.app.id
    if not which.deliveries:
        task = await desk.undo_many(service, caller, app_id, issue=line.view.issue.id)
        return visit.go(f"/dead-letters/tasks/{task.id}")
    _, which = await desk.resolve(service, caller, app_id, which)
    for name in which.deliveries:
        await undo_discard(service, app_id, parse_delivery_id(name), actor=caller.actor)
    return visit.go(f"/dead-letters/{line.view.issue.id}", said="Brought back.")


async def decide(visit: Visit) -> Response:
    """Acknowledge, mute, resolve or open an issue."""
    fields = await visit.form()
    verb = fields.get("verb", "")
    if verb not in _VERBS:
        text = f"expected one of {', '.join(_VERBS)}, found {verb[:40]!r}"
        raise Invalid([Problem(("body", "verb"), text)])
    state, said = _VERBS[verb]
    line = await find_line(visit.service, visit.caller, visit.path["issue"])
    issue_id = line.view.issue.id
    note = text_in(fields, "note") or None
    await desk.decide_issue(visit.service, visit.caller, line.app.id, issue_id, state, note=note)
    return visit.go(f"/dead-letters/{issue_id}", said=said)


async def merge(visit: Visit) -> Response:
    """Make an issue part of another."""
    fields = await visit.form()
    into = needed(fields, "into", "the id of the issue that it becomes part of")
    line = await find_line(visit.service, visit.caller, visit.path["issue"])
    after = await desk.merge_issues(
        visit.service, visit.caller, line.app.id, line.view.issue.id, into
    )
    return visit.go(f"/dead-letters/{after.issue.id}", said="They are one issue now.")


_ONE: Final = "/dead-letters/{issue}"

PAGES = (
    get("/dead-letters", show_issues),
    get(_ONE, show_issue),
    post(f"{_ONE}/redrive", redrive),
    post(f"{_ONE}/discard", discard),
    post(f"{_ONE}/undo", undo),
    post(f"{_ONE}/decide", decide),
    post(f"{_ONE}/merge", merge),
)
