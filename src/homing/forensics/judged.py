"""From the raw rows of a log to what became of each delivery: Ibis, any engine."""

from __future__ import annotations

from typing import Any

from homing.forensics import cases as by_case
from homing.forensics import damaged, judging, limits
from homing.forensics.building import Events, build
from homing.forensics.engine import Engine
from homing.forensics.limits import Context
from homing.forensics.operations import Op
from homing.forensics.options import Options
from homing.forensics.others import word_column
from homing.forensics.reading.files import Progress, Raw
from homing.forensics.rows import row
from homing.forensics.strangers import strangers


def takes_of(ops: frozenset[Op]) -> Op:
    """The operation by which a worker takes a delivery in a log of these operations."""
    return Op.CLAIMED if Op.CLAIMED in ops else Op.SENT


def judged_log(
    raw: Raw, engine: Engine, options: Options, progress: Progress
) -> tuple[Events, Any, Any, Context]:
    """Steps 1, 2 and 4 over all deliveries: the events, the table of deliveries, the lines of the hard
    ones, the limits. Names that a guess took for deliveries and that cannot be any are left out."""
    events = build(raw, engine, progress)
    judged, hard, context = _judged_tables(engine, events, options, progress)
    if options.mapping is None and (found := strangers(engine, word_column(raw.has("op")))):
        events = build(raw, engine, progress, found)
        judged, hard, context = _judged_tables(engine, events, options, progress)
    return events, judged, hard, context


def _judged_tables(
    engine: Engine, events: Events, options: Options, progress: Progress
) -> tuple[Any, Any, Context]:
    takes = takes_of(events.ops)
    table = engine.table("events")
    progress("counting every delivery", 0.0)
    cases = engine.keep(
        "by_delivery",
        by_case.by_delivery(table, takes, len(events.extras), has_bit_or=engine.is_duckdb),
    )
    progress("following the hard ones", 0.4)
    cases = damaged.marked(cases, engine, has_doubted=events.has_doubted)
    hard_ids = engine.keep("hard_ids", cases.filter(by_case.is_hard(cases)).select("d"))
    lines = table.semi_join(hard_ids, "d")
    hard = engine.keep(
        "ordered", by_case.ordered(lines, takes, has_versions=_has_versions(table, takes))
    )
    context = Context(
        end_us=events.last_us,
        span_us=events.last_us - events.first_us,
        takes=takes,
        horizon_us=options.horizon_us,
        fine_clock=events.fine_clock,
    )
    limits.gather(cases, hard, context)
    progress("judging", 0.7)
    judged = judging.judge(cases, hard, table, context, engine.keep)
    return judged, hard, context


def _has_versions(events: Any, takes: Op) -> bool:
    """Whether a worker's turn tells the version that it leaves, so that any other write does."""
    turns = events.filter(events.act == takes)
    told = row(turns.aggregate(n=turns.count(), told=turns.version_after.count()))
    return int(told.told or 0) > 0.9 * int(told.n or 0)
