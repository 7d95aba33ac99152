"""Which tokens of an application an order ends."""

from __future__ import annotations

import itertools

from support.making import ORG_ID, SECOND_US, START_US

from homing.core.sessions import Session, TokenExpiry, ends, is_over

DAY_US = 86_400 * SECOND_US
NOTHING = TokenExpiry(
    scope=ORG_ID, id="app_1", version=0, created_at_us=START_US, updated_at_us=START_US
)


def session(generation: int = 0, name: str | None = None) -> Session:
    return Session(generation=generation, name=name, digest=b"", expires_at_us=START_US + DAY_US)


def order(
    before: TokenExpiry, at_us: int = START_US, after_s: int = 0, sessions: tuple[str, ...] = ()
) -> TokenExpiry:
    return ends(before, at_us=at_us, after_s=after_s, sessions=sessions, longest_s=28 * 86_400)


def test_nothing_is_over_where_nothing_was_ordered() -> None:
    assert not is_over(NOTHING, session(), at_us=START_US)


def test_what_was_made_before_is_over_and_what_is_made_after_is_not() -> None:
    ordered = order(NOTHING)
    assert is_over(ordered, session(NOTHING.generation), at_us=START_US)
    assert not is_over(ordered, session(ordered.generation), at_us=START_US)


def test_it_is_over_at_the_time_that_was_said_and_not_before() -> None:
    ordered = order(NOTHING, after_s=60)
    assert not is_over(ordered, session(), at_us=START_US + 60 * SECOND_US - 1)
    assert is_over(ordered, session(), at_us=START_US + 60 * SECOND_US)


def test_sessions_end_by_their_names() -> None:
    ordered = order(NOTHING, sessions=("ann", "bob"))
    assert is_over(ordered, session(name="bob"), at_us=START_US)
    assert not is_over(ordered, session(name="eve"), at_us=START_US)
    assert not is_over(ordered, session(), at_us=START_US)


def test_forgetting_orders_changes_nothing_for_any_token_that_can_still_be_good() -> None:
    steps = [(0, 0, ()), (1, 60, ("ann",)), (5, 0, ("ann", "bob")), (40, 3_600, ()), (80, 0, ())]
    for chosen in itertools.permutations(steps, 3):
        chosen = tuple(sorted(chosen))
        whole = pruned = NOTHING
        for day, after_s, sessions in chosen:
            at_us = START_US + day * DAY_US
            pruned = order(pruned, at_us, after_s, sessions)
            whole = ends(whole, at_us=at_us, after_s=after_s, sessions=sessions, longest_s=10**9)
        made_at = {0: START_US} | {
            n: START_US + day * DAY_US for n, (day, *_) in enumerate(chosen, 1)
        }
        for generation, name in itertools.product(range(4), (None, "ann", "bob")):
            born_us = made_at[generation]
            for day in (0, 1, 5, 28, 41, 81):
                at_us = born_us + day * DAY_US + 7
                if day < 28 and at_us >= START_US + chosen[-1][0] * DAY_US:
                    one = session(generation, name)
                    assert is_over(pruned, one, at_us=at_us) == is_over(whole, one, at_us=at_us)


def test_orders_do_not_pile_up() -> None:
    ordered = NOTHING
    for day in range(200):
        ordered = order(ordered, START_US + day * DAY_US, sessions=(f"user_{day}",))
    assert len(ordered.orders) <= 29
    for _ in range(5):
        ordered = order(ordered, START_US + 200 * DAY_US)
    assert len(ordered.orders) == 1
