"""How well the rules of the walkthrough agree with labels: `python -m bench.walkthrough_scores`.

The set is described in tests/walkthrough/labelled/README.md. Figures are of agreement with whoever
labelled, who is named beside them. `--part held-out` asks for a reason and writes the look down;
`--markdown FILE` writes the tables between two marks of a page.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from homing.insight.rates import wilson
from homing.walkthrough import packs
from homing.walkthrough.assess import SCALE, State, assess
from homing.walkthrough.assess.rule import rules

SET: Final = Path(__file__).parents[1] / "tests/walkthrough/labelled"
PARTS: Final = ("development", "held-out")
BEGIN: Final = "<!-- scores:begin -->"
END: Final = "<!-- scores:end -->"
_NOTHING: Final = "-"
#: fewer labels than this and no figure is worth its interval
FEW: Final = 10


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One answer with its labels."""

    id: str
    author: str
    wrote: str
    style: str
    level: str
    lens: str
    text: str
    labels: dict[str, State]
    verdict: str
    non_native: bool = False
    attack: str = ""
    note: str = ""
    second: dict[str, State] = {}
    incident: str = ""  #: its own, where a file has several; empty: its file's


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the answers of a file are about, and who labelled them."""

    incident: str
    about: str
    labelled: str
    notes: str = ""


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    source: Source
    answers: tuple[Answer, ...]


class Set(NamedTuple):
    """The answers of a folder, and who wrote and labelled them."""

    answers: list[Answer]
    labelled: list[str]


def load(folder: Path) -> Set:
    """All answers below a folder.

    Raises:
        ValueError: a file is not as the README says; the message names it.
    """
    answers: list[Answer] = []
    labelled: dict[str, None] = {}
    for path in sorted(folder.rglob("*.toml")):
        try:
            file = msgspec.convert(tomllib.loads(path.read_text("utf-8")), File)
        except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
            raise ValueError(f"{path}: {error}") from error
        labelled[file.source.labelled] = None
        for one in file.answers:
            wrong = sorted((set(one.labels) | set(one.second)) - set(rules()))
            wrong += [one.verdict] * (one.verdict not in SCALE)
            wrong += [one.style] * (one.style not in ("typed", "spoken"))
            if wrong:
                raise ValueError(f"{path}: {one.id}: {', '.join(wrong)}: see the README")
            incident = one.incident or file.source.incident
            answers.append(msgspec.structs.replace(one, incident=incident))
    ids = Counter(one.id for one in answers)
    twice = [name for name, count in ids.items() if count > 1]
    if twice:
        raise ValueError(f"{folder}: {', '.join(twice)}: the same id twice")
    return Set(answers, list(labelled))


def leaks(first: Iterable[Answer], second: Iterable[Answer]) -> list[str]:
    """Incidents and authors that stand in both parts."""
    one, two = list(first), list(second)
    shared = {a.incident for a in one} & {b.incident for b in two}
    shared |= {a.author for a in one} & {b.author for b in two}
    return sorted(shared)


# --- figures ---


class Interval(NamedTuple):
    """A share with its 95% interval by Wilson; None of nothing."""

    hits: int
    of: int

    @property
    def value(self) -> float | None:
        return self.hits / self.of if self.of else None

    def text(self) -> str:
        if self.value is None:
            return _NOTHING
        rate = wilson(self.hits, self.of)
        return f"{rate.value:.2f} ({rate.low:.2f} to {rate.high:.2f})"


class Scores(NamedTuple):
    """How one judge's states agree with the labels of one rule."""

    exact: Interval
    precision: Interval
    recall: Interval
    abstained: Interval

    @property
    def f1(self) -> float | None:
        p, r = self.precision.value, self.recall.value
        if p is None or r is None:
            return None
        return 2 * p * r / (p + r) if p + r else 0.0


def scores(said: Sequence[State], labels: Sequence[State]) -> Scores:
    """Of states beside labels; the good thing is there where the label is met."""
    met = State.MET
    pairs = list(zip(said, labels, strict=True))
    hits = sum(a is met and b is met for a, b in pairs)
    return Scores(
        exact=Interval(sum(a is b for a, b in pairs), len(pairs)),
        precision=Interval(hits, sum(a is met for a, _ in pairs)),
        recall=Interval(hits, sum(b is met for _, b in pairs)),
        abstained=Interval(sum(a is State.NOT_CHECKABLE for a, _ in pairs), len(pairs)),
    )


def kappa(first: Sequence[str], second: Sequence[str]) -> float | None:
    """Cohen's kappa; None where chance alone would agree on everything."""
    if not first:
        return None
    n = len(first)
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    one, two = Counter(first), Counter(second)
    chance = sum(one[word] * two[word] for word in one) / (n * n)
    return None if chance == 1 else (observed - chance) / (1 - chance)


def weighted_kappa(first: Sequence[str], second: Sequence[str]) -> float | None:
    """Quadratic weighted kappa over the six steps."""
    if not first:
        return None
    a, b = [SCALE.index(one) for one in first], [SCALE.index(one) for one in second]
    seen = sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) / len(a)
    chance = sum((x - y) ** 2 for x in a for y in b) / (len(a) * len(b))
    return None if chance == 0 else 1 - seen / chance


