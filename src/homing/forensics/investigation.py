"""An investigation from files to findings: reads, judges, ranks, dates, explains."""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from homing.core.plurals import plural
from homing.forensics.building import Events
from homing.forensics.endings import Ending, endings, unsigned_told
from homing.forensics.operations import Op
from homing.forensics.options import Options
from homing.forensics.reading.doubting import UNTOLD
from homing.forensics.reading.files import Progress, Raw, connect, read
from homing.forensics.reading.sources import missing_extra
from homing.forensics.rows import row, rows

try:
    from homing.forensics import (
        ages,
        association,
        change,
        doubt,
        hypothesis,
        judging,
        losing,
        neighbours,
        outages,
        rivals,
        sweeps,
        traces,
        variants,
    )
    from homing.forensics import cases as by_case
    from homing.forensics.engine import Engine, elsewhere, on_duckdb
    from homing.forensics.facts import LogFacts
    from homing.forensics.judged import judged_log
    from homing.forensics.judging import Verdict
    from homing.forensics.limits import Context
    from homing.forensics.mechanisms import recognise
    from homing.forensics.misreading import done_at_once, misread
    from homing.forensics.reading.sources import Unreadable
    from homing.forensics.reading.tables import read_there
    from homing.forensics.turns import is_take
except ImportError as _error:
    raise missing_extra(_error) from _error

_THINGS_SHOWN: Final = 5
_DROPS_DATED_MAX: Final = 200_000
_HISTORY: Final = frozenset({"worker", "epoch", "version_before", "version_after", "lease_until"})
_STATES: Final = frozenset({"from_state", "to_state"})
_WHO: Final = ("endpoint", "app", "event_type")


@dataclass(slots=True)
class Findings:
    """All that was found; `document.py` makes the JSON of it."""

    raw: Raw
    events: Events
    context: Context
    books: dict[Verdict, int]
    whys: dict[str, int]
    windows: list[change.Window]
    since: change.Since | None
    clumping: change.Clumping
    suspects: list[association.Suspect]
    ways: list[variants.Variant]
    illegal: list[variants.Illegal]
    hypothesis: hypothesis.Hypothesis
    settings: dict[str, Any]  #: of the schedule to replay: the times that the drops had
    hit: dict[str, list[tuple[str, int, int]]]  #: field → (text, dropped, accepted), of some
    hit_count: dict[str, int]  #: field → how many of it lost any, also those that `hit` has not
    examples: list[traces.Trace]
    counter_examples: list[traces.Trace]
    endings: list[Ending] = field(default_factory=list)  #: of what is neither delivered nor dropped
    deleted: losing.Loss | None = None  #: when that began, if it is why they are lost
    doubted: int = 0  #: silent deliveries that a damaged row may name
    doubt: doubt.Doubt = field(default_factory=lambda: doubt.Doubt())
    cannot_tell: list[str] = field(default_factory=list)
    log: LogFacts = field(default_factory=lambda: LogFacts(fields=frozenset(), ops=frozenset()))

    @property
    def accepted(self) -> int:
        """All deliveries of the log."""
        return sum(self.books.values())

    @property
    def dropped(self) -> int:
        """Those that went nowhere."""
        return self.books.get(Verdict.DROPPED, 0)

    @property
    def settled(self) -> int:
        """Those that could be judged: what is too young to judge, or due later, could not."""
        return self.accepted - self.books.get(Verdict.OPEN, 0) - self.books.get(Verdict.LATER, 0)


def investigate(
    patterns: Sequence[str], options: Options, progress: Progress = lambda step, share: None
) -> Findings:
    """Everything that the log tells.

    Raises:
        Unreadable: a file cannot be read; says which line.
        ConfigError: the mapping does not fit, or a package is missing.
    """
    with reading(patterns, options, progress) as (raw, engine):
        findings = _analyse(raw, engine, options, progress)
        if options.drops is not None:
            names = traces.dropped_names(engine)
            Path(options.drops).write_text("".join(f"{name}\n" for name in names), "utf-8")
        return findings


