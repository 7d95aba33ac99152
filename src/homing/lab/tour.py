"""The walk through the founding incident: what is done in which order, and what to see. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One line that is typed in the lab's folder."""

    line: str
    #: of `homing`: the sub-command, which must be there; None: a program of the system
    needs: str | None = None
    #: what it says by its exit code is expected: investigations find something
    codes: tuple[int, ...] = (0,)
    #: what to do where it finds something (1) that was not expected; empty: only the code is said
    remedy: str = ""
    #: it begins a record, so one that is there is put aside first
    is_opening: bool = False


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the walk."""

    name: str
    title: str
    before: str  #: what the step is for, and why
    commands: tuple[Command, ...]
    after: str  #: what to see in what was printed


_STILL: Final = (
    "worker.py still loses a delivery: apply the patch (in another terminal: patch worker.py "
    "fix.patch), or edit worker.py yourself, then Enter"
)

INTRODUCTION: Final = """\
Your company takes payments. When one is captured, a payment notification service, owned by another
team, sends a webhook to the shop, and the shop ships the goods. You see a shop's question in a
chat: "we have a payment without a notification". One. No ticket, no alert, nobody asked you.

In this folder is last week of that service:
  deliveries.jsonl.gz  its delivery log, one line for each change of a delivery
  payments.jsonl.gz    what was paid, as the payloads had it
  worker.py            its retry worker, the code that runs in production
  worker_1_8_1.py      the same, to be left as it is: what was found with it can be found again

The week is simulated, so the commands that add to the record of the incident are told on which day
of the story they are typed: --at. In an incident of your own you leave it out.
"""

KEYS: Final = """\
Enter runs the command that is shown, s skips it, q stops. To look around while you walk, or to type
a command yourself, open another terminal:
"""

STEPS: Final = (
    Step(
        name="notice",
        title="Notice: is it one, or are there more?",
        before="""\
Count what came in and what came out. That takes no tool, only the idea of doing it: a service that
loses something reports what it did, never what it did not do.""",
        commands=(
            Command(line='zgrep -c \'"event":"accepted"\' deliveries.jsonl.gz'),
            Command(line='zgrep -c \'"event":"succeeded"\' deliveries.jsonl.gz'),
            Command(line='zgrep -c \'"event":"dead"\' deliveries.jsonl.gz', codes=(0, 1)),
            Command(
                line='homing incident open "payment webhooks are missing" --file record.json'
                ' --service "payment notifications" --noticed-at 2026-11-16T09:05Z'
                ' --noticed-by "checkout team"'
                ' --how "a shop asked about a payment without a notification"'
                " --at 2026-11-16T09:10Z",
                needs="incident",
                is_opening=True,
            ),
            Command(
                line='homing incident note "payments team" --about owner'
                ' --source "the service catalogue" --at 2026-11-16T09:12Z',
                needs="incident",
            ),
            Command(
                line='homing incident note "checkout team" --about team --source "the staff list"'
                " --at 2026-11-16T09:13Z",
                needs="incident",
            ),
            Command(
                line='homing incident note "no ticket found" --about mandate'
                ' --at 2026-11-16T09:20Z --source "the tracker of the payments team"',
                needs="incident",
            ),
        ),
        after="""\
{accepted} accepted, {succeeded} delivered, {dead} given up: {missing} are none of the three.
{queue}

Lines are not deliveries, though. A delivery that succeeded twice has two lines, and hides one that
is lost (here {repeated}); one that waits for its next attempt when the log ends is not lost yet
(here {waiting}). So the next step, which counts deliveries, will say
{missing} + {repeated} - {waiting} = {lost}.

From here on, what the commands find is also written down: the incident is record.json, and it is
the open one of this folder. It also says whose the service is (`owner`), who you are (`team`), and
who gave you the task (`mandate`): nobody did.""",
    ),
    Step(
        name="investigate",
        title="Investigate: how many, since when, whose, and why?",
        before="""\
The log of a service you do not know. Homing guesses what its columns mean, puts every delivery in
exactly one column of the books, and asks what the lost ones have in common.""",
        commands=(
            Command(
                line="homing investigate deliveries.jsonl.gz --save incident.json"
                " --html investigation.html --at 2026-11-16T10:30Z",
                needs="investigate",
                codes=(1,),
            ),
            Command(line='zgrep -m1 \'"build":"1.8.1"\' deliveries.jsonl.gz'),
        ),
        after="""\
About three in a thousand, with an interval. Since Tuesday, a little after ten: what was deployed
then? The last line is the first that build 1.8.1 wrote,
minutes before the first drop. And the mechanism: two workers held the same delivery, and the late
result of the first was written over the second's. Read one of the examples from top to bottom: the
marked rows cross. The one that came through at the end is nearly the same; only what the second
worker heard is different. The same with plots is in investigation.html.""",
    ),
    Step(
        name="reproduce",
        title="Reproduce: make it happen on your machine",
        before="""\
