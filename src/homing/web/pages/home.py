"""`/`: is everything accounted for, how is the traffic, and what needs a person?"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final, NamedTuple

from homing.core.issues import IssueState
from homing.core.money import amounts
from homing.core.plurals import plural
from homing.core.queries import LedgerRow
from homing.insight.alerts.alert import Alert, Kind, Severity
from homing.insight.figures import span_text
from homing.insight.ledger import COLUMNS
from homing.insight.objectives import Standing, left_text, target_text
from homing.review.incident import Incident
from homing.service.context import Service
from homing.service.day_books import Books, DayBooks
from homing.service.desk_reading import IssueLine
from homing.service.home import Overview, overview
from homing.web.pages.shell import Page, Visit, get
from homing.web.pages.words import amount, signed

#: how long the first look at a process's books may wait for them, seconds
_FIRST_LOOK_S: Final = 0.06
#: alerts that say what an issue on the same page says better
_OF_ISSUES: Final = frozenset(
    {Kind.FIRST_DEAD_LETTER, Kind.DEAD_LETTERS_GROWING, Kind.DEAD_LETTER_OLD}
)
#: what a column of the ledger means, in a few words
_MEANINGS: Final = {
    "delivered": "answered 2xx",
    "waiting": "due later or next",
    "leased": "being sent now",
    "parked": "endpoint disabled",
    "dead": "given up",
    "cancelled": "called off",
}
#: words for the severity of an incident, which are anybody's own, that call for somebody at once
_SEVERE: Final = frozenset(
    {"critical", "high", "major", "p0", "p1", "page", "sev-0", "sev-1", "sev0", "sev1", "urgent"}
)
#: order of the flow: what is well, what goes on, what does not
_FLOW: Final = ("delivered", "leased", "waiting", "parked", "dead", "cancelled")
assert set(_FLOW) == set(COLUMNS)
#: how objectives stand, in the order in which they are shown
_ORDER: Final = {"broken": 0, "burning": 1, "kept": 2, "unproven": 3}
#: width of the flow's bar in its own units, and the least that a column with something in it gets
_BAR: Final = 1_000
_BAR_LEAST: Final = 6


class Matter(NamedTuple):
    """Something that needs a person."""

    kind: str  #: bad or warn
    word: str
    text: str
    about: str
    href: str
    since_us: int | None


class Column(NamedTuple):
    """A column of the ledger, as the flow shows it."""

    name: str
    meaning: str
    number: int
    share: float | None
    x: float
    width: float


class HomePage:
    """Home, and what this process counted for it."""

    def __init__(self, service: Service) -> None:
        self._day = DayBooks(service.store, service.clock)
        self.PAGES = (get("/", self.show),)

    async def show(self, visit: Visit) -> Page:
        if visit.query.get("part") == "books":
            books = self._day.look(visit.caller.org_id)
            needs = visit.query.get("needs", "")
            values = books_values(books, int(needs[:4]) if needs.isdecimal() else 0)
            return Page("home_part.html", "Home", "home", values)
        self._day.look(visit.caller.org_id)
        await self._day.until_counted(_FIRST_LOOK_S)
        found = await overview(visit.service, visit.caller, self._day)
        return Page("home.html", "Home", "home", home_values(found))


def home_values(found: Overview) -> dict[str, Any]:
    """What the template shows."""
    measured = found.measured
    told = matters(found)
    return {
        **books_values(found.books, len(told)),
        "now_us": found.at_us,
        "is_new": found.is_new,
        "matters": told,
        "more": found.more_issues or found.more_alerts,
        "traffic": found.traffic,
        "backlog": found.backlog,
        "backlog_at_us": found.backlog_at_us,
        "audited_at_us": measured.audited_at_us or None if measured else None,
        "audit_missing": measured.unaccounted if measured else 0,
        "charts": _charts(found),
        "issues": found.issues,
        "alerts": found.alerts,
        "promises": sorted(map(_promise, found.standings), key=lambda one: _ORDER[one["state"]]),
    }


def books_values(books: Books, needs: int) -> dict[str, Any]:
    """The sentence and the flow.

    Args:
        needs: how much needs a person: books that balance are not all there is.
    """
    values = {"books": books, "sentence": sentence(books), "flow": flow(books.total)}
    return values | {"needs": needs}


def sentence(books: Books) -> str:
    """Whether everything is accounted for: no more than was counted."""
    missing = books.unaccounted
    if missing:
        verb = "is" if missing == 1 else "are"
        return f"{plural(missing, 'delivery', 'deliveries')} {verb} unaccounted for"
    if not books.is_whole:
        return "Counting the last 24 hours"
    if not books.total.accepted:
        return "Nothing was accepted in the last 24 hours"
    return "Everything is accounted for"


def flow(row: LedgerRow) -> list[Column]:
    """The columns, with their place in a bar; small ones are drawn wide enough to be seen."""
    counts = {name: getattr(row, name) for name in _FLOW}
    sum_of_all = sum(counts.values())
    wide = {
        name: max(_BAR_LEAST, count / sum_of_all * _BAR) if count else 0.0
        for name, count in counts.items()
    }
    scale = _BAR / (sum(wide.values()) or 1)
    found, x = [], 0.0
    for name, count in counts.items():
        width = wide[name] * scale
        share = count / sum_of_all if sum_of_all else None
        found.append(
            Column(name, _MEANINGS[name], count, share, round(x, 2), round(max(0, width - 2), 2))
        )
        x += width
    return found


def matters(found: Overview) -> list[Matter]:
    """What needs a person, the worst first."""
    told: list[Matter] = []
    audit = found.measured
    if audit is not None and audit.unaccounted:
        text = f"{plural(audit.unaccounted, 'delivery', 'deliveries')} missing from the books"
        told.append(Matter("bad", "Unaccounted", text, "homing audit names them", "", None))
    issues = [one for one in found.issues if one.view.issue.state is IssueState.OPEN]
    about = {one.view.issue.endpoint_id for one in issues}
    told += [_of_issue(one) for one in issues]
    told += [_of_alert(one) for one in found.alerts if _is_told(one, found, about)]
    told += [_of_incident(one) for one in found.incidents]
    told += _of_parked(found)
    burning = {one.finding.name for one in found.alerts if one.finding.kind is Kind.BURN_RATE}
    told += [
        _of_objective(one)
        for one in found.standings
        if _is_broken(one) and one.objective.id not in burning
    ]
    return sorted(told, key=lambda one: one.kind != "bad")


def _is_told(one: Alert, found: Overview, about: set[str]) -> bool:
    """Whether an alert is shown: nobody is at it, and no issue says the same."""
    finding = one.finding
    same = finding.kind in _OF_ISSUES and (finding.endpoint_id or finding.subject) in about
    if finding.kind is Kind.MONEY_AT_RISK:  # each issue says what it has at stake
        same = bool(about) and not found.more_issues
    return not same and one.acknowledged_by is None and not one.is_silent(found.at_us)


def _of_alert(one: Alert) -> Matter:
    finding = one.finding
    kind = "bad" if finding.severity is Severity.PAGE else "warn"
    text = finding.what[:1].upper() + finding.what[1:]
    return Matter(kind, "Alert", text, finding.name, f"/alerts#{one.id}", finding.since_us)


def _of_issue(one: IssueLine) -> Matter:
    issue, burden = one.view.issue, one.view.burden
    letters = plural(burden.count, "dead letter")
    cause = f"answered {issue.status}" if issue.status else issue.reason.replace("_", " ")
    text = f"{letters} at {endpoint_name(one)}: {cause}"
    money = ", ".join(f"{amount(sum_)} {code}" for code, sum_ in amounts(burden.micro).items())
    return Matter(
        "bad",
        "Dead letters",
        text,
        f"{one.app.name} · {money} at stake" if money else one.app.name,
        f"/dead-letters/{issue.id}",
        burden.oldest_at_us or one.view.last_seen_at_us,
    )


def _of_incident(one: Incident) -> Matter:
    kind = "bad" if one.severity.strip().lower() in _SEVERE else "warn"
    about = f"severity {one.severity}, owner {one.owner or 'nobody'}"
    return Matter(kind, "Incident", one.title, about, f"/incidents/{one.id}", one.created_at_us)


def _of_parked(found: Overview) -> list[Matter]:
    """Deliveries of the last day that wait until somebody enables their endpoint."""
    count = found.books.total.parked
    if not count:
        return []
    verb, they = ("waits", "its") if count == 1 else ("wait", "their")
    text = f"{plural(count, 'delivery', 'deliveries')} {verb} until {they} endpoint is enabled"
    if not found.books.is_whole:
        text = f"At least {text}"
    about = "parked, accepted in the last 24 hours"
    return [Matter("warn", "Parked", text, about, "/deliveries?status=parked", None)]


def endpoint_name(one: IssueLine) -> str:
    """What people call the endpoint of an issue."""
    if one.endpoint is None:
        return "an endpoint that was deleted"
    return one.endpoint.description or one.endpoint.uid or one.endpoint.url


def _of_objective(one: Standing) -> Matter:
    what = left_text(one) if one.unaccounted is not None else "its budget is spent"
    text = f"The objective {one.objective.id} is broken: {what}"
    return Matter(
        "warn", "Objective", text, one.objective.team, f"/objectives/{one.objective.id}", None
    )


def _is_few(one: Standing) -> bool:
    """Whether too little happened for the budget to say anything: the guard of its alerts."""
    objective, counts = one.objective, one.counts
    return counts.total < objective.events_min or counts.bad < objective.bad_min


def _is_broken(one: Standing) -> bool:
    if one.unaccounted is not None:
        return one.unaccounted > 0
    return not one.is_met and not _is_few(one)


def _promise(one: Standing) -> dict[str, Any]:
    """A line of the objectives."""
    left = max(Fraction(0), min(Fraction(1), one.left))
    few = one.unaccounted is None and _is_few(one) and one.counts.bad > 0
    burning = any(tier.fires for tier in one.burning)
    state = "broken" if _is_broken(one) else "burning" if burning else "kept"
    if one.unaccounted is None and not one.counts.total:
        state = "unproven"
    return {
        "id": one.objective.id,
        "description": one.objective.description,
        "target": target_text(one.objective),
        "is_count": one.unaccounted is not None,
        "left": "too few events" if few and not one.is_met else signed(left_text(one)),
        "fill": round(float(left) * 100, 1) if state != "unproven" else 0,
        "state": state,
        "events": one.counts.total,
        "gone": "" if one.exhaustion_s is None else span_text(one.exhaustion_s),
    }


def _charts(found: Overview) -> Sequence[tuple[str, str, dict[str, Any]]]:
    """(title, about, what `chart` draws)."""
    traffic = found.traffic
    hours = [at_us // 1_000_000 for at_us in traffic.hours_us]
    ended = {
        "kind": "bars",
        "stack": True,
        "unit": "count",
        "times": hours,
        "series": [
            {"label": "In time", "values": traffic.delivered, "tone": "good"},
            {"label": "Late or dead", "values": traffic.failed, "tone": "bad"},
        ],
    }
    prompt = {
        "kind": "line",
        "unit": "share",
        "times": hours,
        "top": 1.02,
        "series": [{"label": "Begun in time", "values": traffic.prompt, "tone": "accent"}],
    }
    looks = found.looks
    ages = [
        0 if one.oldest_due_at_us is None else max(0, at_us - one.oldest_due_at_us) / 1_000_000
        for at_us, one in looks
    ]
    lag = {
        "kind": "area",
        "unit": "s",
        "times": [at_us // 1_000_000 for at_us, _ in looks],
        "series": [{"label": "Oldest due", "values": ages, "tone": "warn"}],
    }
    return (
        ("Deliveries that ended", "by the hour, 24 hours", ended),
        ("First attempts begun in time", "share, by the hour", prompt),
        ("Oldest due", "how long it has waited, each minute", lag),
    )
