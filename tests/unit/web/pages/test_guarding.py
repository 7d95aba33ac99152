"""Wrong tokens by address."""

from __future__ import annotations

from homing.web.pages.guarding import Guard

S = 1_000_000


def wrong(guard: Guard, address: str, times: int, at_us: int = 0) -> None:
    for _ in range(times):
        guard.note_wrong(address, at_us=at_us)


def test_a_few_mistakes_cost_nothing() -> None:
    guard = Guard()
    wrong(guard, "203.0.113.1", 4)
    assert guard.wait_s("203.0.113.1", at_us=0) == 0


def test_more_of_them_double_the_wait_up_to_a_quarter_of_an_hour() -> None:
    guard = Guard()
    wrong(guard, "203.0.113.1", 5)
    assert guard.wait_s("203.0.113.1", at_us=0) == 2
    assert guard.wait_s("203.0.113.1", at_us=2 * S) == 0
    wrong(guard, "203.0.113.1", 1)
    assert guard.wait_s("203.0.113.1", at_us=0) == 4
    wrong(guard, "203.0.113.1", 500)
    assert guard.wait_s("203.0.113.1", at_us=0) == 900
    assert guard.wait_s("203.0.113.2", at_us=0) == 0


def test_an_hour_of_silence_is_forgiven() -> None:
    guard = Guard()
    wrong(guard, "203.0.113.1", 50)
    assert guard.wait_s("203.0.113.1", at_us=3_600 * S) == 0
    wrong(guard, "203.0.113.1", 1, at_us=3_600 * S)
    assert guard.wait_s("203.0.113.1", at_us=3_600 * S) == 0


def test_addresses_of_one_network_of_ipv6_count_together() -> None:
    guard = Guard()
    wrong(guard, "2001:db8::1", 5)
    assert guard.wait_s("2001:db8::ffff", at_us=0) == 2
    assert guard.wait_s("2001:db8:0:1::1", at_us=0) == 0


def test_it_remembers_no_more_addresses_than_it_may() -> None:
    guard = Guard()
    for number in range(10_050):
        wrong(guard, f"10.{number // 65536}.{number // 256 % 256}.{number % 256}", 1)
    assert len(guard._wrong) == 10_000
