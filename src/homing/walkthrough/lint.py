"""What is wrong with packs that read well: each rule names a defect that a learner would inherit.

`lint` looks at the texts alone; `lint_judged` asks the assessment, so that a scenario teaches
what the rules find.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from homing.core.plurals import plural
from homing.walkthrough.assess.words import count_of_words
from homing.walkthrough.clock import spoken_s
from homing.walkthrough.packs import (
    WORDS_PER_MINUTE,
    Level,
    Library,
    Scenario,
    Stage,
    by_level,
    differs,
    finds,
    seconds_of,
)
from homing.walkthrough.slots import names_in

_STAGES: Final = ("situation", "task", "action", "result", "reflection")
#: a strong example takes at least and at most so much of its time
FILLED_MIN: Final = 0.8
FILLED_MAX: Final = 1.05
_PROBES_MIN: Final = 4
_QUIZ_MIN: Final = 3
#: replacement, soft hyphen, zero width, private use, controls: what a wrong encoding leaves
_ODD: Final = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\u00ad\u200b-\u200f\ufeff\ufffd\ue000-\uf8ff]"
)
_FIGURE: Final = re.compile(r"(?<![\w{])[$€£]?\d[\d.,]*%?")
#: adopters that nobody can be asked about
_EVERYBODY: Final = re.compile(
    r"\b(?:everybody|everyone|everywhere|all (?:the )?teams|every team|\w+-wide)\b", re.IGNORECASE
)
_BAN: Final = re.compile(
    r"\b(?:leave (?:it|this) out|omit|skip|(?:do not|don't|never) (?:mention|say))\b", re.I
)
_ZERO: Final = re.compile(r"\b(?:to|is) (?:zero|none|nothing)\b", re.IGNORECASE)


class Flaw(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong with a pack."""

    rule: str
    pack: str
    where: str  #: path of the field
    text: str  #: what was expected, what was found


def lint(library: Library, words_per_minute: float = WORDS_PER_MINUTE) -> list[Flaw]:
    """All flaws of all packs that can be seen without an assessment.

    Args:
        words_per_minute: at which strong examples are timed, > 0.
    """
    found = [flaw for level in library.levels.values() for flaw in _level(level)]
    for scenario in library.scenarios.values():
        # a text with an unknown slot or without a level cannot be told: nothing else can be said
        gates = [one for one in _GATES if any(one(scenario, library, words_per_minute))]
        for check in gates or _CHECKS:
            found += [
                Flaw(rule=rule, pack=scenario.id, where=where, text=text)
                for rule, where, text in check(scenario, library, words_per_minute)
            ]
    return found


_Found = Iterator[tuple[str, str, str]]


def _level(level: Level) -> Iterator[Flaw]:
    if not level.time_min_s <= level.told_s <= level.time_max_s:
        text = (
            f"expected time_min_s <= told_s <= time_max_s; "
            f"found {level.time_min_s}, {level.told_s}, {level.time_max_s}"
        )
        yield Flaw(rule="timers", pack=level.id, where="told_s", text=text)


def _shape(scenario: Scenario, library: Library, rate: float) -> _Found:
    """Everything that is named is there, and only once."""
    ids = tuple(one.id for one in scenario.stages)
    if ids != _STAGES:
        yield "stages", "stages", f"expected {', '.join(_STAGES)}; found {', '.join(ids)}"
    for name, some in (
        ("signals", [one.id for stage in scenario.stages for one in stage.signals]),
        ("signals", [one.label for stage in scenario.stages for one in stage.signals]),
        ("probes", [one.id for one in scenario.probes]),
        ("quiz", [one.id for one in scenario.quiz]),
    ):
        for one, times in Counter(some).items():
            if times > 1:
                yield "twice", name, f"expected each once, found {one!r} {plural(times, 'time')}"
    for name, packs, told in (
        ("lenses", library.principles, scenario.lenses),
        ("levels", library.levels, scenario.levels),
    ):
        for one in packs.keys() - told.keys():
            yield "missing", name, f"expected a text for {one!r}, found none"
        for one in told.keys() - packs.keys():
            yield "unknown", name, f"{one!r}: expected one of {', '.join(packs)}"
    if scenario.primary not in scenario.lenses:
        yield "unknown", "primary", f"{scenario.primary!r}: expected one of the lenses"
    if len(scenario.probes) < _PROBES_MIN:
        yield "few", "probes", f"expected {_PROBES_MIN} or more, found {len(scenario.probes)}"
    if len(scenario.quiz) < _QUIZ_MIN:
        yield "few", "quiz", f"expected {_QUIZ_MIN} or more items, found {len(scenario.quiz)}"