@contextmanager
def reading(
    patterns: Sequence[str], options: Options, progress: Progress = lambda step, share: None
) -> Iterator[tuple[Raw, Engine]]:
    """The rows of a log and the engine that has them: in this process, or where the tables live.

    Raises:
        Unreadable: a file or a table cannot be read.
        ConfigError: the mapping does not fit, a package is missing, or a warehouse does not answer.
    """
    scheme, is_url, path = options.engine.partition("://")
    if scheme != "duckdb":
        with elsewhere(options.engine, options.threads) as engine:
            yield read_there(engine, patterns, mapping=options.mapping, progress=progress), engine
        return
    with (
        tempfile.TemporaryDirectory(prefix="homing-", dir=options.folder) as folder,
        connect(folder, options.memory, options.threads) as connection,
    ):
        engine = on_duckdb(connection)
        if is_url:
            engine.attach(path)
            yield read_there(engine, patterns, mapping=options.mapping, progress=progress), engine
            return
        raw = read(connection, patterns, folder=folder, mapping=options.mapping, progress=progress)
        yield raw, engine


def _analyse(raw: Raw, engine: Engine, options: Options, progress: Progress) -> Findings:
    events, judged, hard, context = judged_log(raw, engine, options, progress)
    books, whys = _books(judged)
    if options.mapping is None:
        why = misread(books, events, raw.mappings.values())
        if not why and not books.get(Verdict.DROPPED, 0):
            why = done_at_once(engine.table("events"), raw.mappings.values())
        if why:
            raise Unreadable(f"{next(iter(raw.mappings))}: {why}")
    progress("ranking", 0.0)
    suspects = association.rank(judged, events.names, events.extras)
    progress("dating", 0.3)
    windows = change.windows(judged, events.first_us, events.last_us)
    since = change.find(windows, _drop_times(judged))
    clumping = change.clumping(windows)
    progress("reading the dropped", 0.5)
    crossings = list(by_case.CROSSINGS)
    dropped = traces.dropped(engine, crossings)
    fine = traces.fine(engine, crossings) if dropped else []
    cleaned = sweeps.runs(engine.table("raw"), events.others) if dropped else []
    log = _facts(raw, events, judged, fine, dropped, context)
    cut_off = outages.outages(engine.table("raw")) if dropped else ()
    log = replace(log, swept=sweeps.swept(fine, dropped, cleaned), cut_off=cut_off)
    shaped = hypothesis.form(
        dropped,
        fine,
        suspects,
        log,
        busiest_share=clumping.busiest_share,
        near=_near(engine, judged, events, dropped),
    )
    shaped = replace(shaped, rivals=rivals.weighed(shaped, dropped))
    progress("writing it down", 0.9)
    hit, hit_count = _hit(judged, events.names)
    findings = Findings(
        raw=raw,
        events=events,
        context=context,
        books=books,
        whys=whys,
        windows=windows,
        since=since,
        clumping=clumping,
        suspects=suspects,
        ways=variants.variants(hard, judged),
        illegal=variants.illegal(hard, judged, options.legal or variants.LEGAL),
        hypothesis=shaped,
        settings=_settings(dropped, context),
        hit=hit,
        hit_count=hit_count,
        examples=_examples(dropped, shaped, log),
        counter_examples=_counters(fine, shaped),
        endings=endings(engine, judged),
        log=log,
    )
    if raw.damage.count:
        findings.doubt = doubt.doubt_of(raw, events, engine, judged)
    if events.has_doubted:
        silent = judged.filter(judged.is_doubted & (judged.silent_us > 0))
        silent = silent.filter(silent.verdict == int(Verdict.OPEN))
        findings.doubted = int(row(silent.aggregate(n=silent.count())).n)
    if shaped.mechanism == "D11":
        findings.deleted = losing.first_deleted(dropped)
    findings.cannot_tell = [*shaped.cannot_tell, *_blind_spots(findings)]
    return findings


