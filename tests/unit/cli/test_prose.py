"""Prose is folded between words where a terminal is, and left whole in a pipe."""

from __future__ import annotations

import pytest
from rich.console import Console
from rich.text import Text

from homing.cli import output

SENTENCE = "none of 12,080 dropped, 33 of 12,080 before; that excludes a rate of 0.025% or more"


def test_lines_after_the_first_are_set_in_and_no_word_is_cut(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Console(width=30, force_terminal=True, color_system=None, highlight=False)
    monkeypatch.setattr(output, "console", lambda: terminal)
    output.say_prose(Text(SENTENCE, style="bold"), indent=4)
    output.say_prose("It fits.", indent=4)
    first, *rest, fits = capsys.readouterr().out.splitlines()
    assert fits == "It fits."
    assert all(len(line) <= 30 for line in (first, *rest))
    assert all(line.startswith("    ") and line[4] != " " for line in rest)
    assert " ".join([first, *(line.strip() for line in rest)]) == SENTENCE


def test_a_pipe_gets_one_line_unless_a_width_is_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.say_prose(SENTENCE)
    assert capsys.readouterr().out.splitlines() == [SENTENCE]
    output.say_prose(SENTENCE, width_max=40)
    assert len(capsys.readouterr().out.splitlines()) == 3
    output.say_prose("")
    assert capsys.readouterr().out == "\n"
