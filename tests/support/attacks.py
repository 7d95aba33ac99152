"""Answers that are made to fool the rules, by kind: templates, chance by a seed, and inventions.

`python -m tests.support.attacks` writes the table of docs/explanation/assessing.md: which kinds
earn credit without a record, and what a record says of them.
"""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from homing.review.incident import Incident
from homing.walkthrough import packs
from homing.walkthrough.assess import State, assess

try:
    from support.walkthrough import LAB
except ImportError:  # run as a module, from the root
    from tests.support.walkthrough import LAB

LIBRARY = packs.shipped()
#: the same incident, in which somebody else did all the work
OF_OTHERS = msgspec.json.decode(msgspec.json.encode(LAB).replace(b'"ana"', b'"bo"'), type=Incident)
PAGE = Path(__file__).parents[2] / "docs/explanation/assessing.md"
BEGIN, END = "<!-- attacks:begin -->", "<!-- attacks:end -->"
#: rules by which something good is found in what is told
CREDITS = (
    "agency", "hand_off", "specificity", "scope_boundary", "unassigned", "quantified_result",
    "business_translation", "verification", "second_order", "generic_reflection",
    "organisational_cause",
)  # fmt: skip
PLAIN = (
    "It was in spring, and the page for orders was slow on some days. There was a good deal of talk"
    " about it at lunch, and in the end it went away."
)


# --- keywords ---

VERBS = ("pulled", "traced", "wrote", "fixed", "tested", "monitored", "queried", "deployed",
         "measured", "compared", "added", "check", "write", "verify")  # fmt: skip
CLAIMS = (
    "nobody asked me", "no ticket existed", "it was not my team", "outside my area",
    "from 0.3% to 0%", "reduced by 50%", "it dropped to zero", "I saved $8,000 per week",
    "I monitored two weeks", "I verified 10,000 deliveries", "other teams adopted it",
    "the platform team adopted it", "it became standard", "no owner, no agreement",
    "no shared objective", "looking back", "root cause", "ownership", "customer obsession",
)  # fmt: skip
SHAPES = ("I {verb} {term}", "I {verb} the {term}", "i {verb} this {term}", "{term}",
          "I {verb} {term} and {other}", "we {verb} {term}", "I learned {term}")  # fmt: skip
JOINTS = (", ", ". ", "; ", " and ", ".\n", ", and ", " — ", ", then ")


def stuffed(seed: int) -> str:
    """Terms of a scenario and claims in short clauses, shuffled."""
    chance = random.Random(seed)
    scenario = chance.choice(list(LIBRARY.scenarios.values()))
    terms = [term for term in scenario.terms if len(term.split()) <= 2]
    parts = [
        chance.choice(SHAPES).format(
            verb=chance.choice(VERBS), term=chance.choice(terms), other=chance.choice(terms)
        )
        for _ in range(chance.randint(8, 20))
    ]
    parts += chance.sample(CLAIMS, chance.randint(6, len(CLAIMS)))
    chance.shuffle(parts)
    return "".join(part + chance.choice(JOINTS) for part in parts)


# --- taken back, wished, supposed ---

#: a claim that earns its rule, said plainly
PLAINLY = {
    "unassigned": "nobody had asked me to look at it",
    "scope_boundary": "the service belonged to another team",
    "quantified_result": "the rate of lost orders went from 3% to zero",
    "business_translation": "it had cost us about $8,000 a week in lost orders",
    "second_order": "the platform team adopted my alert in their template",
    "verification": "I watched the rate for two weeks after the release",
    "organisational_cause": "no team had promised a rate to anybody",
    "agency": "I pulled the logs of a week and I traced one order to the worker and I wrote a fix"
    " for the retry code",
    "hand_off": "I wrote the fix for the retry code",
}
DENIALS = (
    "It is not true that {claim}.",
    "It isn't true that {claim}.",
    "It would be wrong to say that {claim}.",
    "I cannot claim that {claim}.",
    "I can't honestly say that {claim}.",
    "I won't claim that {claim}.",
    "I won't pretend {claim}.",
    "I would be lying if I said that {claim}.",
    "I never said that {claim}.",
    "Nobody could say that {claim}.",
    "It is false that {claim}.",
    "It's a myth that {claim}.",
    "I could tell you that {claim}, but it would not be so.",
    "People think that {claim}, and that is not true.",
    "People think that {claim}, but that's not what happened.",
    "You might think so, but it is far from true that {claim}.",
    "Some say that {claim}. That is not true.",
    "Some say that {claim}. This is false.",
    "It is not as if {claim}.",
    "I wish I could say that {claim}.",
    "Not that {claim}.",
)
BASE = "In spring I was busy with the page for orders, and some of the orders went missing."


