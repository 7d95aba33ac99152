"""Which story, for whom, at which level: the options that the walks share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from homing.cli.incidents import place_of
from homing.cli.walkthrough.screen import Screen
from homing.cli.walkthrough.typing_in import Keyboard
from homing.core.errors import ConfigError, Invalid, Problem
from homing.review.incident import Incident
from homing.system import SystemClock
from homing.walkthrough.history import History, folder_of
from homing.walkthrough.history import Walk as Kept
from homing.walkthrough.packs import (
    WORDS_PER_MINUTE,
    Level,
    Library,
    Principle,
    Scenario,
    library,
    shipped,
)
from homing.walkthrough.rehearse import Judge
from homing.walkthrough.slots import values_of

DEFAULT: Final = "lost-update"
_F = TypeVar("_F", bound=Callable[..., Any])
_W = TypeVar("_W", bound=Kept)

plain = click.option(
    "--plain", is_flag=True, help="No colours, rules or moving clock; for screen readers."
)
folder = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where your attempts are kept, instead of homing/walkthrough in XDG_STATE_HOME.",
)


def judged_for(function: _F) -> _F:
    """For whom an answer is judged."""
    lens = click.option(
        "--lens",
        "lens_name",
        default="ownership",
        show_default=True,
        help="The principle that is listened for; `list` names them.",
    )
    level = click.option(
        "--level",
        "level_name",
        default="sde2",
        show_default=True,
        help="Whose answer it is; `list` names them.",
    )
    return level(lens(function))


def told(function: _F) -> _F:
    """The options of a command that tells a story."""
    for option in (
        click.argument("scenario", default=DEFAULT, required=False),
        click.option("--level", "level_name", default="sde2", show_default=True,
                     help="Whose answer it is; `list` names them."),
        click.option("--lens", "lens_name", default="",
                     help="The principle that is listened for. Default: the story's own."),
        click.option("--incident", "record", metavar="FILE|ID",
                     help="A record of `homing incident`: its figures instead of the story's."),
        click.option("--me", default="", metavar="ACTOR",
                     help="You, as the record names you. Default: who opened the incident."),
    ):  # fmt: skip
        function = option(function)
    return function


def walked(function: _F) -> _F:
    """The options of a walk that can be left and gone on with."""
    again = click.option("--again", is_flag=True, help="Begin anew instead of going on.")
    return again(folder(plain(function)))


paced = click.option(
    "--wpm",
    type=click.FloatRange(60, 300),
    default=WORDS_PER_MINUTE,
    show_default=True,
    help="Your words a minute, by which typed answers are timed.",
)


class Choice:
    """A story, a level, a lens, and perhaps a record."""

    def __init__(
        self, scenario: str, level_name: str, lens_name: str, record: str | None, me: str
    ) -> None:
        self.library = shipped()
        self.level: Level = one_of(self.library.levels, level_name, "--level")
        found: Scenario = one_of(self.library.scenarios, scenario, "SCENARIO")
        self.scenario = found.at(self.level.id)
        lens = lens_name or self.scenario.primary
        self.lens: Principle = one_of(self.library.principles, lens, "--lens")
        self.record: Incident | None = place_of(record).load() if record else None
        self.record_name, self.me = record or "", me

    @property
    def values(self) -> dict[str, str] | None:
        """Figures of the record, as they are said."""
        return values_of(self.scenario.slots, self.record) if self.record else None

    def judge(self, words_per_minute: float) -> Judge:
        return Judge(
            scenario=self.scenario,
            level=self.level,
            lens=self.lens,
            words_per_minute=words_per_minute,
            record=self.record,
            record_name=self.record_name,
            me=self.me,
        )

    def kept(self, history: History, mode: str, kind: type[_W]) -> _W | None:
        """The walk of this story, level and lens that is not over; None: there is none."""
        return history.load(mode, self.scenario.id, self.level.id, self.lens.id, kind)


def one_of(known: dict[str, Any], name: str, what: str) -> Any:
    """
    Raises:
        Invalid: there is none of the name.
    """
    if name not in known:
        text = f"expected one of {', '.join(known)}; found {name!r}"
        raise Invalid([Problem((what,), text)])
    return known[name]


class Walk:
    """What every walk has at hand: a screen, a keyboard, a history and the time."""

    def __init__(self, *, is_plain: bool, folder: Path | None) -> None:
        self.screen = Screen(is_plain=is_plain)
        self.keyboard = Keyboard(self.screen)
        self.history = history_in(folder)

    def now_us(self) -> int:
        return SystemClock().now_us()


def history_in(folder: Path | None) -> History:
    return History(folder or folder_of(dict(os.environ), Path.home()))


def packs_of(paths: tuple[Path, ...]) -> Library:
    """The shipped packs, with the scenarios of some files in place of theirs."""
    known = shipped()
    if not paths:
        return known
    texts = {}
    for path in paths:
        try:
            texts[path.stem] = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError([f"{path}: expected a story in TOML; {error}"]) from error
    mine = library(levels={}, principles={}, scenarios=texts).scenarios
    return Library(scenarios=mine, principles=known.principles, levels=known.levels)
