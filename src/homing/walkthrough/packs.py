"""Scenarios, principles and levels: what a walkthrough teaches, as data.

Nothing here is code to be changed when a story is added. Three kinds of TOML files, each checked
against a record of this module; an unknown or missing field is an error that names its path.

**A level** (`levels/senior.toml`) is what is expected of whom, and how long an answer may take:

    id = "senior"                  # also the file's name
    name = "Senior"
    order = 3                      # from the most junior, 1
    focus = "..."                  # what the story must be about
    bar = "..."                    # what makes a listener say yes
    caution = "..."                # what goes wrong most at this level
    time_min_s = 150               # a good answer takes at least so long
    time_max_s = 180               # and at most so long
    told_s = 175                   # the stage timers add up to this, time_min_s to time_max_s
    requires = ["agency", ...]     # rules that must be met for a yes

**A principle** (`principles/ownership.toml`) is a lens: the same story, seen by somebody who
listens for one thing.

    id = "ownership"
    name = "Ownership"
    asks = "..."                   # what the listener wants to know, in our words
    listens_for = ["...", ...]
    [weights]                      # rule -> 0 to 3: how much its finding matters; not named: 1
    agency = 3

**A scenario** (`scenarios/NAME.toml`) is one incident, told well and told badly. Its parts stand in
the records below in the order in which they are met: overview, stages with signals, probes, weak
answer, verdicts, quiz, lenses, levels.

- Figures are *slots*. A text says `{drop_rate}`, and `[slots.drop_rate]` says how it is spoken
  (`text`), where a record of `homing incident` has it (`source`, as "result:path"; a difference of
  two instants is "a:path - b:path") and in which form it is said. `told` puts them in: the spoken
  texts of the file, or the values of a record. `{{` and `}}` are braces.
- A text for everybody is a string; a text that differs is a table by level:
  `strong = "..."` or `[stages.strong] sde1 = "..." sde2 = "..." senior = "..."`. So may be the
  strong examples, the overview, a lens's lead, a probe and its replies, and the weak answer;
  `Scenario.at` chooses.
- A signal has a `label` (said to the learner) and a `pattern` (a regular expression, any case,
  found in the strong example of each level that it is `at`; blanks match any run of blanks).
- Rules are named by the ids of `walkthrough/rules`; a fault, a mistake and a wrong option each name
  the rule that tells what is wrong with it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec

from homing.core.errors import ConfigError
from homing.walkthrough.slots import Slot, fill

#: words a minute of an unhurried speaker; a person may set their own
WORDS_PER_MINUTE: Final = 150

Id = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
RuleId = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]+([_.-][a-z0-9]+)*$", max_length=60)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=6_000)]
Seconds = Annotated[int, msgspec.Meta(ge=1, le=3_600)]
#: one text for every level, or one for each
ByLevel = Text | dict[Id, Text]
StageId = Literal["situation", "task", "action", "result", "reflection"]
#: from worst to best; a rule table says which, and nobody's hiring follows from it
Scale = Literal["strong no", "no", "lean no", "lean yes", "yes", "strong yes"]


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A record that takes no field which it does not know."""


class Level(Strict, frozen=True, kw_only=True):
    """What is expected of whom, and how long they may take."""

    id: Id
    name: Text
    order: int  #: from the most junior, 1
    focus: Text
    bar: Text
    caution: Text
    time_min_s: Seconds
    time_max_s: Seconds
    told_s: Seconds  #: what the timers of the stages add up to
    requires: tuple[RuleId, ...] = ()


class Principle(Strict, frozen=True, kw_only=True):
    """A lens: what one kind of listener wants to hear."""

    id: Id
    name: Text
    asks: Text
    listens_for: tuple[Text, ...]
    weights: dict[RuleId, Annotated[int, msgspec.Meta(ge=0, le=3)]] = {}
    note: str = ""


class Signal(Strict, frozen=True, kw_only=True):
    """Something a listener writes down."""

    id: Id
    label: Text
    pattern: Text  #: a regular expression that the strong example matches
    rule: RuleId | None = None  #: that looks for the same
    at: tuple[Id, ...] = ()  #: levels whose example has it; none named: all


class Mistake(Strict, frozen=True, kw_only=True):
    """What people do wrong at a stage, how it sounds, and why it costs them."""

    text: Text
    says: Text  #: an example, in the words of who makes it
    why: Text
    rule: RuleId


