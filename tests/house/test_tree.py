"""What is committed: generated pages are fresh, no SQL is dead, no machine leaves its traces."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from homing.cli.reference import PAGES
from homing.settings import OTHER_NAMES, knobs
from homing.store.queries import load_queries

ROOT = Path(__file__).parents[2]

#: paths of somebody's machine, and hosts that only some network has
TRACES = re.compile(
    r"(?<![\w.])/(?:home|Users|work|root)/[a-z]"
    r"|https?://[^/\s\"')]*\b(?:nexus|artifactory|devpi|registry\.internal)\b"
    r"|--index-url|--registry[= ]https?:",
)


def tracked_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
        timeout=120,
    ).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_fresh(name: str) -> None:
    page = ROOT / "docs/reference" / name
    assert page.read_text() == PAGES[name](), "run `make docs`"


def test_every_setting_is_in_the_reference() -> None:
    text = (ROOT / "docs/reference/settings.md").read_text()
    assert not [name for name in (*knobs(), *OTHER_NAMES) if f"`{name}`" not in text]


def test_no_file_names_a_machine_or_a_private_registry() -> None:
    found = []
    for path in tracked_files():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
            for number, line in enumerate(text.splitlines(), 1)
            if TRACES.search(line) and path != Path(__file__)
        ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
def test_every_statement_is_used(dialect: str) -> None:
    places = (ROOT / "src/homing/store").rglob("*.py")
    code = "\n".join(path.read_text() for path in places)
    names = {name.removesuffix("_descending") for name in load_queries(dialect)}
    # A name may also be put together, as in f"find_{kind}".
    unused = {
        name for name in names if not re.search(rf"\b{name}\b|\b{name.partition('_')[0]}_{{", code)
    }
    assert not unused, f"{dialect}: {sorted(unused)}"


def test_every_dialect_has_its_schema_and_its_first_migration() -> None:
    for dialect in ("sqlite", "postgres"):
        folder = ROOT / "src/homing/store/sql" / dialect
        assert (folder / "schema.sql").exists(), dialect
        assert list((folder / "migrations").glob("0001_*.sql")), dialect
