"""The page of invariants names each of them, with the promise that it keeps."""

from __future__ import annotations

import re
from pathlib import Path

from homing.insight.promises import PROMISE_OF

PAGE = Path(__file__).parents[2] / "docs/reference/invariants.md"


def test_each_invariant_is_on_the_page_with_its_promise() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d) \|", PAGE.read_text(), re.M)
    assert {name: int(promise) for name, promise in rows} == PROMISE_OF
