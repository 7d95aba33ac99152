"""The review of an incident: its head, its summary, how it was noticed, its story. Pure.

Whatever is not in the record is not on the page; that it is missing is said at the end.
"""

from __future__ import annotations

from math import floor, log10
from typing import Any, Final

from homing.forensics.plots import SEEN_MIN, interval_width
from homing.review import budgets, causes, proof
from homing.review.blocks import (
    Address,
    Again,
    Block,
    Code,
    Document,
    Heading,
    Inline,
    Line,
    Paragraph,
    Plot,
    Table,
    Value,
    line,
    quoted,
    strong,
    values_of,
)
from homing.review.facts import (
    RECORD,
    Facts,
    count,
    instant,
    moment,
    money,
    percent,
    span,
    words,
)
from homing.review.impact import WEEK_S
from homing.review.incident import Incident
from homing.review.noticing import explained
from homing.review.pictures import rate_plot
from homing.review.results import WHOLE_WEEK

_HIT_MAX: Final = 10


def review(incident: Incident, name: str) -> Document:
    """The whole document.

    Args:
        incident: what is known.
        name: what commands call the incident: a file, or an id.
    """
    facts = Facts(incident, name, explained(incident))
    blocks: list[Block] = [
        *head(facts),
        *summary(facts),
        *impact(facts),
        *detection(facts),
        *timeline(facts),
        *causes.mechanism(facts),
        *causes.factors(facts),
        *causes.tests(facts),
        *budgets.alerts(facts),
        *proof.fix(facts),
        *proof.verification(facts),
        *proof.recovery(facts),
        *budgets.spent(facts),
        *proof.actions(facts),
        *proof.unknown(facts),
        *proof.appendix(facts),
    ]
    document = Document(title=_title(incident), blocks=tuple(blocks), sources=())
    used = {one.source for one in values_of(document)} | {RECORD}
    for block in blocks:
        if isinstance(block, Again):
            used |= set(block.sources)
    return Document(title=document.title, blocks=document.blocks, sources=facts.sources(used))


def _title(incident: Incident) -> Line:
    return ("Incident review: ", *quoted(incident.title, RECORD, "title"))


def person(facts: Facts, path: str) -> Value:
    """A name out of the record; names may have digits in them."""
    return facts.value(RECORD, path, words)


def reference(facts: Facts, path: str) -> Inline:
    """Where something is written: an address, a file, a command."""
    text = str(facts.get(RECORD, path))
    is_address = text.startswith(("http://", "https://"))
    return Address("link", text) if is_address else facts.coded(RECORD, path)


def head(facts: Facts) -> list[Block]:
    """Status, owner, severity."""
    rows: list[tuple[Line, ...]] = []

    def row(name: str, *parts: Inline) -> None:
        rows.append((line(name), parts))

    proven: list[Inline] = []
    if facts.has("verify", "verdict"):
        proven = ["; before and after the fix were compared: ", proof.verdict(facts)]
    row("Status", person(facts, "status"), *proven)
    row("Severity", person(facts, "severity"))
    row("Owner of this review", person(facts, "owner"))
    if facts.find(RECORD, "service", ""):
        row("Service", person(facts, "service"))
    if facts.has("investigate", "log.from") and facts.has("investigate", "log.to"):
        row(
            "Looked at",
            facts.value("investigate", "accepted", count),
            " deliveries from ",
            facts.value("investigate", "log.from", instant),
            " to ",
            facts.value("investigate", "log.to", instant),
        )
    row("Record", Code(str(facts.incident.id)), ", version ", person(facts, "version"))
    return [Table(("", " "), tuple(rows))]


