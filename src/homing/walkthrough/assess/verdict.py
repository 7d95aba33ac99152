"""From the states of rules to a step of the scale, by a table whose every row is shown. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from homing.walkthrough.assess.assessment import Finding, Row, Verdict
from homing.walkthrough.assess.rule import State, verdict_document

#: from worst to best
SCALE: Final = ("strong no", "no", "lean no", "lean yes", "yes", "strong yes")
#: a rule that the lens weighs so much is asked for in full by the highest step
_WEIGHED_MIN: Final = 2


def verdict_of(
    states: Mapping[str, State],
    findings: Sequence[Finding],
    *,
    level: str,
    required: Collection[str],
    weights: Mapping[str, int],
) -> tuple[Verdict | None, tuple[Row, ...]]:
    """The first row that holds, and the whole table with why each row does or does not.

    Args:
        states: of each rule.
        findings: to tell a contradicted act from a contradicted number.
        level: some levels allow what others do not.
        required: rules of the level.
        weights: of rules under the lens, 0 to 3; a rule that is not named weighs 1.
    """
    document = verdict_document()
    allowed = frozenset(document["allows"].get(level, ()))
    counted = {rule: state for rule, state in states.items() if rule not in allowed}
    table = _Table(counted, findings, [one for one in required if one not in allowed], weights)
    rows = []
    chosen: Verdict | None = None
    for entry in document["rows"]:
        holds, because = table.holds(entry)
        rows.append(
            Row(
                verdict=entry["verdict"],
                says=entry["says"],
                holds=holds,
                decides=holds and chosen is None,
                because=because,
            )
        )
        if holds and chosen is None:
            chosen = Verdict(
                step=entry["verdict"],
                says=entry["says"],
                label=document["label"],
                version=document["version"],
            )
    return chosen, tuple(rows)


class _Table:
    """What rows ask."""

    def __init__(
        self,
        states: Mapping[str, State],
        findings: Sequence[Finding],
        required: Sequence[str],
        weights: Mapping[str, int],
    ) -> None:
        self.states = states
        self.findings = findings
        self.required = [one for one in required if one in states]
        self.weights = weights

    def holds(self, row: Mapping[str, Any]) -> tuple[bool, tuple[str, ...]]:
        """Whether a row holds, and what of it speaks for or against it."""
        because: list[str] = []
        holds = True
        for asked, fold in (("any", any), ("all", all)):
            if asked in row:
                answers = [self._is(one) for one in row[asked]]
                because += [
                    _said(one, is_so) for one, is_so in zip(row[asked], answers, strict=True)
                ]
                holds &= fold(answers)
        for one in row.get("but", ()):
            because.append(_said(one, self._is(one)))
            holds &= not self._is(one)
        for one in row.get("none", ()):
            offenders = self._weighed(State(one.partition("=")[2]))
            because += [f"{rule} is {one.partition('=')[2]}" for rule in offenders]
            holds &= not offenders
        for name, counts in (("gap", (State.MISSING, State.CONTRADICTED, State.NOT_CHECKABLE)),
                             ("thin", (State.WEAK,))):  # fmt: skip
            if f"{name}_min" not in row and f"{name}_max" not in row:
                continue
            found = [
                one for one in self.required if self.states[one] in counts and self._weight(one)
            ]
            weight = sum(self._weight(one) for one in found)
            because += [
                f"{one} is {self.states[one]} (weighs {self._weight(one)})" for one in found
            ]
            if not found:
                because.append(f"nothing required is {'missing' if name == 'gap' else 'weak'}")
            holds &= row.get(f"{name}_min", 0) <= weight <= row.get(f"{name}_max", weight)
        return holds, tuple(because)

    def _is(self, condition: str) -> bool:
        rule, _, wanted = condition.partition("=")
        state, _, kind = wanted.partition(":")
        if self.states.get(rule) != state:
            return False
        return not kind or any(
            one.rule == rule and one.state == state and one.detail.startswith(kind)
            for one in self.findings
        )

    def _weighed(self, state: State) -> list[str]:
        return [
            rule
            for rule, found in self.states.items()
            if found is state and self.weights.get(rule, 1) >= _WEIGHED_MIN
        ]

    def _weight(self, rule: str) -> int:
        return self.weights.get(rule, 1)


def _said(condition: str, is_so: bool) -> str:
    rule, _, state = condition.partition("=")
    state, _, kind = state.partition(":")
    what = f"{rule}, an {kind}," if kind else rule
    return f"{what} is {state}" if is_so else f"{what} is not {state}"