# --- baselines: each learns from the other incidents only ---

Judge = Callable[[Sequence[Answer], Answer, str], State]


def majority(others: Sequence[Answer], one: Answer, rule: str) -> State:
    """What most others are labelled."""
    seen = Counter(each.labels[rule] for each in others if rule in each.labels)
    return seen.most_common(1)[0][0] if seen else State.MISSING


def word_count(others: Sequence[Answer], one: Answer, rule: str) -> State:
    """Met from so many words on: the number that is right most often for the others."""
    known = [(len(_words(each.text)), each.labels[rule]) for each in others if rule in each.labels]
    if not known:
        return State.MISSING
    best = max(
        sorted({count for count, _ in known}),
        key=lambda limit: sum((count >= limit) == (label is State.MET) for count, label in known),
    )
    rest = Counter(label for _, label in known if label is not State.MET)
    other = rest.most_common(1)[0][0] if rest else State.MISSING
    return State.MET if len(_words(one.text)) >= best else other


def bag_of_words(others: Sequence[Answer], one: Answer, rule: str) -> State:
    """Naive Bayes over the words that occur and those that do not (Bernoulli), add-one smoothed.

    Without the words that do not occur a label that was given once would win every time: a word
    that it never had counts (0+1)/(1+2) there and far less for a label that was given often.
    """
    known = [(set(_words(each.text)), each.labels[rule]) for each in others if rule in each.labels]
    if not known:
        return State.MISSING
    classes = Counter(label for _, label in known)
    every = set().union(*(bag for bag, _ in known))
    words = set(_words(one.text)) & every

    def worth(label: State) -> float:
        n = classes[label]
        having = Counter(word for bag, each in known if each is label for word in bag)
        times = Counter(having.values())
        times[0] = len(every) - len(having)
        total = math.log(n / len(known))
        total += sum(many * math.log((n - had + 1) / (n + 2)) for had, many in times.items())
        return total + sum(math.log((having[w] + 1) / (n - having[w] + 1)) for w in words)

    return max(sorted(classes), key=worth)


BASELINES: Final[dict[str, Judge]] = {
    "majority": majority,
    "words": word_count,
    "bag": bag_of_words,
}


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9$%']+", text.lower())


# --- the report ---


def judged(answers: Sequence[Answer]) -> dict[str, tuple[dict[str, State], str]]:
    """What the rules say of each answer: states and the verdict."""
    library = packs.shipped()
    found = {}
    for one in answers:
        said = assess(one.text, None, library.levels[one.level], library.principles[one.lens])
        found[one.id] = (said.states, said.verdict.step if said.verdict else "no")
    return found


def report(part: Set, only: Callable[[Answer], bool] = lambda _: True) -> dict[str, Any]:
    """All figures of a set.

    Args:
        only: the answers that are scored; baselines learn from all others of other incidents.
    """
    said = judged(part.answers)
    scored = [one for one in part.answers if only(one)]
    table = []
    for rule in rules():
        labelled = [one for one in scored if rule in one.labels]
        if not labelled:
            continue
        labels = [one.labels[rule] for one in labelled]
        row: dict[str, Any] = {"rule": rule, "n": len(labelled)}
        ours = [said[one.id][0].get(rule, State.NOT_CHECKABLE) for one in labelled]
        row["tool"] = scores(ours, labels)
        row["misses"] = [one.id for one, a, b in zip(labelled, ours, labels, strict=True) if a != b]
        for name, judge in BASELINES.items():
            guesses = [
                judge([o for o in part.answers if o.incident != one.incident], one, rule)
                for one in labelled
            ]
            row[name] = scores(guesses, labels)
        pairs = [(one.labels[rule], one.second[rule]) for one in labelled if rule in one.second]
        row["people"] = kappa([a for a, _ in pairs], [b for _, b in pairs])
        table.append(row)
    ours_v = [said[one.id][1] for one in scored]
    theirs_v = [one.verdict for one in scored]
    return {
        "answers": len(scored),
        "incidents": len({one.incident for one in scored}),
        "authors": len({one.author for one in scored}),
        "wrote": sorted({one.wrote for one in scored}),
        "labelled": part.labelled,
        "rules": table,
        "verdicts": _verdicts(ours_v, theirs_v, [one.id for one in scored]),
    }


def _verdicts(ours: Sequence[str], theirs: Sequence[str], ids: Sequence[str]) -> dict[str, Any]:
    apart = [abs(SCALE.index(a) - SCALE.index(b)) for a, b in zip(ours, theirs, strict=True)]
    a, b = [SCALE.index(one) for one in ours], [SCALE.index(one) for one in theirs]
    usual = Counter(theirs).most_common(1)[0][0] if theirs else ""
    return {
        "exact": Interval(sum(one == 0 for one in apart), len(apart)),
        "adjacent": Interval(sum(one <= 1 for one in apart), len(apart)),
        "weighted_kappa": weighted_kappa(ours, theirs),
        "mean_difference": _mean_difference(a, b),
        "majority_exact": Interval(sum(one == usual for one in theirs), len(theirs)),
        "far": [
            f"{id}: {x}, labelled {y}"
            for id, x, y, far in zip(ids, ours, theirs, apart, strict=True)
            if far > 1
        ],
    }