def _near(
    engine: Engine, judged: Any, events: Events, dropped: Sequence[traces.Trace]
) -> neighbours.Neighbours:
    """What is next to the dropped deliveries, where some were never tried: only then it tells."""
    if all(any(s.result or is_take(s) for s in t.steps) for t in dropped):
        return neighbours.Neighbours()
    endpoints = events.names.get("endpoint", {})
    return neighbours.look(judged, engine.table("events"), engine.table("raw"), endpoints)


def _books(judged: Any) -> tuple[dict[Verdict, int], dict[str, int]]:
    found = rows(judged.group_by(["verdict", "why"]).aggregate(n=judged.count()))
    books: Counter[Verdict] = Counter()
    whys: Counter[str] = Counter()
    for one in found:
        books[Verdict(int(one.verdict))] += int(one.n)
        if int(one.verdict) == Verdict.DROPPED:
            whys[judging.Why(int(one.why)).name.lower()] += int(one.n)
    return dict(books), dict(whys)


def _drop_times(judged: Any) -> list[int]:
    drops = judged.filter(judged.verdict == int(Verdict.DROPPED)).select("accepted_at")
    found = rows(drops.order_by("accepted_at").limit(_DROPS_DATED_MAX))
    return [int(r.accepted_at) for r in found]


#: so many are named of those that lost any
_HIT_MAX: Final = 10


def _hit(
    judged: Any, names: dict[str, dict[int, str]]
) -> tuple[dict[str, list[tuple[str, int, int]]], dict[str, int]]:
    """Whom it hit: the endpoints, applications and types of event with most drops, and how many of
    each lost any."""
    hit, count = {}, {}
    for name in _WHO:
        if not names.get(name):
            continue
        named = judged.filter(judged[name].notnull())
        grouped = named.group_by(name).aggregate(
            n=named.count(), k=(named.verdict == int(Verdict.DROPPED)).cast("int64").sum()
        )
        order = (grouped.k.desc(), grouped.n.desc(), grouped[name].asc())
        losing = grouped.filter(grouped.k > 0)
        most = rows(losing.order_by(*order).limit(_HIT_MAX))
        if len(most) == _HIT_MAX:
            count[name] = int(row(losing.aggregate(n=losing.count())).n)
        elif most:
            count[name] = len(most)
        named_rows = (
            (names[name].get(int(getattr(r, name)), "?"), int(r.k), int(r.n)) for r in most
        )
        # The same log, the same order: codes of names depend on which thread came first.
        hit[name] = sorted(named_rows, key=lambda one: (-one[1], -one[2], one[0]))
    return {name: found for name, found in hit.items() if found}, count


