"""Whether a scenario teaches what the rules find: its answers, assessed."""

from __future__ import annotations

from collections.abc import Iterator

from homing.review.incident import Incident
from homing.walkthrough.assess import Assessment, State
from homing.walkthrough.assess.rule import rules
from homing.walkthrough.lint import Flaw
from homing.walkthrough.packs import Level, Library, Scenario
from homing.walkthrough.rehearse import Judge
from homing.walkthrough.slots import values_of

_Found = Iterator[tuple[str, str, str]]


def lint_judged(library: Library) -> list[Flaw]:
    """All flaws that an assessment shows.

    The packs must have passed `lint`.
    """
    found = [
        Flaw(rule="unknown", pack=pack, where=where, text=f"{rule!r}: there is no such rule")
        for pack, where, names in (
            *((one.id, "requires", one.requires) for one in library.levels.values()),
            *((one.id, "weights", tuple(one.weights)) for one in library.principles.values()),
        )
        for rule in names
        if rule not in rules()
    ]
    for scenario in library.scenarios.values():
        for check in (_rules, _faults, _mistakes, _answers, _probes):
            found += [
                Flaw(rule=rule, pack=scenario.id, where=where, text=text)
                for rule, where, text in check(scenario, library)
            ]
    return found


def lint_record(scenario: Scenario, incident: Incident) -> list[Flaw]:
    """Slots whose words are not what a record of the same incident says."""
    found = values_of(scenario.slots, incident)
    flaws = []
    for name, slot in scenario.slots.items():
        if slot.source is None or found.get(name) == slot.text:
            continue
        said = f"the record says {found[name]!r}" if name in found else "the record has none"
        flaws.append(
            Flaw(
                rule="figure",
                pack=scenario.id,
                where=f"slots.{name}",
                text=f"the text is {slot.text!r}, {said} ({slot.source})",
            )
        )
    return flaws


def _judge(scenario: Scenario, library: Library, level: Level) -> Judge:
    return Judge(scenario=scenario, level=level, lens=library.principles[scenario.primary])


