"""Who has many gets no more, and who has none gets one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from homing.dispatch.turns import Turns


def granted(shares: Turns) -> list[tuple[str, str]]:
    found = []
    while (one := shares.grant()) is not None:
        found.append(one)
    return found


def test_one_alone_gets_a_third_of_all_places_and_no_more() -> None:
    shares = Turns(64)
    for number in range(1_000):
        shares.ask("greedy", str(number))
    assert len(granted(shares)) == 22
    assert shares.free == 42


def test_who_has_none_gets_one_while_any_is_free() -> None:
    shares = Turns(4)
    for who in "abcde":
        for number in range(3):
            shares.ask(who, str(number))
    assert [who for who, _ in granted(shares)] == ["a", "b", "c", "d"]
    shares.give_back("b")
    assert granted(shares) == [("e", "0")]


def test_a_greedy_one_does_not_keep_the_next_from_its_place() -> None:
    shares = Turns(16)
    for number in range(500):
        shares.ask("greedy", str(number))
    granted(shares)
    for who in ("second", "third", "fourth"):
        shares.ask(who, "x")
        assert granted(shares) == [(who, "x")]


def test_a_wish_that_was_withdrawn_is_not_granted() -> None:
    shares = Turns(2)
    shares.ask("a", "1")
    shares.ask("a", "1")
    shares.withdraw("a", "1")
    shares.withdraw("a", "never asked")
    assert shares.grant() is None
    assert shares.free == 2


@given(
    places=st.integers(1, 20),
    steps=st.lists(
        st.tuples(st.sampled_from(["ask", "end", "off"]), st.integers(0, 5)), max_size=80
    ),
)
def test_places_are_neither_lost_nor_made(places: int, steps: list[tuple[str, int]]) -> None:
    shares = Turns(places)
    held: list[str] = []
    asked: dict[str, set[str]] = {}
    for number, (what, one) in enumerate(steps):
        who = str(one)
        if what == "ask":
            shares.ask(who, str(number))
            asked.setdefault(who, set()).add(str(number))
        elif what == "off" and asked.get(who):
            shares.withdraw(who, asked[who].pop())
        elif what == "end" and held:
            shares.give_back(held.pop(one % len(held)))
        for granted_to, wish in granted(shares):
            asked[granted_to].remove(wish)
            held.append(granted_to)
        assert shares.free + len(held) == places
        waiting = {who for who, wishes in asked.items() if wishes}
        if shares.free:  # then whoever still waits has some already
            assert waiting <= set(held)
    for who in held:
        shares.give_back(who)
    assert shares.free == places
    # Each one's last place comes back, so nobody waits for ever.
    assert set(asked) >= {who for who, _ in granted(shares)}
