"""The findings as a JSON document: the contract between `investigate` and what comes after it. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from homing.core.plurals import plural
from homing.forensics.cases import CROSSINGS
from homing.forensics.catalogue import MECHANISMS
from homing.forensics.doubt import Doubt, damage_told
from homing.forensics.hypothesis import Candidate, schedule_of
from homing.forensics.investigation import Findings, doubts_of
from homing.forensics.judging import Verdict
from homing.forensics.lanes import lane_rows
from homing.forensics.reading.files import Raw
from homing.forensics.statistics import fisher_greater
from homing.forensics.telling import YOUR_WORKER
from homing.forensics.traces import Trace
from homing.insight.rates import exact, excluded_rate
from homing.insight.verification import percent

FORMAT = 1
#: kinds of endings that are told
_ENDINGS_MAX: Final = 40


def time_text(at_us: int | None) -> str | None:
    """ISO 8601, UTC, milliseconds."""
    if at_us is None:
        return None
    try:
        return (
            datetime.fromtimestamp(at_us / 1e6, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z")
        )
    except (ValueError, OverflowError, OSError):
        return str(at_us)


def document(findings: Findings) -> dict[str, Any]:
    """Everything, with plain values only; times are ISO 8601 UTC."""
    k, n = findings.dropped, findings.settled
    rate = exact(k, n)
    sure = findings.doubt.sure(k)
    return {
        "format": FORMAT,
        "accepted": findings.accepted,
        "judged": n,
        "dropped": k,
        "rate": {
            "value": rate.value,
            "low": exact(sure, n).low,
            "high": rate.high,
            "confidence": rate.confidence,
            "clumped_low": findings.clumping.low if sure == k else 0.0,
            "clumped_high": findings.clumping.high,
        },
        "excluded_rate": excluded_rate(n) if n and not k else None,
        "since": _since(findings),
        "deleted": _deleted(findings),
        "verdict": _verdict(findings),
        "doubt": doubt_told(findings),
        "summary": summary(findings),
        "hypothesis": _hypothesis(findings),
        "cannot_tell": findings.cannot_tell,
        "books": {v.name.lower(): findings.books.get(v, 0) for v in Verdict},
        "dropped_because": findings.whys,
        "ended": [
            {**one._asdict(), "verdict": one.verdict.name.lower()}
            for one in findings.endings[:_ENDINGS_MAX]
        ],
        "hit": {
            name: [{"name": t, "dropped": d, "accepted": a} for t, d, a in rows]
            for name, rows in findings.hit.items()
        },
        "hit_count": findings.hit_count,
        "hit_hardest": {
            name: hard
            for name, rows in findings.hit.items()
            if (hard := _hardest(rows, k, findings.accepted))
        },
        "suspects": [s._asdict() for s in findings.suspects[:40]],
        "features_tried": len(findings.suspects),
        "windows": [
            {"start": time_text(w.start_us), "accepted": w.accepted, "dropped": w.dropped}
            for w in findings.windows
        ],
        "clumping": findings.clumping._asdict(),
        "variants": [
            {**v._asdict(), "first_at_us": time_text(v.first_at_us)} for v in findings.ways
        ],
        "illegal_steps": [i._asdict() for i in findings.illegal],
        "examples": [_example(t, findings.raw) for t in findings.examples],
        "counter_examples": [_example(t, findings.raw) for t in findings.counter_examples],
        "horizon": _horizon(findings),
        "rows": findings.raw.rows,
        "damaged_rows": findings.raw.damage.count,
        "damaged": findings.raw.damage.named,
        "damaged_nameless": findings.doubt.nameless,
        "cut_off": [
            {"file": one.path, "until": time_text(one.until_us)} for one in findings.doubt.cut
        ],
        "log": {
            "from": time_text(findings.events.first_us),
            "to": time_text(findings.events.last_us),
            "files": [path for _, path in findings.raw.starts],
            "mappings": {path: m.name for path, m in findings.raw.mappings.items()},
            "words": dict(sorted(findings.events.words.items())),
            "doubts": doubts_of(findings.raw),
            "columns": _columns(findings),
        },
        "next": next_command(findings),
    }


def _verdict(findings: Findings) -> str:
    if doubt_told(findings):
        return "in doubt"
    if findings.dropped:
        return "dropped"
    return "too short" if is_too_short(findings) else "no drop"


#: a zero that leaves this rate open says nothing of a service that loses some
_EXCLUDED_MAX: Final = 0.1


def is_too_short(findings: Findings) -> bool:
    """Whether so few deliveries could be judged that none dropped among them tells nothing."""
    return not findings.dropped and excluded_rate(findings.settled) > _EXCLUDED_MAX


def doubt_told(findings: Findings) -> dict[str, str] | None:
    """Why a log says neither that something was dropped nor that nothing was; None: it says which."""
    k, n, doubt = findings.dropped, findings.settled, findings.doubt
    if doubt.is_total(k):
        if doubt.hiding < k:
            return {"because": "cut off", "sentence": f"{_cut(doubt)}: {_ONE_SHORT.format(k=k)}"}
        damaged = findings.raw.damage.count - len(doubt.cut)
        sentence = damage_told(doubt, damaged, k, n)
        return {"because": "damaged rows", "sentence": sentence}
    if doubt.cut and not k:
        return {"because": "cut off", "sentence": f"{_cut(doubt)}; for that part, and no other"}
    return None


#: of a file that is cut off, while others of its log go on
_ONE_SHORT: Final = (
    "what it would have told of the {k:,} that look dropped is lost, so neither a rate nor a suspect "
    "can be told"
)


def _cut(doubt: Doubt) -> str:
    """Which files are cut off, and up to when they can be read."""
    told = [
        f"{one.path} is cut off and can be read up to {time_text(one.until_us) or 'nowhere'}"
        for one in doubt.cut
    ]
    return "; ".join(told)


def _columns(findings: Findings) -> dict[str, dict[str, Any]]:
    """File → our field → the log's column, with what is said of it."""
    return {
        path: {
            name: {k: v for k, v in asdict(column).items() if v}
            for name, column in mapping.columns.items()
        }
        for path, mapping in findings.raw.mappings.items()
    }