def _facts(
    raw: Raw,
    events: Events,
    judged: Any,
    fine: Sequence[traces.Trace],
    dropped: Sequence[traces.Trace],
    context: Context,
) -> LogFacts:
    fields = frozenset(
        f
        for m in raw.mappings.values()
        for f in m.columns
        # a table of deliveries shows its last state: who had it before is not in it; and of an
        # attempt the state says how it ended, not where its delivery stands
        if not (m.is_table and f in _HISTORY) and not (m.layout == "attempts" and f in _STATES)
    )
    ops = [op for op in Op if op in events.ops]
    delivered = judged.filter(judged.verdict == int(Verdict.DELIVERED))
    flags = {f"o{int(op)}": by_case.has(delivered.mask, op).cast("int64").sum() for op in ops}
    counts = row(
        delivered.aggregate(
            n=delivered.count(),
            lags=delivered.commit_lag_us.count(),
            takes=delivered.takes.mean(where=delivered.bad == 0),
            said=((delivered.good > 0) & (delivered.said > 0)).cast("int64").sum(),
            **flags,
        )
    )
    if int(counts.lags) < _SAID_MIN * int(counts.n):  # said of other things than deliveries
        fields -= {"commit_lag_ms", "committed_at"}
    if _tells_acceptance(fine) and (not dropped or _tells_acceptance(dropped)):
        fields |= {"commit_lag_ms"}
    usual = {op: int(counts[f"o{int(op)}"] or 0) / max(1, int(counts.n)) for op in ops}
    failed = [(s, after) for t in fine for s, after in pairwise(t.steps) if s.result < 0]
    planned = [after.act in (Op.RETRY, Op.QUEUED) for _, after in failed]
    dues = [s.due_us is not None for s, _ in failed]
    dead_from = _dead_from(judged)
    age_kept_us = ages.kept_us(fine, dropped)
    return LogFacts(
        fields=fields,
        ops=events.ops,
        usual=usual,
        plans_retries=sum(planned) / len(planned) if planned else 0.0,
        plans_due=sum(dues) / len(dues) if dues else 0.0,
        takes_usual=max(1, round(counts.takes or 1)),
        says_delivered=(counts.said or 0) > _SAID_MIN * counts.n,
        tells_failures=context.tells_failures,
        buries_failed=context.buries_failed,
        attempts_last=min(context.limits, default=context.attempts_max),
        end_us=context.end_us,
        age_kept_us=age_kept_us,
        is_age_sharp=ages.is_sharp(dropped, age_kept_us),
        are_later_attempts=ages.are_later_attempts(fine, dropped),
        dead_from=dead_from,
        queued_by_acceptor=_queued_by_acceptor(fine),
        is_table=all(m.layout == "deliveries" for m in raw.mappings.values()),
        has_table=any(
            m.layout == "deliveries" and m.has("to_state") for m in raw.mappings.values()
        ),
        rows_from_us=_rows_from_us(fine),
        is_of_states="to_state" in fields and "op" not in fields,
        is_of_requests=any(m.layout == "attempts" for m in raw.mappings.values())
        and events.ops <= _OF_REQUESTS,
    )


#: of the acceptances, so many must tell how long they took
_TIMED_MIN: Final = 0.9


def _tells_acceptance(fine: Sequence[traces.Trace]) -> bool:
    """Whether acceptances tell how long they took, and so how long a transaction was open."""
    firsts = [t.steps[0] for t in fine if t.steps[0].act is Op.ACCEPTED]
    timed = sum(s.total_us is not None for s in firsts)
    return bool(firsts) and timed >= _TIMED_MIN * len(firsts)


#: of what was accepted last, so many must be in a table, and so many at all
_IN_TABLE_MIN: Final = 0.9
_IN_TABLE_FEWEST: Final = 5


def _rows_from_us(fine: Sequence[traces.Trace]) -> int:
    """From which acceptance on a table has nearly all that came through: what is older may be gone
    because it was done long ago. 0: it has none, or of any age some."""
    begins_us, there = 0, 0
    for count, one in enumerate(reversed(fine), 1):
        there += any(s.is_row for s in one.steps)
        if count >= _IN_TABLE_FEWEST and there >= _IN_TABLE_MIN * count:
            begins_us = one.accepted_us
    return begins_us


#: of the dead deliveries so many may have been given up earlier than all the others
_EARLY_DEAD: Final = 0.02


def _dead_from(judged: Any) -> int:
    """After how many attempts deliveries are given up, a few aside; 0: none was."""
    dead = judged.filter((judged.verdict == int(Verdict.DEAD)) & judged.bad_pos.notnull())
    dead = dead.filter(dead.attempt.notnull())
    counted = rows(dead.group_by("attempt").aggregate(n=dead.count()).order_by("attempt"))
    left = _EARLY_DEAD * sum(int(one.n) for one in counted)
    for one in counted:
        left -= int(one.n)
        if left <= 0:
            return int(one.attempt)
    return 0


