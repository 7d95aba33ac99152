"""`homing reproduce INCIDENT`: a worker held to the schedule that a delivery log shows."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.text import Text

from homing.cli.incidents import record
from homing.cli.output import note, print_json, say, say_prose
from homing.cli.reproduce_display import show_story, story_document
from homing.core.errors import Invalid, Problem
from homing.lab.incidents import INCIDENTS
from homing.sim.shrink import Shrunk, shrink
from homing.sim.workers.case import Case, declared
from homing.sim.workers.incident import Candidate, Incident, Skeleton, read_incident
from homing.sim.workers.loading import load_worker
from homing.sim.workers.pins import PINNABLE, Trial, reproduce, run_pinned, try_pin, with_times
from homing.sim.workers.prepare import prepare, watchdog
from homing.sim.workers.schedule import Schedule, schedule_of
from homing.sim.workers.story import Story, tell

#: the lab's workers by mechanism, with their fixes: a table LAB_WORKERS
_LAB: Final = "homing.lab.explorable"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asked for."""

    times: int
    first: int
    worker: str | None
    fixed: str | None
    given: dict[str, Any]  #: fields of the case; None: not named
    at_us: int | None  #: when, in the incident's record; None: now


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What came of holding a worker to the schedule of one mechanism."""

    suspect: Candidate
    worker: str
    fixed: str  #: empty: there is none
    case: Case
    trial: Trial
    against: Trial | None  #: of the fix

    @property
    def is_model(self) -> bool:
        """Whether the worker is one of Homing's own with this fault: it is nobody's service."""
        return self.worker.startswith(f"{_LAB}:")


def reproduce_incident(path: Path, asked: Asked, *, as_json: bool) -> Story | None:
    """Hold a worker to the incident's schedule, and tell what came of it.

    Where the log cannot decide between several mechanisms, it is held to the schedule of each.

    Raises:
        Invalid: the file or the worker cannot be used, or there is nothing to hold it to.
    """
    if not path.exists():
        raise Invalid([Problem(("incident",), _not_there(path))])
    incident = read_incident(path)
    all_held = [_hold(suspect, asked) for suspect in _suspects(incident, path)]
    best = max(all_held, key=lambda held: held.trial.reproduced)
    with watchdog():
        story = _story(best)
    told = _document(best, story)
    told["tried"] = [
        {"mechanism": h.suspect.mechanism, "reproduced": h.trial.reproduced, "times": asked.times}
        for h in all_held
    ]
    if as_json:
        print_json(told)
    else:
        if len(all_held) > 1:
            say(Text.assemble(("the log    ", "dim"), incident.hypothesis.sentence))
        for held in all_held:
            _show(held)
        if best.is_model:
            _say_whose(path)
        if story is not None:
            show_story(story, is_sure=True)
    read: list[str | Path] = [path, best.worker.rpartition(":")[0]]
    record("reproduce", told, inputs=read, at_us=asked.at_us)
    return story


#: so many names are suggested
_NEAR_MAX: Final = 3


def _not_there(path: Path) -> str:
    """What may have been meant by a name that no file has."""
    built = get_close_matches(str(path), [one.name for one in INCIDENTS], n=1)
    if built:
        return (
            f"there is no file {path}; the lab's incident {built[0]} is built with `homing lab "
            f"{built[0]}`, and its log read with `homing investigate {built[0]}.jsonl.gz --save "
            "incident.json`: then `homing reproduce incident.json`"
        )
    folder = path.parent
    beside = [one.name for one in folder.glob("*.json")] if folder.is_dir() else []
    near = [str(folder / one) for one in get_close_matches(path.name, beside, n=_NEAR_MAX)]
    meant = f"did you mean {' or '.join(near)}?" if near else "`homing investigate LOG --save FILE`"
    return f"there is no file {path}; {meant if near else f'{meant} writes one'}"


def _suspects(incident: Incident, path: Path) -> tuple[Candidate, ...]:
    """The mechanisms to hold a worker to, at least one."""
    suspects = incident.hypothesis.suspects
    if not suspects:
        text = (
            f"{path} names no mechanism, so there is no schedule to hold a worker to: "
            f"{incident.hypothesis.sentence or 'nothing was dropped'}; explore a worker without "
            "one: homing reproduce package.module:Worker"
        )
        raise Invalid([Problem(("INCIDENT",), text)])
    for suspect in suspects:
        if suspect.mechanism not in PINNABLE:
            text = (
                f"{path} is about {suspect.mechanism}; expected one of {', '.join(PINNABLE)}. "
                "Explore the worker without it: homing reproduce package.module:Worker"
            )
            raise Invalid([Problem(("INCIDENT",), text)])
    return suspects


def _hold(suspect: Candidate, asked: Asked) -> Held:
    name, fixed = _workers(suspect.mechanism, asked)
    if fixed:
        load_worker(fixed)
    case = declared(load_worker(name), name, **asked.given)
    case = prepare(case, note)
    case = with_times(case, suspect.skeleton or Skeleton())
    against = None
    with watchdog():
        trial = reproduce(case, suspect.mechanism, asked.times, asked.first)
        assert trial is not None, suspect.mechanism
        if fixed:
            other = msgspec.structs.replace(case, worker=fixed)
            against = try_pin(other, trial.pin, asked.times, asked.first)
    return Held(suspect=suspect, worker=name, fixed=fixed, case=case, trial=trial, against=against)


def _workers(mechanism: str, asked: Asked) -> tuple[str, str]:
    """The worker, and the fixed one (empty if there is none)."""
    if asked.worker is not None:
        return asked.worker, asked.fixed or ""
    try:
        lab = importlib.import_module(_LAB)
    except ModuleNotFoundError:
        text = "expected --worker package.module:Worker: the lab's workers are not installed here"
        raise Invalid([Problem(("WORKER",), text)]) from None
    faulty, fixed = lab.LAB_WORKERS[mechanism]
    return f"{_LAB}:{faulty}", asked.fixed or f"{_LAB}:{fixed}"


#: worlds that are made small, to show the one whose lanes agree with the suspected schedule
_LANES_TRIED: Final = 8


def _story(held: Held) -> Story | None:
    """A world that broke, with only what the breach takes, its lanes as in the suspected schedule:
    where that has two workers, A is who was first to send."""
    skeleton = held.suspect.skeleton or Skeleton()
    sizes: Sequence[tuple[int, int]] = ((1, 1), (2, 1), (2, 2))
    if any(step.who == "B" for step in skeleton.steps):
        sizes = sizes[1:]
    found = [_made_small(held, seed, sizes) for seed in held.trial.broken[:_LANES_TRIED]]
    if not found or held.trial.breach is None:
        return None
    first = min(
        found,
        key=lambda one: (
            _first_to_send(one.schedule, held.trial) not in ("A", ""),
            one.schedule.case.workers,
            one.schedule.size,
        ),
    )
    return tell(
        first.schedule,
        held.trial.breach.invariant,
        runs=held.trial.times,
        shrink_runs=first.runs,
        shrinks=first.shrinks,
        fixed=held.fixed,
    )


def _made_small(held: Held, seed: int, sizes: Sequence[tuple[int, int]]) -> Shrunk[Schedule]:
    """The world of a seed in the smallest size in which it breaks, shrunk."""
    case, trial = held.case, held.trial
    assert trial.breach is not None
    name = trial.breach.invariant
    drawn, result, _ = run_pinned(case, trial.pin, seed)
    whole = schedule_of(drawn, result)
    for workers, deliveries in sizes:
        size = {"workers": workers, "deliveries": deliveries}
        drawn, result, _ = run_pinned(msgspec.structs.replace(case, **size), trial.pin, seed)
        if any(breach.invariant == name for breach in result.breaches):
            return shrink(schedule_of(drawn, result), name)
        smaller = msgspec.structs.replace(whole, case=msgspec.structs.replace(whole.case, **size))
        if smaller.find(smaller.run(), name) is not None:
            return shrink(smaller, name)
    return shrink(whole, name)


def _first_to_send(schedule: Schedule, trial: Trial) -> str:
    """The lane of the first request for the delivery that is lost; empty: there was none."""
    assert trial.breach is not None
    result = schedule.run(trace=True)
    breach = schedule.find(result, trial.breach.invariant)
    lost = breach.delivery if breach is not None else ""
    return next((e.lane[:1] for e in result.events if e.op == "send" and e.delivery == lost), "")


#: how far what is said stands in
_SET_IN: Final = 11


def _show(held: Held) -> None:
    one, name, trial, against = held.suspect, held.worker, held.trial, held.against
    told = Text.assemble(("suspected  ", "dim"), f"{one.mechanism}: {one.sentence}")
    say_prose(told, indent=_SET_IN)
    for step in (one.skeleton or Skeleton()).steps:
        say(Text.assemble(("           ", ""), f"{step.who:10} {step.op:10} ", (step.note, "dim")))
    pinned, longest = "; ".join(map(str, trial.pin)), _longest(held)
    if longest:
        pinned = pinned.replace(f"after {longest:g} s", "after any lease has run out")
    say(Text.assemble(("pinned     ", "dim"), pinned))
    if longest:
        text = f"in these {trial.times} runs that is {longest:g} s, the longest delay tried"
        if trial.reproduced:
            text = (
                f"below, times and statuses are the simplest that still lose it; {text}; "
                "the log's own are in its examples"
            )
        say_prose(Text(f"{' ' * _SET_IN}{text}", style="dim"), indent=_SET_IN)
    style = "bold red" if trial.reproduced else "bold green"
    say(
        Text.assemble(
            ("reproduces ", "dim"),
            (f"{trial.reproduced} of {trial.times}", style),
            f" with {name}",
            (", a model worker of Homing's own", "bold yellow") if held.is_model else "",
            _unheld(trial),
        )
    )
    if against is not None:
        refused = against.times - against.reproduced
        style = "bold green" if not against.reproduced else "bold red"
        say(
            Text.assemble(
                ("refused    ", "dim"),
                (f"{refused} of {against.times}", style),
                f" with {held.fixed}",
                _unheld(against),
            )
        )
    if not trial.reproduced and not held.is_model:
        say(f"this worker loses nothing in that schedule; explore it: homing reproduce {name}")


def _say_whose(path: Path) -> None:
    """That a model's losses say nothing of the service, and how to try the service's worker."""
    told = (
        "that model has this fault, so it says what the mechanism does and nothing of your "
        "service; your own worker was not tried"
    )
    for label, text, style in (
        ("whose      ", told, "yellow"),
        ("yours      ", f"homing reproduce {path} --worker YOUR_FILE.py:Class", "bold"),
    ):
        say_prose(Text.assemble((label, "dim"), (text, style)), indent=len(label))


def _longest(held: Held) -> float:
    """The pinned response time, seconds, if it is the longest of several; 0: none is pinned."""
    delays = held.case.delays_s
    pinned = [rule.answer.after_s for rule in held.trial.pin if rule.answer and rule.answer.status]
    return delays[-1] if len(delays) > 1 and delays[-1] in pinned else 0.0


def _unheld(trial: Trial) -> str:
    missed = trial.times - trial.held
    return f" (in {missed} of them the schedule had no occasion)" if missed else ""


def _document(held: Held, story: Story | None) -> dict[str, Any]:
    one, trial, against = held.suspect, held.trial, held.against
    return {
        "mechanism": one.mechanism,
        "sentence": one.sentence,
        "worker": held.worker,
        "is_model": held.is_model,
        "fixed": held.fixed or None,
        "pinned": [str(rule) for rule in trial.pin],
        "times": trial.times,
        "reproduced": trial.reproduced,
        "held": trial.held,
        "refused": None if against is None else against.times - against.reproduced,
        "held_with_fix": None if against is None else against.held,
        "story": story_document(story) if story else None,
    }
