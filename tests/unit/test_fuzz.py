"""No bytes of a stranger break a parser. The parsers and their promises are in support.parsers."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.parsers import TARGETS, Target

#: generous: a machine may be busy, and what this looks for does not end at all
SECONDS_MAX = 5.0
_SOURCE = Path(__file__).parents[2] / "src/homing"


def inputs(target: Target) -> st.SearchStrategy[bytes]:
    """Whole pieces in any order with noise between them, and noise alone."""
    piece = st.one_of(
        st.sampled_from(target.pieces), st.sampled_from(target.pieces), st.binary(max_size=6)
    )
    return st.one_of(st.lists(piece, max_size=14).map(b"".join), st.binary(max_size=300))


def feed(target: Target, data: bytes) -> None:
    began = time.process_time()
    target.feed(data)
    assert time.process_time() - began < SECONDS_MAX


@pytest.mark.parametrize("name", TARGETS)
def test_a_parser_does_with_any_bytes_what_it_promises(name: str) -> None:
    target = TARGETS[name]

    # The same draws each time: what gates a change must not depend on luck.
    @settings(
        max_examples=100,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(inputs(target))
    def check(data: bytes) -> None:
        feed(target, data)

    for piece in target.pieces:
        feed(target, piece)
    check()


@pytest.mark.explore
@pytest.mark.parametrize("name", TARGETS)
def test_a_parser_does_with_many_more_bytes_what_it_promises(name: str) -> None:
    target = TARGETS[name]

    @settings(
        max_examples=20_000,
        derandomize=False,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(inputs(target))
    def check(data: bytes) -> None:
        feed(target, data)

    check()


def test_every_parse_function_is_fed() -> None:
    """A new `parse_…` that reads strangers' bytes gets a target."""
    fed = (Path(__file__).parents[1] / "support/parsers.py").read_text()
    found = {
        name
        for path in _SOURCE.rglob("*.py")
        if not {"cli", "forensics", "sim"} & set(path.parts)  # what an operator types
        for name in re.findall(r"^def (parse_\w+)", path.read_text(), re.MULTILINE)
    }
    assert found
    assert {name for name in found if name not in fed} == set()
