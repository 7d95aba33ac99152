"""An answer held against the record: its numbers, and who did what. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from homing.review.facts import moment
from homing.walkthrough.assess.answer import Answer, is_own
from homing.walkthrough.assess.clauses import Clause
from homing.walkthrough.assess.detectors.claimed import proposals, realised
from homing.walkthrough.assess.detectors.outcome import is_told
from homing.walkthrough.assess.detectors.seen import Seen, whole
from homing.walkthrough.assess.quantities import Quantity, Unit, quantities_of
from homing.walkthrough.assess.rule import Rule, State, rules
from homing.walkthrough.assess.words import places
from homing.walkthrough.record import Record

_EXACT_MIN: Final = 1_000
_VOLUME_MIN: Final = 10_000
#: how a finding begins that an act is the speaker's
AN_ACT: Final = "the record says that"
_GENERIC: Final = frozenset(("the", "team", "group", "squad", "department"))
#: weeks of what a rate may be per
_WEEKS: Final = {"day": 1 / 7, "week": 1.0, "month": 30.44 / 7, "quarter": 91.31 / 7,
                 "year": 365.25 / 7, "hour": 1 / 168}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Known:
    """A number that the record has."""

    value: float
    unit: Unit
    address: str
    form: str
    role: str  #: which list of the rule's words says that a sentence is about it


#: address, unit, form, role
_NUMBERS: Final = (
    ("investigate:rate.value", Unit.RATIO, "percent", "loss"),
    ("verify:all.rate_before.value", Unit.RATIO, "percent", "loss"),
    ("investigate:since.rate_after", Unit.RATIO, "percent", "other"),
    ("verify:all.rate_after.value", Unit.RATIO, "percent", "other"),
    ("verify:all.zero.excludes_95", Unit.RATIO, "percent", "other"),
    ("verify:guilty.rate_before.value", Unit.RATIO, "percent", "other"),
    ("investigate:suspects.0.risk", Unit.RATIO, "percent", "other"),
    ("investigate:suspects.0.coverage", Unit.RATIO, "percent", "other"),
    ("investigate:dropped", Unit.COUNT, "count", "loss"),
    ("investigate:judged", Unit.COUNT, "count", "volume"),
    ("investigate:accepted", Unit.COUNT, "count", "volume"),
    ("investigate:rows", Unit.COUNT, "count", "other"),
    ("verify:all.after.n", Unit.COUNT, "count", "volume"),
    ("verify:all.before.n", Unit.COUNT, "count", "volume"),
    ("verify:guilty.before.n", Unit.COUNT, "count", "other"),
    ("verify:guilty.before.k", Unit.COUNT, "count", "other"),
    ("verify:guilty.after.n", Unit.COUNT, "count", "other"),
    ("investigate:suspects.0.dropped", Unit.COUNT, "count", "other"),
    ("investigate:suspects.0.having", Unit.COUNT, "count", "other"),
    ("reproduce:times", Unit.COUNT, "count", "other"),
    ("reproduce:reproduced", Unit.COUNT, "count", "other"),
    ("explore:runs", Unit.COUNT, "count", "other"),
    ("explore_fix:runs", Unit.COUNT, "count", "other"),
    ("explore_fix:random.runs", Unit.COUNT, "count", "other"),
    ("impact:p50", Unit.MONEY, "money", "loss"),
    ("impact:p5", Unit.MONEY, "money", "other"),
    ("impact:p95", Unit.MONEY, "money", "other"),
    ("impact:at_risk", Unit.MONEY, "money", "other"),
    ("investigate:hypothesis.skeleton.settings.lease_s", Unit.TIME, "number", "other"),
)


@dataclass(frozen=True, slots=True)
class _Deed:
    """Something that one person did, and where the record has who."""

    name: str
    verbs: frozenset[str]
    objects: frozenset[str]  #: one of them follows; empty: anything may
    address: str


_DEEDS: Final = (
    _Deed("deployed the fix", frozenset(("deploy", "release", "ship", "roll")),
          frozenset(("fix", "change", "it", "patch", "version", "out")), "record:@deployment.by"),
    _Deed("wrote the fix", frozenset(("write", "fix", "patch", "implement", "rewrite", "mend")),
          frozenset(("fix", "patch", "change", "it", "code", "worker", "race", "bug")),
          "record:fix.author"),
    _Deed("noticed it", frozenset(("notice", "spot", "discover", "detect")),
          frozenset(), "record:detection.by"),
    _Deed("reproduced it", frozenset(("reproduce",)), frozenset(), "@reproduce.by"),
    _Deed("read the log", frozenset(("pull", "trace", "analyze", "investigate")),
          frozenset(("log", "logs", "cause", "failure", "deliveries", "delivery", "loss", "drop",
                     "it", "race", "drops", "failures")), "@investigate.by"),
    _Deed("verified it", frozenset(("verify", "compare", "measure")),
          frozenset(("rate", "before", "drop", "result", "it", "fix")), "@verify.by"),
    _Deed("estimated the loss", frozenset(("estimate", "price", "quantify", "calculate")),
          frozenset(("loss", "cost", "impact", "it", "money", "revenue")), "@impact.by"),
)  # fmt: skip


def held(answer: Answer, rule: Rule, record: Record, me: str) -> list[Seen]:
    """What of an answer agrees with a record, is not in it, or is contradicted by it."""
    found = [*_numbers(answer, rule, record), *_zeros(answer, rule, record)]
    found += [*_acts(answer, record, me), *_adoptions(answer, record)]
    found += [*proposals(answer, record), *realised(answer, record)]
    if not found:
        return [Seen(State.NOT_CHECKABLE, (), "nothing in it that the record could have")]
    return found


# --- numbers ---


def known_numbers(record: Record) -> list[Known]:
    """The numbers of a record that a story may use."""
    found = []
    for address, unit, form, role in _NUMBERS:
        if record.has(address):
            value = record.get(address)
            if isinstance(value, int | float):
                found.append(Known(float(value), unit, address, form, role))
    for address, one in _written(record):
        found.append(Known(one.value, one.unit, address, "", "other"))
    if record.has("investigate:log.from") and record.has("investigate:log.to"):
        begin, end = (moment(record.get(f"investigate:log.{one}")) for one in ("from", "to"))
        span_s = (end - begin).total_seconds()
        found.append(Known(span_s, Unit.TIME, "investigate:log.to", "", "other"))
    return found


def _written(record: Record) -> Iterator[tuple[str, Quantity]]:
    """Numbers in what people wrote into the record."""
    for at, one in enumerate(record.incident.statements):
        for quantity in quantities_of(one.text):
            yield f"record:statements.{at}.text", quantity
    for address in ("record:detection.how", "record:fix.text"):
        if record.has(address):
            for quantity in quantities_of(str(record.get(address))):
                yield address, quantity


def _numbers(answer: Answer, rule: Rule, record: Record) -> Iterator[Seen]:
    known = known_numbers(record)
    for one in answer.quantities:
        if one.of >= _EXACT_MIN and one.value == 0:
            # "none of 199,476": the volume is a number, too
            one = replace(one, value=one.of, of=0.0, unit=Unit.COUNT, digits=9, noun="deliveries")
        if one.value == 0 or one.unit is Unit.BARE:
            continue
        place = (one.start, one.end)
        same = [each for each in known if each.unit is one.unit]
        agreeing = next((each for each in same if agrees(one, each)), _as_count(one, known))
        if agreeing is not None:
            address = record.place(agreeing.address)
            yield Seen(State.MET, (place,), _says(record, agreeing), ":".join(address))
            continue
        if not _is_checked(answer, rule, one) or not is_told(answer, place):
            continue
        role = _role(answer, rule, one)
        rivals = [each for each in same if each.role == role]
        if rivals:
            rival = rivals[0]
            detail = f"{_says(record, rival)}, you say {one.text.strip()}"
            yield Seen(State.CONTRADICTED, (place,), detail, ":".join(record.place(rival.address)))
        else:
            yield Seen(State.WEAK, (place,), f"the record has no {one.text.strip()}")


def _as_count(said: Quantity, known: list[Known]) -> Known | None:
    """“598 of about 200,000”: a count of the record, of a volume of it that is said in round."""
    if said.of < _VOLUME_MIN or not said.value:
        return None
    counts = [one for one in known if one.unit is Unit.COUNT]
    is_of = any(f"{one.value:.1g}" == f"{said.of:.1g}" for one in counts if one.role == "volume")
    found = (one for one in counts if one.value == round(said.value * said.of))
    return next(found, None) if is_of else None


def agrees(said: Quantity, known: Known) -> bool:
    """Whether a number is the record's, rounded to as many digits as were said."""
    if said.unit is not known.unit:
        return False
    value = said.value
    if said.unit is Unit.MONEY and said.per:
        value /= _WEEKS.get(said.per, 1.0)
    digits = max(1, min(said.digits or 1, 9))
    if float(f"{known.value:.{digits}g}") == float(f"{value:.{digits}g}"):
        return True
    return said.unit is Unit.TIME and abs(known.value - value) <= 0.01 * value