A correlation is a suspicion. Now the worker's own code runs with time and order in our hands, held
to the schedule that the log shows.""",
        commands=(
            Command(
                line="homing reproduce incident.json --worker worker_1_8_1.py:RetryWorker"
                " --html schedule.html --pytest test_schedule.py --at 2026-11-16T13:15Z",
                needs="reproduce",
                codes=(1,),
            ),
        ),
        after="""\
Every time. The lease is ten seconds and an answer may take thirty. The second worker takes over, is
refused, and plans the next attempt; the first one's answer comes at last, and it writes what it
knows over the other's row, without a due time. Each leaves the next attempt to the other, and
nobody makes it. Look at `record` and `save` in
worker.py: which line would you change?""",
    ),
    Step(
        name="fix",
        title="Fix: the smallest change that mends it",
        before="""\
A longer lease would only make it rarer. The result of an attempt must count for that attempt only:
write the row only if it is still the one that this worker took. fix.patch does that: one line and
the reason for it. If you would rather write your own, edit worker.py in the other terminal now, and
skip the patch with s.""",
        commands=(
            Command(line="cat fix.patch"),
            #: 1: it is applied already, as when this step is done again
            Command(line="patch -N worker.py fix.patch", codes=(0, 1)),
            Command(
                line="homing reproduce incident.json --worker worker.py:RetryWorker"
                " --at 2026-11-16T15:50Z",
                needs="reproduce",
                remedy=_STILL,
            ),
            Command(
                line="homing reproduce worker.py:RetryWorker --runs 1000"
                " --at 2026-11-16T16:00Z --json > explored.json",
                needs="reproduce",
                remedy=_STILL,
            ),
            Command(
                line="homing incident fixed --diff fix.patch --at 2026-11-16T15:40Z"
                ' --text "a worker writes only the row that it took"',
                needs="incident",
            ),
        ),
        after="""\
The same schedules, the same code but for one line: none loses anything now. Then the worker was
explored without a suspicion, in {explored} other schedules, with crashes: {random} at random, as
many as --runs asks for, {priority} by priorities and {small} one by one, the nearest to calm.
Nothing either (explored.json has it). test_schedule.py stays red, as it is about 1.8.1; with
`.run(worker="worker.py:RetryWorker")` it holds yours to the same schedule.
That is a proof about the code, not yet about the service.""",
    ),
    Step(
        name="alert",
        title="Alert: who would have noticed, and who will next time?",
        before="""\
Why did no alert fire? The service has a target of 99.9%, with the usual burn-rate alerts, and what
is lost has no line that says so: these deliveries are in no ratio, so nothing counted them. Suppose
something had. The first command asks a model, which has the drops at a steady rate; the third asks
the week that was, in which they come in bursts. Burn rates make more of a burst than of a steady
drop, so they come sooner in the second table than in the first.""",
        commands=(
            Command(
                line="homing slo explain --target 99.9 --drop-rate {rate} --traffic {traffic}",
                needs="slo",
                codes=(0, 1),
            ),
            Command(line="homing slo rules --defaults --to rules", needs="slo"),
            Command(
                line="homing slo fired deliveries.jsonl.gz --rules rules --target 99.9"
                " --at 2026-11-16T16:30Z",
                needs="slo",
            ),
            Command(
                line="homing incident link rules/homing-slo-dead-letters.rules.yml"
                ' --text "alert rules for dead letters, with tests that make them fire"'
                " --at 2026-11-16T16:40Z",
                needs="incident",
            ),
        ),
        after="""\
A steady drop like this pages nobody at 99.9%; in bursts, as they came, the same drops might have.
Neither did, as nothing counted them. What is lost in silence needs a promise of its own:
unaccounted deliveries, zero. The folder `rules` has the alerts for Prometheus, dead letters and
unaccounted deliveries among them, each with a unit test that makes it fire. The last command but
one has asked those very rules, minute by minute, about the week that was: one of them would have
fired within minutes of the first drop, days before anybody noticed, and the one on dead letters
never. The burn rates below them are what --target would have made of the same minutes if anything
had counted the drops. The record keeps the second table, which is of what happened.""",
    ),
    Step(
        name="deploy",
        title="Deploy: with the owners, not past them",
        before="""\
It is their service. They see the failing schedule, the change that is ready to merge and the alert;
they say when it goes out, and they put it there. What was agreed, and who deployed what and when,
nobody can measure afterwards, so it is written down.""",
        commands=(
            Command(
                line='homing incident note "showed the payments team the failing schedule, the fix'
                ' and the alert, and agreed with them that they deploy it"'
                ' --about agreement --at 2026-11-17T09:00Z --source "the review of the change"',
                needs="incident",
            ),
            Command(
                line='homing incident deployed --by "payments team" --at 2026-11-17T14:30Z'
                " --commit 1.8.2",
                needs="incident",
            ),
        ),
        after="""\
