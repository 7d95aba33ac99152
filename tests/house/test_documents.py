"""What the documents list is what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from homing.core.lifecycle import DeadReason, State, diagram
from homing.core.outcome import Reason
from homing.core.records import LogEntry
from homing.insight.alerts.alert import Kind

ROOT = Path(__file__).parents[2]


def test_the_diagram_in_the_architecture_is_the_transition_table() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    found = re.search(
        r"lifecycle:begin -->\n```mermaid\n(.*?)\n```\n<!-- lifecycle:end", text, re.S
    )
    assert found, "the markers are gone"
    assert found[1] == diagram(), "print homing.core.lifecycle.diagram() between the markers"


@pytest.mark.parametrize("word", [*Reason, *DeadReason], ids=str)
def test_every_reason_is_in_the_reference(word: str) -> None:
    assert f"`{word}`" in (ROOT / "docs/reference/outcomes.md").read_text()


@pytest.mark.parametrize("field", LogEntry.__struct_fields__)
def test_every_field_of_the_delivery_log_is_in_the_reference(field: str) -> None:
    assert f"`{field}`" in (ROOT / "docs/reference/delivery-log.md").read_text()


@pytest.mark.parametrize("state", State, ids=str)
def test_every_state_is_in_the_architecture(state: State) -> None:
    assert state in (ROOT / "ARCHITECTURE.md").read_text().lower()


def test_relative_links_between_documents_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target and not target.startswith("mailto:"):
                assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} → {target}"


@pytest.mark.parametrize("kind", Kind, ids=str)
def test_every_kind_of_alert_is_described(kind: Kind) -> None:
    assert f"`{kind}`" in (ROOT / "docs/how-to/alerts.md").read_text()


def test_the_readme_is_read_in_one_go() -> None:
    words = (ROOT / "README.md").read_text().split()
    assert len(words) <= 760, "what is more has a place in docs/"


def test_the_list_of_documents_has_every_page_by_its_title() -> None:
    listed = (ROOT / "docs/README.md").read_text()
    pages = set((ROOT / "docs").glob("*/*.md")) - set((ROOT / "docs/decisions").glob("*.md"))
    for page in sorted(pages):
        title = page.read_text().splitlines()[0].removeprefix("# ")
        assert f"[{title}]({page.relative_to(ROOT / 'docs')})" in listed
