"""The review of an incident: why it happened, and why tests had not shown it. Pure."""

from __future__ import annotations

from typing import Final

from homing.core.plurals import noun
from homing.review.blocks import (
    Block,
    Bullets,
    Heading,
    Inline,
    Paragraph,
    Plot,
    Table,
    line,
    strong,
)
from homing.review.facts import RECORD, Facts, count
from homing.review.incident import Aspect
from homing.review.pictures import lanes_plot
from homing.review.quoting import copied, said, sentences
from homing.review.results import MODEL

_FACTORS_MAX: Final = 6


def _shown(facts: Facts) -> str:
    """Whose schedule is shown: the service's own worker's, or else a model's; empty: none is."""
    names = ("reproduce", "explore", MODEL)
    return next((one for one in names if facts.has(one, "story.rows")), "")


def _noun(facts: Facts, source: str, name: str, one: str) -> str:
    """The noun that goes with a number of the story."""
    return noun(int(facts.find(source, f"story.{name}", 0)), one)


#: how sure the record is of its cause, as the summary begins that sentence
_HOW_SURE: Final = {
    "suspected": "The cause that the log points at is ",
    "reproduced": "The cause, which was reproduced, is ",
    "refuted": "The cause that was suspected, and refuted, is ",
}


def in_a_sentence(facts: Facts) -> list[Inline]:
    """What brought it about, for the summary; nothing where no log was investigated."""
    if not facts.find("investigate", "hypothesis.sentence", ""):
        return []
    sentence = copied(facts, "investigate", "hypothesis.sentence")
    if not facts.has("investigate", "hypothesis.mechanism"):
        return ["What caused it is open: ", *sentence, ". "]
    status = facts.incident.causes[-1].status.value if facts.incident.causes else "suspected"
    named: list[Inline] = [facts.value("investigate", "hypothesis.mechanism")]
    if facts.has("investigate", "hypothesis.name"):
        named += [", ", facts.value("investigate", "hypothesis.name")]
    return [_HOW_SURE[status], strong(*named), ": ", *sentence, ". "]


def mechanism(facts: Facts) -> list[Block]:
    """What happens, as the smallest schedule that shows it."""
    blocks: list[Block] = []
    if facts.has("investigate", "hypothesis.mechanism"):
        causes = facts.incident.causes
        status = causes[-1].status.value if causes else "suspected"
        blocks.append(
            Paragraph(
                (
                    strong(
                        facts.value("investigate", "hypothesis.mechanism"),
                        " ",
                        facts.value("investigate", "hypothesis.name"),
                    )
                    if facts.has("investigate", "hypothesis.name")
                    else strong(facts.value("investigate", "hypothesis.mechanism")),
                    f" ({status}): ",
                    *copied(facts, "investigate", "hypothesis.sentence"),
                    ".",
                )
            )
        )
    source = _shown(facts)
    if source:
        blocks += _schedule(facts, source)
    elif facts.has("investigate", "hypothesis.skeleton.steps"):
        steps = facts.get("investigate", "hypothesis.skeleton.steps")
        rows = tuple(
            (
                (facts.value("investigate", f"hypothesis.skeleton.steps.{i}.who"),),
                (facts.value("investigate", f"hypothesis.skeleton.steps.{i}.op"),),
                copied(facts, "investigate", f"hypothesis.skeleton.steps.{i}.note"),
            )
            for i in range(len(steps))
        )
        text = "The schedule that the log shows; it has not been made to happen:"
        blocks += [Paragraph(line(text)), Table(("who", "does", ""), rows)]
    if not blocks:
        return []
    return [Heading("Mechanism"), *blocks, *facts.again("investigate", source)]


def _schedule(facts: Facts, source: str) -> list[Block]:
    story = facts.get(source, "story")
    parts: list[Inline] = []
    if facts.has(source, "reproduced"):
        is_model = source == MODEL
        parts = [
            "Held to the schedule of the log, ",
            "a model worker with this fault (" if is_model else "the worker (",
            facts.coded(source, "worker"),
            ") lost a delivery in ",
            facts.value(source, "reproduced", count),
            " of ",
            facts.value(source, "times", count),
            " runs",
            "; the service's own worker was not tried. " if is_model else ". ",
        ]
    parts += [
        "The smallest schedule takes ",
        facts.value(source, "story.workers", count),
        _noun(facts, source, "workers", " worker"),
        " and ",
        facts.value(source, "story.deliveries", count),
        _noun(facts, source, "deliveries", " delivery"),
        "; the rows that stand out are the operations that crossed.",
    ]
    rows = tuple(
        (
            (facts.value(source, f"story.rows.{i}.at_s", lambda at: f"{float(at):.1f} s"),),
            *(
                (facts.coded(source, f"story.rows.{i}.cells.{j}"),) if cell else ()
                for j, cell in enumerate(row["cells"])
            ),
            (facts.coded(source, f"story.rows.{i}.state"),) if row["state"] else (),
        )
        for i, row in enumerate(story["rows"])
    )
    marks = frozenset(i for i, row in enumerate(story["rows"]) if row["is_crossing"])
    heads = ("time#", *(_head(lane) for lane in story["lanes"]), "state after")
    caption = line(
        "Who acts in which order, from left to right; red are the operations that crossed. "
        "What each does is in the table."
    )
    breach = copied(facts, source, "story.breach.text")
    return [
        Paragraph(tuple(parts)),
        Plot(lanes_plot(story["lanes"], story["rows"]), caption, source),
        Table(heads, rows, marks),
        Paragraph(("What it breaks: ", *breach, ".")),
    ]


def _head(lane: str) -> str:
    """A column's head; a lane's name may end in a digit, which letters say as well."""
    return "".join(letter if not letter.isnumeric() else "·" for letter in lane)


def factors(facts: Facts) -> list[Block]:
    """What had to come together."""
    blocks = list(said(facts, Aspect.FACTOR))
    evidence = facts.find("investigate", "hypothesis.evidence", [])
    if evidence:
        lines = sentences(
            facts, "investigate", "hypothesis.evidence", min(len(evidence), _FACTORS_MAX)
        )
        blocks += [Paragraph(line("What the lost deliveries have in common:")), Bullets(lines)]
    if not blocks:
        return []
    return [Heading("Contributing factors"), *blocks, *facts.again("investigate", RECORD)]


def tests(facts: Facts) -> list[Block]:
    """Why tests had not shown it."""
    blocks = list(said(facts, Aspect.TESTS))
    source = _shown(facts)
    if source:
        parts: list[Inline] = [
            "In that model, the loss takes " if source == MODEL else "The loss takes ",
            facts.value(source, "story.workers", count),
            _noun(facts, source, "workers", " worker"),
            " at once and ",
            facts.value(source, "story.size", count),
            _noun(facts, source, "size", " thing"),
            " out of the ordinary in one order; a test that runs one worker alone, "
            "with a receiver that answers at once, never meets it.",
        ]
        blocks.append(Paragraph(tuple(parts)))
    if not blocks:
        return []
    return [Heading("Why tests missed it"), *blocks, *facts.again(source, RECORD)]
