"""An answer, read once: its stages, clauses and numbers, for every rule to look at. Pure."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from homing.walkthrough.assess.changes import changes_of
from homing.walkthrough.assess.clauses import Actor, Clause, clauses_of, is_within
from homing.walkthrough.assess.quantities import Quantity, quantities_of
from homing.walkthrough.assess.rule import STAGES
from homing.walkthrough.assess.sentences import quotes_of, sentences_of
from homing.walkthrough.assess.unsaid import denied, listed, supposed
from homing.walkthrough.assess.words import count_of_words, places

#: a line that names a stage: "## Action", "Action:", "**A:**", "R - "
_HEADING: Final = re.compile(
    r"^[ \t]*(?:#{1,6}[ \t]*)?[*_]{0,2}"
    r"(?P<name>situation|task|actions?|results?|reflection|learnings?"
    r"|[STAR](?=[*_]{0,2}[ \t]*[:\u2013—-]))"
    r"[*_]{0,2}[ \t]*(?:\([^)\n]*\))?[ \t]*(?:[:\u2013—-][*_]{0,2}[ \t]*|$)",
    re.IGNORECASE | re.MULTILINE,
)
_STAGE_OF: Final = {
    "s": "situation", "t": "task", "a": "action", "r": "result", "actions": "action",
    "results": "result", "learning": "reflection", "learnings": "reflection",
}  # fmt: skip

#: words by which a sentence of an undivided answer shows its stage
_CUES: Final = {
    "situation": ("noticed", "i saw", "at the time", "i was working", "one day", "in my last",
                  "there was", "were not getting", "used to", "when i", "we had", "back in",
                  "last year", "at my company", "started complaining"),
    "task": ("not my", "wasn't my", "outside my", "belonged to", "another team", "nobody asked",
             "no one asked", "no ticket", "my goal", "i decided", "my task", "i took it",
             "not assigned", "wasn't assigned", "my job", "responsible for", "i wanted to"),
    "action": ("i pulled", "i traced", "i wrote", "i checked", "i looked", "i reproduced",
               "i built", "i added", "i found", "first", "then", "i submitted", "i opened",
               "i analysed", "i analyzed", "pull request", "i tested"),
    "result": ("as a result", "dropped to", "went to zero", "to zero", "fell", "in the end",
               "went from", "the result", "adopted", "post-mortem", "compared before",
               "reduced", "since the fix", "after the fix", "saved"),
    "reflection": ("i learned", "i learnt", "looking back", "next time", "in hindsight",
                   "taught me", "lesson", "i would", "since then", "i now", "what i took",
                   "if i did it again", "i realised", "i realized"),
}  # fmt: skip


#: words that stand in one stage only
_SURE: Final = {
    "situation": ("i noticed", "noticed that"),
    "task": ("not my", "wasn't my", "outside my", "belonged to", "nobody asked", "no one asked",
             "nobody had asked", "no one had asked", "no ticket"),
    "action": ("i pulled", "i traced", "i wrote", "i reproduced", "i submitted", "i fixed"),
    "result": ("as a result", "went from", "fell from", "dropped from", "to zero"),
    "reflection": ("i learned", "i learnt", "looking back", "next time", "in hindsight",
                   "taught me", "since then i"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """What is assessed."""

    text: str
    spans: dict[str, list[tuple[int, int]]]  #: of each stage that is there
    clauses: tuple[Clause, ...]
    quantities: tuple[Quantity, ...]
    sentences: tuple[tuple[int, int, str], ...]  #: start, end, stage
    is_divided: bool  #: its stages are marked, not guessed
    only: str | None  #: it is this stage alone
    quotes: tuple[tuple[int, int], ...]  #: where somebody else is quoted
    untrue: tuple[tuple[int, int], ...] = ()  #: where something is said and denied
    unreal: tuple[tuple[int, int], ...] = ()  #: where something is wished or supposed
    rows: tuple[tuple[int, int], ...] = ()  #: where there are only keywords in a row

    def words(self, stage: str | None = None) -> int:
        spans = self.spans.get(stage, []) if stage else [(0, len(self.text))]
        return sum(count_of_words(self.text[start:end]) for start, end in spans)

    def looked_at(self, stages: Sequence[str]) -> list[tuple[int, int]]:
        """The places a rule looks at: its stages where they are marked, else everything."""
        if self.only or not self.is_divided:
            return [(0, len(self.text))]
        return [span for stage in stages for span in self.spans.get(stage, [])]

    def clauses_in(self, stages: Sequence[str]) -> list[Clause]:
        spans = self.looked_at(stages)
        return [one for one in self.clauses if any(a <= one.start < b for a, b in spans)]

    def clauses_of_stage(self, stage: str) -> list[Clause]:
        """Those of one stage, guessed where it is not marked."""
        return [one for one in self.clauses if one.stage == stage]

    def phrases(self, entries: frozenset[str], stages: Sequence[str]) -> list[tuple[int, int]]:
        """Where phrases stand in the places a rule looks at."""
        return sorted(
            place
            for start, end in self.looked_at(stages)
            for place in places(self.text, entries, start, end)
        )

    def sentence_at(self, place: int) -> tuple[int, int]:
        for start, end, _ in self.sentences:
            if start <= place < end:
                return start, end
        return place, min(len(self.text), place + 1)

    def clause_at(self, place: int) -> Clause | None:
        """The clause in which a place is; the last that begins before it in its sentence."""
        start, end = self.sentence_at(place)
        inside = [one for one in self.clauses if start <= one.start <= place and one.start < end]
        return inside[-1] if inside else None

    def is_quoted(self, place: int) -> bool:
        """Whether somebody else's words stand there, in marks."""
        return any(start < place < end for start, end in self.quotes)

    def is_unsaid(self, place: int) -> bool:
        """Whether what stands there is denied, only supposed, or a keyword in a row."""
        return is_within(place, (*self.untrue, *self.unreal, *self.rows))

    def numbers_in(self, start: int, end: int) -> list[Quantity]:
        """Those that begin between two places."""
        first = bisect_left(self.quantities, start, key=lambda one: one.start)
        last = bisect_left(self.quantities, end, key=lambda one: one.start)
        return list(self.quantities[first:last])

    def in_sentence(self, start: int, end: int) -> list[Clause]:
        return [one for one in self.clauses if start <= one.start < end]

    def changes(self, stages: Sequence[str]) -> Iterator[tuple[int, int, bool]]:
        """Where a change of a number is said, and whether its beginning is known."""
        for start, end in self.looked_at(stages):
            for one in changes_of(self.text, start, end, self.quantities):
                yield one.start, one.end, one.has_beginning


