"""Which series of /metrics an objective is about."""

from __future__ import annotations

from homing.core.objectives import Objective


def bad_selector(objective: Objective, window: str = "") -> str:
    """The series of bad events that count; over a window if one is given."""
    owners = "|".join(sorted(objective.owners))
    return f'homing_sli_bad_total{{sli="{objective.sli}",owner=~"{owners}"}}{_range(window)}'


def good_selector(objective: Objective, window: str = "") -> str:
    """The series of good events."""
    return f'homing_sli_good_total{{sli="{objective.sli}"}}{_range(window)}'


def total_selector(objective: Objective) -> str:
    """All valid events, as one number."""
    return f"sum({good_selector(objective)}) + sum({bad_selector(objective)})"


def _range(window: str) -> str:
    return f"[{window}]" if window else ""