def summary(facts: Facts) -> list[Block]:
    """One paragraph: the rate, since when, by which mechanism, whom it hit, what it cost."""
    parts: list[Inline] = []
    if facts.find("investigate", "dropped", 0):
        parts += [
            "Of ",
            facts.value("investigate", "judged", count),
            " deliveries that can be judged, the service silently dropped ",
            facts.value("investigate", "dropped", count),
            ": ",
            strong(facts.value("investigate", "rate.value", percent)),
            " (",
            facts.value("investigate", "rate.confidence", percent),
            " interval ",
            facts.value("investigate", "rate.low", percent),
            " to ",
            facts.value("investigate", "rate.high", percent),
            "). ",
        ]
        if facts.find("investigate", "since.is_change", False):
            parts += ["It began about ", facts.value("investigate", "since.at", instant), ". "]
        parts += causes.in_a_sentence(facts)
        parts += _whom(facts)
    elif facts.has("investigate", "judged"):
        parts += [
            "The investigation found that ",
            facts.value("investigate", "dropped", count),
            " of ",
            facts.value("investigate", "judged", count),
            " deliveries were dropped. ",
        ]
    for code in _currencies(facts):
        base = f"by_currency.{code}"
        parts += [
            "The estimated margin lost is ",
            strong(facts.value("impact", f"{base}.p50", money), f" {code} a week"),
            " (likely between ",
            facts.value("impact", f"{base}.p5", money),
            " and ",
            facts.value("impact", f"{base}.p95", money),
            "), of ",
            facts.value("impact", f"{base}.at_risk", money),
            f" {code} a week at risk among ",
            _orders(facts, base),
            " deliveries a week. ",
        ]
    parts += _all_faulty(facts, "The log has the fault only from ")
    if facts.has("verify", "verdict"):
        parts += ["After the fix, the comparison says ", proof.verdict(facts), ". "]
    if not parts:
        parts = ["Nothing has been measured yet. "]
    again = facts.again("investigate", "impact", WHOLE_WEEK, "verify")
    return [Paragraph(tuple(parts), is_lead=True), *again]


def _all_faulty(facts: Facts, opening: str) -> list[Inline]:
    """What a week comes to that has the fault all the time; nothing where the log is all faulty."""
    codes = list(facts.find(WHOLE_WEEK, "by_currency", {}))
    if not (_currencies(facts) and facts.find("investigate", "since.is_change", False)):
        return []
    parts: list[Inline] = [opening, facts.value("investigate", "since.at", instant)]
    if not codes:
        option = Code("homing impact --since")
        return [
            *parts,
            " on: a week that has it all the time costs more, which ",
            option,
            " says. ",
        ]
    parts += [" on; a week that has it all the time, with the same traffic, would come to "]
    for i, code in enumerate(codes):
        base = f"by_currency.{code}"
        parts += [", and to " if i else "", facts.value(WHOLE_WEEK, f"{base}.p50", money)]
        parts += [f" {code} (likely between ", facts.value(WHOLE_WEEK, f"{base}.p5", money)]
        parts += [" and ", facts.value(WHOLE_WEEK, f"{base}.p95", money), ")"]
    return [*parts, ". "]


def _of_which_week(facts: Facts) -> list[Block]:
    """Of which week the price is, and what the incident comes to from its beginning to its end."""
    if not (_currencies(facts) and facts.has("investigate", "log.to")):
        return []
    parts: list[Inline] = [
        "These figures are a week's, as logged from ",
        facts.value("investigate", "log.from", instant),
        " to ",
        facts.value("investigate", "log.to", instant),
        ". ",
    ]
    parts += _all_faulty(facts, "That log has the fault only from ")
    fixes = [i for i, one in enumerate(facts.incident.deployments) if one.what == "fix"]
    if fixes and facts.has(WHOLE_WEEK) and facts.find("investigate", "since.is_change", False):
        parts += _until_the_fix(facts, fixes[0])
    return [Paragraph(tuple(parts))]


def _until_the_fix(facts: Facts, fix: int) -> list[Inline]:
    """The price of the time from the beginning to a deployment, at the pace of a faulty week."""
    began = moment(facts.get("investigate", "since.at"))
    lasted = f"record:deployments.{fix}.at_us - investigate:since.at"
    lasted_s = (moment(facts.incident.deployments[fix].at_us) - began).total_seconds()
    if lasted_s <= 0:
        return []
    parts: list[Inline] = ["From then until the fix was deployed at "]
    parts += [facts.value(RECORD, f"deployments.{fix}.at_us", instant), " it went on for "]
    parts += [facts.derived(span(lasted_s), lasted), ": at that pace, which no log shows to the "]
    parts += ["end, the incident as a whole cost about "]
    for i, code in enumerate(facts.get(WHOLE_WEEK, "by_currency")):
        path = f"by_currency.{code}.p50"
        whole = facts.get(WHOLE_WEEK, path) * lasted_s / WEEK_S
        formula = f"{WHOLE_WEEK}:{path} * ({lasted}) / a week"
        parts += [" and " if i else "", facts.derived(money(whole), formula), f" {code}"]
    return [*parts, " of margin."]


