"""Makes the narrow table of events, in one order, from the raw rows of any log: Ibis, any engine."""

from __future__ import annotations

import functools
import importlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import ibis

from homing.forensics.answers import repeating
from homing.forensics.behaviours import Behaviours, name_of
from homing.forensics.clocks import FINE_MIN, extent, set_clocks
from homing.forensics.confirming import PUT_BY, Confirmed, confirming, promised
from homing.forensics.damaged import keep_doubted
from homing.forensics.engine import Engine
from homing.forensics.habits import Habits, Kind, answering, has_states, showing
from homing.forensics.learning import learn
from homing.forensics.letters import reasons_of_attempts, unexplained
from homing.forensics.messages import (
    of_messages,
    without_carriers_of_others,
    without_lost_messages,
    without_names_of_messages,
    without_paths,
)
from homing.forensics.operations import Op, Stand, Word
from homing.forensics.others import other_things, word_column, words_of_others
from homing.forensics.people import (
    SwitchedOff,
    by_person,
    switched_off,
    with_announced,
    without_unsigned,
)
from homing.forensics.placing import placed
from homing.forensics.reading.expressions import PARTICULARS
from homing.forensics.reading.files import Progress, Raw
from homing.forensics.reading.order import Order
from homing.forensics.reading.sources import Unreadable
from homing.forensics.rows import Line as Row
from homing.forensics.rows import row, rows
from homing.forensics.standing import is_of_letters, standing, with_told
from homing.forensics.strangers import Strangers, without
from homing.forensics.vocabulary import meaning
from homing.forensics.words import SAID, Line, line_of

#: a log of more kinds of reasons than this keeps them out of the meaning of its lines
_REASONS_MAX: Final = 100
#: the same, of the lines with one word
_REASONS_OF_ONE: Final = 40
_NAMES_MAX: Final = 20_000
#: columns of the events that are texts by number; `Events.names` has the texts
CODED: Final = ("worker", "endpoint", "app", "event_type", "build", "config")


@dataclass(slots=True)
class Events:
    """The table `events`, and what is known of it as a whole."""

    rows: int
    first_us: int
    last_us: int
    words: dict[str, str]  #: the log's word → what it was taken for
    assumed: list[str]  #: words taken for something by what their lines do, in sentences
    ops: frozenset[Op]  #: that occur
    extras: list[str]
    names: dict[str, dict[int, str]]  #: column → number → text, of those that are not rare
    keyless: int  #: rows with a time and no delivery
    timeless: int
    fine_clock: bool  #: times are finer than whole seconds
    odd_clocks: int = 0  #: rows dated so far from all others that their clock must be wrong
    odd_us: int = 0  #: the last of their times
    others: tuple[str, ...] = ()  #: words of rows that name other things than deliveries
    things: tuple[str, ...] = ()  #: what rows of other things than deliveries are of
    strangers: tuple[Strangers, ...] = ()  #: names of other things
    has_doubted: bool = False  #: some deliveries may be named by damaged rows


