"""What a board shows at a time: a row for each service, what needs a person on top."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final

import msgspec

from homing.core.plurals import plural
from homing.insight import figures
from homing.insight.board.standing import How, Member, Promise, ServiceStanding
from homing.insight.figures import percent, span_text

#: an audit that is older says nothing of now; the service audits every minute
AUDIT_US: Final = 600_000_000


class Light(StrEnum):
    """How a service stands, in one word; never shown as a colour alone."""

    BROKEN = "broken"  #: deliveries are unaccounted for, or a budget is overspent
    BURNING = "burning"  #: a budget is spent so fast that somebody has to know
    UNKNOWN = "unknown"  #: nothing that can be relied on is known at the moment
    LETTERS = "letters"  #: dead letters wait for somebody
    GOOD = "good"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A service on the board."""

    name: str
    how: How
    owner: str
    light: Light
    was: Light | None  #: what the last standing says; None: there is none
    why: tuple[str, ...]  #: sentences that explain the light
    at_us: int | None  #: of the standing
    is_stale: bool
    promises: tuple[Promise, ...] = ()  #: the worst first
    unaccounted: int | None = None
    dead: int | None = None
    oldest_at_us: int | None = None
    money: dict[str, str] = {}

    @property
    def needs_somebody(self) -> bool:
        return self.light is not Light.GOOD


def rows(members: Sequence[Member], own: ServiceStanding | None, *, at_us: int) -> list[Row]:
    """The board's rows at `at_us`; `own` is what the instance says that shows it."""
    found = [_row_of_member(one, at_us) for one in members]
    if own is not None:
        found.append(_row(own.name, How.SELF, own.owner, own, [], None, at_us))
    return sorted(found, key=_urgency)


def _row_of_member(member: Member, at_us: int) -> Row:
    said = member.said
    doubts = []
    if said is None:
        doubts.append(_never(member, at_us))
    elif at_us - said.at_us > member.stale_s * 1_000_000:
        doubts.append(f"nothing newer for {_ago(said.at_us, at_us)}: this is what it said then")
    if member.trouble and (said is not None or member.is_refused):
        doubts.append(f"{member.trouble}{_since(member, at_us)}")
    is_stale = said is None or at_us - said.at_us > member.stale_s * 1_000_000
    certain = not is_stale and not member.is_refused
    owner = member.owner or (said.owner if said else "")
    found = _row(
        member.id, member.how, owner, said, doubts, None if certain else Light.UNKNOWN, at_us
    )
    return msgspec.structs.replace(found, is_stale=is_stale)


def _row(
    name: str,
    how: How,
    owner: str,
    said: ServiceStanding | None,
    doubts: Sequence[str],
    instead: Light | None,
    at_us: int,
) -> Row:
    was, why = (None, []) if said is None else _judged(said, how)
    light = instead or was or Light.UNKNOWN
    promises = sorted(said.promises, key=_badness) if said else []
    return Row(
        name=name,
        how=how,
        owner=owner,
        light=light,
        was=was,
        why=(*doubts, *why),
        at_us=said.at_us if said else None,
        is_stale=False,
        promises=tuple(_at(one, said.at_us if said else at_us, at_us) for one in promises),
        unaccounted=said.unaccounted if said else None,
        dead=said.dead if said else None,
        oldest_at_us=said.oldest_at_us if said else None,
        money=said.money if said else {},
    )


def _judged(said: ServiceStanding, how: How) -> tuple[Light, list[str]]:
    """What a standing says, and why; the light of the worst."""
    broken, burning, unknown, letters = [], [], [], []
    if said.unaccounted:
        broken.append(
            f"{plural(said.unaccounted, 'delivery is', 'deliveries are')} unaccounted for"
        )
    for one in sorted(said.promises, key=_badness):
        if one.is_broken:
            because = f": {one.because}" if one.because else ""
            broken.append(f"the budget of {one.name} is overspent{because}")
        elif one.fires:
            burning.append(f"the budget of {one.name} is burning fast")
    if said.unaccounted is not None:
        if said.audited_at_us is None and how is not How.PROMETHEUS:
            unknown.append("its books have not been audited yet")
        elif said.audited_at_us is not None and said.at_us - said.audited_at_us > AUDIT_US:
            unknown.append(
                f"its latest audit is {_ago(said.audited_at_us, said.at_us)} old: a drop since "
                "then would not be seen"
            )
    if said.unaccounted is None and said.dead is None and not said.promises:
        unknown.append("it says nothing about itself")
    if said.dead:
        letters.append(
            f"{plural(said.dead, 'dead letter waits', 'dead letters wait')} for somebody"
        )
    found = (
        (Light.BROKEN, broken),
        (Light.BURNING, burning),
        (Light.UNKNOWN, unknown),
        (Light.LETTERS, letters),
    )
    light = next((light for light, why in found if why), Light.GOOD)
    return light, [text for _, why in found for text in why]