#: what a log of requests tells, with one of acceptances or of dead letters beside it
_OF_REQUESTS: Final = frozenset(
    {
        *(Op.UNKNOWN, Op.ACCEPTED, Op.QUEUED, Op.SENT, Op.ATTEMPTED, Op.SUCCEEDED, Op.FAILED),
        *(Op.EXHAUSTED, Op.DEAD),
    }
)
#: of what was delivered, so much must have a line that says so beside the answer
_SAID_MIN: Final = 0.5


def _queued_by_acceptor(fine: Sequence[traces.Trace]) -> frozenset[str | None]:
    """The words of acceptances after which it is always the one who accepted that writes of the hand-over
    to the queue."""
    by_word: defaultdict[str | None, list[traces.Trace]] = defaultdict(list)
    for trace in fine:
        if trace.steps[0].act is Op.ACCEPTED:
            by_word[trace.steps[0].word].append(trace)
    return frozenset(word for word, some in by_word.items() if _is_pushed(some))


def _is_pushed(fine: Sequence[traces.Trace]) -> bool:
    pairs = [
        (t.steps[0].worker, next((s.worker for s in t.steps[1:] if s.act is Op.QUEUED), None))
        for t in fine
    ]
    told = [(one, other) for one, other in pairs if one and other]
    return bool(told) and all(one == other for one, other in told) and not _is_polled(fine)


#: what an acceptor hands over itself it does so soon; a poller comes by now and then
_AT_ONCE_US: Final = 100_000
_AT_ONCE_MIN: Final = 0.9


def _is_polled(fine: Sequence[traces.Trace]) -> bool:
    """Whether it often takes a while from the acceptance to the hand-over: then a poller makes it, and
    a name that both have, as a number of a process, is one by chance."""
    waits = [
        t.steps[1].at_us - t.steps[0].at_us
        for t in fine
        if [s.act for s in t.steps[:2]] == [Op.ACCEPTED, Op.QUEUED]
    ]
    return sum(wait <= _AT_ONCE_US for wait in waits) < _AT_ONCE_MIN * len(waits)


