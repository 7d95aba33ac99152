"""What the terminal and the page both say of an investigation, from its JSON document. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

#: of whoever reads it: the retry worker of the service
YOUR_WORKER: Final = "YOUR_FILE.py:Class"
YOURS: Final = f"{YOUR_WORKER} is the service's retry worker; without --worker a model that has the fault is tried"


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


def hardest_told(document: dict[str, Any], name: str) -> str:
    """Which endpoint, application or type lost far more than the rest, and how many times; empty if none.

    Args:
        name: what is hit: a key of `hit`.
    """
    one = document.get("hit_hardest", {}).get(name)  # documents that were saved before have none
    if not one:
        return ""
    rate = f"{one['rate']:.2%}"
    if "accepted" in one:
        rate = f"{one['dropped']:,} of {one['accepted']:,} ({rate})"
    return (
        f"{one['name']} is hit hardest: {rate}, {one['ratio']:.1f} times the rate of the rest "
        f"({one['rate_of_rest']:.2%})"
    )


#: kinds of endings that are told of each verdict; the rest are counted together
_ENDINGS_MAX: Final = 3


def endings_told(document: dict[str, Any]) -> list[str]:
    """By what lines the deliveries ended that are neither delivered nor dropped: a sentence a verdict."""
    told = []
    for verdict in ("dead", "cancelled", "parked"):
        ended = document.get("ended", [])  # documents that were saved before have none
        ended = [one for one in ended if one["verdict"] == verdict]
        parts = [_ending_told(one) for one in ended[:_ENDINGS_MAX]]
        if rest := sum(one["deliveries"] for one in ended[_ENDINGS_MAX:]):
            parts.append(f"{rest:,} otherwise")
        if parts:
            told.append(f"{verdict}: {'; '.join(parts)}")
    return told


def _ending_told(one: dict[str, Any]) -> str:
    by = f" by {one['by']}" if one["by"] else ""
    reason = f" ({one['reason']})" if one["reason"] and one["reason"] != one["word"] else ""
    return f"{one['deliveries']:,} {one['word']}{by}{reason}"


def hit_count(document: dict[str, Any], name: str) -> int:
    """How many of a kind lost any, of which `hit` names some.

    Args:
        name: what is hit: a key of `hit`.
    """
    counts = document.get("hit_count", {})  # documents that were saved before have none
    return int(counts.get(name, len(document["hit"][name])))


def since_told(since: dict[str, Any]) -> str:
    """When the drops began: between which times where both are known, or not before which."""
    if since["low"] == since["at"]:
        return f"{since['at']}, the first that was dropped"
    if since["high"] == since["at"]:
        return f"between {since['low']} and {since['at']} (95%), when the first one dropped was accepted"
    if since["high"]:
        return f"{since['at']} (95%: between {since['low']} and {since['high']})"
    return f"not before {since['low']} (95%)"


def places_told(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Where each row of an example stands: its line, and the file too where there are several."""
    files = {row.get("file") for row in rows}  # documents that were saved before name none
    if len(files) < 2:
        return [str(row["line"]) for row in rows]
    return [f"{Path(str(row['file'])).name}:{row['line']}" for row in rows]