class Stage(Strict, frozen=True, kw_only=True):
    """One part of the answer."""

    id: StageId
    name: Text
    letter: str  #: S, T, A, R; empty for the reflection. Never shown without the name
    target_s: Seconds  #: of 175 s in all; each level scales it
    purpose: Text
    strong: ByLevel
    signals: tuple[Signal, ...]
    coaching: Text
    hints: tuple[Text, ...]  #: for who is stuck, from a nudge to nearly the answer
    mistakes: tuple[Mistake, ...]


class WeakReply(Strict, frozen=True, kw_only=True):
    text: ByLevel
    why: Text
    rule: RuleId


class StrongReply(Strict, frozen=True, kw_only=True):
    text: ByLevel
    key: Text  #: what makes it strong; a paraphrase


class Probe(Strict, frozen=True, kw_only=True):
    """What a listener asks next."""

    id: Id
    question: ByLevel
    probes_for: tuple[Text, ...]
    asked_when: tuple[RuleId, ...]  #: any of these was not met
    weak: WeakReply
    strong: StrongReply


class Fault(Strict, frozen=True, kw_only=True):
    """What is wrong with the weak answer, by the rule that finds it."""

    rule: RuleId
    quote: str = ""  #: the words; empty: something is missing
    why: Text


class WeakAnswer(Strict, frozen=True, kw_only=True):
    text: ByLevel
    faults: tuple[Fault, ...]


class Verdict(Strict, frozen=True, kw_only=True):
    """What a listener would write about one of the answers shown."""

    of: Literal["weak", "strong"]
    at: tuple[Id, ...]  #: levels
    scale: Scale
    why: Text


class Option(Strict, frozen=True, kw_only=True):
    text: Text
    why: Text
    is_right: bool = False
    rule: RuleId | None = None  #: that a wrong one breaks


class Question(Strict, frozen=True, kw_only=True):
    """One item of the quiz."""

    id: Id
    text: Text
    options: tuple[Option, ...]


class Turn(Strict, frozen=True, kw_only=True):
    """What a lens does with one part of the story."""

    signal: Id  #: of any stage
    how: Text


class Lens(Strict, frozen=True, kw_only=True):
    """The same story, for somebody who listens for one principle."""

    lead: ByLevel  #: one sentence, said before the situation
    emphasise: tuple[Turn, ...]
    downplay: tuple[Turn, ...]  #: said in fewer words, never left out


class Overview(Strict, frozen=True, kw_only=True):
    story: ByLevel  #: first person
    summary: ByLevel  #: third person: what happened, after the fact
    takeaways: tuple[Text, ...]


class Incident(Strict, frozen=True, kw_only=True):
    """What really happened, and the command that has it happen again."""

    lab: Text  #: its name in `homing lab`
    mechanism: Text  #: as `homing investigate` names it
    command: Text  #: that gives the figures of the slots
    seed: int | None = None


class Scenario(Strict, frozen=True, kw_only=True):
    """One incident, told well and told badly."""

    schema_version: Literal[1]
    id: Id
    version: Annotated[int, msgspec.Meta(ge=1)]
    title: Text
    question: Text
    primary: Id  #: the principle that the question is about
    incident: Incident
    overview: Overview
    slots: dict[str, Slot]
    terms: tuple[Text, ...]  #: words of this incident, in lower case
    attested: tuple[Text, ...]  #: what the story says that no record shows: only its teller knows
    stages: tuple[Stage, ...]
    probes: tuple[Probe, ...]
    weak: WeakAnswer
    verdicts: tuple[Verdict, ...]
    quiz: tuple[Question, ...]
    lenses: dict[Id, Lens]
    levels: dict[Id, Text]  #: what a level changes in this story
    provenance: Text
    licence: Text
    disclaimer: Text

    def stage(self, id: str) -> Stage:
        return next(one for one in self.stages if one.id == id)

    def signals(self) -> dict[str, Signal]:
        """Of every stage, by id."""
        return {signal.id: signal for stage in self.stages for signal in stage.signals}

    def at(self, level: str) -> Scenario:
        """The story as one level tells it: every text that differs by level is that level's.

        Raises:
            KeyError: a text has none for this level; `homing walkthrough lint` says so first.
        """
        return msgspec.convert(_at(msgspec.to_builtins(self), level, set(self.levels)), Scenario)

    def told(self, text: ByLevel, values: Mapping[str, str] | None = None) -> str:
        """A text with its slots filled, on one line for each paragraph.

        Args:
            text: of this scenario; one that differs by level must have been chosen by `at`.
            values: what to say instead of the file's own figures, by slot (`slots.values_of`).
        """
        assert isinstance(text, str), f"choose a level first: {text}"
        return fill(text, {name: one.text for name, one in self.slots.items()} | dict(values or {}))

    def strong(
        self, stage: Stage, level: Level, values: Mapping[str, str] | None = None
    ) -> str:  # fmt: skip
        """The strong example of a stage, as somebody of this level would say it."""
        return self.told(by_level(stage.strong, level.id), values)


