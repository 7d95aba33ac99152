"""One table from errors to responses."""

from __future__ import annotations

import json

import pytest

from homing.core import errors
from homing.core.errors import HomingError, Problem
from homing.web.problems import STATUSES, describe

MADE = {
    errors.Invalid: errors.Invalid([Problem(("body", "url"), "wrong")]),
    errors.Refused: errors.Refused("invalid_range", "too long"),
}


def _leaves(kind: type[HomingError]) -> list[type[HomingError]]:
    below = kind.__subclasses__()
    return [leaf for one in below for leaf in _leaves(one)] if below else [kind]


@pytest.mark.parametrize("kind", _leaves(errors.RequestError) + _leaves(errors.StoreError))
def test_every_error_that_a_caller_can_meet_has_a_status_and_a_json_body(
    kind: type[HomingError],
) -> None:
    if kind.__module__ != errors.__name__:
        return  # those of the web layer are met in the end-to-end tests
    status, _, body = describe(MADE.get(kind) or kind("why"))
    assert status in STATUSES.values()
    told = json.loads(body)
    assert set(told) == ({"detail"} if status == 422 else {"code", "detail"})


def test_the_database_s_troubles_are_tried_again_by_every_sdk() -> None:
    status, headers, _ = describe(errors.Unavailable("full", retry_after_s=7))
    assert (status, dict(headers)[b"retry-after"]) == (503, b"7")
    status, headers, _ = describe(errors.Stale("moved on"))
    assert (status, dict(headers)[b"retry-after"]) == (503, b"1")


def test_a_refusal_has_its_own_code() -> None:
    status, _, body = describe(errors.Refused("missing_payload", "gone"))
    assert (status, json.loads(body)["code"]) == (400, "missing_payload")


def test_a_bug_tells_nothing_of_itself() -> None:
    status, _, body = describe(errors.IllegalTransition("secret details"))
    assert status == 500
    assert b"secret" not in body
