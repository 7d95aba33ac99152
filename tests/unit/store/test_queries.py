"""Named statements are loaded from their files, each name once."""

from __future__ import annotations

from pathlib import Path

import pytest

from homing.store import queries


def test_a_name_that_stands_twice_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "sql" / "any" / "queries"
    folder.mkdir(parents=True)
    (folder / "one.sql").write_text("-- name: look\nSELECT 1 ORDER BY 1 ASC;\n")
    monkeypatch.setattr(queries, "files", lambda package: tmp_path)
    assert queries.load_queries("any") == {
        "look": "SELECT 1 ORDER BY 1 ASC;",
        "look_descending": "SELECT 1 ORDER BY 1 DESC;",
    }
    (folder / "two.sql").write_text("-- name: look\nSELECT 2;\n")
    with pytest.raises(ValueError, match="one statement named look"):
        queries.load_queries("any")