class Library(msgspec.Struct, frozen=True, kw_only=True):
    """All packs there are."""

    scenarios: dict[str, Scenario]
    principles: dict[str, Principle]
    levels: dict[str, Level]  #: from the most junior


def _at(value: Any, level: str, levels: set[str]) -> Any:
    """Builtins with one level's text wherever there is a table of texts by level."""
    if isinstance(value, dict):
        if differs(value, levels):
            return value[level]
        kept = {"levels"}  # what a level changes: a table by level, and meant as one
        return {
            name: one if name in kept else _at(one, level, levels) for name, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [_at(one, level, levels) for one in value]
    return value


def differs(value: Mapping[str, Any], levels: set[str]) -> bool:
    """Whether a table is a text that differs by level."""
    return (
        bool(value) and value.keys() <= levels and all(isinstance(v, str) for v in value.values())
    )


def by_level(text: str | Mapping[str, str], level: str) -> str:
    """The text for a level.

    Raises:
        KeyError: it has none; `homing walkthrough lint` says so first.
    """
    return text if isinstance(text, str) else text[level]


def seconds_of(stages: Iterable[Stage], level: Level) -> dict[str, int]:
    """How long each stage takes at a level: whole seconds that add up to `level.told_s`.

    Rounded down, and the seconds that are left given to the largest remainders.
    """
    stages = tuple(stages)
    whole = sum(one.target_s for one in stages)
    exact = {one.id: one.target_s * level.told_s / whole for one in stages}
    found = {id: int(seconds) for id, seconds in exact.items()}
    left = level.told_s - sum(found.values())
    by_remainder = sorted(exact, key=lambda id: found[id] - exact[id])
    return {id: seconds + (id in by_remainder[:left]) for id, seconds in found.items()}


def finds(signal: Signal, text: str) -> tuple[int, int] | None:
    """Where a text gives a signal; None: it does not."""
    match = re.search(re.sub(r" +", r"\\s+", signal.pattern), text, re.IGNORECASE)
    return match.span() if match else None


_P = TypeVar("_P", Level, Principle, Scenario)


def parse(text: str, kind: type[_P], where: str) -> _P:
    """The pack that a TOML text holds.

    Raises:
        ConfigError: it is not TOML, or not such a pack; the message has the path of the field.
    """
    try:
        document = tomllib.loads(text)
        return msgspec.convert(document, kind)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        text = "expected TOML as `homing walkthrough lint --schema` describes it"
        raise ConfigError([f"{where}: {text}; {error}"]) from error


def shipped() -> Library:
    """The packs that come with Homing."""
    return library(
        levels=_texts("levels"), principles=_texts("principles"), scenarios=_texts("scenarios")
    )


def library(
    *, levels: Mapping[str, str], principles: Mapping[str, str], scenarios: Mapping[str, str]
) -> Library:
    """The packs of some texts, by the names of their files.

    Raises:
        ConfigError: all that cannot be read, a sentence each.
    """
    problems: list[str] = []

    def read(texts: Mapping[str, str], kind: type[_P]) -> dict[str, _P]:
        found: dict[str, _P] = {}
        for name, text in texts.items():
            try:
                pack = parse(text, kind, name)
            except ConfigError as error:
                problems.extend(error.problems)
                continue
            if name != pack.id:
                problems.append(
                    f'{name}.toml: expected id = "{name}", as the file is called, found "{pack.id}"'
                )
            found[pack.id] = pack
        return found

    ranks = sorted(read(levels, Level).values(), key=lambda one: one.order)
    found = Library(
        levels={one.id: one for one in ranks},
        principles=read(principles, Principle),
        scenarios=read(scenarios, Scenario),
    )
    if problems:
        raise ConfigError(problems)
    return found


def _texts(folder: str) -> dict[str, str]:
    files = resources.files("homing.walkthrough").joinpath(folder).iterdir()
    return {
        one.name.removesuffix(".toml"): one.read_text("utf-8")
        for one in sorted(files, key=lambda one: one.name)
        if one.name.endswith(".toml")
    }


def json_schema() -> dict[str, Any]:
    """The shape of a scenario as JSON Schema, for an editor that checks TOML while one types."""
    return msgspec.json.schema(Scenario)