def build(
    raw: Raw,
    engine: Engine,
    progress: Progress = lambda step, share: None,
    strange: Sequence[Strangers] = (),
) -> Events:
    """The table `events` of the raw rows: a line each, or two where a row tells of two times.

    Args:
        strange: the names that are no deliveries.

    Raises:
        Unreadable: no row names a delivery and a time.
    """
    progress("understanding the words", 0.0)
    table = without(engine, engine.table("raw"), strange)
    counts = _counts(table)
    left_out = 0
    if counts.paths:
        table, left_out = without_paths(engine, table)
    if counts.doubled:
        table = without_names_of_messages(engine, table)
    if counts.paths or counts.doubled:
        counts = _counts(table)
    lonely = of_messages(engine, table, counts)
    announced = switched_off(table) if raw.has("actor") else []
    # for anything else, neither the words nor the reasons of rows that name no delivery matter
    table = table.filter(table.delivery.notnull() | table.message.notnull())
    if counts.linking and counts.of_message:
        table = without_lost_messages(engine, table)
        table, of_others = without_carriers_of_others(engine, table)
        left_out += of_others
    table, things = other_things(raw, table)
    column = word_column(raw.has("op"))
    seen = Behaviours(table, raw.rows)
    words, assumed = learn(raw, seen)
    others = words_of_others(table, column, words, lonely)
    if others:
        table = table.filter(~table[column].isin(others).fill_null(False))
        seen = Behaviours(table, raw.rows)
        words, assumed = learn(raw, seen)
    confirmed = confirming(table)
    if confirmed is not None:
        words |= {text: meaning(text) for text in confirmed.said}
        words |= dict.fromkeys(confirmed.interim, Word(Op.NOTED, Stand.NONE))
        if words.get(confirmed.promise, meaning(confirmed.promise)).op is not Op.PARKED:
            words[confirmed.promise] = Word(Op.NOTED, Stand.NONE)
    why = _why(engine, table)
    meant, kinds = _kinds(raw, engine, seen, words, why, confirmed)
    progress("ordering", 0.3)
    lines = _lines(raw, engine, meant, lonely, announced)
    span = extent(lines)
    if span is None:
        raise Unreadable(
            f"{next(iter(raw.mappings))}, line 1: no row names both a delivery and a time; "
            "look at the mapping with --explain-mapping"
        )
    if span.odd:
        lines = set_clocks(engine, lines, span)
    events = _events(raw, engine, lines)
    progress("ordering", 0.9)
    return Events(
        rows=span.rows,
        first_us=span.first_us,
        last_us=span.last_us,
        words=_shown_words(kinds),
        assumed=assumed,
        ops=frozenset(Op(one.act) for one in rows(events.select("act").distinct())),
        extras=list(raw.extras),
        names=_names(raw, engine, table),
        keyless=int(counts.keyless or 0) - raw.twice + left_out,
        timeless=int(counts.timeless or 0),
        fine_clock=span.fine > FINE_MIN * span.rows,
        odd_clocks=span.odd,
        odd_us=span.odd_us,
        others=tuple(others),
        things=things,
        strangers=tuple(strange),
        has_doubted=keep_doubted(engine, raw.damage.places, raw.mappings),
    )


def _counts(table: Any) -> Row:
    """How many rows lack what, for what to do about it."""
    at = ibis.coalesce(table.at_us, table.changed_us, table.accepted_us)
    keyed = table.delivery.notnull() | table.message.notnull()
    of_message = table.delivery.isnull() & table.message.notnull()
    tests = {
        "keyless": at.notnull() & ~keyed,
        "timeless": at.isnull() & table.started_us.isnull() & keyed,
        "linking": table.delivery.notnull() & table.message.notnull(),
        "paths": table.delivery.contains("/"),
        "doubled": table.delivery == table.message,
        "of_message": of_message,
        "of_endpoint": of_message & table.endpoint.notnull(),
    }
    return row(table.aggregate(**{k: test.cast("int64").sum() for k, test in tests.items()}))


def _why(engine: Engine, table: Any) -> Any:
    """The reason as far as it belongs to a line's meaning: whole, or without what is particular in
    it, or, where even so there are many, of those words only that have a few each."""
    general = table.reason.re_replace(engine.pattern(PARTICULARS), "#")
    for why in (table.reason, general):
        kinds = table.select(why=why).distinct().limit(_REASONS_MAX + 1)
        if int(row(kinds.aggregate(n=kinds.count())).n) <= _REASONS_MAX:
            return why
    word = ibis.coalesce(table.op_raw, table.to_raw)
    kinds = table.select(word=word, why=general).distinct()
    counted = kinds.group_by("word").aggregate(n=kinds.count())
    found = rows(
        counted.filter(counted.n <= _REASONS_OF_ONE).order_by("n", "word").limit(_REASONS_MAX)
    )
    some, left = [], _REASONS_MAX
    for one in found:
        left -= int(one.n)
        if one.word is not None and left >= 0:
            some.append(one.word)
    nothing = ibis.null("string")
    return word.isin(some).ifelse(general, nothing) if some else nothing


#: what a kind of line is known by → its column
_WORDS: Final = {
    "layout": "layout",
    "op": "op_raw",
    "from_state": "from_raw",
    "to_state": "to_raw",
    "outcome": "outcome_raw",
    "reason": "why",
    "status": "class",
}
_KIND: Final = (*_WORDS.values(), "pends")


def _kind(one: Row) -> Kind:
    pending = None if one.pends is None else int(one.pends)
    return Kind(**{field: one[name] for field, name in _WORDS.items()}, pending=pending)


