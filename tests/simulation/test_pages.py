"""What is written for others: a page, a diagram, a test that runs."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from support.processes import without_our_options

from homing.core.errors import Invalid
from homing.sim import pages
from homing.sim.runs import hunt
from homing.sim.schedule import parse_token
from homing.sim.story import Story


@pytest.fixture(scope="module")
def story() -> Story:
    found = hunt("settle-twice", finds=1).story
    assert found is not None
    return found


class Outline(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_stands_alone_and_can_be_walked_without_eyes_or_mouse(story: Story) -> None:
    text = pages.html(story)
    outline = Outline()
    outline.feed(text)
    tags = [tag for tag, _ in outline.tags]
    assert not {"script", "link", "img", "iframe"} & set(tags)
    assert "url(" not in text
    assert ("html", {"lang": "en"}) in outline.tags
    assert tags.count("h1") == tags.count("main") == tags.count("caption") == 1
    headers = [given for tag, given in outline.tags if tag == "th"]
    assert all(given.get("scope") == "col" for given in headers)
    assert len(headers) == len(story.lanes) + 4
    assert "prefers-color-scheme: dark" in text
    assert text.count(">crosses<") == 2, "not by colour alone"
    assert story.command in text


def test_what_a_page_shows_cannot_be_markup(story: Story) -> None:
    import msgspec

    assert "<script>" not in pages.html(msgspec.structs.replace(story, verdict="<script>"))


def test_the_diagram_has_every_row(story: Story) -> None:
    lines = pages.mermaid(story).splitlines()
    assert lines[0] == "sequenceDiagram"
    assert sum("->>row" in line for line in lines) == len(story.rows)
    assert sum(line.strip() == "end" for line in lines) == 2
    assert not any(";" in line for line in lines)


@pytest.mark.parametrize("is_fixed", [True, False])
def test_the_written_test_says_whether_it_is_mended(
    is_fixed: bool, story: Story, tmp_path: Path
) -> None:
    path = tmp_path / "test_written.py"
    text = pages.pytest_file(story)
    if not is_fixed:  # as if production itself were without the safeguard
        text = text.replace("run(safe=True)", "run()")
    path.write_text(text)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", path],
        env=without_our_options(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    expected = "2 passed" if is_fixed else "1 failed, 1 passed"
    assert expected in run.stdout, run.stdout
    subprocess.run(
        [sys.executable, "-m", "ruff", "check", "-q", path], check=True, cwd=tmp_path, timeout=500
    )


def test_a_token_is_one_word_and_comes_back_whole(story: Story) -> None:
    assert story.token.isascii()
    assert not set(story.token) & set(" /+=\"'")
    schedule = parse_token(f"  {story.token}\n")
    assert schedule.token() == story.token


@pytest.mark.parametrize("text", ["", "h1.", "h1.AAAA", "h2.eNo", "h1.é", "no token"])
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_token(text)
