"""The page of the rules, for people who read, label or dispute them: made from the rules' data."""

from __future__ import annotations

from typing import Any, Final

from homing.walkthrough.assess.rule import STAGES, Rule, State, rules, verdict_document
from homing.walkthrough.packs import shipped

_STATES: Final = tuple(one.value for one in State)


def rules_page() -> str:
    """All rules with what their states mean, the requirements of levels, lenses, and the table."""
    parts = ["## The rules\n"]
    for rule in rules().values():
        parts += _rule(rule)
    parts += ["## What levels require\n"]
    for level in shipped().levels.values():
        names = ", ".join(f"`{one}`" for one in level.requires)
        parts.append(f"- **{level.name}**: {names}.")
    allows = verdict_document()["allows"]
    for name, allowed in allows.items():
        names = ", ".join(f"`{one}`" for one in allowed)
        parts.append(
            f"- At `{name}` these spoil nothing, since work is given to people there: {names}."
        )
    parts += ["", "## What lenses weigh\n", "A rule that is not named weighs 1.\n"]
    for lens in shipped().principles.values():
        names = ", ".join(f"`{rule}` {weight}" for rule, weight in lens.weights.items())
        parts.append(f"- **{lens.name}**: {names}.")
    parts += ["", "## The verdict\n", verdict_document()["label"], ""]
    parts += ["The first row that holds decides; all are shown with every verdict.\n"]
    parts += ["| step | when |", "| --- | --- |"]
    parts += [f"| {row['verdict']} | {row['says']}{_conditions(row)} |" for row in _rows()]
    return "\n".join(parts)


def _rule(rule: Rule) -> list[str]:
    where = "anywhere" if set(rule.stages) == set(STAGES) else ", ".join(rule.stages)
    lines = [f"### `{rule.id}`: {rule.title}\n", f"{rule.question}\n"]
    kind = "how it is told" if rule.kind == "form" else "what is said"
    lines += [f"Version {rule.version}; about {kind}; looked for in: {where}.\n"]
    lines += ["| state | means |", "| --- | --- |"]
    for state in _STATES:
        if state in rule.states:
            lines.append(f"| {state} | {rule.states[state].means} |")
    return [*lines, ""]


def _rows() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = verdict_document()["rows"]
    return found


def _conditions(row: dict[str, Any]) -> str:
    """The row's conditions in short, behind its sentence."""
    said = []
    for word, name in (("any of", "any"), ("all of", "all"), ("but not", "but")):
        if name in row:
            said.append(f"{word} {', '.join(f'`{one}`' for one in row[name])}")
    for name in ("gap", "thin"):
        what = "missing" if name == "gap" else "weak"
        if f"{name}_min" in row:
            said.append(f"what is {what} weighs {row[f'{name}_min']} or more")
        if f"{name}_max" in row:
            said.append(f"what is {what} weighs {row[f'{name}_max']} at most")
    return f" ({'; '.join(said)})" if said else ""