def _kinds(
    raw: Raw,
    engine: Engine,
    seen: Behaviours,
    learned: dict[str, Word],
    why: Any,
    confirmed: Confirmed | None,
) -> tuple[Any, list[tuple[Kind, Line, int]]]:
    """The raw rows with what they mean; and what lines with the same words mean, and how many.

    Args:
        seen: how the words of the rows behave.
        confirmed: by which words receivers report later what has become of a 202.
    """
    table = seen.table
    status, is_put, is_report = table.status, ibis.literal(False), ibis.literal(False)
    if confirmed is not None:
        later = engine.keep("promised", promised(table, confirmed))
        table = table.left_join(later, name_of(table) == later.promised)
        status, is_put = table.status, (table.status == PUT_BY) & table.promised.notnull()
        is_report = table.op_raw.isin(confirmed.reports) & status.isnull()
    is_good = status.between(200, 299)
    worded = table.mutate(
        {
            "why": why,
            # an answer of 1xx is none yet
            "class": ibis.cases(
                (is_report, "report"),
                (status.isnull() | (status < 200), "none"),
                (is_put, "put"),
                (is_good, "ok"),
                else_="bad",
            ),
            "pends": ibis.cases((table.pending == 0, "0"), (table.pending.notnull(), "1")),
        }
    )
    counted = worded.group_by(list(_KIND)).aggregate(lines=worded.count())
    # so that the join is on one number
    counted = counted.mutate(code=engine.code(*(counted[name] for name in _KIND)))
    worded = worded.mutate(code=engine.code(*(worded[name] for name in _KIND)))
    words = {w: o for m in raw.mappings.values() for w, o in m.words.items()}
    found = [(_kind(one), int(one.lines), int(one.code)) for one in rows(counted)]
    about = Habits(
        has_states=has_states((kind, lines) for kind, lines, _ in found),
        answering=answering((kind, lines) for kind, lines, _ in found),
        showing=showing((kind, lines) for kind, lines, _ in found),
        repeating=repeating(
            seen.first(), sorted({k.op for k, _, _ in found if k.op and k.status == "ok"})
        ),
        accepts=any(meaning(kind.op).op is Op.ACCEPTED for kind, _, _ in found),
        takes=any(meaning(kind.op).op is Op.CLAIMED for kind, _, _ in found),
        unexplained=unexplained((kind.op, kind.reason, lines) for kind, lines, _ in found),
        tried=reasons_of_attempts((kind.op, kind.reason) for kind, _, _ in found),
    )
    cache = {kind: line_of(kind, words, learned, about) for kind, _, _ in found}
    kinds = [(kind, cache[kind], lines) for kind, lines, _ in found]
    codes = [code for _, _, code in found]
    arrow = importlib.import_module("pyarrow")
    small = {"op": "op", "stand": "stand", "before": "from_stand", "result": "result"}
    columns = {
        name: arrow.array([int(getattr(line, of)) for _, line, _ in kinds], arrow.int8())
        for of, name in small.items()
    }
    meant = engine.put("kinds", arrow.table({"code": arrow.array(codes, arrow.int64()), **columns}))
    joined = worded.join(meant.rename(meant_code="code"), worded.code == meant.code)
    return joined, kinds


def worker_of(table: Any) -> Any:
    """The worker's name, and the run of its process where the log tells it."""
    both = table.worker + ":" + table.boot
    return ibis.coalesce(both, table.worker, table.boot)


def _coded(engine: Engine, text: Any) -> Any:
    return text.notnull().ifelse(engine.code(text), ibis.null("int64"))


def _lines(
    raw: Raw, engine: Engine, meant: Any, lonely: Any, announced: Sequence[SwitchedOff]
) -> Any:
    """The table `lines`: narrow, unordered; a table of deliveries gives two lines a row."""
    m = meant
    linked = ibis.null("string")
    if lonely is not None:
        m = m.left_join(lonely, m.delivery.isnull() & (lonely.id == m.message))
        linked = m.endpoint.isnull().ifelse(m.of_message, ibis.null("string"))
    m = m.mutate(d=engine.code(ibis.coalesce(m.delivery, linked, name_of(m))))
    m = m.mutate(by_person=by_person(raw, engine, m))
    m = without_unsigned(m) if raw.has("actor") and raw.has("worker") else m
    m = with_announced(engine, m, announced)
    m = engine.name("meant_rows", m)
    layouts = {mapping.layout for mapping in raw.mappings.values()}
    is_mixed = len(layouts) > 1
    m = with_told(engine, m, is_mixed=is_mixed and "deliveries" in layouts)
    has_letters = any(map(is_of_letters, raw.mappings.values()))
    parts = [
        part
        for layout in sorted(layouts)
        for part in _parts(
            engine,
            m,
            layout,
            raw.extras,
            is_mixed=is_mixed,
            has_letters=has_letters,
            are_timed=raw.has("started_at"),
        )
    ]
    return engine.keep("lines", functools.reduce(ibis.union, parts))


