"""Tests of many features against figures that others have published or computed."""

from __future__ import annotations

import pytest

from homing.forensics.statistics import (
    corrected,
    fisher_greater,
    p_text,
)


def test_fisher_one_sided() -> None:
    # 3 of 4 cups of tea: 1 - C(4,4)C(4,0)/70 is 17/70 for three or more
    assert fisher_greater(3, 4, 4, 8) == pytest.approx(17 / 70)
    assert fisher_greater(0, 4, 4, 8) == 1.0


def test_correction_for_many_tests() -> None:
    assert corrected([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])
    assert corrected([]) == []


def test_a_p_value_that_is_too_small_for_a_number_is_not_shown_as_zero() -> None:
    assert [p_text(0.0), p_text(3.21e-12), p_text(0.034)] == ["< 10^-300", "= 3e-12", "= 0.03"]