def _levels(scenario: Scenario, library: Library, rate: float) -> _Found:
    """Each level has its text, its reflection and its two verdicts."""
    for stage in scenario.stages:
        if stage.id == "reflection":
            texts = stage.strong if isinstance(stage.strong, dict) else {}
            if len({" ".join(one.split()) for one in texts.values()}) < len(library.levels):
                text = "expected another one for each level, found the same twice"
                yield "same-reflection", "stages.reflection.strong", text
    for level in library.levels:
        for of in ("weak", "strong"):
            count = sum(one.of == of and level in one.at for one in scenario.verdicts)
            if count != 1:
                text = f"expected one of the {of} answer at {level}, found {count}"
                yield "verdicts", "verdicts", text


def _timers(scenario: Scenario, library: Library, rate: float) -> _Found:
    """Timers add up, and strong examples fill them: what nobody can meet teaches nothing."""
    whole = sum(one.target_s for one in scenario.stages)
    longest = max(library.levels.values(), key=lambda one: one.told_s)
    if whole != longest.told_s:
        text = f"expected {longest.told_s} s in all, as {longest.id} has; found {whole} s"
        yield "timers", "stages.target_s", text
    for level in library.levels.values():
        seconds = seconds_of(scenario.stages, level)
        for stage, text in _strong(scenario, level):
            share = spoken_s(count_of_words(text), rate) / max(1, seconds[stage.id])
            if not FILLED_MIN <= share <= FILLED_MAX:
                where = f"stages.{stage.id}.strong.{level.id}"
                text = (
                    f"expected {FILLED_MIN:.0%} to {FILLED_MAX:.0%} of {seconds[stage.id]} s "
                    f"at {rate:g} words a minute; found {share:.0%}"
                )
                yield "fill", where, text
        words = sum(count_of_words(text) for _, text in _strong(scenario, level))
        for name, lens in scenario.lenses.items():
            lead = scenario.told(by_level(lens.lead, level.id))
            took = spoken_s(words + count_of_words(lead), rate)
            if not level.time_min_s * FILLED_MIN <= took <= level.time_max_s * FILLED_MAX:
                text = (
                    f"the strong answer with this lead takes {took:.0f} s at {level.id}; "
                    f"expected {level.time_min_s} to {level.time_max_s}"
                )
                yield "fill", f"lenses.{name}.lead", text


def _strong(scenario: Scenario, level: Level) -> Iterator[tuple[Stage, str]]:
    for stage in scenario.stages:
        if isinstance(stage.strong, str) or level.id in stage.strong:
            yield stage, scenario.strong(stage, level)


def _signals(scenario: Scenario, library: Library, rate: float) -> _Found:
    """A signal is in the example that it is shown on, and not in what is shown as a mistake."""
    for stage in scenario.stages:
        for signal in stage.signals:
            where = f"stages.{stage.id}.signals.{signal.id}"
            try:
                re.compile(signal.pattern)
            except re.error as error:
                yield "signal-pattern", where, f"expected a regular expression; {error}"
                continue
            for name in set(signal.at) - library.levels.keys():
                yield "unknown", where, f"at {name!r}: expected one of {', '.join(library.levels)}"
            for level in library.levels.values():
                shown = {one.id: text for one, text in _strong(scenario, level)}
                if (signal.at and level.id not in signal.at) or stage.id not in shown:
                    continue
                if finds(signal, shown[stage.id]) is None:
                    text = f"{signal.pattern!r} is not in the strong example at {level.id}"
                    yield "signal-pattern", where, text
            for place, mistake in enumerate(stage.mistakes):
                if finds(signal, scenario.told(mistake.says)):
                    yield "signal-in-mistake", where, f"mistake {place + 1} gives it, too"
    for name, lens in scenario.lenses.items():
        turns = [one.signal for one in (*lens.emphasise, *lens.downplay)]
        for one in turns:
            if one not in scenario.signals():
                yield "unknown", f"lenses.{name}", f"{one!r}: expected the id of a signal"
        for one in {one for one in turns if turns.count(one) > 1}:
            yield "twice", f"lenses.{name}", f"{one!r} is named twice"
        for turn in lens.downplay:
            if _BAN.search(turn.how):
                text = f"a lens weighs and forbids nothing; found {turn.how!r}"
                yield "ban", f"lenses.{name}.downplay", text


def _quiz(scenario: Scenario, library: Library, rate: float) -> _Found:
    """One right option, and nothing but its sense that gives it away."""
    longest = []
    for item in scenario.quiz:
        where = f"quiz.{item.id}"
        right = sum(one.is_right for one in item.options)
        if right != 1:
            yield "quiz", where, f"expected one right option, found {right}"
            continue
        if len(item.options) < 3:
            yield "quiz", where, f"expected three options or more, found {len(item.options)}"
        if len({one.text for one in item.options}) < len(item.options):
            yield "quiz", where, "two options say the same"
        longest.append(max(item.options, key=lambda one: len(scenario.told(one.text))).is_right)
    if len(longest) >= _QUIZ_MIN and all(longest):
        yield "quiz-giveaway", "quiz", "the right option is the longest one in every item"


