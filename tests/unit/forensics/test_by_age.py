"""Whether deliveries are lost by their age (D11), or by a query that picks none up (D1)."""

from __future__ import annotations

import random

import pytest
from support.dropped import make_dropped, make_step

pytest.importorskip("duckdb")
pytest.importorskip("ibis")

from homing.forensics.facts import LogFacts
from homing.forensics.hypothesis import Hypothesis, form
from homing.forensics.judging import Verdict, Why
from homing.forensics.operations import RESULT_OF_OP, Op
from homing.forensics.traces import Step, Trace

HOUR = 3_600_000_000
TTL = 6 * HOUR
OPS = frozenset({Op.ACCEPTED, Op.FAILED, Op.RETRY, Op.SUCCEEDED})


def step(act: Op, at: float, **about: object) -> Step:
    return make_step(act, int(at), result=RESULT_OF_OP.get(act, 0), word=None, **about)


def lives(*, by_age: bool, has_due: bool, blur: float = 0.0) -> tuple[list[Trace], list[Trace]]:
    """Retries with delays that grow and differ much; what is lost is old, or any."""
    draw = random.Random(3)
    dropped, fine = [], []
    for number in range(600):
        at = born = number * HOUR / 10
        steps = [step(Op.ACCEPTED, at)]
        limit = TTL * draw.uniform(1 - blur, 1 + blur)
        for no in range(draw.randint(1, 6)):
            steps.append(step(Op.FAILED, at + 1, attempt=no + 1))
            due = at + HOUR * 2**no * draw.uniform(0.2, 1.0)
            about = {"due_us": int(due)} if has_due else {}
            steps.append(step(Op.RETRY, at + 2, attempt=no + 1, **about))
            is_lost = due - born > limit if by_age else draw.random() < 0.1
            if is_lost:
                dropped.append(
                    make_dropped(Why.SILENT, *steps, name=f"d-{number}", accepted_us=int(born))
                )
                break
            at = due
        else:
            steps.append(step(Op.SUCCEEDED, at))
            one = make_dropped(Why.NONE, *steps, name=f"d-{number}", accepted_us=int(born))
            fine.append(one._replace(verdict=Verdict.DELIVERED))
    return dropped, fine


def verdict(dropped: list[Trace], fine: list[Trace], log: LogFacts) -> Hypothesis:
    return form(dropped, fine, [], log, busiest_share=0.1)


@pytest.mark.parametrize("blur", [0.0, 0.1])
def test_a_time_to_live_is_known_by_what_was_kept_even_if_it_has_some_play(blur: float) -> None:
    log = LogFacts(fields=frozenset({"due", "attempt"}), ops=OPS, age_kept_us=int(TTL * (1 + blur)))
    found = verdict(*lives(by_age=True, has_due=True, blur=blur), log)
    assert (found.mechanism, [share.mechanism for share in found.shares]) == ("D11", ["D11"])


@pytest.mark.parametrize(("by_age", "candidates"), [(True, ["D1", "D11"]), (False, [])])
def test_with_no_due_time_old_drops_may_be_of_either(by_age: bool, candidates: list[str]) -> None:
    log = LogFacts(fields=frozenset({"attempt"}), ops=OPS)
    found = verdict(*lives(by_age=by_age, has_due=False), log)
    assert [one.mechanism for one in found.candidates] == candidates
    assert found.mechanism == (None if candidates else "D1")
    assert ("the log has no line for a deletion or due time" in found.sentence) == by_age


@pytest.mark.parametrize("is_sharp", [True, False])
def test_old_drops_that_all_failed_more_often_may_be_of_a_query_as_well(is_sharp: bool) -> None:
    log = LogFacts(
        fields=frozenset({"due", "attempt"}),
        ops=OPS,
        age_kept_us=TTL,
        is_age_sharp=is_sharp,
        are_later_attempts=True,
    )
    found = verdict(*lives(by_age=True, has_due=True, blur=0.0), log)
    assert found.mechanism == ("D11" if is_sharp else None)
    assert [c.mechanism for c in found.candidates] == ([] if is_sharp else ["D11", "D1"])
