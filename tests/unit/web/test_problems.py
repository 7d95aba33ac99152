"""One table from errors to responses."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import msgspec
import pytest

from homing.core import errors
from homing.core.errors import HomingError, Problem
from homing.web import operations
from homing.web.operations.endpoints import EndpointIn
from homing.web.problems import STATUSES, describe, invalid_from
from homing.web.schemas import PATTERN_WORDS, Moment

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


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"url": "nonsense"}, "expected a URL that begins with https:// or http://"),
        (
            {"url": "http://x.example", "uid": "bad name"},
            "expected letters (a to z), digits, hyphens, underscores and dots",
        ),
        ({"url": "http://x.example", "description": "\0"}, "expected text without NUL"),
    ],
)
def test_a_text_that_does_not_match_is_told_what_was_expected_in_words(
    given: dict[str, str], said: str
) -> None:
    with pytest.raises(msgspec.ValidationError) as found:
        msgspec.convert(given, EndpointIn)
    (problem,) = invalid_from(found.value, "body").problems
    assert problem.message == said


def test_every_pattern_of_a_request_has_words() -> None:
    folder = Path(operations.__file__).parent
    sources = [file.read_text() for file in (folder.parent / "schemas.py", *folder.glob("*.py"))]
    bare = {one for source in sources for one in re.findall(r'pattern=(r?"[^"]*")', source)}
    assert {ast.literal_eval(one) for one in bare} <= set(PATTERN_WORDS)


def test_a_time_is_asked_for_with_an_example() -> None:
    with pytest.raises(msgspec.ValidationError) as found:
        msgspec.convert("yesterday", Moment)
    (problem,) = invalid_from(found.value, "query").problems
    assert "2026-11-23T10:00:00Z" in problem.message