def _orders(facts: Facts, base: str) -> Value:
    return facts.value("impact", f"{base}.deliveries_per_week", count)


def _whom(facts: Facts) -> list[Inline]:
    """How many of each kind of owner it hit."""
    hit = facts.find("investigate", "hit", {})
    for kind in ("tenant", "app", "application", "organisation", "endpoint"):
        rows = hit.get(kind)
        if rows:
            named = sum(one["dropped"] for one in rows)
            return [
                f"The {kind}s that lost most are below; the ",
                facts.derived(f"{len(rows)}", f"number of investigate:hit.{kind}"),
                f" {kind}s shown",
                *_of_all(facts, kind, len(rows)),
                " account for ",
                facts.derived(f"{named:,}", f"sum of investigate:hit.{kind}.*.dropped"),
                " of ",
                facts.value("investigate", "dropped", count),
                " drops. ",
            ]
    return []


def _of_all(facts: Facts, kind: str, shown: int) -> list[Inline]:
    """Of how many that lost any they are some; nothing where they are all."""
    if facts.find("investigate", f"hit_count.{kind}", shown) <= shown:
        return []
    return [", of ", facts.value("investigate", f"hit_count.{kind}", count), " that lost any,"]


def _currencies(facts: Facts) -> list[str]:
    return list(facts.find("impact", "by_currency", {}))


def impact(facts: Facts) -> list[Block]:
    """Whom it hit, and what it cost."""
    blocks: list[Block] = []
    hit = facts.find("investigate", "hit", {})
    for kind, rows in hit.items():
        table = tuple(
            (
                (facts.coded("investigate", f"hit.{kind}.{i}.name"),),
                (facts.value("investigate", f"hit.{kind}.{i}.dropped", count),),
                (facts.value("investigate", f"hit.{kind}.{i}.accepted", count),),
                _rate_of(facts, f"hit.{kind}.{i}", _decimals(rows)),
            )
            for i in range(min(len(rows), _HIT_MAX))
            if rows[i]["dropped"]
        )
        if table:
            heads = (kind.replace("_", " "), "dropped#", "accepted#", "rate#")
            blocks.append(Table(heads, table))
    blocks += _price(facts)
    if not blocks:
        return []
    return [Heading("Impact"), *blocks, *facts.again("investigate", "impact", WHOLE_WEEK)]


def _decimals(rows: list[dict[str, Any]]) -> int:
    """Of all rates of a column alike: two, and more where the smallest would have no two digits."""
    rates = [one["dropped"] / one["accepted"] for one in rows if one["dropped"]]
    return max(2, 1 - floor(log10(100 * min(rates)))) if rates else 2


def _rate_of(facts: Facts, path: str, decimals: int) -> Line:
    k = facts.get("investigate", f"{path}.dropped")
    n = facts.get("investigate", f"{path}.accepted")
    text = f"{k / n if n else 0.0:.{decimals}%}"
    return (facts.derived(text, f"investigate:{path}.dropped / {path}.accepted"),)


def _price(facts: Facts) -> list[Block]:
    blocks: list[Block] = []
    for code in _currencies(facts):
        base = f"by_currency.{code}"

        def of(path: str, base: str = base) -> Line:
            return (facts.value("impact", f"{base}.{path}", money),)

        rows = [
            (line("estimated margin lost, middle"), of("p50")),
            (line("low end of the estimate"), of("p5")),
            (line("high end of the estimate"), of("p95")),
            (line("value at risk: all that was affected"), of("at_risk")),
            (line("sales lost, before the margin"), of("gross_p50")),
            (
                line(
                    "margin for each ",
                    facts.derived("0.1%", "the unit of impact:per_tenth_percent"),
                    " that is dropped, with every input in its middle",
                ),
                of("per_tenth_percent"),
            ),
        ]
        for i, (name, _amount) in enumerate(facts.find("impact", f"{base}.direct", [])):
            label = (*quoted(str(name), "impact", f"{base}.direct.{i}.0"), ", beside the loss")
            rows.append((label, of(f"direct.{i}.1")))
        blocks.append(Table((f"{code}, a week", "amount#"), tuple(rows), frozenset({0})))
        blocks += proof.sensitivity(facts, code)
    blocks += _of_which_week(facts)
    if len(_currencies(facts)) > 1:
        text = "Currencies are kept apart: no exchange rate is in the data."
        blocks.append(Paragraph(line(text)))
    return blocks


