"""What people did to deliveries, and to their endpoints, rather than machines: Ibis, any engine."""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import ibis

from homing.forensics.engine import Engine
from homing.forensics.machines import MACHINES
from homing.forensics.operations import Op, Stand
from homing.forensics.reading.files import Raw
from homing.forensics.rows import row, rows
from homing.forensics.vocabulary import meaning

#: an actor that calls itself a policy
_POLICY: Final = r"^(policy|rule)[:/= _-]"


#: whoever makes attempts is no person; nor is who writes so much of what is queued and planned
_ATTEMPTS: Final = [int(op) for op in (Op.CLAIMED, Op.SENT, Op.ATTEMPTED, Op.FAILED)]
_PLANS: Final = [int(op) for op in (Op.QUEUED, Op.RETRY, Op.SUCCEEDED)]
_PLANS_MIN: Final = 0.02
_ACTORS_MAX: Final = 5_000


def by_person(raw: Raw, engine: Engine, m: Any) -> Any:
    """Whether a row names a person or a rule that did it, and no machine that works on deliveries."""
    if not raw.has("actor"):
        return ibis.literal(False)
    work = m.filter(m.actor.notnull() & m["op"].isin([*_ATTEMPTS, *_PLANS]))
    counted = work.group_by("actor").aggregate(
        n=work.count(), makes=work["op"].isin(_ATTEMPTS).cast("int64").sum()
    )
    found = rows(counted.order_by(ibis.desc("n"), "actor").limit(_ACTORS_MAX))
    least = _PLANS_MIN * sum(int(one.n) for one in found)
    machines = [one.actor for one in found if int(one.makes) or int(one.n) > least]
    # of an address, who it is and not where
    who = m.actor.lower().re_replace("@.*", "")
    named = m.actor.notnull() & ~who.re_search(engine.pattern(MACHINES))
    named = named & ~m.actor.isin(machines) if machines else named
    # a policy that says so may be one of age: what it discards, it does not clean up
    is_policy = m.actor.lower().re_search(engine.pattern(_POLICY)).fill_null(False)
    return named | (is_policy & m["op"].isin([int(Op.DISCARDED), int(Op.CANCELLED)]))


class SwitchedOff(NamedTuple):
    """That a person switched an endpoint off, from when until when."""

    endpoint: str
    since_us: int
    until_us: int


#: by such a line about an endpoint it is switched off
_OFF: Final = frozenset({Op.PARKED, Op.DISCARDED, Op.CANCELLED, Op.PURGED, Op.SKIPPED})
_ENDPOINTS_MAX: Final = 20_000


def switched_off(table: Any) -> list[SwitchedOff]:
    """The times for which a person switched an endpoint off, from rows that name no delivery."""
    about = table.filter(
        table.delivery.isnull() & table.message.isnull() & table.endpoint.notnull()
    )
    at = ibis.coalesce(about.changed_us, about.at_us)
    lines = about.select("endpoint", "actor", word=about.op_raw, at=at)
    lines = lines.filter(lines["at"].notnull() & lines.word.notnull())
    since: dict[str, int] = {}
    found = []
    for one in rows(lines.order_by("at", "endpoint").limit(_ENDPOINTS_MAX)):
        op = meaning(one.word).op
        if (
            op in _OFF
            and one.actor
            and not re.search(MACHINES, one.actor.lower().partition("@")[0])
        ):
            since.setdefault(one.endpoint, int(one["at"]))
        elif op in (Op.STARTED, Op.RESUMED) and one.endpoint in since:
            found.append(SwitchedOff(one.endpoint, since.pop(one.endpoint), int(one["at"])))
    return found + [SwitchedOff(name, at, _EVER) for name, at in since.items()]


_EVER: Final = 2**62
#: a turn that had begun sees it so much later at most that an endpoint is on again
_SLACK_US: Final = 60_000_000


def with_announced(engine: Engine, m: Any, announced: Sequence[SwitchedOff]) -> Any:
    """The rows, with what was thrown away while a person had switched its endpoint off as that person's."""
    if not announced:
        return m
    arrow = importlib.import_module("pyarrow")
    columns = {
        "off": arrow.array([one.endpoint for one in announced], arrow.string()),
        "since": arrow.array([one.since_us for one in announced], arrow.int64()),
        "until": arrow.array([one.until_us for one in announced], arrow.int64()),
    }
    off = engine.put("switched_off", arrow.table(columns))
    thrown = m.filter(m["op"].isin([int(Op.DISCARDED), int(Op.SKIPPED)]))
    thrown = thrown.inner_join(off, thrown.endpoint == off["off"])
    at = ibis.coalesce(thrown.changed_us, thrown.at_us)
    thrown = thrown.filter((at >= thrown.since) & (at <= thrown["until"] + _SLACK_US))
    theirs = thrown.select(theirs=thrown["rowid"]).distinct()
    m = m.left_join(theirs, m["rowid"] == theirs.theirs)
    return m.mutate(by_person=m.by_person | m.theirs.notnull()).drop("theirs")


#: fewer withdrawals that a person signed are no custom
_SIGNED_FEWEST: Final = 5


def without_unsigned(m: Any) -> Any:
    """The rows, with what workers withdraw and nobody signs as thrown away, where people sign what they
    withdraw.

    Args:
        m: the rows, with what they mean, and `by_person`.
    """
    is_withdrawn = m.stand == int(Stand.CANCELLED)
    is_bare = is_withdrawn & m.actor.isnull()
    counted = row(
        m.aggregate(
            signed=(is_withdrawn & m.by_person).cast("int64").sum(),
            bare=is_bare.cast("int64").sum(),
        )
    )
    if not counted.bare or int(counted.signed or 0) < _SIGNED_FEWEST:
        return m
    turns = m.filter((m.stand == int(Stand.LEASED)) & m.worker.notnull())
    workers = [one.worker for one in rows(turns.select("worker").distinct().limit(_ACTORS_MAX))]
    unsigned = is_bare & m.worker.isin(workers)
    return m.mutate(
        op=unsigned.ifelse(int(Op.DISCARDED), m["op"]),
        stand=unsigned.ifelse(int(Stand.GONE), m.stand),
    )