def _hypothesis(findings: Findings) -> dict[str, Any]:
    shaped, found = findings.hypothesis, findings.dropped > 0
    if findings.doubt.hides_suspect(findings.dropped):
        return {**_NO_SUSPECT, "sentence": _hidden(findings)}
    told: dict[str, Any] = {
        "mechanism": shaped.mechanism if found else None,
        "sentence": shaped.sentence,
        "candidates": [_candidate(one, findings) for one in shaped.candidates] if found else [],
        "evidence": shaped.evidence if found else [],
        "rivals": shaped.rivals if found else [],
        "mixture": [s._asdict() for s in shaped.shares] if found else [],
        "skeleton": None,
    }
    if found:
        told["name"] = MECHANISMS[shaped.mechanism].name if shaped.mechanism else None
        told["confidence"] = round(shaped.confidence, 3)
        if shaped.mechanism:
            told["skeleton"] = schedule_of(shaped.mechanism, findings.settings)
    return told


#: of a log in which the lost rows are too many for a mechanism to be named
_NO_SUSPECT: Final[dict[str, Any]] = {
    "mechanism": None,
    "name": None,
    "candidates": [],
    "evidence": [],
    "rivals": [],
    "mixture": [],
    "skeleton": None,
    "confidence": 0.0,
}


def _hidden(findings: Findings) -> str:
    if findings.doubt.is_one_short:
        return "none can be named: the rest of a file that is cut off is missing"
    return "none can be named: rows that are damaged may be all that is missing of so many"


def _candidate(one: Candidate, findings: Findings) -> dict[str, Any]:
    about = MECHANISMS[one.mechanism]
    return {
        "mechanism": one.mechanism,
        "name": about.name,
        "sentence": about.sentence,
        "lacking": one.lacking,
        "skeleton": schedule_of(one.mechanism, findings.settings),
    }


#: a rate is far above the rest from so many times on, with so many drops, and if chance alone is so rare
_HARD_RATIO: Final = 3.0
_HARD_DROPS: Final = 5
_HARD_P: Final = 1e-4