def _parts(
    engine: Engine,
    m: Any,
    layout: str,
    extras: Sequence[str],
    *,
    is_mixed: bool,
    has_letters: bool,
    are_timed: bool,
) -> list[Any]:
    """The lines that the rows of a layout give; `is_mixed`: there are rows of another one too,
    `has_letters`: a file of dead letters, and `are_timed`: events that say when they began."""
    m = m.filter(m.layout == layout)
    shared = _shared(engine, m, len(extras))
    told = {name: m[name] for name in ("op", "stand", "from_stand", "result")}
    if layout == "events":
        m = m.filter(m["op"] != int(Op.STARTED))
        return _of_events(m, told, shared, are_timed=are_timed)
    # a request that tells when it began and how long it took, in whole milliseconds, had ended by then
    took = ibis.greatest(m.total_us - 1_000, 0)
    ended = (m.started_us == m.at_us).ifelse(m.started_us + took, ibis.null("int64"))
    last = ibis.coalesce(m.finished_us, m.changed_us, ended, m.at_us, m.accepted_us)
    if layout == "jobs":
        return _of_jobs(m, last, told, shared)
    if layout == "deliveries":  # clocks differ: what is last in a row is not before its acceptance
        last = ibis.greatest(last, ibis.coalesce(m.accepted_us, m.at_us))
        if is_mixed:  # how a delivery stands comes after what other files tell of the same moment
            last = ibis.greatest(last, ibis.coalesce(m.told_us, last)) + 1
            told |= standing(m, has_letters=has_letters)
        at = ibis.coalesce(m.accepted_us, m.at_us)
        # what its end is like is not said of its beginning
        kept = {
            k: v if k in _OF_DELIVERY or k[0] == "x" else _nothing(k, v) for k, v in shared.items()
        }
        first = _part(m.filter(at.notnull()), 0, at, _as(m, Op.ACCEPTED, Stand.WAITING), kept)
        parts = [_part(m, 1, last, told, shared), first]
        removed = m.filter(m.removed_us.notnull())
        gone = _as(m, Op.PURGED, Stand.GONE)
        parts.append(_part(removed, 3, ibis.greatest(removed.removed_us, last), gone, kept))
        if is_mixed:  # beside rows of what was done, the hand-over to the queue is one of them
            handed = m.filter(m.queued_us >= at)
            parts.append(_part(handed, 2, m.queued_us, _as(m, Op.QUEUED, Stand.WAITING), kept))
        return parts
    sent = m.filter((m.started_us <= last) | last.isnull())  # one without an end was cut short
    return [
        _part(m, 1, last, told, shared),
        _part(sent, 0, m.started_us, _as(m, Op.SENT, Stand.LEASED), shared),
    ]


def _of_events(
    m: Any, told: dict[str, Any], shared: dict[str, Any], *, are_timed: bool
) -> list[Any]:
    """The lines of events; one of a whole turn, as a span is, gives one for its beginning as well, and
    what it says of the delivery is said at its end. `are_timed`: some say when they began."""
    at = ibis.coalesce(m.at_us, m.accepted_us)
    if not are_timed:
        return [_part(m, 1, at, told, shared)]
    is_turn = (m["op"] == int(Op.CLAIMED)) & (m.started_us < m.at_us).fill_null(False)
    says = ~m.stand.isin([int(Stand.NONE), int(Stand.LEASED)])
    over = says.ifelse(int(Op.WRITTEN), int(Op.NOTED))
    ended = told | {
        "op": is_turn.ifelse(over, told["op"]).cast(told["op"].type()),
        "stand": (is_turn & ~says)
        .ifelse(int(Stand.NONE), told["stand"])
        .cast(told["stand"].type()),
    }
    begun = {k: _nothing(k, v) if k in _OF_END else v for k, v in shared.items()}
    turns = m.filter(is_turn)
    first = _part(turns, 0, turns.started_us, _as(m, Op.CLAIMED, Stand.LEASED), begun)
    return [_part(m, 1, at, ended, shared), first]


