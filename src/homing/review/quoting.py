"""What people and commands wrote, quoted in a review: the numbers in it with their source. Pure."""

from __future__ import annotations

from homing.review.blocks import Block, Bullets, Inline, Line, quoted
from homing.review.check import faults
from homing.review.facts import RECORD, Facts
from homing.review.incident import Aspect


def said(facts: Facts, aspect: Aspect) -> list[Block]:
    """What people stated about an aspect, with who, and where they have it from."""
    lines = []
    for i, one in enumerate(facts.incident.statements):
        if one.aspect is not aspect:
            continue
        parts: list[Inline] = [*quoted(one.text, RECORD, f"statements.{i}.text")]
        if one.reference:
            parts += [" (", facts.coded(RECORD, f"statements.{i}.reference"), ")"]
        lines.append(tuple(parts))
    return [Bullets(tuple(lines))] if lines else []


def copied(facts: Facts, source: str, path: str) -> Line:
    """A sentence that a command wrote, its numbers with their source."""
    return quoted(str(facts.get(source, path)), source, path)


def sentences(facts: Facts, source: str, path: str, count: int) -> tuple[Line, ...]:
    """The first of a command's sentences; one that may not stand in a review is left out."""
    lines = (copied(facts, source, f"{path}.{i}") for i in range(count))
    return tuple(line for line in lines if not faults(line))
