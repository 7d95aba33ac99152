"""Which trace a message belongs to, and what is kept of it."""

from __future__ import annotations

import pytest

from homing.core.trace import (
    acceptance_span,
    attempt_span,
    read_traceparent,
    trace_of,
    traceparent_of,
)

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01"),
        (f" 00-{TRACE}-{SPAN}-00 ", f"00-{TRACE}-{SPAN}-00"),
        (f"00-{TRACE}-{SPAN}-03", f"00-{TRACE}-{SPAN}-01"),  # other flags are not ours to hand on
        (f"cc-{TRACE}-{SPAN}-01-what-comes-later", f"00-{TRACE}-{SPAN}-01"),
        (f"00-{TRACE}-{SPAN}-01-more", None),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{SPAN}-01", None),
        (f"00-{TRACE}-{SPAN}", None),
        (f"00-{TRACE}-{SPAN}-01\r\nx: y", None),
        ("", None),
    ],
)
def test_only_a_valid_traceparent_is_kept(given: str, kept: str | None) -> None:
    assert read_traceparent(given) == kept


def test_a_message_goes_on_with_its_publishers_trace() -> None:
    trace = trace_of("msg_1", f"00-{TRACE}-{SPAN}-01", share=0.0)
    assert (trace.id, trace.parent, trace.sampled) == (TRACE, SPAN, True)
    told = traceparent_of(trace, attempt_span("msg_1", "ep_1", 1))
    assert read_traceparent(told) == told
    assert told.startswith(f"00-{TRACE}-")
    assert told.endswith("-01")
    assert SPAN not in told


def test_a_publisher_who_does_not_sample_is_believed() -> None:
    assert not trace_of("msg_1", f"00-{TRACE}-{SPAN}-00", share=1.0).sampled


def test_without_a_publishers_trace_the_given_share_is_kept() -> None:
    kept = sum(trace_of(f"msg_{number}", None, share=0.25).sampled for number in range(10_000))
    assert 2_300 < kept < 2_700
    assert trace_of("msg_1", None, share=1.0).sampled
    assert not trace_of("msg_1", None, share=0.0).sampled


def test_every_span_has_an_id_of_its_own() -> None:
    spans = {
        acceptance_span("msg_1"),
        attempt_span("msg_1", "ep_1", 1),
        attempt_span("msg_1", "ep_1", 2),
        attempt_span("msg_1", "ep_2", 1),
        attempt_span("msg_2", "ep_1", 1),
    }
    assert len(spans) == 5
    assert {len(span) for span in spans} == {16}
