"""Which attacks pass without a record, as the page says; with one, none does."""

from __future__ import annotations

import pytest
from support.attacks import PAGE, Kind, kinds, line_of, table, written

KINDS = {one.name: one for one in kinds()}


@pytest.mark.parametrize("kind", KINDS.values(), ids=[*KINDS])
def test_what_earns_credit_without_a_record_is_marked_by_one(kind: Kind) -> None:
    found = line_of(kind)
    assert found.marked == found.earning


def test_the_table_on_the_page_is_what_comes_out() -> None:
    page = PAGE.read_text("utf-8")
    assert written(page, table()) == page, "python -m tests.support.attacks"
