"""The findings as a JSON document: the contract between `investigate` and what comes after it. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from homing.forensics.catalogue import MECHANISMS
from homing.forensics.hypothesis import Candidate, schedule_of
from homing.forensics.investigation import Findings, doubts_of
from homing.forensics.judging import Verdict
from homing.forensics.lanes import lane_rows
from homing.forensics.statistics import fisher_greater
from homing.forensics.traces import Trace
from homing.insight.rates import exact, excluded_rate
from homing.insight.verification import percent

FORMAT = 1


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
    return {
        "format": FORMAT,
        "accepted": findings.accepted,
        "judged": n,
        "dropped": k,
        "rate": {
            "value": rate.value,
            "low": rate.low,
            "high": rate.high,
            "confidence": rate.confidence,
            "clumped_low": findings.clumping.low,
            "clumped_high": findings.clumping.high,
        },
        "excluded_rate": excluded_rate(n) if n and not k else None,
        "since": _since(findings),
        "deleted": _deleted(findings),
        "verdict": "dropped" if k else "no drop",
        "summary": summary(findings),
        "hypothesis": _hypothesis(findings),
        "cannot_tell": findings.cannot_tell,
        "books": {v.name.lower(): findings.books.get(v, 0) for v in Verdict},
        "dropped_because": findings.whys,
        "hit": {
            name: [{"name": t, "dropped": d, "accepted": a} for t, d, a in rows]
            for name, rows in findings.hit.items()
        },
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
        "examples": [_example(t) for t in findings.examples],
        "counter_examples": [_example(t) for t in findings.counter_examples],
        "horizon": _horizon(findings),
        "rows": findings.raw.rows,
        "damaged_rows": findings.raw.damage.count,
        "damaged": findings.raw.damage.named,
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
            found = {"name": name, "rate": k / n, "rate_of_rest": rest_k / rest_n, "ratio": ratio}
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


def _example(trace: Trace) -> dict[str, Any]:
    return {
        "delivery": trace.name,
        "why": trace.why.name.lower(),
        "accepted_at": time_text(trace.accepted_us),
        "crossings": sorted(trace.crossings),
        "rows": [row._asdict() for row in lane_rows(trace)],
    }


def next_command(findings: Findings) -> str:
    """What to do now."""
    if not findings.dropped:
        if not findings.settled:
            files = " ".join(shlex.quote(path) for _, path in findings.raw.starts[:3])
            return f"homing investigate {files} --horizon 15m"
        return f"homing verify --before 3/1000 --after 0/{findings.settled}"
    return "homing reproduce incident.json"


def summary(findings: Findings) -> str:
    """The finding in a sentence or two."""
    k, n = findings.dropped, findings.settled
    if not n:
        return f"{findings.accepted} deliveries, none old enough to judge"
    if not k:
        return (
            f"{findings.accepted:,} accepted, none dropped: "
            f"zero in {n:,} excludes a rate of {percent(excluded_rate(n))} or more at 95%"
        )
    rate = exact(k, n)
    return (
        f"{findings.accepted:,} accepted, {k:,} dropped:"
        f" {rate.value:.3%} (95%: {rate.low:.3%} to {rate.high:.3%})"
    )