WISHES = (
    "I hope that {claim}.",
    "I had hoped that {claim}.",
    "My plan was that {claim}.",
    "The idea was that {claim}.",
    "Ideally {claim}.",
    "In theory {claim}.",
    "If I had had access, {claim}, or would have.",
    "Had I been given access, {claim}, or it would have been so.",
    "Suppose {claim}.",
    "Imagine that {claim}.",
    "If they had merged it, {claim}.",
)


# --- others' results ---

OTHERS = ("the vendor", "our payment processor", "their engineers", "the hosting company",
          "the platform team", "a contractor", "Cloudflare", "Maria", "the carrier", "my colleague",
          "the registrar", "another team", "the cloud provider", "they",
          "somebody in the other team")  # fmt: skip
MENDS = (
    "{who} patched the gateway. The failures fell from 2% to zero.",
    "{who} shipped a change that rejects repeated orders. Since that release the failures have"
    " fallen from 412 to 0 a month.",
    "{who} fixed it in the end, and the failures went from 2% to zero.",
    "{who} rolled back the release. After that the failures went down from 2% to 0.1%.",
)


# --- inventions ---

#: (what is invented, and words of it); the record is ana's, who deployed and agreed nothing
INVENTED = (
    "The drop rate went from 4% to zero, none of 900,000 deliveries.",
    "In that week 12,000 webhooks were lost.",
    "It had cost us about $450,000 a week in lost orders.",
    "The loss came to $2 million a year.",
    "Two in a hundred webhooks never arrived.",
    "The failure rate fell by 95%, from 6% to 0.3%.",
    "I deployed the fix on Friday.",
    "I shipped the change to production the same evening.",
    "The search team adopted my alert in their template.",
    "Every team in the company adopted the alert after that.",
    "I wrote an alert for the dead letters and I showed it to the search team."
    " Since then my alert is part of their template.",
    "Of 5,000,000 deliveries, none was lost after the release.",
    "After the fix 40 webhooks were still lost in a month.",
    "We recovered $8,000 a week.",
)
#: acts that the record has, of somebody else
TAKEN = (
    "I pulled the delivery log and I traced the cause of the losses.",
    "I reproduced it on my laptop in one evening.",
    "I wrote the fix for the retry code.",
    "I noticed it on Monday.",
    "I compared the rate before with the rate after.",
    "I estimated the loss for the review.",
)
#: inventions that earn the credit of some rule as long as there is no record
CREDITED = (
    "I rebuilt the queue on Kafka in two days and I moved all the consumers over to it.",
    "I wrote a driver patch for the load balancer and I tested it on forty machines.",
    "The service belonged to the search team, and nobody had asked me to look at it.",
    "I monitored the rate for three weeks after the release, and it stayed at zero.",
    "No team had owned the DNS zone, and I proposed an on-call rota to all the teams.",
    "I rolled the fix out to twelve regions with a canary in each.",
    "I checked it again after a month with 40,000 messages, and none was lost.",
    "It turned out that the clock of the database ran four minutes late, and I corrected it.",
    "I wrote a migration that added a unique constraint to the table of deliveries.",
    "The legal team made my dashboard part of their process.",
    "Support tickets fell by half, from 80 to 40 a week.",
    "I reduced the latency of the worker from 900 ms to 90 ms.",
    "I refunded 250 customers myself.",
    "We had agreed on an objective of 99.95% with all teams since then.",
    "I pulled the packet captures and I traced the resets to a firewall. I wrote a rule for it and"
    " I replaced the switch in the second rack.",
)


