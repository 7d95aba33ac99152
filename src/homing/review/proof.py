"""The review of an incident: fix, proof, what follows, and what nobody knows. Pure."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from homing.review.blocks import (
    Address,
    Block,
    Bullets,
    Code,
    Heading,
    Inline,
    Line,
    Paragraph,
    Plot,
    Pre,
    Table,
    Value,
    line,
    quoted,
    strong,
)
from homing.review.facts import RECORD, Facts, count, instant, money, number, percent, words
from homing.review.impact import Loss
from homing.review.incident import Aspect
from homing.review.pictures import sensitivity_plot
from homing.review.quoting import copied, said, sentences
from homing.review.results import MODEL, REDRIVE

_DIFF_MAX: Final = 120
_VERDICTS: Final = {"unproven": "not proven"}


def verdict(facts: Facts) -> Value:
    """ "fixed", and its like."""
    return facts.value("verify", "verdict", lambda word: _VERDICTS.get(str(word), str(word)))


def fix(facts: Facts) -> list[Block]:
    """What was changed, by whom, and when it came to production."""
    record = facts.incident
    if record.fix is None and not deployed(facts, "fix"):
        return []
    blocks: list[Block] = []
    if record.fix is not None:
        parts: list[Inline] = ["Written by ", facts.value(RECORD, "fix.author"), ". "]
        if record.fix.text:
            parts += ["What it does: ", *quoted(record.fix.text, RECORD, "fix.text"), ". "]
        if record.fix.link:
            parts += ["The change: ", _linked(record.fix.link), "."]
        blocks.append(Paragraph(tuple(parts)))
        if record.fix.diff:
            lines = record.fix.diff.splitlines()
            more = ["…"] if len(lines) > _DIFF_MAX else []
            blocks.append(Pre("\n".join(lines[:_DIFF_MAX] + more)))
    blocks += deployed(facts, "fix")
    return [Heading("Fix"), *blocks, *facts.again(RECORD)]


def deployed(facts: Facts, what: str) -> list[Block]:
    """When a fix, or the change before it, came to production."""
    blocks: list[Block] = []
    for i, one in enumerate(facts.incident.deployments):
        if (one.what == "fix") != (what == "fix"):
            continue
        at = facts.value(RECORD, f"deployments.{i}.at_us", instant)
        parts: list[Inline] = [f"A {what} was deployed at ", at, " by "]
        parts.append(facts.value(RECORD, f"deployments.{i}.by"))
        if one.commit:
            parts += [", commit ", facts.coded(RECORD, f"deployments.{i}.commit")]
        blocks.append(Paragraph((*parts, ".")))
    return blocks


def _linked(link: str) -> Inline:
    return Address("link", link) if link.startswith(("http://", "https://")) else Code(link)


def verification(facts: Facts) -> list[Block]:
    """What was seen after it, and what that proves."""
    blocks: list[Block] = []
    if facts.has("verify", "verdict"):
        blocks += _compared(facts)
    for name in ("reproduce_fix", "explore_fix"):
        if facts.has(name, "times"):
            parts = line(
                "The same schedules with the fix: ",
                facts.value(name, "reproduced", count),
                " of ",
                facts.value(name, "times", count),
                " runs lost a delivery.",
            )
            blocks.append(Paragraph(parts))
        elif facts.has(name, "runs"):
            n = facts.value(name, "runs", count)
            blocks.append(Paragraph(line("Exploring the fix broke nothing in ", n, " runs.")))
    if not blocks:
        return []
    again = facts.again("verify", "reproduce_fix", "explore_fix")
    return [Heading("Verification"), *blocks, *again]


def _compared(facts: Facts) -> list[Block]:
    rows = [_arm(facts, line("all deliveries"), "all")]
    if facts.has("verify", "guilty.before.n"):
        name = ("where it happened: ", *copied(facts, "verify", "guilty_name"))
        rows.append(_arm(facts, name, "guilty"))
    blocks: list[Block] = [
        Paragraph(line("Verdict: ", strong(verdict(facts)), ".")),
        Table(("", "dropped before#", "dropped after#", "rate excluded#"), tuple(rows)),
    ]
    lines: list[Line] = []
    lines += sentences(facts, "verify", "reasons", len(facts.find("verify", "reasons", [])))
    if facts.has("verify", "all.p_two_sided"):
        lines.append(
            line(
                "If nothing had changed, so different counts would come about with a chance of ",
                facts.value("verify", "all.p_two_sided", lambda p: f"{float(p):.1g}"),
                ".",
            )
        )
    if facts.has("verify", "model.states"):
        lines.append(
            line(
                "A model of the worker: ",
                facts.value("verify", "model.violations", count),
                " of ",
                facts.value("verify", "model.states", count),
                f" {_unit(facts)} lost a delivery.",
            )
        )
    return [*blocks, Bullets(tuple(lines))]


def _unit(facts: Facts) -> str:
    return "schedules" if facts.find("verify", "model.unit", "states") == "schedules" else "states"


def _arm(facts: Facts, name: Line, path: str) -> tuple[Line, ...]:
    def of(arm: str) -> Line:
        return (
            facts.value("verify", f"{path}.{arm}.k", count),
            " of ",
            facts.value("verify", f"{path}.{arm}.n", count),
        )

    bound: Line = ()
    if facts.has("verify", f"{path}.zero.excludes_95"):
        bound = (facts.value("verify", f"{path}.zero.excludes_95", percent), " or more")
    return (name, of("before"), of("after"), bound)


def recovery(facts: Facts) -> list[Block]:
    """What was sent again, and what is still missing."""
    blocks = list(said(facts, Aspect.RECOVERY))
    if facts.find(REDRIVE, "data.messagesSent", 0):
        parts = line(
            "A redrive of dead letters sent ",
            facts.value(REDRIVE, "data.messagesSent", count),
            " of them again, and ",
            facts.value(REDRIVE, "data.messagesDelivered", count)
            if facts.get(REDRIVE, "data.messagesDelivered")
            else "none",
            " had been delivered when it was looked at.",
        )
        blocks += [Paragraph(parts), *facts.again(REDRIVE)]
    if not blocks and not facts.find("investigate", "dropped", 0):
        return []
    if not blocks:
        parts = line(
            "Nothing in the record says that any of the ",
            facts.value("investigate", "dropped", count),
            " dropped deliveries were sent again.",
        )
        blocks.append(Paragraph(parts))
    written = [one for one in facts.incident.results.values() if one.step == "impact"]
    for one in written:
        for file in one.files:
            if not file.name.endswith(".svg"):  # the plot of the price
                blocks.append(Paragraph(("The affected ids are in ", Code(file.name), ".")))
    return [Heading("Recovery"), *blocks, *facts.again("investigate", RECORD)]


def actions(facts: Facts) -> list[Block]:
    """What follows, and who took it up."""
    record = facts.incident
    rows = tuple(
        (
            quoted(one.text, RECORD, f"actions.{i}.text"),
            (facts.value(RECORD, f"actions.{i}.kind"),),
            (facts.value(RECORD, f"actions.{i}.owner"),),
            (facts.value(RECORD, f"actions.{i}.due"),),
            (
                ("done ", facts.value(RECORD, f"actions.{i}.done_at_us", instant))
                if one.done_at_us is not None
                else line("open")
            ),
        )
        for i, one in enumerate(record.actions)
    )
    blocks: list[Block] = []
    if rows:
        blocks.append(Table(("action", "kind", "owner", "due", "stands"), rows))
    adopted = tuple(
        (
            facts.value(RECORD, f"adoptions.{i}.by"),
            ": ",
            *quoted(one.what, RECORD, f"adoptions.{i}.what"),
            *(
                (" (", facts.coded(RECORD, f"adoptions.{i}.reference"), ")")
                if one.reference
                else ()
            ),
        )
        for i, one in enumerate(record.adoptions)
    )
    if adopted:
        blocks += [Paragraph(line("Taken up elsewhere:")), Bullets(adopted)]
    return [Heading("Actions"), *blocks, *facts.again(RECORD)] if blocks else []


_LACKS: Final = (
    ("investigate", "How many were dropped, of whom and since when: no log was investigated."),
    ("reproduce", "Whether the suspected mechanism is the cause: it was not reproduced."),
    ("verify", "Whether the fix mends it: before and after were not compared."),
    ("impact", "What it cost: it was not priced."),
)

#: instead, where a model worker was held to the schedule
_MODELLED: Final = (
    "Whether the suspected mechanism is the cause: the service's own worker was not held to the "
    "schedule, only a model that has the fault."
)


def unknown(facts: Facts) -> list[Block]:
    """What the data cannot show."""
    lines: list[Line] = [
        line(_MODELLED if name == "reproduce" and facts.has(MODEL) else text)
        for name, text in _LACKS
        if not facts.has(name) and not (name == "reproduce" and facts.has("explore", "story.rows"))
    ]
    told = len(facts.find("investigate", "cannot_tell", []))
    lines += sentences(facts, "investigate", "cannot_tell", told)
    if facts.find("investigate", "damaged_rows", 0):
        damaged = facts.value("investigate", "damaged_rows", count)
        rows = facts.value("investigate", "rows", count)
        lines.append(
            line("What stood in ", damaged, " of ", rows, " rows of the log: they are damaged.")
        )
    if facts.has("investigate"):
        lines.append(
            line(
                "What the receivers did: the log is the sender's. A receiver may have acted "
                "without a confirmation, or failed with one.",
            )
        )
        lines.append(
            line(
                "Whether drops are independent of each other, which the intervals take for granted."
            )
        )
    if facts.incident.detection is None:
        lines.append(line("When and by whom it was noticed: the record does not say."))
    if not deployed(facts, "fix"):
        lines.append(line("When the fix came to production: the record has no deployment of it."))
    for code in facts.find("impact", "by_currency", {}):
        lines += _assumed(facts, code)
    blocks = [Bullets(tuple(lines))] if lines else []
    return [
        Heading("What the data cannot show"),
        *blocks,
        *said(facts, Aspect.UNKNOWN),
        *facts.again("investigate", "impact"),
    ]


def _assumed(facts: Facts, code: str) -> list[Line]:
    base = f"by_currency.{code}.inputs"
    found: list[Line] = []
    for i, one in enumerate(facts.find("impact", base, [])):
        if one["basis"] != "assumed":
            continue
        form = _share if one["unit"] == "share" else number
        parts: list[Inline] = [*quoted(str(one["name"]), "impact", f"{base}.{i}.name")]
        parts += [f", {code}: nobody measured it; taken as "]
        parts.append(facts.value("impact", f"{base}.{i}.mode", form))
        if one["low"] != one["high"]:
            parts += [" (", facts.value("impact", f"{base}.{i}.low", form), " to "]
            parts += [facts.value("impact", f"{base}.{i}.high", form), ")"]
        found.append((*parts, "."))
    return found


def _share(value: Any) -> str:
    """An assumed share: none is no count of deliveries, and is said in words."""
    return percent(value) if value else "none"


def sensitivity(facts: Facts, code: str) -> list[Block]:
    """What moves the estimate, as bars and as a table."""
    base = f"by_currency.{code}"
    swings = facts.find("impact", f"{base}.swings", [])
    if not swings:
        return []
    loss = msgspec.convert(facts.get("impact", base), Loss)
    rows = tuple(
        (
            line(one["name"]),
            (facts.value("impact", f"{base}.swings.{i}.low", money),),
            (facts.value("impact", f"{base}.swings.{i}.high", money),),
            line(one["basis"]),
        )
        for i, one in enumerate(swings)
    )
    caption = line(
        f"What the loss a week in {code} would be if one input alone were at its low or high end: "
        "green measured, blue declared, amber assumed.",
    )
    told: list[Block] = []
    if facts.has("impact", f"{base}.middle"):
        text = line(
            "The estimate of ",
            facts.value("impact", f"{base}.p50", money),
            f" {code} is the middle of what all inputs come to when each is drawn from its range; "
            "one input alone goes out from ",
            facts.value("impact", f"{base}.middle", money),
            f" {code}, what the formula gives with every input in its middle.",
        )
        told.append(Paragraph(text))
    return [
        *told,
        Plot(sensitivity_plot(loss), caption, "impact"),
        Table((f"input alone, {code} a week", "low end#", "high end#", "is"), rows),
    ]


def appendix(facts: Facts) -> list[Block]:
    """What is needed to find every number again."""
    blocks: list[Block] = []
    lines: list[Line] = []
    if facts.has("impact", "seed"):
        lines.append(line("Seed of the price: ", facts.value("impact", "seed", words), "."))
    for one in facts.incident.evidence:
        lines.append(("Evidence: ", Code(one.name), " has the hash ", Code(f"sha256:{one.sha256}")))
    if lines:
        blocks.append(Bullets(tuple(lines)))
    if facts.incident.token:
        text = "The reproduced schedule, from its token:"
        blocks += [
            Paragraph(line(text)),
            Pre(f"homing reproduce --replay {facts.incident.token}"),
        ]
    told = (
        "Every number above is a link to its source below, where the command stands that finds it "
        "again; its title says where in the command's JSON it is. "
    )
    blocks.append(Paragraph(line(told)))
    blocks.append(
        Paragraph(("To have all of them found again and compared: ", Code(_recompute(facts)), "."))
    )
    return [Heading("Appendix: how to find every number again"), *blocks]


def _recompute(facts: Facts) -> str:
    source = facts.sources({RECORD})[0].command
    return source.replace("incident show", "review").replace("--json", "--recompute")
