"""Examples that people copy can be typed: in every command's help, and in every document."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from homing.cli.main import COMMANDS, homing
from homing.lab.tour import STEPS, filled

ROOT = Path(__file__).parents[3]
#: what a shell does with the rest of a line is not ours
_SHELL = {"|", ">", ">>", "&", "&&", ";", "2>"}
_ASSIGNMENT = re.compile(r"[A-Z_]+=")


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")


def words_of(line: str) -> list[str] | None:
    """The words after `homing` in a line of shell; None when it is not such a line."""
    try:
        words = shlex.split(line.partition("      (")[0], comments=True)
    except ValueError:
        return None
    while words and _ASSIGNMENT.match(words[0]):
        words.pop(0)
    if "homing" not in words[:6] or words[0] not in ("homing", "echo", "export"):
        return None
    if words[0] == "export":
        return None
    words = words[words.index("homing") + 1 :]
    end = next((i for i, word in enumerate(words) if word in _SHELL), len(words))
    return words[:end]


def parse(words: list[str]) -> None:
    """Let click read the words as far as it can without doing anything."""
    command: click.Command = homing
    context = click.Context(homing, info_name="homing")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        assert found is not None, f"there is no command {words[0]}"
        command, words = found, words[1:]
    if isinstance(command, click.Group):
        assert all(word in ("--help", "-h", "--version") for word in words), words
    elif "--help" not in words:
        command.make_context("example", words, parent=context)


def examples() -> Iterator[tuple[str, str]]:
    for path, command in commands(homing, "homing"):
        for line in (command.help or "").splitlines():
            if line.startswith("  "):
                yield path, line.strip()
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for block in re.findall(r"```(?:sh|bash|console)?\n(.*?)```", page.read_text(), re.S):
            for line in block.splitlines():
                yield page.name, line.strip().removeprefix("$ ")


CASES = [(where, line) for where, line in examples() if words_of(line)]


def test_there_are_examples_to_try() -> None:
    assert len(CASES) > 60


@pytest.mark.parametrize(("where", "line"), CASES)
def test_an_example_can_be_typed(where: str, line: str) -> None:
    words = words_of(line)
    assert words
    try:
        parse(words)
    except click.UsageError as error:
        pytest.fail(f"{where}: {line}: {error.format_message()}")


def test_every_command_has_an_example() -> None:
    lacking = [
        path
        for path, command in commands(homing, "homing")
        if not isinstance(command, click.Group) and "Example" not in (command.help or "")
    ]
    assert not lacking


def test_every_listed_command_is_where_it_should_be() -> None:
    context = click.Context(homing)
    for name in COMMANDS:
        command = homing.get_command(context, name)
        assert command is not None
        assert command.name == name


@pytest.mark.parametrize(
    "line",
    [one.line for step in STEPS for one in step.commands if one.needs],
    ids=lambda line: line[:40],
)
def test_every_command_of_the_lab_can_be_typed(line: str) -> None:
    words = words_of(
        filled(line, {"rate": "0.30%", "traffic": "0.33/s", "since": "2026-11-10T09:40Z"})
    )
    assert words
    parse(words)
