"""Which of these tests read a whole log, step by step: the others are over in milliseconds."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if item.path.is_relative_to(HERE) and {"tmp_path", "tmp_path_factory"} & {*fixtures}:
            item.add_marker(pytest.mark.log)