# --- the table ---


class Kind(NamedTuple):
    """Attacks of one kind, and the record that they are held against."""

    name: str
    texts: list[str]
    record: Incident = LAB
    base: str = ""  #: what it stands in; its own credits do not count


class Line(NamedTuple):
    """What came of a kind."""

    name: str
    count: int
    earning: int  #: texts that earn the credit of a rule of content without a record
    marked: int  #: of those, how many the record contradicts or does not show


def kinds() -> Iterator[Kind]:
    yield Kind(
        "keywords in clauses, shuffled, each with its “I” and a verb", [*map(stuffed, range(60))]
    )
    claims = PLAINLY.values()
    yield Kind(
        "a claim that is taken back",
        [f"{BASE} {one.format(claim=claim)}" for one in DENIALS for claim in claims],
        base=BASE,
    )
    yield Kind(
        "a claim that is wished or supposed",
        [
            f"{BASE} {one.format(claim=claim)}"
            for one in WISHES
            for rule, claim in PLAINLY.items()
            if rule != "unassigned"
        ],
        base=BASE,
    )
    begun = "I noticed that orders failed, and I opened a case about it."
    yield Kind(
        "a result of others, told as the end of one's own story",
        [
            f"{begun} {mend.format(who=who[0].upper() + who[1:])}"
            for mend in MENDS
            for who in OTHERS
        ],
    )
    yield Kind("an invented figure, adoption or release", [*INVENTED])
    yield Kind("another's work, told as one's own", [*TAKEN], OF_OTHERS)
    yield Kind("an invented act, cause, result or lesson, well told", [*CREDITED])
    level = LIBRARY.levels["sde2"]
    yield Kind(
        "a strong story of another incident, stage by stage",
        [
            f"## {stage.name}\n\n{one.strong(stage, level)}"
            for one in LIBRARY.scenarios.values()
            if one.id != "lost-update"
            for stage in one.stages
        ],
    )


def credited(text: str) -> set[str]:
    """The rules of content that a text meets without a record."""
    found = assess(text, None, LIBRARY.levels["sde2"], LIBRARY.principles["ownership"]).states
    return {rule for rule in CREDITS if found.get(rule) is State.MET}


def is_marked(text: str, record: Incident) -> bool:
    """Whether a record contradicts something of it, or says that it does not have it."""
    level, lens = LIBRARY.levels["sde2"], LIBRARY.principles["ownership"]
    found = assess(text, None, level, lens, record, me="ana").of("record")
    return bool({one.state for one in found} & {State.CONTRADICTED, State.WEAK})


def line_of(kind: Kind) -> Line:
    own = credited(kind.base) if kind.base else set()
    earning = [one for one in kind.texts if credited(one) - own]
    marked = sum(is_marked(one, kind.record) for one in earning)
    return Line(kind.name, len(kind.texts), len(earning), marked)


def table() -> str:
    """The lines as Markdown."""
    head = (
        "| attack | made | earn something without a record | of those, marked by a record |\n"
        "| --- | ---: | ---: | ---: |"
    )
    lines = [
        f"| {one.name} | {one.count} | {one.earning} | {one.marked if one.earning else '-'} |"
        for one in map(line_of, kinds())
    ]
    return "\n".join([head, *lines])


def written(page: str, text: str) -> str:
    """A page with the table between its marks."""
    between = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    return between.sub(lambda _: f"{BEGIN}\n{text}\n{END}", page)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8"), table()), "utf-8")
    sys.stdout.write(f"written: {PAGE}\n")