def _told(scenario: Scenario, library: Library, rate: float) -> _Found:
    """Every text that differs by level has one for each."""

    def walk(value: object, path: str) -> Iterator[tuple[str, str]]:
        if isinstance(value, Mapping) and differs(value, set(library.levels)):
            for level in library.levels.keys() - value.keys():
                yield f"{path}.{level}", level
        elif isinstance(value, Mapping):
            for name, one in value.items():
                yield from walk(one, f"{path}.{name}" if path else str(name))
        elif isinstance(value, list | tuple):
            for place, one in enumerate(value):
                yield from walk(one, f"{path}.{place}")

    for where, _ in walk(msgspec.to_builtins(scenario), ""):
        yield "missing", where, "expected a text, found none"


def _slots(scenario: Scenario, library: Library, rate: float) -> _Found:
    """Every slot that a text has is one of the scenario's."""
    for where, text in _texts(scenario):
        for name in names_in(text):
            if name not in scenario.slots:
                yield "slot", where, f"{{{name}}}: expected one of [slots]"


def _figures(scenario: Scenario, library: Library, rate: float) -> _Found:
    """Figures of the story are slots; an estimate is called one; a zero has its volume."""
    used = set()
    for where, text in _texts(scenario):
        if odd := _ODD.search(text):
            yield (
                "odd-character",
                where,
                f"found {odd[0]!r}: was the file read in the wrong encoding?",
            )
        used.update(names_in(text))
    for name in scenario.slots.keys() - used:
        yield "slot", f"slots.{name}", "no text says it"
    for name, slot in scenario.slots.items():
        if slot.form == "days" and " - " not in (slot.source or " - "):
            yield "slot", f"slots.{name}.source", "expected two instants, as 'a:path - b:path'"
        if slot.source and not re.fullmatch(r"\w+:[\w.]+( - \w+:[\w.]+)?", slot.source):
            yield "slot", f"slots.{name}.source", f"expected 'result:path', found {slot.source!r}"
    for where, text in _own_words(scenario):
        for match in _FIGURE.finditer(text):
            yield (
                "bare-figure",
                where,
                f"{match[0]!r}: expected a slot, so that a record can check it",
            )
        for sentence in re.split(r"(?<=[.!?])\s+", text):
            yield from _claims(scenario, where, sentence)


def _claims(scenario: Scenario, where: str, sentence: str) -> _Found:
    kinds = {scenario.slots[one].kind for one in names_in(sentence) if one in scenario.slots}
    forms = {scenario.slots[one].form for one in names_in(sentence) if one in scenario.slots}
    if "estimate" in kinds and not re.search(r"estimat|assum|between| to ", sentence, re.I):
        yield "estimate", where, f"an estimate that is not called one: {sentence.strip()!r}"
    if _ZERO.search(sentence) and "count" not in forms:
        yield "bare-zero", where, f"a zero without its volume: {sentence.strip()!r}"
    if re.search(r"adopt", sentence, re.I) and _EVERYBODY.search(sentence):
        yield "adoption", where, f"expected who adopted what, found {sentence.strip()!r}"
    if re.search(r"\bI proposed\b", sentence):
        text = "expected 'would propose': no record of the scenario has a dated proposal"
        yield "proposed", where, text


def _own_words(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """What the speaker claims to have happened."""
    texts = [(f"stages.{one.id}.strong", one.strong) for one in scenario.stages]
    texts += [(f"probes.{one.id}.strong", one.strong.text) for one in scenario.probes]
    texts += [(f"lenses.{name}.lead", one.lead) for name, one in scenario.lenses.items()]
    for where, text in [*texts, ("overview.story", scenario.overview.story)]:
        for one in [text] if isinstance(text, str) else text.values():
            yield where, one


def _texts(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """Every text of a scenario with its path."""

    def walk(value: object, path: str) -> Iterator[tuple[str, str]]:
        if isinstance(value, str):
            yield path, value
        elif isinstance(value, Mapping):
            for name, one in value.items():
                yield from walk(one, f"{path}.{name}" if path else str(name))
        elif isinstance(value, list | tuple):
            for place, one in enumerate(value):
                yield from walk(one, f"{path}.{place}")

    document = msgspec.to_builtins(scenario)
    for stage in document["stages"]:
        for signal in stage["signals"]:
            del signal["pattern"]
    yield from walk(document, "")


_GATES: Final = (_slots, _told)
_CHECKS: Final = (_shape, _levels, _timers, _signals, _quiz, _figures)
