"""The ways deliveries go through a log, and the steps that no legal life has: Ibis, any engine."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import ibis

from homing.core.errors import ConfigError
from homing.forensics import cases as by_case
from homing.forensics.judging import Verdict
from homing.forensics.operations import Op, Stand
from homing.forensics.rows import rows

_STEPS_MAX: Final = 12
_SHOWN_MAX: Final = 40

#: where a delivery may go from where it stands, in any service; a table of one's own replaces it
LEGAL: Final[dict[Stand, frozenset[Stand]]] = {
    Stand.WAITING: frozenset(Stand) - {Stand.EXHAUSTED},
    Stand.LEASED: frozenset(Stand),
    Stand.FAILED: frozenset(Stand),
    Stand.EXHAUSTED: frozenset({Stand.DEAD, Stand.WAITING, Stand.EXHAUSTED, Stand.CANCELLED}),
    Stand.DELIVERED: frozenset({Stand.DELIVERED, Stand.WAITING}),
    Stand.DEAD: frozenset({Stand.DEAD, Stand.WAITING, Stand.CANCELLED, Stand.GONE}),
    Stand.CANCELLED: frozenset({Stand.CANCELLED, Stand.WAITING}),
    Stand.PARKED: frozenset(
        {Stand.PARKED, Stand.WAITING, Stand.CANCELLED, Stand.DEAD, Stand.LEASED}
    ),
    Stand.GONE: frozenset({Stand.GONE}),
}


class Variant(NamedTuple):
    """A sequence of operations, and how many deliveries had it."""

    steps: tuple[str, ...]
    deliveries: int
    dropped: int
    first_at_us: int


class Illegal(NamedTuple):
    """A step that the table of legal lives does not have."""

    before: str
    op: str
    after: str
    lines: int
    deliveries: int
    dropped: int


def parse_life(text: str, where: str) -> dict[Stand, frozenset[Stand]]:
    """The legal life of another system: `[life]`, state → list of states that may follow.

    Raises:
        ConfigError: it names a state that is none of ours.
    """
    try:
        table = tomllib.loads(text).get("life", {})
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{where}: {error}"]) from error
    known = {s.name.lower(): s for s in Stand if s is not Stand.NONE}
    wrong = {w for k, v in table.items() for w in (k, *v) if w not in known}
    if wrong or not table:
        raise ConfigError(
            [
                f"{where}: [life] {', '.join(sorted(wrong)) or 'is empty'}: expected {', '.join(known)}"
            ]
        )
    return {known[k]: frozenset(known[w] for w in v) for k, v in table.items()}


def variants(hard: Any, judged: Any) -> list[Variant]:
    """The commonest sequences, those with drops first."""
    number = ibis.row_number().over(ibis.window(group_by="d", order_by="pos"))
    placed = hard.mutate(no=number)
    acts = {f"s{i}": placed.act.max(where=placed.no == i).fill_null(-1) for i in range(_STEPS_MAX)}
    each = placed.group_by("d").aggregate(**acts, more=placed.count() > _STEPS_MAX)
    each = each.inner_join(judged.select("d", "verdict", "first_at"), "d")
    keys = [*acts, "more"]
    grouped = each.group_by(keys).aggregate(
        n=each.count(),
        k=(each.verdict == int(Verdict.DROPPED)).cast("int64").sum(),
        first=each.first_at.min(),
    )
    most = rows(
        grouped.order_by([ibis.desc("k"), ibis.desc("n"), ibis.asc("first")]).limit(_SHOWN_MAX)
    )
    found = [
        Variant(
            tuple(_name(getattr(r, key)) for key in acts if getattr(r, key) >= 0)
            + (("…",) if r.more else ()),
            int(r.n),
            int(r.k),
            int(r.first),
        )
        for r in most
    ]
    return found + _plain(judged)


def _name(code: int) -> str:
    return Op(int(code)).name.lower()


def _plain(judged: Any) -> list[Variant]:
    easy = judged.filter(~by_case.is_hard(judged))
    most = rows(
        easy.group_by("mask")
        .aggregate(n=easy.count(), first=easy.first_at.min())
        .order_by([ibis.desc("n"), ibis.asc("first")])
        .limit(5)
    )
    order = (Op.ACCEPTED, Op.QUEUED, Op.CLAIMED, Op.SENT, Op.ATTEMPTED, Op.WRITTEN, Op.SUCCEEDED)
    return [
        Variant(
            tuple(op.name.lower() for op in order if int(r.mask) & (1 << op)),
            int(r.n),
            0,
            int(r.first),
        )
        for r in most
    ]


def illegal(hard: Any, judged: Any, legal: Mapping[Stand, frozenset[Stand]]) -> list[Illegal]:
    """Steps that the table forbids, with how many deliveries took them."""
    written = hard.filter((hard.stand > 0) & hard.writes)
    previous = written.stand.lag().over(ibis.window(group_by="d", order_by="pos"))
    told = written.mutate(was=ibis.coalesce(written.from_stand.nullif(0), previous, 0))
    told = told.inner_join(judged.select("d", "verdict"), "d")
    grouped = told.group_by(["was", "act", "stand"]).aggregate(
        lines=told.count(),
        deliveries=told.d.nunique(),
        dropped=told.d.nunique(where=told.verdict == int(Verdict.DROPPED)),
    )
    found = []
    for r in rows(grouped):
        before, after = Stand(int(r.was)), Stand(int(r.stand))
        if before is Stand.NONE or before not in legal or after in legal[before]:
            continue
        found.append(
            Illegal(
                before.name.lower(),
                _name(r.act),
                after.name.lower(),
                int(r.lines),
                int(r.deliveries),
                int(r.dropped),
            )
        )
    return sorted(found, key=lambda one: (-one.dropped, -one.lines))