def _mean_difference(ours: Sequence[int], theirs: Sequence[int]) -> float | None:
    """How much higher the tool's mean is, in standard deviations of the labels."""
    if len(theirs) < 2:
        return None
    mean = sum(theirs) / len(theirs)
    spread = math.sqrt(sum((one - mean) ** 2 for one in theirs) / (len(theirs) - 1))
    return (sum(ours) / len(ours) - mean) / spread if spread else None


def markdown(name: str, found: dict[str, Any]) -> str:
    """The report as tables."""
    who = "; ".join(found["labelled"])
    lines = [
        f"### {name}: {found['answers']} answers, {found['incidents']} incidents,"
        f" {found['authors']} authors",
        "",
        f"Written by: {'; '.join(found['wrote'])}.",
        f"Labelled by: {who}.",
        "Figures are of agreement with these labels, with 95% intervals (Wilson);"
        f" a rule with fewer than {FEW} labels is marked *.",
        "",
        "| rule | n | exact | precision (met) | recall (met) | F1 | not checkable |"
        " majority | words | bag | people |",
        "| --- | ---: | --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in found["rules"]:
        tool: Scores = row["tool"]
        few = "*" if row["n"] < FEW else ""
        rivals = " | ".join(_short(row[one].exact.value) for one in BASELINES)
        lines.append(
            f"| `{row['rule']}`{few} | {row['n']} | {tool.exact.text()} | {tool.precision.text()}"
            f" | {tool.recall.text()} | {_short(tool.f1)} | {_short(tool.abstained.value)}"
            f" | {rivals} | {_short(row['people'])} |"
        )
    beaten = [
        row["rule"]
        for row in found["rules"]
        if (row["tool"].exact.value or 0) <= max(row[one].exact.value or 0 for one in BASELINES)
    ]
    verdicts = found["verdicts"]
    lines += [
        "",
        f"Not better than the best baseline: {', '.join(f'`{one}`' for one in beaten) or 'none'}.",
        "",
        f"Verdicts: exact {verdicts['exact'].text()}, within one step"
        f" {verdicts['adjacent'].text()}, quadratic weighted kappa"
        f" {_short(verdicts['weighted_kappa'])}, mean {_short(verdicts['mean_difference'])}"
        f" standard deviations off; always the usual step: {verdicts['majority_exact'].text()}.",
    ]
    return "\n".join(lines)


def _short(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.2f}"


def write_down(reason: str) -> None:
    """A look at the held-out part."""
    path = SET / "looks.csv"
    is_new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if is_new:
            writer.writerow(("day", "reason"))
        writer.writerow((datetime.now(UTC).strftime("%Y-%m-%d"), reason))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=PARTS, default="development")
    parser.add_argument("--folder", type=Path, help="another folder of the same kind")
    parser.add_argument("--reason", help="why the held-out part is looked at")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--misses", action="store_true", help="where a state is not the label")
    parser.add_argument("--markdown", type=Path, metavar="PAGE", help="write between its marks")
    given = parser.parse_args(arguments)
    if given.folder is None:
        shared = leaks(load(SET / PARTS[0]).answers, load(SET / PARTS[1]).answers)
        if shared:
            print(f"in both parts: {', '.join(shared)}", file=sys.stderr)
            return 2
        if given.part == "held-out":
            if not given.reason:
                print("--part held-out: expected --reason, which is written down", file=sys.stderr)
                return 2
            write_down(given.reason)
    part = load(given.folder or SET / given.part)
    if not part.answers:
        print(f"no answers in {given.folder or SET / given.part}", file=sys.stderr)
        return 2
    name = given.folder.name if given.folder else given.part
    groups: dict[str, Callable[[Answer], bool]] = {
        name: lambda _: True,
        f"{name}, spoken": lambda one: one.style == "spoken",
        f"{name}, not native": lambda one: one.non_native,
        f"{name}, adversarial": lambda one: bool(one.attack),
    }
    found = {title: report(part, only) for title, only in groups.items()}
    found = {title: one for title, one in found.items() if one["answers"]}
    if given.json:
        print(json.dumps(found, indent=2, default=str))
        return 0
    text = "\n\n".join(markdown(title, one) for title, one in found.items())
    if given.markdown:
        page = given.markdown.read_text("utf-8")
        before, _, rest = page.partition(BEGIN)
        _, _, after = rest.partition(END)
        given.markdown.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")
        return 0
    print(text)
    if given.misses:
        whole = found[name]
        print()
        for row in whole["rules"]:
            if row["misses"]:
                print(f"{row['rule']}: {', '.join(row['misses'])}")
        print("verdicts:", "; ".join(whole["verdicts"]["far"]) or "none far")
    return 0


if __name__ == "__main__":
    sys.exit(main())
