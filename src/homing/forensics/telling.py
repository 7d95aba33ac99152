"""What the terminal and the page both say of an investigation, from its JSON document. Pure."""

from __future__ import annotations

from typing import Any


def rivals_told(hypothesis: dict[str, Any]) -> list[tuple[bool, str]]:
    """What to say of each rival that is no candidate: whether it is excluded, and why or why not.

    Those that cannot be excluded come first.

    Args:
        hypothesis: as it is in the document of an investigation.
    """
    named = {one["mechanism"] for one in hypothesis["candidates"]}
    lines = []
    for rival in hypothesis["rivals"]:
        if rival["mechanism"] in named:
            continue
        if rival["excluded"] == "no":
            lines.append((False, rival["why"]))
        else:
            name = f"not {rival['mechanism']} ({rival['name']})"
            figure = rival.get("figure")  # documents that were saved before have none
            lines.append((True, f"{name}: {figure or rival['why']}"))
    return sorted(lines, key=lambda line: line[0])
