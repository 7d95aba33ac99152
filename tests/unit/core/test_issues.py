"""Which dead letters are of one kind."""

from __future__ import annotations

import pytest
from support.making import START_US, make_delivery

from homing.core.identifiers import made_at_us
from homing.core.issues import Burden, fingerprint, key_of, new_issue
from homing.core.lifecycle import State
from homing.core.outcome import Outcome, Reason, fact_of


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("connect_refused: 10.1.2.3:443", "connect_refused: <address>"),
        ("connect_failed: [2001:db8::1]:443", "connect_failed: <address>"),
        ("reset: after 512 of 1024 bytes", "reset: after <n> of <n> bytes"),
        ("garbage: request 5f3a9c0d12ab77", "garbage: request <id>"),
        ("x: 123e4567-e89b-12d3-a456-426614174000 is gone", "x: <id> is gone"),
        ("tls_failed: CERTIFICATE_VERIFY_FAILED", "tls_failed: CERTIFICATE_VERIFY_FAILED"),
        ("a\0b \udcff", "a b ?"),
        ("word " * 60, ("word " * 24)),
    ],
)
def test_a_fingerprint_leaves_out_what_differs_each_time(error: str, expected: str) -> None:
    assert fingerprint(error) == expected[:120]


def test_a_status_is_a_status_and_not_a_text() -> None:
    dead = make_delivery(state=State.DEAD, reason="attempts_exhausted", last_error="status 503")
    assert (key_of(dead).status, key_of(dead).fingerprint) == (503, "")
    silent = make_delivery(state=State.DEAD, reason="poison_worker_crash")
    assert (key_of(silent).status, key_of(silent).fingerprint) == (None, "")


def test_an_issue_is_named_by_its_key_and_the_time_of_its_first_death() -> None:
    dead = make_delivery(state=State.DEAD, reason="attempts_exhausted", last_error="status 503")
    one, later = new_issue(key_of(dead), START_US), new_issue(key_of(dead), START_US + 9_000_000)
    assert one.uid == later.uid
    assert (one.id < later.id, made_at_us(one.id)) == (True, START_US)
    assert new_issue(key_of(dead), 0).id.startswith("iss_")


def test_tallies_add_up_by_currency() -> None:
    one = Burden(count=1, oldest_at_us=5, newest_at_us=5, micro={"EUR": 1, "USD": 2})
    other = Burden(count=2, oldest_at_us=3, newest_at_us=9, micro={"EUR": 4})
    total = Burden(count=3, oldest_at_us=3, newest_at_us=9, micro={"EUR": 5, "USD": 2})
    assert one + other == total
    assert one + Burden() == one


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (Reason.STATUS, "attempts_exhausted"),
        (Reason.TOTAL_TIMEOUT, "attempts_exhausted"),
        (Reason.DNS_FAILED, "dns_failed"),
        (Reason.TLS_FAILED, "tls_invalid"),
        (Reason.ADDRESS_BLOCKED, "ssrf_blocked"),
        (Reason.SIGN_FAILED, "sign_failed"),
    ],
)
def test_the_last_attempt_says_what_a_dead_letter_is_called(reason: Reason, expected: str) -> None:
    fact = fact_of(Outcome(reason=reason), at_us=START_US, chance=0.5)
    assert getattr(fact, "ends_as", None) == expected