def _never(member: Member, at_us: int) -> str:
    if member.trouble and not member.is_refused:
        return f"never heard of: {member.trouble}{_since(member, at_us)}"
    if member.how is How.PUSH:
        return "never heard of: it has not pushed a standing yet"
    return "never heard of yet"


def _since(member: Member, at_us: int) -> str:
    if member.trouble_since_us is None:
        return ""
    return f" (for {_ago(member.trouble_since_us, at_us)})"


def _ago(since_us: int, at_us: int) -> str:
    return span_text(max(at_us - since_us, 0) // 1_000_000)


def _at(promise: Promise, said_us: int, at_us: int) -> Promise:
    """With the time until the budget is gone as of now."""
    if not promise.exhausted_in_s:
        return promise
    gone_s = max(promise.exhausted_in_s - max(at_us - said_us, 0) / 1e6, 0.0)
    return msgspec.structs.replace(promise, exhausted_in_s=gone_s)


def _badness(one: Promise) -> tuple[bool, bool, Decimal, str]:
    left = Decimal(one.left) if one.left is not None and not one.is_few else Decimal(2)
    return (not one.is_broken, not one.fires, left, one.name)


_RANKS: Final = {
    (Light.BROKEN, None): 0,
    (Light.UNKNOWN, Light.BROKEN): 1,
    (Light.BURNING, None): 2,
    (Light.UNKNOWN, Light.BURNING): 3,
    (Light.UNKNOWN, None): 4,
    (Light.LETTERS, None): 5,
    (Light.GOOD, None): 6,
}


def _urgency(row: Row) -> tuple[int, Decimal, str]:
    was = row.was if row.light is Light.UNKNOWN else None
    rank = _RANKS.get((row.light, was), _RANKS[row.light, None])
    least = _badness(row.promises[0])[2] if row.promises else Decimal(2)
    return (rank, least, row.name)


# --- words, for whoever shows a row ---


def target_text(one: Promise) -> str:
    """ "99.9% over 30d"; the period alone where no target is told."""
    over = f"over {one.period}" if one.period else ""
    if one.target is None:
        return over
    return f"{percent(Fraction(one.target))} {over}".strip()


def left_text(one: Promise) -> str:
    """What is left of the budget, as a percentage."""
    if one.left is None:
        return "not told"
    if one.is_few and one.left.startswith("-"):
        return "too few events"
    return figures.left_text(min(Fraction(one.left), Fraction(1)))


def gone_text(one: Promise) -> str:
    """When the budget is spent."""
    if one.left is None and one.exhausted_in_s is None:
        return "not told"
    if one.is_few:
        return "never" if one.left == "1" else "too few events"
    if one.is_broken or one.exhausted_in_s == 0:
        return "spent"
    return "never" if one.exhausted_in_s is None else span_text(round(one.exhausted_in_s))


def count_text(count: int | None) -> str:
    return "not told" if count is None else f"{count:,}"


def age_text(row: Row, at_us: int) -> str:
    """How old the oldest dead letter is."""
    return "" if row.oldest_at_us is None else _ago(row.oldest_at_us, at_us)


def said_text(row: Row, at_us: int) -> str:
    """How old what is shown is."""
    return "" if row.at_us is None else f"{_ago(row.at_us, at_us)} ago"


def summary(found: Sequence[Row]) -> str:
    """How many need somebody, in one sentence."""
    count, waiting = len(found), sum(row.needs_somebody for row in found)
    services = plural(count, "service")
    if not waiting:
        return f"{services}; nothing needs anybody."
    return f"{services}; {waiting} {'needs' if waiting == 1 else 'need'} somebody."
