"""How explored workers look in a terminal, and as JSON."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from rich.text import Text

from homing.cli.output import console, print_table, say, say_prose
from homing.cli.schedule_lanes import calls, schedule_lines
from homing.core.plurals import plural
from homing.sim.workers.explore import DEPTHS, Report, Tally
from homing.sim.workers.pages import footnote
from homing.sim.workers.story import Story
from homing.sim.workers.watch import INVARIANTS

#: what happened, in words; the first group says something only if it happened
_MET: Final = {
    "again": "a delivery was attempted again",
    "refusal": "a worker saw a refusal, or no answer in time",
    "overlap": "two workers had a request of one delivery under way",
    "lost answer": "a receiver took it and its answer was lost",
    "crash": "a process died in mid-call",
    "crash before": "… just before its write arrived",
    "crash after": "… just after its write",
    "slow answer": "a process stood still, or its call took longer than a lease",
    "away": "the store was away for a moment",
    "answer lost": "the store wrote and its answer was lost",
    "endless": "it was still going after 100,000 steps, so nothing is said of that run",
}
_MUST: Final = ("again", "refusal", "overlap", "crash", "slow answer")


def unmet(report: Report) -> list[str]:
    """What should have happened now and then, and never did."""
    met = report.random.met_runs
    names = [n for n in _MUST if n != "overlap" or report.case.workers > 1]
    return [_MET[name] for name in names if not met.get(name)] if report.random.runs >= 200 else []


def show_report(report: Report) -> None:
    """What was tried, and what that says."""
    tally = report.random
    print_table(
        ("runs#", "in which"),
        [
            (Text(f"{tally.met_runs.get(name, 0):,}"), text)
            for name, text in _MET.items()
            if tally.met_runs.get(name) or name in _MUST
        ],
    )
    say(Text(_scope(report), style="dim"))
    if tally.died_of:
        say(Text(f"in some runs it {tally.died_of}; it was started again", style="dim"))
    if report.found is not None:
        return
    say(Text.assemble(("nothing found ", "bold green"), f"in {plural(report.runs, 'run')}"))
    for line in statements(report):
        say(f"  {line}")
    if missing := unmet(report):
        say(Text.assemble(("but never once ", "bold yellow"), "; ".join(missing)))


def _scope(report: Report) -> str:
    tally, case = report.random, report.case
    delays = ", ".join(f"{s:g}" for s in case.delays_s)
    return (
        f"{plural(case.workers, 'worker')}, {plural(case.deliveries, 'delivery')}, slow answers "
        f"and standstills of {delays} s, request timeout {case.timeout_s:g} s; "
        f"{plural(tally.sent, 'request')}, {plural(tally.calls, 'call')}, "
        f"{tally.virtual_s / 3600:,.1f} simulated hours"
    )


def statements(report: Report) -> list[str]:
    """What a run that found nothing has shown, and no more."""
    lines = []
    if report.random.runs:
        lines.append(
            f"at random: {plural(report.random.runs, 'run')}; with 95% confidence fewer than "
            f"{report.per_run_below:.3%} of such runs break anything"
        )
    if report.priority.runs:
        chances = " and ".join(
            f"an order that takes {plural(depth, 'step')} with at least "
            f"{report.met_by_priorities(depth):.1%}"
            for depth in DEPTHS
        )
        lines.append(
            f"by priorities (PCT): {plural(report.priority.runs, 'run')} of two workers and one "
            f"delivery; whatever the mishaps, they meet {chances}"
        )
    small = report.small
    if small.runs:
        lines.append(
            f"one by one: {small.runs:,} of the schedules nearest to calm; all with at most "
            f"{plural(small.complete, 'thing')} out of the ordinary "
            f"({small.options} are possible in the calm one)"
        )
    return lines


def show_story(story: Story, *, is_sure: bool = False) -> None:
    """The screen: verdict, lanes, invariant, the same with the fix, replay, how sure.

    Args:
        is_sure: the command that was given has it again, and has said how often.
    """
    say()
    say_prose(Text.assemble(("BROKEN ", "bold red"), calls(story.verdict)), indent=7)
    for line in schedule_lines(story, console().width):
        say(line)
    say()
    name = story.breach.invariant
    say(Text.assemble(("invariant  ", "dim"), (name, "bold"), f": {INVARIANTS[name]}"))
    whose = f"it broke, {story.breach.delivery}: " if story.breach.delivery else "it broke: "
    say(Text.assemble(("before     ", "dim"), whose, story.breach.before))
    say(Text.assemble(("after      ", "dim"), whose, (story.breach.after, "red")))
    if (refusal := story.refusal) is not None:
        style = "green" if refusal.is_refused else "red"
        say(
            Text.assemble(
                ("fixed      ", "dim"),
                f"{refusal.worker.rpartition(':')[2]}: ",
                (calls(refusal.where), style),
                f"; {story.breach.delivery} ends {refusal.ends}",
            )
        )
    if not is_sure:
        say(Text.assemble(("again      ", "dim"), (story.command, "bold")))
        say(Text(footnote(story), style="dim"))


def story_document(story: Story) -> dict[str, Any]:
    """As JSON, with the command that has it again."""
    document: dict[str, Any] = msgspec.to_builtins(story)
    return {**document, "command": story.command}


def report_document(report: Report, story: Story | None) -> dict[str, Any]:
    """As JSON."""
    return {
        "found": report.found is not None,
        "runs": report.runs,
        "case": msgspec.to_builtins(report.case),
        "random": _tally(report.random),
        "priority": {
            "runs": report.priority.runs,
            "met_at_least": {str(d): report.met_by_priorities(d) for d in DEPTHS},
        },
        "small": {"runs": report.small.runs, "complete": report.small.complete},
        "per_run_below": report.per_run_below,
        "confidence": 0.95,
        "statements": statements(report) if report.found is None else [],
        "unmet": unmet(report),
        "story": story_document(story) if story else None,
    }


def _tally(tally: Tally) -> dict[str, Any]:
    return {
        "runs": tally.runs,
        "deliveries": tally.deliveries,
        "requests": tally.sent,
        "calls": tally.calls,
        "virtual_s": round(tally.virtual_s, 3),
        "met": tally.met_runs,
        "died_of": tally.died_of or None,
    }