def _is_checked(answer: Answer, rule: Rule, one: Quantity) -> bool:
    """Whether a number is of a kind that the record would have."""
    if one.unit is Unit.COUNT:
        return one.noun in rule.phrases("deliveries")
    return one.unit in (Unit.RATIO, Unit.MONEY)


def _role(answer: Answer, rule: Rule, one: Quantity) -> str:
    start, end = answer.sentence_at(one.start)
    if one.unit is Unit.COUNT:
        before = answer.text[max(start, one.start - 12) : one.start]
        if places(before, rule.phrases("of")):
            return "volume"
    is_loss = bool(places(answer.text, rule.phrases("loss"), start, end))
    return "loss" if is_loss else "none"


def _says(record: Record, known: Known) -> str:
    value: Any = known.value
    text = record.said(value, known.form) if known.form else ""
    return f"the record says {text}" if text else "the record has it"


def _zeros(answer: Answer, rule: Rule, record: Record) -> Iterator[Seen]:
    """A drop that is said to be gone."""
    for start, end, _ in answer.changes(rule.stages):
        said = answer.text[start:end]
        if not places(said, rule.phrases("zero")) or not is_told(answer, (start, end)):
            continue
        if not record.has("verify:all.after.k"):
            yield Seen(State.WEAK, ((start, end),), "the record has no count after the fix")
            continue
        left, n = (int(record.get(f"verify:all.after.{one}")) for one in "kn")
        reference = "verify:all.after.k"
        if left:
            detail = f"the record says {left:,} of {n:,} after the fix, you say {said}"
            yield Seen(State.CONTRADICTED, ((start, end),), detail, reference)
        else:
            yield Seen(State.MET, ((start, end),), f"the record says 0 in {n:,}", reference)