#: what a turn ends with, and does not begin with
_OF_END: Final = frozenset({"due_us", "status", "total_us", "reason", "version_after"})


def _of_jobs(m: Any, last: Any, told: dict[str, Any], shared: dict[str, Any]) -> list[Any]:
    """The lines of jobs whose deliveries have rows of their own: that a job was made, and how it
    ended; a job that is done has not delivered anything by that."""
    is_done = m.result == SAID
    ended = {
        "op": is_done.ifelse(int(Op.NOTED), told["op"]).cast(told["op"].type()),
        "stand": is_done.ifelse(int(Stand.NONE), told["stand"]).cast(told["stand"].type()),
        "from_stand": told["from_stand"],
        "result": is_done.ifelse(0, told["result"]).cast(told["result"].type()),
    }
    at = ibis.coalesce(m.accepted_us, m.at_us)
    kept = {k: v if k in _OF_DELIVERY else _nothing(k, v) for k, v in shared.items()}
    made = _part(m.filter(at.notnull()), 0, at, _as(m, Op.QUEUED, Stand.WAITING), kept)
    over = ibis.coalesce(m.finished_us, m.at_us)
    begun = ibis.coalesce(m.started_us, m.changed_us)
    turns = m.filter((begun > at) & (begun < over))
    turn = _part(turns, 2, begun, _as(m, Op.CLAIMED, Stand.LEASED), shared)
    return [_part(m, 1, ibis.greatest(last, over, at), ended, shared), made, turn]


def _part(m: Any, number: int, at: Any, told: dict[str, Any], shared: dict[str, Any]) -> Any:
    return m.select(line=m["rowid"], part=_tiny(number), d=m.d, at_us=at, **told, **shared)


#: what is as true of a delivery at its acceptance as at its end
_OF_DELIVERY: Final = frozenset(
    {
        "endpoint",
        "app",
        "event_type",
        "build",
        "config",
        "bytes",
        "accepted_us",
        "max_attempts",
        "commit_lag_us",
    }
)


def _nothing(name: str, value: Any) -> Any:
    return ibis.literal(False) if name == "has_actor" else ibis.null(value.type())


def _tiny(number: int) -> Any:
    return ibis.literal(number, "int8")


def _as(m: Any, op: Op, stand: Stand) -> dict[str, Any]:
    """A line that is not told of, and of the types that those have which are."""
    said = {"op": op, "stand": stand, "from_stand": 0, "result": 0}
    return {name: ibis.literal(int(value), m[name].type()) for name, value in said.items()}


def _shared(engine: Engine, m: Any, extras_count: int) -> dict[str, Any]:
    """The columns of a line that are those of its row."""
    is_leased = m.stand == int(Stand.LEASED)
    ready = {True: is_leased.ifelse(m.ready_us, ibis.null("int64"))}
    ready[False] = is_leased.ifelse(ibis.null("int64"), m.ready_us)
    coded = {
        name: _coded(engine, worker_of(m) if name == "worker" else m[name])
        for name in (*CODED, *(f"x{i}" for i in range(extras_count)))
    }
    since_us = ibis.coalesce(m.accepted_us, m.at_us)
    is_accepted = m["op"] == int(Op.ACCEPTED)
    return {
        "attempt": ibis.coalesce(m.attempt, m.retries + 1).cast("int32"),
        "epoch": m.epoch,
        "worker": coded.pop("worker"),
        "version_before": m.version_before,
        "version_after": m.version_after,
        "rows_written": m.rows_written,
        "status": m.status.cast("int32"),
        "total_us": m.total_us,
        "due_us": ibis.coalesce(m.due_us, ready[False]),
        "lease_us": ibis.coalesce(m.lease_us, ready[True]),
        "bytes": m.bytes,
        "accepted_us": m.accepted_us,
        "max_attempts": m.max_attempts.cast("int32"),
        # how long it took to accept is how long its transaction was open
        "commit_lag_us": ibis.coalesce(
            m.commit_lag_us,
            m.committed_us - since_us,
            is_accepted.ifelse(m.total_us, ibis.null("int64")),
            # and so is how long after its creation its line was written
            (is_accepted & (m.layout == "events") & (m.at_us >= m.accepted_us)).ifelse(
                m.at_us - m.accepted_us, ibis.null("int64")
            ),
        ),
        "has_actor": m.by_person,
        **coded,
    }


