"""What the steps of the lab have measured so far, for the commands and the prose of later ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from homing.lab.lines import count_lines
from homing.lab.tour import filled
from homing.lab.traffic import WEEK_S

#: when the drops begin in the usual week
_SINCE: Final = "2026-11-10T10:23Z"


def measured(folder: Path) -> dict[str, str]:
    """What earlier steps have measured; where they were skipped, what is usual."""
    return {**_of_the_log(folder / "incident.json"), **_of_the_fix(folder / "explored.json")}


def told(text: str, folder: Path) -> str:
    """Prose with its figures."""
    known = measured(folder)
    if "{missing}" in text:
        known |= _by_hand(folder / "deliveries.jsonl.gz")
    return filled(text, known)


def _of_the_log(saved: Path) -> dict[str, str]:
    try:
        document = json.loads(saved.read_text())
        since = document.get("since") or {}
        return {
            #: while it lasted, as the review has it: the days before had none
            "rate": f"{since.get('rate_after') or document['rate']['value']:.2%}",
            "traffic": f"{document['accepted'] / WEEK_S:.2f}/s",
            "since": since.get("at") or _SINCE,
        }
    except (OSError, ValueError, KeyError):
        return {"rate": "0.36%", "traffic": "0.33/s", "since": _SINCE}


def _of_the_fix(saved: Path) -> dict[str, str]:
    kinds = ("random", "priority", "small")
    try:
        document = json.loads(saved.read_text())
        counts = {kind: int(document[kind]["runs"]) for kind in kinds}
    except (OSError, ValueError, KeyError, TypeError):
        counts = dict(zip(kinds, (1_000, 400, 1_000), strict=True))
    counts["explored"] = sum(counts.values())
    return {name: f"{count:,}" for name, count in counts.items()}


def _by_hand(log: Path) -> dict[str, str]:
    """The counts of the lines, and how they become the count of deliveries."""
    lines = count_lines(log)
    names = ("accepted", "succeeded", "dead", "missing", "repeated", "waiting", "lost")
    return {
        **{name: f"{getattr(lines, name):,}" for name in names},
        "queue": (
            f"The dead letter queue has {lines.dead:,}, and none of these is among them."
            if lines.dead
            else "The dead letter queue is empty, so an alert on it would have been silent, too."
        ),
    }
