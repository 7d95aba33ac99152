"""How well `homing investigate` does on the lab's incidents: `python -m bench.forensics_scores`.

The incidents are simulated services with a true fault, written by other hands than the analysis,
with seeds that were never used while it was made. `--write` puts the tables into
docs/explanation/forensics.md.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

from homing.forensics.document import document
from homing.forensics.investigation import investigate
from homing.forensics.options import Options
from homing.lab.dialects import FIELD_SETS
from homing.lab.incidents import INCIDENTS, write_incident

PAGE = Path(__file__).parents[1] / "docs/explanation/forensics.md"
BEGIN, END = "<!-- scores:begin -->", "<!-- scores:end -->"
#: never used for tuning
SEED = 9_001
SIZE = 5_000


def score(name: str, seed: int, fields: str, size: int = SIZE) -> dict[str, Any]:
    """One incident investigated, beside the truth."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.jsonl"
        truth = write_incident(name, seed=seed, size=size, fields=fields, form="jsonl", log=log)
        found = document(investigate([str(log)], Options(folder=folder)))
    one = found["hypothesis"]
    since = found["since"]
    error = None
    if since and truth.since_us and truth.dropped:
        span = max(truth.ends_us - truth.begins_us, 1)
        error = abs(datetime.fromisoformat(since["at"]).timestamp() * 1e6 - truth.since_us) / span
    return {
        "name": name,
        "fields": fields,
        "seed": seed,
        "truth": truth.mechanism if truth.dropped else None,
        "found": one["mechanism"] if found["dropped"] else None,
        "undecided": [c["mechanism"] for c in one["candidates"]],
        "accepted": found["accepted"],
        "really_dropped": truth.dropped,
        "dropped": found["dropped"],
        "start_error": error,
        "mixture": [(m["mechanism"], m["drops"]) for m in one["mixture"]],
        "why": found["dropped_because"],
    }


def tables(results: list[dict[str, Any]]) -> str:
    """The confusion matrix and the four figures, as Markdown."""
    names = sorted({r["truth"] or "none" for r in results} | set(map(_named, results)), key=_order)
    counts = Counter((r["truth"] or "none", _named(r)) for r in results)
    lines = ["| truth \\ named | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for truth in names:
        cells = [str(counts[truth, found] or "") for found in names]
        if any(cells):
            lines.append(f"| {truth} | " + " | ".join(cells) + " |")
    bad = [r for r in results if r["truth"]]
    clean = [r for r in results if not r["truth"]]
    right = sum(r["found"] == r["truth"] for r in bad)
    honest = sum(r["truth"] in r["undecided"] for r in bad)
    wrong = sum(_is_wrong(r) for r in bad)
    unseen = sum(not r["dropped"] for r in bad)
    between = [len(r["undecided"]) for r in bad if r["truth"] in r["undecided"]]
    alarms = sum(r["dropped"] > 0 for r in clean)
    really = sum(r["really_dropped"] for r in bad)
    missed = sum(max(0, r["really_dropped"] - r["dropped"]) for r in bad)
    extra = sum(max(0, r["dropped"] - r["really_dropped"]) for r in results)
    errors = sorted(r["start_error"] for r in bad if r["start_error"] is not None)
    lines += [
        "",
        f"- Logs with drops: {len(bad)}; the mechanism is named in {right} of them; in {honest} the verdict is that "
        "the log cannot decide between several, the true one among them"
        f"{f' ({min(between)} to {max(between)} of them)' if between else ''}; a wrong one is named, or the true one "
        f"is not among the several, in {wrong}; no drop is seen in {unseen}.",
        f"- Logs without: {len(clean)}; false alarms: {alarms}.",
        f"- Deliveries dropped: {really:,}; missed: {missed:,}; called dropped and were not: {extra:,}.",
    ]
    if errors:
        lines.append(
            f"- Error of the beginning, as a share of the log's length, in {len(errors)} logs: "
            f"median {errors[len(errors) // 2]:.1%}, worst {errors[-1]:.1%}."
        )
    return "\n".join(lines)


def _named(result: dict[str, Any]) -> str:
    """What the verdict names: a mechanism, that the log cannot decide, or nothing."""
    return str(result["found"] or ("undecided" if result["undecided"] else "none"))


def _is_wrong(result: dict[str, Any]) -> bool:
    if result["undecided"]:
        return result["truth"] not in result["undecided"]
    return bool(result["dropped"]) and result["found"] != result["truth"]


def _order(name: str) -> int:
    if name == "undecided":
        return 98
    return int(name[1:]) if name[1:].isdigit() else 99


def main() -> None:
    """Score all, print each, and write the tables if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--size", type=int, default=SIZE)
    parser.add_argument("--fields", default=",".join(FIELD_SETS))
    parser.add_argument("--names", default=",".join(i.name for i in INCIDENTS))
    parser.add_argument("--write", action="store_true", help="put the tables into the document")
    given = parser.parse_args()
    results = []
    for seed in range(given.seed, given.seed + given.seeds):
        for name in given.names.split(","):
            for fields in given.fields.split(","):
                one = score(name, seed, fields, given.size)
                results.append(one)
                print(json.dumps(one), flush=True)
    text = tables(results)
    print(text)
    if given.write:
        page = PAGE.read_text()
        head, _, rest = page.partition(BEGIN)
        _, _, tail = rest.partition(END)
        command = f"python -m bench.forensics_scores --seed {given.seed} --seeds {given.seeds} --size {given.size} --fields {given.fields} --write"
        PAGE.write_text(f"{head}{BEGIN}\n\nWritten by `{command}`.\n\n{text}\n\n{END}{tail}")


if __name__ == "__main__":
    main()