def _hardest(
    rows: Sequence[tuple[str, int, int]], dropped: int, accepted: int
) -> dict[str, Any] | None:
    """Which of them lost far more of its deliveries than the rest did, and how many times; if one did."""
    found: dict[str, Any] | None = None
    for name, k, n in rows:
        rest_k, rest_n = dropped - k, accepted - n
        if k < _HARD_DROPS or rest_k <= 0 or rest_n <= 0:
            continue
        ratio = (k / n) / (rest_k / rest_n)
        is_hard = ratio >= _HARD_RATIO and fisher_greater(k, n, dropped, accepted) <= _HARD_P
        if is_hard and (found is None or ratio > found["ratio"]):
            found = {"name": name, "dropped": k, "accepted": n, "rate": k / n}
            found |= {"rate_of_rest": rest_k / rest_n, "ratio": ratio}
    return found


def _since(findings: Findings) -> dict[str, Any] | None:
    one = findings.since
    if one is None:
        return None
    return {
        "at": time_text(one.at_us),
        "low": time_text(one.low_us),
        "high": time_text(one.high_us),
        "until": time_text(one.until_us),
        "p": one.p,
        "is_change": one.is_change,
        "rate_before": one.rate_before,
        "rate_after": one.rate_after,
    }


def _deleted(findings: Findings) -> dict[str, Any] | None:
    one = findings.deleted
    if one is None:
        return None
    after, until = time_text(one.after_us), time_text(one.until_us)
    if after == until:
        sentence = f"accepted then, and lost later: the first was deleted at {after}"
    else:
        sentence = (
            f"accepted then, and lost later: the first one's last line is at {after}, and it was "
            f"due at {until}"
        )
    return {"after": after, "until": until, "sentence": sentence}


def _horizon(findings: Findings) -> dict[str, Any]:
    context = findings.context
    return {
        "longest_legal_gap_s": context.gap_max_us / 1e6,
        "given_s": None if context.horizon_us is None else context.horizon_us / 1e6,
        "where_unknown_s": context.fallback_us / 1e6,
        "attempts_max": context.attempts_max,
        "statuses_not_retried": list(context.permanent),
    }


def _example(trace: Trace, raw: Raw) -> dict[str, Any]:
    rows = [row._asdict() for row in lane_rows(trace)]
    for row in rows:
        row["file"], row["line"] = raw.place(row["line"])
    return {
        "delivery": trace.name,
        "why": trace.why.name.lower(),
        "accepted_at": time_text(trace.accepted_us),
        "crossings": sorted(trace.crossings),
        "crossed": [CROSSINGS.get(one, one) for one in sorted(trace.crossings)],
        "rows": rows,
    }


def next_command(findings: Findings) -> str:
    """What to do now."""
    if doubt_told(findings):
        return "homing investigate LOG"
    if not findings.dropped:
        if not findings.settled:
            files = " ".join(shlex.quote(path) for _, path in findings.raw.starts[:3])
            return f"homing investigate {files} --horizon 15m"
        return f"homing verify --before 3/1000 --after 0/{findings.settled}"
    one = _hypothesis(findings)
    if one["mechanism"] is None and not one["candidates"]:
        return f"homing reproduce {YOUR_WORKER}"  # there is no schedule to hold it to
    return f"homing reproduce incident.json --worker {YOUR_WORKER}"


def summary(findings: Findings) -> str:
    """The finding in a sentence or two; what is in doubt comes first."""
    k, told, cut = findings.dropped, doubt_told(findings), _cut(findings.doubt)
    if told is None:
        return f"{cut}; there {_counted(findings)}" if cut else _counted(findings)
    return told["sentence"] if k else f"{told['sentence']}, {_counted(findings)}"


def _counted(findings: Findings) -> str:
    k, n = findings.dropped, findings.settled
    if not n:
        return f"{plural(findings.accepted, 'delivery')}, none old enough to judge"
    if is_too_short(findings):
        return (
            f"{findings.accepted:,} accepted, none dropped of the {n:,} that can be judged, "
            f"and that excludes only a rate of {percent(excluded_rate(n))} or more at 95%"
        )
    if not k:
        return (
            f"{findings.accepted:,} accepted, none dropped: "
            f"zero in {n:,} excludes a rate of {percent(excluded_rate(n))} or more at 95%"
        )
    rate, sure = exact(k, n), findings.doubt.sure(k)
    told = f"{findings.accepted:,} accepted, {k:,} dropped: {rate.value:.3%} "
    if sure == k:
        return f"{told}(95%: {rate.low:.3%} to {rate.high:.3%})"
    return (
        f"{told}(95%: {exact(sure, n).low:.3%} to {rate.high:.3%}, as up to {k - sure:,} of them may only "
        "have lost a row that is damaged)"
    )