The log of before ends on the Sunday; the change went out on the Tuesday. What is measured from now
on is measured with it.""",
    ),
    Step(
        name="verify",
        title="Verify: is it zero, and what is that zero worth?",
        before="""\
The first whole week with your worker.py: as many payments at the same hours, receivers as slow as
before. Then before and after are compared.""",
        commands=(
            Command(line="homing lab --again worker.py --log after.jsonl.gz", needs="lab"),
            Command(
                line="homing verify deliveries.jsonl.gz after.jsonl.gz --incident incident.json"
                " --model explored.json --at 2026-11-30T09:00Z",
                needs="verify",
            ),
        ),
        after="""\
None of all, and more to the point: none of those whose answer came after the lease had run out, of
which most were lost before. A zero is worth its number of
deliveries: the rate that it excludes is said beside it. Had no lease run out after the change, it
would have refused to call this fixed.""",
    ),
    Step(
        name="price",
        title="Price: what did it cost?",
        before="""\
Volume, rate and value are measured. How many buyers give up without a confirmation, and how many
come back, is not: that is in impact.toml, marked as assumed, with ranges.""",
        commands=(
            Command(
                line="homing impact deliveries.jsonl.gz --payloads payments.jsonl.gz"
                " --assumptions impact.toml --ids affected.tsv --svg impact.svg"
                " --at 2026-11-30T09:40Z",
                needs="impact",
            ),
            Command(
                line="homing impact deliveries.jsonl.gz --payloads payments.jsonl.gz"
                " --assumptions impact.toml --since {since} --at 2026-11-30T09:45Z",
                needs="impact",
            ),
        ),
        after="""\
Two numbers, not one: what was at risk, and what was lost of it. The first price is of the week as
it was, which had no fault before Tuesday; the second is of a week that has it all the time: what a
week of waiting costs. The bars say which assumption to measure first if somebody doubts the figure.
Change one in impact.toml and see.""",
    ),
    Step(
        name="review",
        title="Review: tell it",
        before="""\
What happened, since when, why, how it is known, what it cost, what keeps it from coming back. What
the commands found is in the record; what only people know, you add.""",
        commands=(
            Command(
                line="homing incident deployed --what change --at 2026-11-10T10:12Z"
                ' --by "payments team" --commit 1.8.1',
                needs="incident",
            ),
            Command(
                line='homing incident note "the lease is 10 s, an answer may take 30 s"'
                " --about factor --source worker.py --at 2026-11-30T10:30Z",
                needs="incident",
            ),
            Command(
                line='homing incident note "no objective for webhooks was shared between the teams"'
                " --about factor --at 2026-11-30T10:32Z",
                needs="incident",
            ),
            Command(
                line='homing incident action "agree on an objective that both teams share"'
                ' --kind prevent --owner "payments team" --due 2026-12-01 --at 2026-11-30T10:50Z',
                needs="incident",
            ),
            Command(
                line='homing incident action "alert on unaccounted deliveries and on dead letters"'
                ' --kind detect --owner "payments team" --due 2026-12-01 --at 2026-11-30T10:52Z',
                needs="incident",
            ),
            Command(
                line='homing incident adopted "the alert on dead letters, into its template for'
                ' webhooks" --by "payments team" --at 2026-11-30T15:00Z'
                ' --source "the change to the template of the payments team"',
                needs="incident",
            ),
            Command(
                line="homing review record.json --markdown review.md --html review.html",
                needs="review",
            ),
            Command(line="homing review record.json --check review.html", needs="review"),
        ),
        after="""\
Open review.html. Every number on it is a link to its source, where the command stands that finds
it again; `homing review record.json --recompute` runs all of them. Type a number into review.md by
hand, or change one, and let `homing review --check review.md` look at it. And when somebody asks
you to tell it in three minutes: `homing walkthrough draft` writes it from this record, with what
each sentence rests on (`--evidence`); then `homing walkthrough rehearse` and `homing walkthrough
mock`.""",
    ),
)

CLOSING: Final = """\
That was it: found, reproduced, fixed, verified and priced. There are {others} more services here:
one with this fault again (late-result), the others with another or with none. All of it is in the
lab's folder:
"""


def blocks(text: str) -> Iterator[str]:
    """Paragraphs, each as one line to be folded; lines that are set in stand as they are."""
    prose: list[str] = []
    for line in text.splitlines():
        if line.strip() and not line.startswith("  "):
            prose.append(line)
            continue
        if prose:
            yield " ".join(prose)
            prose = []
        yield line
    if prose:
        yield " ".join(prose)


def steps_for(commands: Mapping[str, object]) -> tuple[Step, ...]:
    """The steps whose commands are all there.

    Args:
        commands: the sub-commands of `homing` that exist.
    """
    return tuple(
        step
        for step in STEPS
        if all(one.needs is None or one.needs in commands for one in step.commands)
    )


def filled(line: str, values: Mapping[str, str]) -> str:
    """A command line with what is known by then, such as the measured rate."""
    for name, value in values.items():
        line = line.replace("{" + name + "}", value)
    return line