def _events(raw: Raw, engine: Engine, lines: Any) -> Any:
    """The table `events`: the lines numbered by time, and where times are equal by their place."""
    signed = _without_others(lines) if raw.has("worker") else lines
    signed = _without_unsigned_turns(signed) if raw.has("from_state") else signed
    if raw.order is Order.BY_TIME:
        return engine.name("events", signed.mutate(pos=signed.line + 1).rename(act="op"))
    timed = signed.filter(signed.at_us.notnull())
    timed, place = placed(raw, timed)
    number = ibis.row_number().over(ibis.window(order_by=[timed.at_us, *place])) + 1
    columns = [name for name in lines.columns if name != "op"]
    numbered = timed.select(*columns, act="op", pos=number.cast("int64"))
    events = engine.keep("events", numbered)
    engine.drop(lines.get_name())
    return events


#: where more sign, any of them may be a worker
_WORKERS_MAX: Final = 500


def _without_others(lines: Any) -> Any:
    """Without the signatures of those who never take or send anything, under what they call a failure: a
    scheduler that finds a lease run out is no worker who writes to what another has."""
    by_worker = lines.filter(lines.worker.notnull()).group_by("worker")
    turns = lines["op"].isin([int(Op.CLAIMED), int(Op.SENT)])
    answers = (lines.result == 1) | lines.status.notnull()
    found = rows(
        by_worker.aggregate(
            takes=turns.max(), works=(turns | answers).max(), fails=(lines.result == -1).max()
        ).limit(_WORKERS_MAX + 1)
    )
    others = [int(one.worker) for one in found if one.fails and not one.works]
    if not others or len(found) > _WORKERS_MAX or not any(one.takes for one in found):
        return lines
    is_theirs = lines.worker.isin(others) & (lines.result == -1)
    return lines.mutate(worker=is_theirs.ifelse(ibis.null(lines.worker.type()), lines.worker))


#: where fewer changes to `in progress` than these say who holds the delivery, none needs to
_UNSIGNED_MAX: Final = 0.05


def _without_unsigned_turns(lines: Any) -> Any:
    """The lines; a change from waiting to in progress that names neither a worker nor a lease, where nearly
    all others do, is no turn but a row that was saved so."""
    is_turn = lines["op"] == int(Op.CLAIMED)
    is_turn = is_turn & (lines.from_stand == int(Stand.WAITING))
    is_bare = is_turn & lines.worker.isnull() & lines.lease_us.isnull()
    counted = row(
        lines.aggregate(turns=is_turn.cast("int64").sum(), bare=is_bare.cast("int64").sum())
    )
    if not 0 < int(counted.bare or 0) < _UNSIGNED_MAX * int(counted.turns):
        return lines
    kind = lines["op"].type()
    return lines.mutate(op=is_bare.ifelse(ibis.literal(int(Op.WRITTEN), kind), lines["op"]))


def _names(raw: Raw, engine: Engine, table: Any) -> dict[str, dict[int, str]]:
    """The text of each coded value that is not rare beyond use."""
    names: dict[str, dict[int, str]] = {}
    for name in (*CODED, *(f"x{i}" for i in range(len(raw.extras)))):
        texts = table.select(t=worker_of(table) if name == "worker" else table[name])
        texts = texts.filter(texts.t.notnull())
        counted = texts.group_by("t").aggregate(n=texts.count())
        most = counted.order_by(ibis.desc("n"), ibis.asc("t")).limit(_NAMES_MAX)
        coded = rows(most.select(code=engine.code(most.t), t=most.t))
        if coded:
            names[name] = {int(one.code): one.t for one in coded}
    return names


def _shown_words(kinds: Sequence[tuple[Kind, Line, int]]) -> dict[str, str]:
    """For `--explain-mapping`: each word of the log and what its lines mostly are."""
    lines: Counter[str] = Counter()
    ops: dict[str, dict[Op, int]] = defaultdict(dict)
    for kind, line, count in kinds:
        word = kind.op or kind.to_state or kind.outcome
        if word is not None:
            lines[word] += count
            ops[word][line.op] = max(ops[word].get(line.op, 0), count)
    most = sorted(lines, key=lambda word: (-lines[word], word))[:100]
    shown = {word: max(ops[word].items(), key=lambda one: (one[1], one[0]))[0] for word in most}
    return {word: op.name.lower() for word, op in shown.items()}
