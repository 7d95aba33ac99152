"""How attempts end, and why deliveries are given up, in words."""

from __future__ import annotations

import pytest

from homing.core.lifecycle import DeadReason
from homing.core.outcome import Outcome, Reason
from homing.web.pages.outcomes import explain, meaning


@pytest.mark.parametrize("reason", list(DeadReason))
@pytest.mark.parametrize("status", [None, 100, 200, 302, 404, 418, 500, 599])
def test_every_way_to_die_is_said_in_sentences(reason: DeadReason, status: int | None) -> None:
    found = meaning(reason, status, "")
    assert found.what
    assert not found.what.endswith(".")
    assert found.why.endswith(".")
    assert found.to_do.endswith((".", "?"))


def test_a_status_is_named_and_tells_what_to_look_at() -> None:
    found = meaning("attempts_exhausted", 503, "")
    assert found.what == "The receiver is not available (503)"
    assert "send again" in found.to_do


@pytest.mark.parametrize("reason", list(Reason))
def test_every_way_for_an_attempt_to_end_is_said(reason: Reason) -> None:
    what, to_do = explain(reason, 503 if reason is Reason.STATUS else None)
    assert what[0].isupper()
    assert not what.endswith(".")
    assert reason is Reason.OK or to_do.endswith((".", "?"))


@pytest.mark.parametrize("reason", [Reason.CONNECT_REFUSED, Reason.TOTAL_TIMEOUT, Reason.RESET])
def test_an_error_is_known_by_the_word_that_it_begins_with(reason: Reason) -> None:
    error = Outcome(reason=reason, detail="so it is").error
    found = meaning("attempts_exhausted", None, error)
    assert error in found.why
    assert found.what != "The receiver could not be reached"
    other = meaning("attempts_exhausted", None, "something new")
    assert other.what == "The receiver could not be reached"
    assert "something new" in other.why
