"""From what came back to what it means."""

from __future__ import annotations

import pytest
from support.making import START_US

from homing.core.lifecycle import Failed, Gone, Succeeded
from homing.core.outcome import Outcome, Reason, fact_of


def test_only_2xx_is_a_success() -> None:
    outcome = Outcome(reason=Reason.OK, status=204)
    assert isinstance(fact_of(outcome, at_us=START_US, chance=0.5), Succeeded)


def test_410_means_gone() -> None:
    outcome = Outcome(reason=Reason.STATUS, status=410)
    assert isinstance(fact_of(outcome, at_us=START_US, chance=0.5), Gone)


@pytest.mark.parametrize(("status", "expected"), [(429, 7.0), (503, 7.0), (500, None), (301, None)])
def test_retry_after_counts_on_429_and_503_only(status: int, expected: float | None) -> None:
    outcome = Outcome(reason=Reason.STATUS, status=status, headers=(("Retry-After", "7"),))
    fact = fact_of(outcome, at_us=START_US, chance=0.5)
    assert isinstance(fact, Failed)
    assert fact.retry_after_s == expected
    assert fact.error == f"status {status}"


def test_an_error_is_one_short_line() -> None:
    outcome = Outcome(reason=Reason.DNS_FAILED, detail="x" * 500)
    assert len(outcome.error) == 200
    assert outcome.error.startswith("dns_failed: ")
