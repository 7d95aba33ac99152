"""The proposal that teams sign: a target that the numbers support, each number with its source."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from homing.insight.proposal import proposal, proposed_target


@pytest.mark.parametrize(
    ("good", "bad", "target"),
    [
        (999_700, 300, "0.999"),  # 0.03% bad: twice that is within 0.1%
        (997_000, 3_000, "0.99"),
        (1_000_000, 0, "0.9999"),
        (1_000, 0, "0.999"),  # so few events support no stricter one
        (5, 0, None),
        (0, 0, None),
        (50, 50, None),
    ],
)
def test_the_target_is_the_strictest_that_the_measurements_support(
    good: int, bad: int, target: str | None
) -> None:
    assert proposed_target(good, bad) == (None if target is None else Decimal(target))


def report(name: str, **fields: Any) -> dict[str, Any]:
    usual = {
        "objective": {"name": name, "sli": name, "means": f"{name} events", "targetText": "99.5%"},
        "good": 997_000,
        "bad": 3_000,
        "at": "2026-11-26T00:00:00.000000Z",
        "auditedAt": None,
        "unaccounted": None,
        "byOwner": [{"owner": "receiver", "rule": "status", "count": 7, "counts": False}],
    }
    return usual | fields


def test_the_page_has_targets_sources_owners_and_a_place_to_sign() -> None:
    page = proposal(
        [report("delivered"), report("unaccounted", unaccounted=2, auditedAt="2026-11-25T23:59")],
        service="payment notifications",
        teams=("payments", "platform"),
        period="the last four weeks",
        at="2026-11-26T00:00:00Z",
        per_s=Decimal(10),
        drop_rate=Decimal("0.003"),
    )
    for part in (
        "# Proposal: one reliability objective for payment notifications",
        "| unaccounted deliveries: none | 0 |",
        "| delivered events | 99% |",
        "| delivered | 997,000 | 3,000 | 99.7% | `homing slo report delivered --json`",
        "2 unaccounted",
        "| delivered | receiver | status | 7 | no |",
        "0.3% at 99%: no page, no ticket, the budget lasts",
        "| payments | | |",
        "| decides when we disagree | | |",
    ):
        assert part in page, part