def _settings(dropped: Sequence[traces.Trace], context: Context) -> dict[str, Any]:
    """The times of the schedule, as the dropped deliveries had them; seconds."""
    leases = [s.lease_us - s.at_us for t in dropped for s in t.steps if s.lease_us and is_take(s)]
    slow = [s.total_us for t in dropped for s in t.steps if s.total_us]
    delays = [
        s.due_us - s.at_us for t in dropped for s in t.steps if s.due_us and s.due_us > s.at_us
    ]
    settings: dict[str, Any] = {}
    for name, values in (("lease_s", leases), ("response_s", slow), ("retry_delay_s", delays)):
        if values:
            settings[name] = round(sorted(values)[len(values) // 2] / 1e6, 3)
    if context.attempts_max:
        settings["attempts_max"] = context.attempts_max
    return settings


def _examples(
    dropped: Sequence[traces.Trace], shaped: hypothesis.Hypothesis, log: LogFacts
) -> list[traces.Trace]:
    """Three of the leading mechanism, the shortest first: they are read by people."""
    named = {shaped.mechanism, *(c.mechanism for c in shaped.candidates)}
    like = [t for t in dropped if recognise(t, log).mechanism in named] or list(dropped)
    return sorted(like, key=lambda t: (len(t.steps), t.accepted_us))[:3]


def _counters(fine: Sequence[traces.Trace], shaped: hypothesis.Hypothesis) -> list[traces.Trace]:
    """Deliveries with the same crossing that came through: what is different in their order?"""
    if shaped.crossing is None:
        return []
    same = [t for t in fine if shaped.crossing in t.crossings]
    return sorted(same, key=lambda t: (len(t.steps), t.accepted_us))[:2]


def doubts_of(raw: Raw) -> list[str]:
    """What was guessed of the columns and may be wrong, each once."""
    doubts = [doubt for m in raw.mappings.values() for doubt in m.doubts]
    if doubts.count(UNTOLD) < len(raw.mappings):  # another file says what happened
        doubts = [doubt for doubt in doubts if doubt != UNTOLD]
    return list(dict.fromkeys(doubts))


def _left_out(findings: Findings) -> list[str]:
    """What of the log was not counted, and why."""
    events, raw = findings.events, findings.raw
    spots: list[str] = []
    spots.extend(
        f"{one.names} names such as {one.example} are taken for no deliveries and left out: none is "
        "tried, or most would be lost, and the log tells of them what it tells of no other"
        for one in events.strangers
    )
    if things := events.things:
        spots.append(
            f"rows of {', '.join(map(repr, things[:_THINGS_SHOWN]))} are left out: they are of other things "
            "than deliveries"
        )
    for path in raw.nameless:
        spots.append(f"{path} names no delivery and was left out")
    spots.extend(f"left out, as it is no log: {told}" for told in raw.left_out)
    if raw.twice:
        spots.append(f"{raw.twice} rows are in the log twice, word for word, and were counted once")
    if events.keyless:
        spots.append(f"{events.keyless} rows name no delivery and were left out")
    if events.timeless:
        spots.append(f"{events.timeless} rows have no time that can be read and were left out")
    return spots


def _blind_spots(findings: Findings) -> list[str]:
    """What no analysis of this log can show."""
    log, books = findings.log, findings.books
    spots = []
    if Op.ACCEPTED not in log.ops:
        spots.append(
            "the log begins with the first attempt: a delivery that was accepted and never attempted is not in it"
        )
    if "status" not in log.fields and "outcome" not in log.fields:
        spots.append(
            "the log has no response status: a delivery called delivered is taken for delivered"
        )
    ended = books.get(Verdict.DEAD, 0)
    # that somebody gave up says nothing of a dead letter
    if ended and log.ops.isdisjoint({Op.DEAD, Op.DEAD_FAILED}):
        spots.append(
            f"{ended} deliveries came to the end of their attempts, and the log tells of no dead letters: "
            "whether each has one (D10) cannot be seen"
        )
    if log.ops.isdisjoint({Op.CLAIMED, Op.SENT}) and "worker" not in log.fields:
        spots.append("the log has neither workers nor their turns: crossing turns cannot be seen")
    young = books.get(Verdict.OPEN, 0)
    if young:
        spots.append(
            f"{plural(young, 'delivery')} {'is' if young == 1 else 'are'} too young to judge: the log "
            "ends before what was to come had to come"
        )
    for fate in findings.context.fated:
        spots.append(
            f"what is too young to judge was called dropped where it ended like {fate.silent} others: nothing "
            f"came after any {Op(fate.act).name.lower()} of attempt {fate.no} of that kind"
        )
    spots.extend(unsigned_told(findings.endings))
    spots.extend(findings.events.assumed)
    spots.extend(doubts_of(findings.raw))
    spots.extend(_left_out(findings))
    if findings.doubted:
        spots.append(
            f"{plural(findings.doubted, 'silent delivery')} may be named by damaged rows: what these said is "
            "lost, so none of them is called dropped"
        )
    if findings.events.odd_clocks:
        last = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=findings.events.odd_us)
        spots.append(
            f"{findings.events.odd_clocks} rows are dated far from all others, as {last:%Y-%m-%d}: their clock is "
            "taken for wrong, and they count as of the time of the row before"
        )
    hidden = findings.doubt.hiding
    if hidden and findings.dropped:
        spots.append(
            f"{plural(findings.doubt.nameless, 'damaged row')} may belong to any delivery: up to {hidden:,} of "
            "the dropped may only have lost their last row in the log"
        )
    if findings.dropped > 0.2 * max(1, findings.settled):
        spots.append(
            "more than a fifth is missing: was this log sampled, cut or misread (see --explain-mapping)? A sampled "
            "log cannot prove what was dropped"
        )
    return spots