# --- who did what ---


def _acts(answer: Answer, record: Record, me: str) -> Iterator[Seen]:
    for one in answer.clauses:
        if not is_own(one):
            continue
        deed = next((each for each in _DEEDS if _is_of(one, each)), None)
        if deed is None:
            continue
        if not record.has(deed.address):
            yield Seen(State.WEAK, (whole(one),), f"the record has nobody who {deed.name}")
            continue
        who = str(record.get(deed.address))
        reference = ":".join(record.place(deed.address))
        if who == me:
            yield Seen(State.MET, (whole(one),), f"{AN_ACT} you {deed.name}", reference)
        else:
            detail = f"act: the record says that {who} {deed.name}"
            yield Seen(State.CONTRADICTED, (whole(one),), detail, reference)


def _is_of(clause: Clause, deed: _Deed) -> bool:
    if clause.verb not in deed.verbs:
        return False
    return not deed.objects or bool(deed.objects & set(clause.objects[:6]))


def _adoptions(answer: Answer, record: Record) -> Iterator[Seen]:
    """What is said to be taken up, by whom the record names: another team is not in it."""
    rule = rules()["second_order"]
    for place in answer.phrases(rule.phrases("adopted"), rule.stages):
        if not is_told(answer, place):
            continue
        start, end = answer.sentence_at(place[0])
        said = frozenset(re.findall(r"\w+", answer.text[start:end].lower()))
        takers = [one.by for one in record.incident.adoptions]
        if not takers:
            yield Seen(State.WEAK, (place,), "the record has nobody who took it up")
        elif said & {"they", "their"} or any(_names_of(one) <= said for one in takers):
            yield Seen(State.MET, (place,), "the record has who took it up", "record:adoptions.0")
        else:
            detail = f"the record has only {', '.join(takers)}, who took it up"
            yield Seen(State.WEAK, (place,), detail, "record:adoptions.0")


def _names_of(actor: str) -> frozenset[str]:
    """The words of a name by which one says who it is: "payments" of "payments team"."""
    words = frozenset(re.findall(r"\w+", actor.lower()))
    return words - _GENERIC or words