def read(text: str, stage: str | None = None) -> Answer:
    """An answer with its stages.

    Args:
        text: what was typed or said; Markdown headings with the names of the stages divide it.
        stage: it is this stage alone; None: a whole answer.
    """
    quantities = tuple(quantities_of(text))
    if stage is not None:
        spans, is_divided = {stage: [(0, len(text))]}, True
        sentences = [(a, b, stage) for a, b in sentences_of(text)]
    else:
        spans = _headed(text)
        is_divided = len(spans) >= 2
        if is_divided:
            sentences = [
                (a, b, name)
                for name, some in spans.items()
                for start, end in some
                for a, b in sentences_of(text, start, end)
            ]
            sentences.sort()
        else:
            sentences = divided(text)
            spans = {}
            for start, end, name in sentences:
                spans.setdefault(name, []).append((start, end))
    clauses = []
    areas = (
        sorted((span, name) for name, some in spans.items() for span in some)
        if is_divided
        else [((0, len(text)), "")]
    )
    shift = 0
    for (start, end), name in areas:
        for one in clauses_of(text, start, end):
            place = name or next((s for a, b, s in sentences if a <= one.start < b), "action")
            clauses.append(replace(one, stage=place, sentence=one.sentence + shift))
        shift = clauses[-1].sentence + 1 if clauses else shift
    parts = [(start, end) for start, end, _ in sentences]
    return Answer(
        text=text,
        spans=spans,
        clauses=tuple(clauses),
        quantities=quantities,
        sentences=tuple(sentences),
        is_divided=is_divided,
        only=stage,
        quotes=tuple(quotes_of(text)),
        untrue=tuple(denied(text, parts)),
        unreal=tuple(supposed(text, parts)),
        rows=tuple(listed(text, parts)),
    )


def _headed(text: str) -> dict[str, list[tuple[int, int]]]:
    """Stages by their headings; what stands before the first is a headline of the result."""
    found = list(_HEADING.finditer(text))
    spans: dict[str, list[tuple[int, int]]] = {}
    for at, one in enumerate(found):
        name = one["name"].lower()
        end = found[at + 1].start() if at + 1 < len(found) else len(text)
        spans.setdefault(_STAGE_OF.get(name, name), []).append((one.end(), end))
    return spans


def cues(text: str, start: int, end: int, *, is_sure: bool = False) -> dict[str, int]:
    """How many words of each stage a sentence has; of those that leave no doubt, or of all."""
    known = _SURE if is_sure else _CUES
    return {stage: len(places(text, known[stage], start, end)) for stage in STAGES}


def divided(text: str) -> list[tuple[int, int, str]]:
    """Sentences with the stages that suit them best, from left to right.

    A dynamic programme over the five stages in their order: each sentence counts the cues it has
    for its stage, and a stage never comes back. One sentence that tells the outcome first is let
    stand, as a headline.
    """
    sentences = sentences_of(text)
    counts = [cues(text, a, b) for a, b in sentences]
    heading = _is_headline(text, sentences, counts)
    body = counts[1:] if heading else counts
    best = _best(body)
    stages = (["result"] if heading else []) + best
    return [(a, b, stage) for (a, b), stage in zip(sentences, stages, strict=True)]


def _is_headline(
    text: str, sentences: Sequence[tuple[int, int]], counts: Sequence[dict[str, int]]
) -> bool:
    if len(sentences) < 3:
        return False
    start, end = sentences[0]
    has_change = bool(changes_of(text, start, end, quantities_of(text, start, end)))
    return has_change or counts[0]["result"] > counts[0]["situation"] + counts[0]["action"]


def _best(counts: Sequence[dict[str, int]]) -> list[str]:
    """The stages, never going back, under which most cues count."""
    if not counts:
        return []
    size = len(STAGES)
    worth = [[0.0] * size for _ in counts]
    back = [[0] * size for _ in counts]
    for row, count in enumerate(counts):
        share = row / max(1, len(counts) - 1) if len(counts) > 1 else 0.5
        for column, stage in enumerate(STAGES):
            # without a cue, the shares of the times of a told story
            expected = (0.08, 0.22, 0.55, 0.85, 0.97)[column]
            here = 2.0 * count[stage] - abs(share - expected)
            if row == 0:
                worth[row][column] = here
                continue
            before = max(range(column + 1), key=lambda one: (worth[row - 1][one], one))
            worth[row][column], back[row][column] = here + worth[row - 1][before], before
    column = max(range(size), key=lambda one: worth[-1][one])
    chosen = []
    for row in range(len(counts) - 1, -1, -1):
        chosen.append(STAGES[column])
        column = back[row][column]
    return chosen[::-1]


def is_own(clause: Clause) -> bool:
    """Something the speaker says they did."""
    return clause.is_said and clause.doer is Actor.SPEAKER