def _middle(scenario: Scenario, library: Library) -> Judge:
    levels = list(library.levels.values())
    return _judge(scenario, library, levels[len(levels) // 2])


def is_found(assessment: Assessment, rule: str) -> bool:
    """Whether an assessment says that something is wrong by this rule."""
    return assessment.states.get(rule) in (State.WEAK, State.MISSING, State.CONTRADICTED)


def _rules(scenario: Scenario, library: Library) -> _Found:
    """Rules that are named, and rules that no probe asks for."""
    named: list[tuple[str, str | None]] = [
        (f"stages.{stage.id}.{part}", rule)
        for stage in scenario.stages
        for part, some in (
            ("signals", [one.rule for one in stage.signals]),
            ("mistakes", [one.rule for one in stage.mistakes]),
        )
        for rule in some
    ]
    for probe in scenario.probes:
        named += [(f"probes.{probe.id}", rule) for rule in (*probe.asked_when, probe.weak.rule)]
    named += [("weak.faults", fault.rule) for fault in scenario.weak.faults]
    named += [(f"quiz.{item.id}", one.rule) for item in scenario.quiz for one in item.options]
    for where, name in named:
        if name is not None and name not in rules():
            yield "unknown", where, f"{name!r}: there is no such rule"
    asked = {rule for probe in scenario.probes for rule in probe.asked_when}
    wanted = {rule for level in library.levels.values() for rule in level.requires}
    for rule in sorted(wanted - asked):
        yield "unasked", "probes", f"a level requires {rule!r}, and no probe asks for it"


def _faults(scenario: Scenario, library: Library) -> _Found:
    """Each fault of the weak answer is found by its rule, on its words, at each level."""
    for level in library.levels.values():
        judge = _judge(scenario, library, level)
        yield from _faults_at(judge.scenario, judge, level.id)


def _faults_at(scenario: Scenario, judge: Judge, level: str) -> _Found:
    text = scenario.told(scenario.weak.text)
    found = judge.of(text)
    for place, fault in enumerate(scenario.weak.faults):
        where = f"weak.faults.{place} at {level}"
        if fault.quote and fault.quote not in text:
            yield "fault", where, f"{fault.quote!r} is not in the weak answer"
            continue
        if not is_found(found, fault.rule):
            state = found.states.get(fault.rule, "not looked at")
            yield "fault", where, f"{fault.rule} does not find it: its state is {state}"
            continue
        start = text.find(fault.quote)
        spans = [
            span
            for one in found.of(fault.rule)
            for span in one.spans
            if one.state in (State.WEAK, State.CONTRADICTED)
        ]
        end = start + len(fault.quote)
        if fault.quote and spans and not any(a.start < end and start < a.end for a in spans):
            seen = ", ".join(repr(one.text) for one in spans)
            yield "fault", where, f"{fault.rule} finds {seen}, not {fault.quote!r}"


def _mistakes(scenario: Scenario, library: Library) -> _Found:
    """What is shown as a mistake is one by its rule."""
    judge = _middle(scenario, library)
    for stage in scenario.stages:
        for place, mistake in enumerate(stage.mistakes):
            found = judge.of(scenario.told(mistake.says), stage.id)
            if mistake.rule in found.states and not is_found(found, mistake.rule):
                text = f"{mistake.rule} has nothing against {mistake.says!r}"
                yield "mistake", f"stages.{stage.id}.mistakes.{place}", text
    for item in scenario.quiz:
        for option in item.options:
            if option.rule is None:
                continue
            found = judge.of(scenario.told(option.text))
            if option.rule in found.states and not is_found(found, option.rule):
                text = f"{option.rule} has nothing against {option.text!r}"
                yield "mistake", f"quiz.{item.id}", text


def _answers(scenario: Scenario, library: Library) -> _Found:
    """The strong answer has what its level requires; both get the verdicts that are printed."""
    for level in library.levels.values():
        judge = _judge(scenario, library, level)
        strong = "\n\n".join(
            f"## {one.name}\n\n{scenario.strong(one, level)}" for one in scenario.stages
        )
        weak = scenario.told(judge.scenario.weak.text)
        answers = {"strong": judge.of(strong), "weak": judge.of(weak)}
        for rule in level.requires:
            if is_found(answers["strong"], rule):
                text = f"{level.id} requires {rule!r}, and the strong answer lacks it"
                yield "strong-lacks", f"stages.*.strong.{level.id}", text
        border = answers["strong"].states.get("scope_boundary")
        if "scope_boundary" not in level.requires and border is State.MET:
            text = f"{level.id} asks for the own team's code; the text is about another team's"
            yield "reach", f"stages.task.strong.{level.id}", text
        for verdict in scenario.verdicts:
            found = answers[verdict.of].verdict
            if level.id in verdict.at and found is not None and found.step != verdict.scale:
                text = (
                    f"{verdict.of} at {level.id}: the text says {verdict.scale!r}, "
                    f"the rule table {found.step!r} ({found.says})"
                )
                yield "verdict", "verdicts", text


def _probes(scenario: Scenario, library: Library) -> _Found:
    """A weak reply fails by its rule; a strong one does not."""
    judge = _middle(scenario, library)
    for probe in judge.scenario.probes:
        rule = probe.weak.rule
        weak = judge.of(scenario.told(probe.weak.text))
        if rule in weak.states and not is_found(weak, rule):
            text = f"{rule} has nothing against the weak reply: {weak.states[rule]}"
            yield "probe", f"probes.{probe.id}.weak", text
        strong = judge.of(scenario.told(probe.strong.text))
        if strong.states.get(rule) in (State.MISSING, State.CONTRADICTED):
            text = f"by {rule} the strong reply is {strong.states[rule]}, as the weak one"
            yield "probe", f"probes.{probe.id}.strong", text
