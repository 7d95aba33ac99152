"""Every test that SECURITY.md names exists, and every row of its tables names one."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "SECURITY.md").read_text()


def named(text: str) -> set[str]:
    return set(re.findall(r"`((?:tests/[\w/]*)?test_\w+(?:\.py)?)`", text))


def missing_from(names: set[str]) -> set[str]:
    files = list((ROOT / "tests").rglob("test_*.py"))
    functions = {
        name
        for path in files
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    paths = {str(path.relative_to(ROOT)) for path in files} | {path.name for path in files}
    return {name for name in names if name not in functions and name not in paths}


def test_every_test_that_is_named_exists() -> None:
    assert missing_from(named(PAGE)) == set()


def test_a_name_of_nothing_would_be_seen() -> None:
    assert missing_from(named("`test_nobody_wrote_this` `tests/e2e/test_nothing.py`")) == {
        "test_nobody_wrote_this",
        "tests/e2e/test_nothing.py",
    }


def test_every_threat_has_its_letter_and_its_test() -> None:
    threats = PAGE.partition("## Threats, by element")[2].partition("\n## ")[0]
    rows = [line for line in threats.splitlines() if re.match(r"\| [A-Z] \|", line)]
    assert {row[2] for row in rows} == set("STRIDE")
    assert len(rows) >= 30
    for row in rows:
        assert named(row.rsplit("|", 2)[1]), row