def detection(facts: Facts) -> list[Block]:
    """When it began, when it was noticed, and what would have noticed it when."""
    blocks: list[Block] = []
    parts: list[Inline] = []
    if facts.find("investigate", "since.is_change", False):
        parts += [
            "By the change point of the log it began at ",
            facts.value("investigate", "since.at", instant),
            " (between ",
            facts.value("investigate", "since.low", instant),
            " and ",
            facts.value("investigate", "since.high", instant),
            "). ",
        ]
    elif facts.has("investigate", "dropped"):
        parts += ["The log shows no moment at which it began. "]
    found = facts.incident.detection
    if found is not None:
        parts += ["It was noticed at ", facts.value(RECORD, "detection.at_us", instant), " by "]
        parts += [person(facts, "detection.by")]
        if found.how:
            parts += [": ", *quoted(found.how.rstrip(". "), RECORD, "detection.how")]
        if found.alert:
            parts += ["; the alert ", person(facts, "detection.alert"), " had fired. "]
        else:
            parts += ["; no alert had fired. "]
        parts += _undetected(facts, found.at_us)
    if not parts:
        return []
    blocks.append(Paragraph(tuple(parts)))
    blocks += proof.deployed(facts, "change")
    windows = facts.find("investigate", "windows", [])
    if windows:
        since = facts.find("investigate", "since", None)
        told = "Deliveries by time of acceptance (pale) and their drop rate (red)"
        if since is not None and since["is_change"]:
            told += "; the dashed line is the change point, shaded its interval"
            if interval_width(windows, since) < SEEN_MIN:
                told += ", which is too narrow to be seen well at this scale"
        caption = line(f"{told}.")
        svg = rate_plot(windows, since)
        blocks.append(Plot(svg, caption, "investigate"))
    return [Heading("Detection"), *blocks, *facts.again("investigate", RECORD)]


def _undetected(facts: Facts, noticed_us: int) -> list[Inline]:
    if not facts.find("investigate", "since.is_change", False):
        return []
    began = moment(facts.get("investigate", "since.at"))
    late_s = (moment(noticed_us) - began).total_seconds()
    if late_s <= 0:
        return []
    formula = "record:detection.at_us - investigate:since.at"
    return ["It went on unnoticed for ", facts.derived(span(late_s), formula), ". "]


def timeline(facts: Facts) -> list[Block]:
    """What happened when, and where it is written."""
    rows: list[tuple[Line, ...]] = []
    began: list[tuple[int, tuple[Line, ...]]] = []
    if facts.find("investigate", "since.is_change", False):
        at = moment(facts.get("investigate", "since.at"))
        row = (
            (facts.value("investigate", "since.at", instant),),
            line("the log"),
            line("first drops, by the change point"),
            (Code(str(facts.incident.results["investigate"].command)),),
        )
        began.append((round(at.timestamp() * 1_000_000), row))
    entries = [
        (
            one.at_us,
            (
                (facts.value(RECORD, f"timeline.{i}.at_us", instant),),
                (person(facts, f"timeline.{i}.actor"),),
                quoted(one.text, RECORD, f"timeline.{i}.text"),
                (reference(facts, f"timeline.{i}.reference"),) if one.reference else (),
            ),
        )
        for i, one in enumerate(facts.incident.timeline)
    ]
    rows = [row for _, row in sorted([*began, *entries], key=lambda pair: pair[0])]
    heads = ("when", "who", "what", "where it is written")
    return [Heading("Timeline"), Table(heads, tuple(rows)), *facts.again(RECORD)]
